"""Preparation of a set from ImageNet: list, plan, copy, complete."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from convrnn_data.base.console import Report, silent
from convrnn_data.base.disk_space import require_space
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.jobs import Job, Result, check_engine, parse_task, run_jobs
from convrnn_data.base.reading import require_posix
from convrnn_data.base.validation import first_problem
from convrnn_data.categories import ImageLists, read_lists, shipped_lists
from convrnn_data.imagenet.copying import ShardJob, copy_shard
from convrnn_data.imagenet.listing import Listing
from convrnn_data.imagenet.near_duplicates import hash_images, hash_stimuli, leave_out
from convrnn_data.imagenet.options import PrepareOptions
from convrnn_data.imagenet.plan import Plan, Settings, ShardPlan, describe, make_plan, thin_splits
from convrnn_data.imagenet.sources import find_source, list_images
from convrnn_data.imagenet.unpacking import Notice, Unpacker
from convrnn_data.imagenet.validation import Validation, find_validation
from convrnn_data.shards.formats import NearDuplicates
from convrnn_data.shards.shard import is_whole
from convrnn_data.shards.splits import format_split, read_split
from convrnn_data.shards.workspace import (
    abandon,
    begin,
    complete,
    created_and_locked,
    is_complete,
    remove_temporaries,
)

OVERHEAD = 2800
"""Bytes of a sample in a shard in addition to the image: three headers, two small files, padding."""


@dataclass(frozen=True)
class Prepared:
    """Result of `prepare`.

    Attributes:
        path: Folder of the set.
        source: Summary of the source.
        counts: Images per split and category; planned counts until the set is complete.
        rejected: Number of images left out.
        written: Number of shards written by this run.
        kept: Number of shards that existed already.
        complete: Whether the set is complete; false after one task of several.
        validation: Summary of the validation images, if any.
        near_duplicates: Counts, see `formats.NearDuplicates`; None if nothing was compared.
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
    options: PrepareOptions | None = None,
    *,
    report: Report = silent,
    notice: Notice | None = None,
    **settings: Any,
) -> Prepared:
    """Prepare a set, or resume a stopped run: complete shards are kept.

    Args:
        imagenet: Class folders, class tars, or one tar of either; read in place. Compressed tars are unpacked first,
            into a hidden folder next to `out` that is removed at the end.
        out: The set's folder; created if it does not exist.
        options: Options of the run.
        report: Progress callback.
        notice: Called with lines that a user should read before the work begins.
        settings: Fields of `PrepareOptions`, in place of `options`.

    Raises:
        ConvRNNError: The input is invalid or incomplete. Complete shards are kept.
    """
    require_posix("convrnn-data")
    options = _checked(options, settings)
    check_engine(options.engine, options.workers, options.address)
    part = parse_task(options.task)
    assigned = None if options.split_file is None else read_split(options.split_file)
    chosen = options.settings(None if assigned is None else _digest(assigned))
    if out.exists() and not out.is_dir():
        raise ConvRNNError(f"cannot make {out}: a prepared set is a folder, got a file. Choose another name")
    options.require_compatible()
    with Unpacker(out, report, notice) as unpack:
        sources = _find_sources(imagenet, options, chosen, unpack, report)
        plan = make_plan(
            sources.listing,
            sources.lists,
            sources.settings,
            assigned=assigned,
            allow_missing=options.allow_missing,
            validation=sources.validation.classes if sources.validation else (),
        )
        if notice is not None and assigned is None:
            for line in thin_splits(plan):
                notice(line)
        plan = replace(plan, near_duplicates=sources.near_duplicates)
        prepared = _execute(plan, out, sources.listing.summary, part, options, report)
    return replace(
        prepared,
        validation=sources.validation.summary if sources.validation else None,
        near_duplicates=sources.near_duplicates.model_dump() if sources.near_duplicates else None,
    )


def _checked(options: PrepareOptions | None, settings: dict[str, Any]) -> PrepareOptions:
    if unknown := settings.keys() - PrepareOptions.model_fields.keys():
        raise TypeError(f"prepare() got an unexpected keyword argument {min(unknown)!r}")
    if options is not None:
        if settings:
            raise TypeError("prepare() takes either options or keyword arguments")
        return options
    try:
        return PrepareOptions(**settings)
    except ValidationError as error:
        raise ConvRNNError(f"cannot prepare a set: {first_problem(error)}") from error


class _Sources(NamedTuple):
    """Images and lists that a plan is made from, and the settings, completed with the hash of the stimuli."""

    lists: ImageLists
    listing: Listing
    validation: Validation | None
    near_duplicates: NearDuplicates | None
    settings: Settings


def _find_sources(
    imagenet: Path, options: PrepareOptions, settings: Settings, unpack: Unpacker, report: Report
) -> _Sources:
    lists = shipped_lists() if options.image_names is None else read_lists(options.image_names)
    listing = list_images(find_source(imagenet, unpack), lists.categories, report, unpack)
    if options.validation is None:
        return _Sources(lists, listing, None, None, settings)
    labels = options.validation_labels
    validation = find_validation(options.validation, lists.categories, labels, unpack)
    if options.exclude_stimuli is None:
        return _Sources(lists, listing, validation, None, settings)
    stimuli = hash_stimuli(options.exclude_stimuli, report)
    kept, counts = leave_out(validation.classes, stimuli, _runner(hash_images, options), report)
    settings = settings.model_copy(update={"stimuli": stimuli.digest})
    return _Sources(lists, listing, replace(validation, classes=kept), counts, settings)


def _runner(
    function: Callable[[Job], Result], options: PrepareOptions
) -> Callable[[Iterator[Job], int], Generator[Result, None, None]]:
    """Return a function that runs jobs on the chosen engine, given the jobs and their number."""

    def run(jobs: Iterator[Job], total: int) -> Generator[Result, None, None]:
        return run_jobs(
            function,
            jobs,
            total,
            engine=options.engine,
            workers=options.workers,
            address=options.address,
        )

    return run


def _digest(assigned: dict[bytes, int]) -> str:
    return hashlib.sha256(
        json.dumps(sorted((key.decode(), code) for key, code in assigned.items())).encode()
    ).hexdigest()


def _execute(
    plan: Plan,
    out: Path,
    source: str,
    part: tuple[int, int] | None,
    options: PrepareOptions,
    report: Report,
) -> Prepared:
    plan_file = describe(plan)
    assigned = plan.shards if part is None else plan.shards[part[0] - 1 :: part[1]]
    with created_and_locked(out, shared=part is not None):
        if is_complete(out, plan_file):
            return Prepared(out, source, plan.counts, len(plan.rejected), 0, len(plan.shards), True)
        try:
            if part is None:
                remove_temporaries(out)
            begin(out, plan_file, format_split(plan.keys, plan.splits))
            missing = [shard for shard in assigned if not is_whole(out / f"{shard.name}.tar", plan.hash)]
            _refuse_full_disk(plan, missing, out)
            _write(plan, missing, out, options, report)
        except BaseException:
            if part is None:
                abandon(out, plan_file)
            raise
        kept = len(assigned) - len(missing)
        if part is not None:
            return Prepared(out, source, plan.counts, len(plan.rejected), len(missing), kept, False)
        manifest = complete(out)
        return Prepared(out, source, manifest.counts, manifest.rejected, len(missing), kept, True)


def _write(
    plan: Plan,
    missing: list[ShardPlan],
    out: Path,
    options: PrepareOptions,
    report: Report,
) -> None:
    folder = out.absolute()  # Workers may have another current folder.
    jobs = (
        ShardJob(
            path=folder / f"{shard.name}.tar",
            plan_hash=plan.hash,
            split=shard.split,
            members=plan.members(shard),
            check=options.check,
            resize=options.resize,
            strict=options.strict,
        )
        for shard in missing
    )
    report("Writing shards", 0, len(missing))
    # Close the generator before the cleanup, so that no worker is still writing.
    with contextlib.closing(_runner(copy_shard, options)(jobs, len(missing))) as outcomes:
        for done, outcome in enumerate(outcomes, start=1):
            if outcome.error:
                raise ConvRNNError(outcome.error)
            report("Writing shards", done, len(missing))


def _refuse_full_disk(plan: Plan, missing: list[ShardPlan], out: Path) -> None:
    """Fail early if disk space is insufficient, unless images are shrunk, since their size is not known in advance."""
    if plan.settings.resize is not None:
        return
    needed = sum(
        int(plan.sizes[shard.start : shard.stop].sum()) + OVERHEAD * (shard.stop - shard.start)
        for shard in missing
    )
    way_out = "Make room, choose another disk, or shrink the images with --resize"
    require_space(out, needed, f"write {out}", way_out)
