"""The files of a prepared set: split, manifest, index and plan."""

import json
from pathlib import Path
from typing import Any

from convrnn_data.categories import CATEGORIES
from convrnn_data.human import stimuli
from convrnn_data.shards import prepared_set, splits, stats, verifying, workspace
from convrnn_data.shards import shard as shard_module
from fuzz import texts
from fuzz.targets.making import choice, demand, of_json, put, sealed

SHARD = {"imagenet": "train/000000", "human": "color/000000"}
MANIFESTS = [texts.manifest(kind, shard) for kind, shard in SHARD.items()]
INDEXES = [texts.index(shard, b"abc") for shard in SHARD.values()]
PLANS = [texts.plan(kind, shard) for kind, shard in SHARD.items()]


def _kind(data: bytes) -> str:
    return "human" if b"color/0" in data else "imagenet"


def _set(folder: Path, kind: str, name: str, content: dict[str, Any], index: dict[str, Any] | bytes) -> Path:
    """A set of one shard: its manifest or plan, its split, its tar and index."""
    sealed = index if isinstance(index, bytes) else prepared_bytes(index)
    put(folder / f"{SHARD[kind]}.tar", b"abc")
    put(folder / f"{SHARD[kind]}.json", sealed)
    put(folder / prepared_set.SPLIT, prepared_bytes({"format": 1, "train": []}))
    return put(folder / name, prepared_bytes(content))


def prepared_bytes(body: dict[str, Any]) -> bytes:
    """A body as a prepared set keeps it."""
    return sealed(json.dumps(body).encode())


def _manifest(data: bytes, folder: Path) -> None:
    kind = _kind(data)
    _set(folder, kind, prepared_set.MANIFEST, {}, texts.index(SHARD[kind], b"abc"))
    put(folder / prepared_set.MANIFEST, data)
    if choice(data, 8) == 0:
        demand(
            all(line.isprintable() for line in verifying.verify(folder).problems),
            "a problem of several lines",
        )
    _read_all(prepared_set.PreparedSet(folder), kind)


def _index(data: bytes, folder: Path) -> None:
    kind = _kind(data)
    _set(folder, kind, prepared_set.MANIFEST, texts.manifest(kind, SHARD[kind]), data)
    shard_module.is_whole(folder / f"{SHARD[kind]}.tar", texts.PLAN)
    told = shard_module.read_index(folder / f"{SHARD[kind]}.tar")["samples"]
    table = prepared_set.PreparedSet(folder).table(SHARD[kind].partition("/")[0])
    for name in shard_module.COLUMNS:
        demand(getattr(table, name).tolist() == told[name], f"{name} are not those of the file")
    _read_all(prepared_set.PreparedSet(folder), kind)


def _read_all(data: prepared_set.PreparedSet, kind: str) -> None:
    stats.table(data)
    for split in data.splits:
        table = data.table(split)
        columns = (table.labels, table.widths, table.heights, table.shard_ids, table.offsets, table.sizes)
        demand(all(len(column) == len(table.keys) for column in columns), "columns of unlike length")
        demand(all(0 <= label < len(CATEGORIES) for label in table.labels.tolist()), "a label that is none")
        demand(all(len(read) == size for read, size in zip(table.read(range(len(table))), table.sizes, strict=True)),
                "another size")  # fmt: skip
        table.close()
    if kind == "human":
        stimuli.list_stimuli(data.path)


def _plan(data: bytes, folder: Path) -> None:
    kind = _kind(data)
    _set(folder, kind, prepared_set.PLAN, {}, texts.index(SHARD[kind], b"abc"))
    put(folder / prepared_set.PLAN, data)
    if choice(data, 4) == 0:
        verifying.verify(folder)
    workspace.is_complete(folder, texts.plan("imagenet", SHARD["imagenet"]))


def _split(data: bytes, folder: Path) -> None:
    assigned = splits.read_split(put(folder / "split.json", data))
    told = json.loads(data)
    for code, name in enumerate(splits.SPLITS):
        ours = {key.decode() for key, to in assigned.items() if to == code}
        demand(ours == set(told.get(name, [])), f"{name} is not what the file says")


TARGETS = (
    of_json("split", texts.SPLITS, _split),
    of_json("sealedsplit", texts.SPLITS[:1], _split, sealed),
    of_json("manifest", MANIFESTS, _manifest, sealed),
    of_json("index", INDEXES, _index, sealed),
    of_json("plan", PLANS, _plan, sealed),
)
