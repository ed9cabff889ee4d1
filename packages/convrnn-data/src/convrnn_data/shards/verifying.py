"""Verification of prepared sets: reads every byte and reports every damaged, missing or foreign file."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convrnn_data.base.checksummed_json import unseal, unseal_as
from convrnn_data.base.console import Report, silent
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.jobs import available_cores
from convrnn_data.base.locking import LOCK
from convrnn_data.base.reading import require_posix
from convrnn_data.shards.card import CARD
from convrnn_data.shards.formats import FileEntry, PlanFile
from convrnn_data.shards.prepared_set import MANIFEST, PLAN, SPLIT, PreparedSet
from convrnn_data.shards.shard import damage, index_path, read_index
from convrnn_data.shards.workspace import complete, created_and_locked


@dataclass(frozen=True)
class Verified:
    """Result of `verify`.

    Attributes:
        files: Number of files, including the manifest.
        bytes: Total size.
        problems: One line for each problem; empty if the set is intact.
        completed: Whether this call completed a set made by the tasks of a job array.
    """

    files: int
    bytes: int
    problems: tuple[str, ...]
    completed: bool


def verify(path: Path, *, report: Report = silent) -> Verified:
    """Read a whole set and compare it with the recorded hashes; complete the set if all shards exist.

    Raises:
        ConvRNNError: The folder is not a set, or the manifest is damaged.
    """
    require_posix("convrnn-data")
    completed = False
    if (path / PLAN).is_file() and not (path / MANIFEST).is_file():
        with created_and_locked(path):
            problems = _unfinished(path, report)
            if problems:
                return Verified(0, 0, tuple(problems), False)
            complete(path)
        completed = True
    files = PreparedSet(path).files
    problems = _foreign(path, {*files, MANIFEST})
    # Completing the set has just hashed every file.
    if not completed:
        problems += _each(_check_file, [(path / name, expected) for name, expected in files.items()], report)
    size = sum(entry.bytes for entry in files.values()) + (path / MANIFEST).stat().st_size
    return Verified(len(files) + 1, size, tuple(problems), completed)


def _each(check: Any, jobs: list[Any], report: Report) -> list[str]:
    """Return the problems of all jobs, in order; threads suffice, since hashing releases the GIL."""
    problems = []
    with ThreadPoolExecutor(available_cores()) as pool:
        for done, problem in enumerate(pool.map(check, jobs), start=1):
            problems += [problem] if problem else []
            report("Verifying", done, len(jobs))
    return problems


def _check_file(job: tuple[Path, FileEntry]) -> str | None:
    path, recorded = job
    return damage(path, recorded, record="the manifest")


def _foreign(path: Path, known: Iterable[str]) -> list[str]:
    # Sets of earlier versions have no card, and users or Hugging Face may have added one.
    existing = {str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()}
    return [
        f"{path / name} does not belong to the set" for name in sorted(existing - set(known) - {LOCK, CARD})
    ]


def _unfinished(path: Path, report: Report) -> list[str]:
    plan = unseal_as(path / PLAN, PlanFile)
    shards = [path / f"{name}.tar" for name in plan.shards]
    problems = _each(lambda shard: _check_shard(shard, plan.plan), shards, report)
    try:
        unseal(path / SPLIT)
    except ConvRNNError as error:
        problems.append(str(error))
    return problems


def _check_shard(shard: Path, plan_hash: str) -> str | None:
    if not index_path(shard).is_file():
        return f"{shard} is not written yet: run `convrnn-data prepare` again, with the shard's --task"
    try:
        return damage(shard, read_index(shard, plan_hash))
    except ConvRNNError as error:
        return str(error)
