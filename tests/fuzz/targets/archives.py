"""Tars, and ImageNet as tars and tars of tars."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
from collections.abc import Sequence
from pathlib import Path

from convrnn_data.categories import shipped_lists
from convrnn_data.imagenet import plan, sources
from convrnn_data.imagenet.copying import Reader
from convrnn_data.imagenet.unpacking import Unpacker
from convrnn_data.shards import shard as shard_module
from convrnn_data.shards import workspace
from convrnn_data.shards.tarwalk import walk
from fuzz import mutations, pictures, tars
from fuzz.targets.making import demand, put, target

CONTENT = pictures.saved("JPEG", size=(8, 8))
TAR_TOKENS = (
    *(
        b"ustar",
        b"\x80",
        b"\xff" * 12,
        b"00000000000\0",
        b"77777777777",
        b"-1000",
        b" path=",
        b" size=",
        b"9 path=\n",
    ),
    *(b"@LongLink", b"GNU.sparse.", b"n02690373_1.JPEG", b".tar\0", b"L", b"x", b"g", b"0"),
)


def _tar_seeds() -> dict[str, bytes]:
    return tars.sound(CONTENT) | tars.hostile(CONTENT)


def _imagenet_seeds() -> dict[str, bytes]:
    inner = tars.sound(CONTENT)
    outer = [
        tars.member(f"n0{number}.tar".encode(), tar) for number, tar in enumerate(inner.values(), 2690373)
    ]
    return {"tar_of_tars": b"".join(outer) + tars.END} | _tar_seeds()


def _break_tar(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Half are drawn, member by member, half broken bytes, mostly with checksums put right, so that they are read."""
    if rng.random() < 0.5:
        return tars.drawn(rng, CONTENT)
    return _broken_tar(rng, rng.choice(seeds)[:40_000], seeds)


def _break_imagenet(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    kind = rng.random()
    data = tars.drawn_outer(rng, CONTENT) if kind < 0.6 else tars.drawn(rng, CONTENT)
    return data if kind < 0.3 else _broken_tar(rng, data if kind < 0.8 else rng.choice(seeds)[:40_000], seeds)


def _broken_tar(rng: random.Random, sound: bytes, seeds: Sequence[bytes]) -> bytes:
    data = mutations.broken_bytes(rng, sound, seeds, TAR_TOKENS)
    if rng.random() < 0.2:
        return data
    blocks = [data[at : at + tars.BLOCK] for at in range(0, len(data), tars.BLOCK)]
    return b"".join(
        tars.with_checksum(one) if one[257:262] == b"ustar" and len(one) == 512 else one for one in blocks
    )


def _walk(data: bytes, folder: Path) -> None:
    path = put(folder / "a.tar", data)
    with path.open("rb") as file:
        found = list(walk(file.fileno(), path))
    for entry in found:
        demand(0 <= entry.offset <= entry.offset + entry.size <= len(data), f"{entry} lies outside the tar")
    expected = _by_tarfile(data)
    # `tarfile` leaves out a slash at the end of some names.
    ours = [(entry.name.rstrip("/"), entry.offset, entry.size) for entry in found]
    demand(
        expected is None or expected == ours,
        f"{found}\ntarfile finds\n{expected}",
    )


def _by_tarfile(data: bytes) -> list[tuple[str, int, int]] | None:
    """What Python's own reader finds; None where it refuses, or stops where only an end mark may make it stop."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errorlevel=2) as tar:
            members = tar.getmembers()
            ended = not any(data[tar.offset : tar.offset + tars.BLOCK])
    except Exception:  # Its own failures are many, and none of ours.
        return None
    return (
        [(one.name.rstrip("/"), one.offset_data, one.size) for one in members if one.isreg()]
        if ended
        else None
    )


def _imagenet(data: bytes, folder: Path) -> None:
    outer = data[:100].partition(b"\0")[0].endswith(b".tar")
    path = put(folder / (sources.OFFICIAL if outer else "n02690373.tar"), data)
    listing = sources.list_images(sources.find_source(path if outer else folder), shipped_lists().categories)
    made = plan.make_plan(listing, shipped_lists(), plan.Settings(images="all", val=0.5))
    workspace.seal(plan.describe(made))
    with Reader() as reader:
        for shard in made.shards:
            for member in made.members(shard):
                demand(len(reader.read(member)) == member.size, f"{member} has another size")
                shard_module.ustar_header(f"{member.key}.json", member.size)


def _collection_seeds() -> dict[str, bytes]:
    """Tars of class folders, tars of tars, and both compressed as a whole or within."""
    inner = tars.sound(CONTENT)["ustar"]
    names = (
        b"train/n02690373/n02690373_1.JPEG",
        b"./n02085782/images/n02085782_1.JPEG",
        b"train/n02690373/._x",
    )
    folders = b"".join(tars.member(name, CONTENT) for name in names[:1] + names[2:]) + tars.END
    dotted = tars.member(names[1], CONTENT) + tars.END
    nested = tars.member(b"n02690373.tar.gz", gzip.compress(inner, mtime=0)) + tars.END
    mixed = tars.member(b"._n02690373.tar", b"\0\5\26\7") + tars.member(b"n02690373.tar", inner) + tars.END
    plain = {"folders": folders, "dotted": dotted, "nested": nested, "mixed": mixed}
    packed = {f"{name}_gz": gzip.compress(data, mtime=0) for name, data in plain.items()}
    return plain | packed | {"bz2": bz2.compress(mixed), "xz": lzma.compress(mixed)}


def _break_collection(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Broken before or after it is compressed."""
    data = rng.choice(seeds)
    if data[:2] == b"\x1f\x8b" and rng.random() < 0.5:
        return gzip.compress(_broken_tar(rng, gzip.decompress(data), seeds), mtime=0)
    return _broken_tar(rng, data, seeds)


def _collection(data: bytes, folder: Path) -> None:
    path, out = put(folder / "imagenet.tar", data), folder / "set"
    with Unpacker(out) as unpack:
        listing = sources.list_images(
            sources.find_source(path, unpack), shipped_lists().categories, unpack=unpack
        )
        made = plan.make_plan(listing, shipped_lists(), plan.Settings(images="all", val=0.5))
        with Reader() as reader:
            for member in (one for shard in made.shards for one in made.members(shard)):
                demand(len(reader.read(member)) == member.size, f"{member} has another size")
    demand([one.name for one in folder.iterdir()] == ["imagenet.tar"], "what was unpacked is left")


TARGETS = (
    target("tar", _tar_seeds, _break_tar, _walk),
    target("imagenet", _imagenet_seeds, _break_imagenet, _imagenet),
    target("collection", _collection_seeds, _break_collection, _collection),
)
