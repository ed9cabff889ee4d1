"""Files of a prepared set: split, manifest, index and plan."""

import hashlib
import json
from pathlib import Path
from typing import Any

from convrnn_data.categories import CATEGORIES
from convrnn_data.human import stimuli
from convrnn_data.shards import prepared_set, splits, stats, verifying, workspace
from convrnn_data.shards import shard as shard_module
from convrnn_data.shards.formats import PlanFile
from fuzz.harness import Target, demand, put, variant
from fuzz.seeds import documents
from fuzz.strategies import json_files

SHARD = {"imagenet": "train/000000", "human": "color/000000"}
MANIFESTS = [documents.manifest(kind, shard) for kind, shard in SHARD.items()]
INDEXES = [documents.index(shard, b"abc") for shard in SHARD.values()]
PLANS = [documents.plan(kind, shard) for kind, shard in SHARD.items()]


def sealed(text: bytes) -> bytes:
    """Append the checksum with which the package writes JSON."""
    body = text[:-1].rstrip()
    return body + b',\n"sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def _as_file(value: Any) -> bytes:
    return sealed(json.dumps(value).encode())


def _kind(data: bytes) -> str:
    return "human" if b"color/0" in data else "imagenet"


def _make_set(folder: Path, kind: str, *, index: bytes, **files: bytes) -> None:
    """Write a set of one shard, and the given files."""
    put(folder / f"{SHARD[kind]}.tar", b"abc")
    put(folder / f"{SHARD[kind]}.json", index)
    put(folder / prepared_set.SPLIT, _as_file({"format": 1, "train": []}))
    for name, data in files.items():
        put(folder / f"{name}.json", data)


def _manifest(data: bytes, folder: Path) -> None:
    kind = _kind(data)
    _make_set(folder, kind, index=_as_file(documents.index(SHARD[kind], b"abc")), manifest=data)
    if variant(data, 8) == 0:
        problems = verifying.verify(folder).problems
        demand(all(line.isprintable() for line in problems), "a problem of several lines")
    _read_all(prepared_set.PreparedSet(folder), kind)


def _index(data: bytes, folder: Path) -> None:
    kind = _kind(data)
    _make_set(folder, kind, index=data, manifest=_as_file(documents.manifest(kind, SHARD[kind])))
    shard_module.is_whole(folder / f"{SHARD[kind]}.tar", documents.PLAN)
    stated = shard_module.read_index(folder / f"{SHARD[kind]}.tar").samples
    table = prepared_set.PreparedSet(folder).table(SHARD[kind].partition("/")[0])
    for name in shard_module.COLUMNS:
        demand(getattr(table, name).tolist() == getattr(stated, name), f"{name} differ from the file's")
    _read_all(prepared_set.PreparedSet(folder), kind)


def _read_all(data: prepared_set.PreparedSet, kind: str) -> None:
    stats.table(data)
    for split in data.splits:
        table = data.table(split)
        columns = (table.labels, table.widths, table.heights, table.shard_ids, table.offsets, table.sizes)
        demand(all(len(column) == len(table.keys) for column in columns), "columns of unequal length")
        demand(all(0 <= label < len(CATEGORIES) for label in table.labels.tolist()), "an invalid label")
        samples = table.read(range(len(table)))
        demand([len(sample) for sample in samples] == list(table.sizes), "another size")
        table.close()
    if kind == "human":
        stimuli.list_stimuli(data.path)


def _plan(data: bytes, folder: Path) -> None:
    kind = _kind(data)
    _make_set(folder, kind, index=_as_file(documents.index(SHARD[kind], b"abc")), plan=data)
    if variant(data, 4) == 0:
        verifying.verify(folder)
    workspace.is_complete(folder, PlanFile(**documents.plan("imagenet", SHARD["imagenet"])))


def _split(data: bytes, folder: Path) -> None:
    assigned = splits.read_split(put(folder / "split.json", data))
    stated = json.loads(data)
    for code, name in enumerate(splits.SPLITS):
        ours = {key.decode() for key, split in assigned.items() if split == code}
        demand(ours == set(stated.get(name, [])), f"{name} differs from the file's")


TARGETS = {
    "split": Target(_split, *json_files(documents.SPLITS)),
    "sealedsplit": Target(_split, *json_files(documents.SPLITS[:1], sealed)),
    "manifest": Target(_manifest, *json_files(MANIFESTS, sealed)),
    "index": Target(_index, *json_files(INDEXES, sealed)),
    "plan": Target(_plan, *json_files(PLANS, sealed)),
}
