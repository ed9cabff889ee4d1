"""Tars, and ImageNet as tars, tars of tars and compressed tars."""

import bz2
import gzip
import io
import lzma
import tarfile
from pathlib import Path

from hypothesis import strategies as st

from convrnn_data.categories import shipped_lists
from convrnn_data.imagenet import plan, sources
from convrnn_data.imagenet.copying import Reader
from convrnn_data.imagenet.unpacking import Unpacker
from convrnn_data.shards import shard as shard_module
from convrnn_data.shards import workspace
from convrnn_data.shards.tarwalk import walk
from fuzz.harness import Target, demand, put
from fuzz.seeds import images, tars
from fuzz.strategies import edited

CONTENT = images.encoded("JPEG", size=(8, 8))
# fmt: off
TOKENS = (
    b"ustar", b"\x80", b"\xff" * 12, b"00000000000\0", b"77777777777", b"-1000", b" path=", b" size=", b"9 path=\n",
    b"@LongLink", b"GNU.sparse.", b"n02690373_1.JPEG", b".tar\0", b"L", b"x", b"g", b"0",
)
# fmt: on

_names = st.sampled_from(tars.NAMES)
_members = st.builds(
    lambda *fields, **more: tars.header(*fields, **more) + tars.padded(CONTENT),
    _names,
    st.just(len(CONTENT)) | st.sampled_from(tars.SIZES),
    st.sampled_from(tars.KINDS),
    link=_names,
    magic=st.sampled_from(tars.MAGICS),
)
_long_names = st.builds(
    lambda name, end, kind: tars.member(b"././@LongLink", name + end, kind),
    _names,
    st.sampled_from((b"\0", b"", b"\0rest")),
    st.sampled_from((b"L", b"K")),
)
_records = st.lists(st.sampled_from(tars.RECORDS), min_size=1, max_size=3).map(dict)
_extensions = _long_names | st.builds(tars.pax, _records, st.sampled_from((b"x", b"x", b"x", b"g")))
_tars = st.builds(
    lambda parts, end: b"".join(parts) + end,
    st.lists(_members | _extensions, min_size=1, max_size=6),
    st.sampled_from(
        (tars.END, tars.END, tars.END, b"", bytes(tars.BLOCK), tars.END * 10, tars.END + b"rubbish")
    ),
)
_tars_of_tars = st.lists(
    st.builds(
        tars.member, st.sampled_from((b"n02690373.tar", b"n02085782.tar", b"n00000000.tar", b"x.tar")), _tars
    ),
    max_size=2,
).map(lambda members: b"".join(members) + tars.END)


def _edited(seeds: dict[str, bytes]) -> st.SearchStrategy[bytes]:
    changed = edited(tuple(seed for seed in seeds.values() if len(seed) < 40_000), TOKENS)
    return changed | changed.map(tars.with_checksums)


def _walk(data: bytes, folder: Path) -> None:
    path = put(folder / "a.tar", data)
    with path.open("rb") as file:
        found = list(walk(file.fileno(), path))
    for entry in found:
        demand(0 <= entry.offset <= entry.offset + entry.size <= len(data), f"{entry} reaches beyond the tar")
    expected = _by_tarfile(data)
    # `tarfile` strips a trailing slash from some names.
    ours = [(entry.name.rstrip("/"), entry.offset, entry.size) for entry in found]
    demand(expected is None or expected == ours, f"{found}\ntarfile finds\n{expected}")


def _by_tarfile(data: bytes) -> list[tuple[str, int, int]] | None:
    """Return the files that `tarfile` finds; None if it fails, or stops without an end marker."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errorlevel=2) as tar:
            members = tar.getmembers()
            ended = not any(data[tar.offset : tar.offset + tars.BLOCK])
    except Exception:  # `tarfile` fails in many ways on damaged input.
        return None
    files = [
        (member.name.rstrip("/"), member.offset_data, member.size) for member in members if member.isreg()
    ]
    return files if ended else None


def _read_all(made: plan.Plan) -> None:
    with Reader() as reader:
        for shard in made.shards:
            for member in made.members(shard):
                demand(len(reader.read(member)) == member.size, f"{member} has another size")
                shard_module.ustar_header(f"{member.key}.json", member.size)


def _imagenet(data: bytes, folder: Path) -> None:
    outer = data[:100].partition(b"\0")[0].endswith(b".tar")
    path = put(folder / (sources.OFFICIAL if outer else "n02690373.tar"), data)
    listing = sources.list_images(sources.find_source(path if outer else folder), shipped_lists().categories)
    made = plan.make_plan(listing, shipped_lists(), plan.Settings(images="all", val=0.5))
    workspace.seal(plan.describe(made).model_dump(exclude_unset=True))
    _read_all(made)


def _collection(data: bytes, folder: Path) -> None:
    path, out = put(folder / "imagenet.tar", data), folder / "set"
    with Unpacker(out) as unpack:
        source = sources.find_source(path, unpack)
        listing = sources.list_images(source, shipped_lists().categories, unpack=unpack)
        _read_all(plan.make_plan(listing, shipped_lists(), plan.Settings(images="all", val=0.5)))
    demand([entry.name for entry in folder.iterdir()] == ["imagenet.tar"], "unpacked files remain")


def _collection_seeds() -> dict[str, bytes]:
    """Return tars of class folders and tars of tars, plain, compressed, or with compressed members."""
    inner = tars.valid(CONTENT)["ustar"]
    folders = tars.member(b"train/n02690373/n02690373_1.JPEG", CONTENT) + tars.member(
        b"train/n02690373/._x", CONTENT
    )
    dotted = tars.member(b"./n02085782/images/n02085782_1.JPEG", CONTENT)
    nested = tars.member(b"n02690373.tar.gz", gzip.compress(inner, mtime=0))
    mixed = tars.member(b"._n02690373.tar", b"\0\5\26\7") + tars.member(b"n02690373.tar", inner)
    plain = {"folders": folders, "dotted": dotted, "nested": nested, "mixed": mixed}
    plain = {name: data + tars.END for name, data in plain.items()}
    packed = {f"{name}_gz": gzip.compress(data, mtime=0) for name, data in plain.items()}
    return plain | packed | {"bz2": bz2.compress(plain["mixed"]), "xz": lzma.compress(plain["mixed"])}


def _repair(data: bytes) -> bytes:
    return data if data[:2] == b"\x1f\x8b" else tars.with_checksums(data)


_plain = tars.valid(CONTENT) | tars.hostile(CONTENT)
_outer = [
    tars.member(b"n0%d.tar" % number, tar) for number, tar in enumerate(tars.valid(CONTENT).values(), 2690373)
]
_imagenet_seeds = {"tar_of_tars": b"".join(_outer) + tars.END} | _plain
_collections = _collection_seeds()
_repacked = _edited(_collections).map(lambda data: gzip.compress(data, mtime=0))

TARGETS = {
    "tar": Target(_walk, _plain, _tars | _edited(_plain), is_binary=True, tokens=TOKENS, repair=_repair),
    "imagenet": Target(
        _imagenet,
        _imagenet_seeds,
        _tars_of_tars | _tars | (_tars_of_tars | _edited(_imagenet_seeds)).map(tars.with_checksums),
        is_binary=True,
        tokens=TOKENS,
        repair=_repair,
    ),
    "collection": Target(
        _collection,
        _collections,
        _edited(_collections) | _repacked,
        is_binary=True,
        tokens=TOKENS,
        repair=_repair,
    ),
}
