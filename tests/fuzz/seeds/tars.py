"""Tars written by hand, header by header: sound ones, and every trick that a tar can play."""

import io
import random
import tarfile

BLOCK = 512
END = bytes(2 * BLOCK)


def header(
    name: bytes,
    size: int | bytes = 0,
    kind: bytes = b"0",
    *,
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
) -> bytes:
    """A header with a right checksum; `size` as bytes is written as it is."""
    field = b"%011o\0" % size if isinstance(size, int) else size.ljust(12, b"\0")
    block = (
        name[:100].ljust(100, b"\0") + b"0000644\x000000000\x000000000\x00" + field + b"00000000000\0" + b" " * 8
        + kind + link[:100].ljust(100, b"\0") + magic
    ).ljust(BLOCK, b"\0")  # fmt: skip
    return with_checksum(block)


def with_checksum(block: bytes) -> bytes:
    """The block with the checksum that it should have."""
    blank = block[:148] + b" " * 8 + block[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def data(content: bytes) -> bytes:
    """Content, filled up to whole blocks."""
    return content + bytes(-len(content) % BLOCK)


def member(name: bytes, content: bytes = b"", kind: bytes = b"0", **more: bytes) -> bytes:
    """Header and content."""
    return header(name, len(content), kind, **more) + data(content)


def pax(records: dict[bytes, bytes], kind: bytes = b"x") -> bytes:
    """An extended header."""
    lines = b"".join(_record(key, value) for key, value in records.items())
    return member(b"PaxHeaders/x", lines, kind)


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" %b=%b\n" % (key, value)
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d%b" % (length, rest)


def _by_tarfile(form: int, names: list[str], content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), 1
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def sound(content: bytes) -> dict[str, bytes]:
    """Tars that are right, of all three forms."""
    names = ["n02690373_1.JPEG", "n02690373_2.JPEG", "folder/n02690373_3.JPEG", "é" * 60 + ".JPEG"]
    return {
        "ustar": _by_tarfile(tarfile.USTAR_FORMAT, names[:3], content),
        "gnu": _by_tarfile(tarfile.GNU_FORMAT, names, content),
        "pax": _by_tarfile(tarfile.PAX_FORMAT, names, content),
    }


def hostile(content: bytes) -> dict[str, bytes]:
    """Tars that are wrong, or right and unusual; each may be refused, none may hang or mislead."""
    image, after = member(b"n02690373_1.JPEG", content), member(b"n02690373_2.JPEG", content)
    sized = {
        "negative_octal": b"-0000001000",
        "negative_one_block": b"-1000",
        "negative_binary": b"\xff" * 12,
        "huge_binary": b"\x80" + b"\x7f" * 11,
        "huge_octal": b"77777777777",
        "signed": b"+0000000007",
        "underscored": b"0_0_0_0_0_7",
        "prefixed": b"0o7",
        "not_octal": b"99999999999",
        "blank": b" " * 11,
    }
    found = {
        f"size_{name}": header(b"n02690373_1.JPEG", size) + data(content) for name, size in sized.items()
    }
    found |= {
        f"pax_size_{name}": pax({b"size": size}) + image + after
        for name, size in {
            "negative": b"-512",
            "huge": b"9" * 30,
            "word": b"x",
            "empty": b"",
            "other": b"0",
        }.items()
    }
    records = {
        "no_length": b"path=x\n",
        "zero_length": b"0 path=x\n",
        "negative_length": b"-9 path=x\n",
        "long_length": b"99999 path=x\n",
        "huge_length": b"9" * 5000 + b" path=x\n",
        "no_equals": b"10 pathxx\n",
        "no_newline": b"10 path=xx",
        "no_space": b"1" * 600,
        "empty": b"",
    }
    found |= {f"pax_{name}": member(b"x", text, b"x") + image for name, text in records.items()}
    found |= {
        "absolute": member(b"/etc/n02690373_1.JPEG", content),
        "dotted": member(b"../../../n02690373_1.JPEG", content),
        "symlink": member(b"n02690373_1.JPEG", kind=b"2", link=b"/etc/passwd") + after,
        "hardlink": member(b"n02690373_1.JPEG", kind=b"1", link=b"/etc/passwd") + after,
        "link_with_size": header(b"n02690373_1.JPEG", 5000, b"1", link=b"/etc/passwd") + after,
        "folder_with_size": header(b"n02690373/", 5000, b"5") + after,
        "devices": b"".join(member(b"n02690373_1.JPEG", kind=kind) for kind in (b"3", b"4", b"6")) + after,
        "contiguous": member(b"n02690373_1.JPEG", content, b"7") + after,
        "old_folder": header(b"n02690373_1.JPEG/", 0, b"\0", magic=b"") + after,
        "unknown_kind": member(b"n02690373_1.JPEG", content, b"Z") + after,
        "sparse_gnu": member(b"n02690373_1.JPEG", content, b"S") + after,
        "sparse_pax": pax({b"GNU.sparse.major": b"1", b"GNU.sparse.name": b"n02690373_9.JPEG"}) + image,
        "twice": image + image,
        "name_empty": member(b"", content),
        "name_of_nul": member(b"\0n02690373_1.JPEG", content),
        "name_not_utf8": member(b"n02690373_\xff\xfe.JPEG", content),
        "name_with_newline": member(b"n02690373_1\nx.JPEG", content) * 2,
        "name_long": member(b"././@LongLink", b"n02690373_" + b"7" * 300 + b".JPEG\0", b"L") + image,
        "name_huge": member(b"././@LongLink", b"n" * 3_000_000, b"L") + image,
        "name_alone": member(b"././@LongLink", b"n02690373_7.JPEG\0", b"L"),
        "name_claims_more": header(b"././@LongLink", 10**9, b"L"),
        "pax_path": pax({b"path": b"../n02690373_5.JPEG"}) + image,
        "pax_path_not_utf8": pax({b"path": b"\xff\xfe.JPEG"}) + image,
        "pax_global": pax({b"comment": b"x"}, b"g") + image,
        "pax_global_path": pax({b"path": b"n02690373_6.JPEG"}, b"g") + image + after,
        "pax_many": pax({b"k%d" % number: b"v" for number in range(2000)}) + image,
        "pax_huge": pax({b"comment": b"c" * 3_000_000}) + image,
        "name_and_pax_path": member(b"././@LongLink", b"n02690373_7.JPEG\0", b"L") + pax({b"path": b"x.JPEG"}) + image,
        "pax_claims_more": header(b"x", 10**9, b"x"),
        "pax_after_pax": pax({b"path": b"n02690373_5.JPEG"}) * 50 + image,
        "tar_in_tar": member(b"n02690373.tar", image + END) + member(b"n02085782.tar", image + after + END),
        "tar_in_tar_reaching_out": header(b"n02690373.tar", BLOCK) + image + END,
        "nothing": b"",
        "only_end": END,
        "no_end": image,
        "rubbish_after_end": image + END + b"rubbish",
    }  # fmt: skip
    ends = ("nothing", "no_end", "only_end", "rubbish_after_end")
    return {name: tar if name in ends else tar + END for name, tar in found.items()}


NAMES = (
    *(b"n02690373_1.JPEG", b"n02690373_2.JPEG", b"n02690373_3.png", b"n02690373_4.jpg", b"./n02690373_5.JPEG"),
    *(b"n02690373/n02690373_6.JPEG", b"/n02690373_7.JPEG", b"../n02690373_8.JPEG", b".hidden.JPEG", b"readme.txt"),
    *(b"", b"/", b".", b"..", b"n02690373/", b"n02690373_9.JPEG/", b"n" * 100, b"n" * 99 + b"/", b"\xff\xfe.JPEG"),
    *(b"n02690373_1\n.JPEG", b"n02690373_1\0hidden.JPEG", b"n02690373.tar", b"n02085782.tar", "\u00e9.JPEG".encode()),
)  # fmt: skip
KINDS = (b"0",) * 8 + (
    b"\0",
    b"7",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"6",
    b"S",
    b"V",
    b"M",
    b"N",
    b"D",
    b"A",
    b"Z",
    b"\xff",
)
MAGICS = (b"ustar\x0000",) * 4 + (
    b"ustar  \0",
    b"",
    b"ustar\x0099",
    b"ustar\x0000".ljust(88, b"\0") + b"folder/of",
)
RECORDS = (
    *((b"path", name) for name in NAMES),
    *((b"size", size) for size in (b"0", b"3", b"007", b"512", b"", b" 3", b"3 ", b"+3", b"1_0", b"-3", b"9" * 18, b"9" * 30)),
    *((b"size", size) for size in (b"3.0", b"0x3", "\u0663".encode(), b"1e3")),
    *((key, b"x") for key in (b"comment", b"linkpath", b"hdrcharset", b"mtime", b"uid", b"GNU.sparse.map", b"SCHILY.xattr.a")),
    *((b"hdrcharset", b"BINARY"), (b"mtime", b"1.5"), (b"comment", b"a=b\nc"), (b"", b"x"), (b"path\0", b"x")),
)  # fmt: skip


def drawn(rng: random.Random, content: bytes) -> bytes:
    """A tar of one to five members, each with headers before it or none, of any kind, name and stated size."""
    members = b"".join(_drawn_member(rng, content) for _ in range(rng.choice((1, 1, 2, 3, 5))))
    return members + rng.choice((END, END, END, bytes(BLOCK), b"", END * 10, END + b"rubbish"))


def drawn_outer(rng: random.Random, content: bytes) -> bytes:
    """A tar of such tars."""
    names = rng.sample((b"n02690373.tar", b"n02085782.tar", b"n02123045.tar", b"n00000000.tar", b"x.tar"), 2)
    inner = [(drawn(rng, content), name) for name in names]
    cut = [(tar[: len(tar) - rng.choice((0, 0, 0, 1, 512, 1024))], name) for tar, name in inner]
    return b"".join(member(name, tar) for tar, name in cut) + END


def _drawn_member(rng: random.Random, content: bytes) -> bytes:
    name, kind = rng.choice(NAMES), rng.choice(KINDS)
    before = b"".join(_drawn_extension(rng) for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3))))
    stated: int | bytes = len(content)
    if rng.random() < 0.3:
        stated = rng.choice(
            (
                0,
                1,
                511,
                512,
                513,
                len(content) + 1,
                8**11 - 1,
                b"",
                b"9",
                b"-7",
                b"\x80" + bytes(10) + b"\x09",
            )
        )
    return (
        before + header(name, stated, kind, link=rng.choice(NAMES), magic=rng.choice(MAGICS)) + data(content)
    )


def _drawn_extension(rng: random.Random) -> bytes:
    kind = rng.choice((b"x", b"x", b"x", b"g", b"L", b"K"))
    if kind in (b"L", b"K"):
        return member(b"././@LongLink", rng.choice(NAMES) + rng.choice((b"\0", b"", b"\0rest")), kind)
    return pax(dict(rng.choices(RECORDS, k=rng.choice((1, 1, 2, 3)))), kind)
