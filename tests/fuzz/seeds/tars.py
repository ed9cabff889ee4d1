"""Tars written header by header: valid and hostile ones."""

import io
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
    """Return a header with a correct checksum; `size` as bytes is written unchanged."""
    field = b"%011o\0" % size if isinstance(size, int) else size.ljust(12, b"\0")
    block = (
        name[:100].ljust(100, b"\0") + b"0000644\x000000000\x000000000\x00" + field + b"00000000000\0" + b" " * 8
        + kind + link[:100].ljust(100, b"\0") + magic
    ).ljust(BLOCK, b"\0")  # fmt: skip
    return _with_checksum(block)


def _with_checksum(block: bytes) -> bytes:
    blank = block[:148] + b" " * 8 + block[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def with_checksums(data: bytes) -> bytes:
    """Recompute the checksum of every header."""
    blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
    return b"".join(
        _with_checksum(block) if block[257:262] == b"ustar" and len(block) == BLOCK else block
        for block in blocks
    )


def padded(content: bytes) -> bytes:
    """Pad content to whole blocks."""
    return content + bytes(-len(content) % BLOCK)


def member(name: bytes, content: bytes = b"", kind: bytes = b"0", **more: bytes) -> bytes:
    """Return a header and its content."""
    return header(name, len(content), kind, **more) + padded(content)


def pax(records: dict[bytes, bytes], kind: bytes = b"x") -> bytes:
    """Return an extended header."""
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


def valid(content: bytes) -> dict[str, bytes]:
    """Return valid tars of all three formats."""
    names = ["n02690373_1.JPEG", "n02690373_2.JPEG", "folder/n02690373_3.JPEG", "é" * 60 + ".JPEG"]
    return {
        "ustar": _by_tarfile(tarfile.USTAR_FORMAT, names[:3], content),
        "gnu": _by_tarfile(tarfile.GNU_FORMAT, names, content),
        "pax": _by_tarfile(tarfile.PAX_FORMAT, names, content),
    }


def hostile(content: bytes) -> dict[str, bytes]:
    """Return invalid or unusual tars; each may be refused, none may hang or mislead."""
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
        f"size_{name}": header(b"n02690373_1.JPEG", size) + padded(content) for name, size in sized.items()
    }
    pax_sizes = {"negative": b"-512", "huge": b"9" * 30, "word": b"x", "empty": b"", "other": b"0"}
    found |= {f"pax_size_{name}": pax({b"size": size}) + image + after for name, size in pax_sizes.items()}
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


# fmt: off
NAMES = (
    *(b"n02690373_1.JPEG", b"n02690373_2.JPEG", b"n02690373_3.png", b"n02690373_4.jpg", b"./n02690373_5.JPEG"),
    *(b"n02690373/n02690373_6.JPEG", b"/n02690373_7.JPEG", b"../n02690373_8.JPEG", b".hidden.JPEG", b"readme.txt"),
    *(b"", b"/", b".", b"..", b"n02690373/", b"n02690373_9.JPEG/", b"n" * 100, b"n" * 99 + b"/", b"\xff\xfe.JPEG"),
    *(b"n02690373_1\n.JPEG", b"n02690373_1\0hidden.JPEG", b"n02690373.tar", b"n02085782.tar", "\u00e9.JPEG".encode()),
)
KINDS = (b"0",) * 8 + tuple(bytes([kind]) for kind in b"\x007123456SVMNDAZ\xff")
MAGICS = (
    b"ustar\x0000", b"ustar\x0000", b"ustar  \0", b"", b"ustar\x0099", b"ustar\x0000".ljust(88, b"\0") + b"folder/of",
)
SIZES: tuple[int | bytes, ...] = (0, 1, 511, 512, 513, 8**11 - 1, b"", b"9", b"-7", b"\x80" + bytes(10) + b"\x09")
RECORDS = (
    *((b"path", name) for name in NAMES),
    *((b"size", size) for size in (b"0", b"3", b"007", b"512", b"", b" 3", b"3 ", b"+3", b"1_0", b"-3")),
    *((b"size", size) for size in (b"9" * 18, b"9" * 30, b"3.0", b"0x3", "\u0663".encode(), b"1e3")),
    *((key, b"x") for key in (b"comment", b"linkpath", b"hdrcharset", b"mtime", b"uid")),
    *((b"GNU.sparse.map", b"x"), (b"SCHILY.xattr.a", b"x")),
    *((b"hdrcharset", b"BINARY"), (b"mtime", b"1.5"), (b"comment", b"a=b\nc"), (b"", b"x"), (b"path\0", b"x")),
)
# fmt: on
"""Parts from which headers are drawn."""
