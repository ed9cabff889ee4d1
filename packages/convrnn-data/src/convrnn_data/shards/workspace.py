"""Folder of a prepared set that is being made: start, resume, complete, clean up."""

import contextlib
import csv
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from convrnn_data.base import advice
from convrnn_data.base.atomic import TEMPORARY, write_file
from convrnn_data.base.checksummed_json import seal, unseal_as
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.locking import LOCK, locked
from convrnn_data.categories import CATEGORIES
from convrnn_data.shards.card import CARD, format_card
from convrnn_data.shards.formats import (
    FORMAT,
    IMAGENET,
    FileEntry,
    Manifest,
    PlanFile,
    SetIdentity,
    ShardIndex,
    differences,
    origins,
)
from convrnn_data.shards.prepared_set import MANIFEST, PLAN, REJECTED, SPLIT
from convrnn_data.shards.shard import index_path, is_whole, read_index


def contents(folder: Path) -> list[str]:
    """List the names in a folder, except for lock and temporary files."""
    return sorted(name for name in os.listdir(folder) if name != LOCK and not _is_temporary(name))


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(TEMPORARY)


def remove_temporaries(folder: Path) -> None:
    """Remove temporary files of killed runs. Requires an exclusive lock."""
    for parent in (folder, *(path for path in folder.iterdir() if path.is_dir())):
        for name in os.listdir(parent):
            if _is_temporary(name):
                (parent / name).unlink(missing_ok=True)


@contextlib.contextmanager
def created_and_locked(out: Path, *, shared: bool = False) -> Iterator[None]:
    """Create and lock `out`; after an error, remove the created folders that are still empty."""
    made = _make(out)
    try:
        with locked(out, shared=shared):
            yield
    except BaseException:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _make(out: Path) -> list[Path]:
    made: list[Path] = []
    try:
        for folder in (*reversed(out.parents), out):
            if not folder.is_dir():
                folder.mkdir()
                made.insert(0, folder)
    except FileExistsError as error:
        if out.is_dir():
            return made
        raise ConvRNNError(
            f"cannot make {out}: {error.filename} is a file, not a folder. Choose another name"
        ) from error
    except OSError as error:
        otherwise = "Make the parent folder writable, or choose another"
        raise ConvRNNError(
            f"cannot make {out}: {advice.describe(error, out.parent, otherwise, writing=True)}"
        ) from error
    return made


def is_complete(out: Path, plan: PlanFile) -> bool:
    """Return whether the set of this plan is complete already.

    Raises:
        ConvRNNError: The folder holds another set or other files.
    """
    complete = (out / MANIFEST).is_file()
    if complete or (out / PLAN).is_file():
        existing = unseal_as(out / (MANIFEST if complete else PLAN), SetIdentity)
        changed = differences(existing, plan)
        if changed or existing.plan != plan.plan:
            raise ConvRNNError(
                f"{out} holds a set with another plan: {changed or 'its contents differ'}. Choose another folder, "
                "remove this one, or use the settings of the set"
            )
        if complete and all(is_whole(out / f"{name}.tar", plan.plan) for name in plan.shards):
            (out / PLAN).unlink(missing_ok=True)  # Left by a run that was killed between the last two steps.
            return True
    elif contents(out):
        raise ConvRNNError(
            f"cannot make {out}: it must be a new or empty folder, or a prepared set to resume, got a folder with "
            f"{contents(out)[0]}. Choose another folder"
        )
    return False


def begin(out: Path, plan: PlanFile, split: bytes) -> None:
    """Write the plan and the split, and create the splits' folders."""
    write_file(out / PLAN, seal(plan.model_dump(exclude_unset=True), indent=1))
    write_file(out / SPLIT, split)
    for name in plan.shards:
        _make((out / name).parent)


def abandon(out: Path, plan: PlanFile) -> None:
    """Clean up after an error: remove temporary files and, if no shard is complete, the whole set."""
    with contextlib.suppress(OSError):
        remove_temporaries(out)
    if (out / MANIFEST).is_file() or any(index_path(out / f"{name}.tar").exists() for name in plan.shards):
        return
    with contextlib.suppress(OSError):
        for name in (PLAN, SPLIT):
            (out / name).unlink(missing_ok=True)
        for name in plan.shards:
            (out / f"{name}.tar").unlink(missing_ok=True)
        for folder in {(out / name).parent for name in plan.shards}:
            folder.rmdir()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path)}") from error


def complete(out: Path, also: tuple[str, ...] = ()) -> Manifest:
    """Write `rejected.csv`, the card and finally `manifest.json`. Requires an exclusive lock and all shards.

    Args:
        out: The set.
        also: Further files of the set.

    Returns:
        The manifest.
    """
    plan = unseal_as(out / PLAN, PlanFile)
    indexes = {name: read_index(out / f"{name}.tar", plan.plan) for name in plan.shards}
    rejected = plan.rejected + [entry for index in indexes.values() for entry in index.rejected]
    write_file(out / REJECTED, format_rejected(rejected))
    splits = dict.fromkeys(name.partition("/")[0] for name in plan.shards)
    write_file(out / CARD, format_card(plan.kind, splits))
    files = {f"{name}.tar": (index.bytes, index.sha256) for name, index in indexes.items()}
    for name in (*(f"{name}.json" for name in plan.shards), SPLIT, REJECTED, CARD, *also):
        data = _read(out / name)
        files[name] = (len(data), hashlib.sha256(data).hexdigest())
    manifest = Manifest(
        format=FORMAT,
        kind=plan.kind,
        plan=plan.plan,
        settings=plan.settings,
        categories=list(CATEGORIES),
        counts=_counts(indexes),
        **_provenance(plan, indexes),
        shards={name: index.count for name, index in indexes.items()},
        rejected=len(rejected),
        files={name: FileEntry(bytes=size, sha256=digest) for name, (size, digest) in sorted(files.items())},
    )
    remove_temporaries(out)
    write_file(out / MANIFEST, seal(manifest.model_dump(exclude_unset=True), indent=1))
    (out / PLAN).unlink()
    return manifest


def _provenance(plan: PlanFile, indexes: dict[str, ShardIndex]) -> dict[str, Any]:
    """Return the entries on the images' origins and on the comparison with the human stimuli, only for ImageNet."""
    if plan.kind != IMAGENET:
        return {}
    keys: dict[str, list[str]] = {}
    for name, index in indexes.items():
        keys.setdefault(name.partition("/")[0], []).extend(index.samples.keys)
    return {
        "origins": {split: origins(names) for split, names in keys.items()},
        "near_duplicates": plan.near_duplicates,
    }


def _counts(indexes: dict[str, ShardIndex]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for name, index in indexes.items():
        row = counts.setdefault(name.partition("/")[0], dict.fromkeys(CATEGORIES, 0))
        for label in index.samples.labels:
            row[CATEGORIES[label]] += 1
    return counts


def format_rejected(rejected: Iterable[Iterable[str]]) -> bytes:
    """Return the content of `rejected.csv`: sources and reasons, sorted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("source", "reason"))
    writer.writerows(sorted(tuple(entry) for entry in rejected))
    return text.getvalue().encode("utf-8", "backslashreplace")
