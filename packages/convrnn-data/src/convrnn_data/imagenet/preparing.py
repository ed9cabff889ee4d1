"""From ImageNet to a prepared set: list, plan, copy, complete."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from convrnn_data.base.console import Report, silent
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.jobs import Job, Result, check_engine, parse_task, run_jobs
from convrnn_data.base.reading import require_posix
from convrnn_data.categories import read_lists, shipped_lists
from convrnn_data.imagenet.copying import Outcome, ShardJob, copy_shard
from convrnn_data.imagenet.near_duplicates import hash_images, hash_stimuli, leave_out
from convrnn_data.imagenet.plan import Plan, Settings, ShardPlan, describe, make_plan, thin_splits
from convrnn_data.imagenet.sources import find_source, list_images
from convrnn_data.imagenet.unpacking import Notice, Unpacker
from convrnn_data.imagenet.validation import find_validation
from convrnn_data.shards.shard import is_whole
from convrnn_data.shards.splits import format_split, read_split
from convrnn_data.shards.workspace import abandon, begin, complete, held, is_complete, remove_temporaries

OVERHEAD = 2800
"""Bytes that a sample takes in a shard beside its image: three headers, two small files, padding."""

DEFAULT_VAL = 0.1
"""Share of each category for validation, where no other images are."""

Run = Callable[[Iterator[ShardJob], int], Generator[Outcome, None, None]]
"""Does jobs, of which there are so many, on some engine."""


@dataclass(frozen=True)
class Prepared:
    """What a run of `prepare` did.

    Attributes:
        path: the set.
        source: what was found, in one line.
        counts: images per split and category, as planned or, once complete, as they are.
        rejected: how many were left out.
        written: shards written by this run.
        kept: shards that were there already.
        complete: whether the set is; after one task of several it is not.
        validation: the validation images that were found, in one line; None where none were asked for.
        near_duplicates: counts, see `formats.NearDuplicates`; None if nothing was compared.
    """

    path: Path
    source: str
    counts: dict[str, dict[str, int]]
    rejected: int
    written: int
    kept: int
    complete: bool
    validation: str | None = None
    near_duplicates: dict[str, int] | None = None


def prepare(
    imagenet: Path,
    out: Path,
    *,
    images: str = "listed",
    image_names: Path | None = None,
    val: float | None = None,
    test: float = 0.0,
    validation: Path | None = None,
    validation_labels: Path | None = None,
    validation_split: str = "val",
    exclude_stimuli: Path | None = None,
    seed: int = 0,
    split_file: Path | None = None,
    shard_size: int = 1000,
    resize: int | None = None,
    check: str = "header",
    strict: bool = False,
    allow_missing: bool = False,
    workers: int | None = None,
    engine: str = "local",
    address: str | None = None,
    task: str | None = None,
    report: Report = silent,
    notice: Notice | None = None,
) -> Prepared:
    """Prepare a set, or go on with one: whole shards that are there are kept.

    Args:
        imagenet: class folders, class tars, or one tar of either; read in place. What is compressed is unpacked first,
            into a hidden folder beside `out` that is removed at the end.
        out: the set's folder; made if it is not there.
        images: "listed" or "all"; see `Settings`.
        image_names: a folder of other lists; Geirhos' by default.
        val: share of each category of `imagenet` for validation; by default 0.1, or 0 where `validation` is used for
            that.
        test: share of each category of `imagenet` for testing.
        validation: ILSVRC's validation images, as a split of their own; see `find_validation`.
        validation_labels: their synsets; see `read_ground_truth`.
        validation_split: the split that they become, "val" or "test".
        exclude_stimuli: human stimuli, in any layout, whose near-duplicates among `validation` are left out.
        seed: of split and order.
        split_file: a `split.json` to be followed instead of `val` and `test`.
        shard_size: at most so many samples in a shard.
        resize: shorter side in pixels for larger images; None keeps the bytes.
        check: "header" or "decode".
        strict: make a bad image an error.
        allow_missing: continue without the listed images that are missing.
        workers: processes; one per core by default.
        engine: "local", "ray" or "dask".
        address: of the Ray or Dask cluster.
        task: "I/N" does the I-th of N parts, 1 <= I <= N, and leaves completing to `verify`.
        report: told of classes listed and shards written.
        notice: called with lines that a user should read before the work begins.

    Raises:
        ConvRNNError: for anything wrong with the input; no shard is ever left half written.
    """
    require_posix("convrnn-data")
    check_engine(engine, workers, address)
    part = parse_task(task)
    assigned = None if split_file is None else read_split(split_file)
    digest = None if assigned is None else _digest(assigned)
    if val is None:
        val = 0.0 if validation is not None and validation_split == "val" else DEFAULT_VAL
    given = None if validation is None else validation_split
    settings = Settings(images, val, test, seed, digest, shard_size, check, resize, given)
    if out.exists() and not out.is_dir():
        raise ConvRNNError(f"cannot make {out}: a prepared set is a folder, got a file. Choose another name")
    if validation is None and (validation_labels or exclude_stimuli):
        raise ConvRNNError(
            "--validation-labels and --exclude-stimuli need --validation. Pass --validation, or remove them"
        )
    lists = shipped_lists() if image_names is None else read_lists(image_names)

    def run(
        function: Callable[[Job], Result], jobs: Iterator[Job], total: int
    ) -> Generator[Result, None, None]:
        return run_jobs(function, jobs, total, engine=engine, workers=workers, address=address)

    with Unpacker(out, report, notice) as unpack:
        listing = list_images(find_source(imagenet, unpack), lists.categories, report, unpack)
        found = counts = None
        if validation is not None:
            found = find_validation(validation, lists.categories, validation_labels, unpack)
        if found is not None and exclude_stimuli is not None:
            stimuli = hash_stimuli(exclude_stimuli, report)
            kept, counts = leave_out(found.classes, stimuli, partial(run, hash_images), report)
            found, settings = replace(found, classes=kept), replace(settings, stimuli=stimuli.digest)
        others = found.classes if found else ()
        plan = make_plan(
            listing, lists, settings, assigned=assigned, allow_missing=allow_missing, validation=others
        )
        if notice is not None and assigned is None:
            for line in thin_splits(plan):
                notice(line)
        plan = replace(plan, near_duplicates=counts)
        prepared = _carry_out(plan, out, listing.summary, part, strict, partial(run, copy_shard), report)
        compared = None if counts is None else counts.model_dump()
        return replace(prepared, validation=found.summary if found else None, near_duplicates=compared)


def _digest(assigned: dict[bytes, int]) -> str:
    return hashlib.sha256(
        json.dumps(sorted((key.decode(), code) for key, code in assigned.items())).encode()
    ).hexdigest()


def _carry_out(
    plan: Plan,
    out: Path,
    source: str,
    part: tuple[int, int] | None,
    strict: bool,
    run: Run,
    report: Report,
) -> Prepared:
    described = describe(plan)
    mine = plan.shards if part is None else plan.shards[part[0] - 1 :: part[1]]
    with held(out, shared=part is not None):
        if is_complete(out, described):
            return Prepared(out, source, plan.counts, len(plan.rejected), 0, len(plan.shards), True)
        try:
            if part is None:
                remove_temporaries(out)
            begin(out, described, format_split(plan.keys, plan.splits))
            missing = [shard for shard in mine if not is_whole(out / f"{shard.name}.tar", plan.hash)]
            _refuse_full_disk(plan, missing, out)
            _write(plan, missing, out, strict, run, report)
        except BaseException:
            if part is None:
                abandon(out, described)
            raise
        kept = len(mine) - len(missing)
        if part is not None:
            return Prepared(out, source, plan.counts, len(plan.rejected), len(missing), kept, False)
        manifest = complete(out)
        return Prepared(out, source, manifest.counts, manifest.rejected, len(missing), kept, True)


def _write(
    plan: Plan,
    missing: list[ShardPlan],
    out: Path,
    strict: bool,
    run: Run,
    report: Report,
) -> None:
    place = out.absolute()  # Workers may stand in another folder.
    check, resize = plan.settings.check, plan.settings.resize
    jobs = (
        ShardJob(
            place / f"{shard.name}.tar", plan.hash, shard.split, plan.members(shard), check, resize, strict
        )
        for shard in missing
    )
    report("Writing shards", 0, len(missing))
    # Closed before anything is cleaned up, so that no worker writes any more.
    with contextlib.closing(run(jobs, len(missing))) as outcomes:
        for done, outcome in enumerate(outcomes, start=1):
            if outcome.error:
                raise ConvRNNError(outcome.error)
            report("Writing shards", done, len(missing))


def _refuse_full_disk(plan: Plan, missing: list[ShardPlan], out: Path) -> None:
    """Say at once what could only fail hours later; shrunk images are smaller by an amount not known before."""
    if plan.settings.resize is not None:
        return
    needed = sum(
        int(plan.sizes[shard.start : shard.stop].sum()) + OVERHEAD * (shard.stop - shard.start)
        for shard in missing
    )
    free = shutil.disk_usage(out).free
    if needed > free:
        raise ConvRNNError(
            f"cannot write {out}: it needs {_size(needed)} more, and the disk has {_size(free)} left. Make room, "
            "choose another disk, or shrink the images with --resize"
        )


def _size(count: int) -> str:
    """Bytes in words, whatever their order."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.3f} MB"
