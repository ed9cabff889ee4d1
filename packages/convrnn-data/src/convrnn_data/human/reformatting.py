"""Conversion of the human test set to the layout that the network's loader reads, as folders or shards."""

import collections
import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from convrnn_data.base import advice
from convrnn_data.base.atomic import atomic_folder, require_new
from convrnn_data.base.checksummed_json import seal
from convrnn_data.base.console import Report, silent
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import require_posix
from convrnn_data.human.stimuli import CONDITIONS, Scan, Stimulus, incomplete_blocks, key_of, scan_stimuli
from convrnn_data.shards.formats import FORMAT, HUMAN, PlanFile
from convrnn_data.shards.images import BadImage, PreparedImage, make_ready
from convrnn_data.shards.prepared_set import REJECTED
from convrnn_data.shards.shard import Sample, write_shard
from convrnn_data.shards.workspace import begin, complete, format_rejected

LAYOUTS = ("folders", "shards")

COUNTS = "counts.csv"

SHARD_SIZE = 1000


@dataclass(frozen=True)
class Reformatted:
    """Result of `reformat`.

    Attributes:
        path: New folder.
        counts: (condition, level, block, category, images), sorted.
        misfits: (file, reason) of files left out, also in `rejected.csv`.
        aside: Entries that are not test data, which are not copied.
        incomplete: Response-time blocks that lack images, from `stimuli.incomplete_blocks`.
    """

    path: Path
    counts: tuple[tuple[str, str, int, str, int], ...]
    misfits: tuple[tuple[str, str], ...]
    aside: tuple[str, ...]
    incomplete: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """Number of stimuli."""
        return sum(row[-1] for row in self.counts)


def reformat(
    old: str | os.PathLike[str],
    new: str | os.PathLike[str],
    layout: str = "folders",
    *,
    report: Report = silent,
) -> Reformatted:
    """Copy the human test set into `{condition}/{category}/{stem}_exit{block}.JPEG`, or into shards of it.

    Args:
        old: Folder in the OSF layout, of one experiment, or of an earlier conversion.
        new: Output folder, written atomically.
        layout: "folders" or "shards".
        report: Progress callback.

    Raises:
        ConvRNNError: There are no stimuli, two stimuli have the same name, or `new` exists already.
    """
    require_posix("convrnn-data")
    old, new = Path(old), Path(new)
    if layout not in LAYOUTS:
        raise ConvRNNError(f"--layout must be {' or '.join(LAYOUTS)}, got {layout!r}")
    require_new(new)
    scan = scan_stimuli(old)
    _require_stimuli(scan)
    write = _write_folders if layout == "folders" else _write_shards
    with atomic_folder(new) as folder:
        misfits = [(str(path.relative_to(old)), reason) for path, reason in scan.misfits]
        counts, bad = write(scan, folder, misfits, report)
    aside = tuple(str(path.relative_to(old)) for path in scan.aside)
    incomplete = tuple(incomplete_blocks(scan.stimuli))
    return Reformatted(new, counts, tuple(sorted(misfits + bad)), aside, incomplete)


def _require_stimuli(scan: Scan) -> None:
    if not scan.stimuli:
        path, reason = scan.misfits[0]
        raise ConvRNNError(
            f"{scan.root} holds no stimuli, got {len(scan.misfits)} other file(s), the first: {path}: {reason}. Give "
            "the folder of the stimuli"
        )


def _checked(
    scan: Scan, bad: list[tuple[str, str]], report: Report
) -> Iterator[tuple[Stimulus, PreparedImage]]:
    """Read and prepare every stimulus; append damaged ones to `bad`."""
    for done, stimulus in enumerate(scan.stimuli, start=1):
        try:
            data = stimulus.read()
        except OSError as error:
            reason = advice.describe(error, stimulus.path, "Every stimulus must be readable")
            raise ConvRNNError(f"cannot read {stimulus.path}: {reason}") from error
        try:
            yield stimulus, make_ready(data)
        except BadImage as error:
            bad.append((_named(scan, stimulus), str(error)))
        report("Reformatting", done, len(scan.stimuli))


def _named(scan: Scan, stimulus: Stimulus) -> str:
    relative = str(stimulus.path.relative_to(scan.root))
    return relative if stimulus.size is None else f"{relative}: {stimulus.parsed}"


Counts = tuple[tuple[str, str, int, str, int], ...]
Bad = list[tuple[str, str]]


def _write_folders(scan: Scan, folder: Path, misfits: Bad, report: Report) -> tuple[Counts, Bad]:
    bad: Bad = []
    written = []
    for stimulus, image in _checked(scan, bad, report):
        path = folder / CONDITIONS[stimulus.regime] / stimulus.category / str(stimulus.parsed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.data)
        written.append(stimulus)
    counts = _counts(written)
    (folder / COUNTS).write_bytes(_format_counts(counts))
    (folder / REJECTED).write_bytes(format_rejected(misfits + bad))
    return counts, bad


def _write_shards(scan: Scan, folder: Path, misfits: Bad, report: Report) -> tuple[Counts, Bad]:
    """Write a prepared set with the conditions as splits."""
    bad: Bad = []
    samples: dict[str, list[Sample]] = {}
    written = []
    for stimulus, image in _checked(scan, bad, report):
        samples.setdefault(CONDITIONS[stimulus.regime], []).append(_sample(stimulus, image))
        written.append(stimulus)
    counts = _counts(written)
    shards = {
        f"{condition}/{number:06d}": rows[start : start + SHARD_SIZE]
        for condition, rows in samples.items()
        for number, start in enumerate(range(0, len(rows), SHARD_SIZE))
    }
    content = [
        [name, [(sample.key, hashlib.sha256(sample.jpeg).hexdigest()) for sample in rows]]
        for name, rows in shards.items()
    ]
    plan = PlanFile(
        format=FORMAT,
        kind=HUMAN,
        plan=hashlib.sha256(json.dumps([FORMAT, content]).encode()).hexdigest(),
        settings={"shard_size": SHARD_SIZE},
        shards={name: len(rows) for name, rows in shards.items()},
        rejected=[list(entry) for entry in misfits + bad],
    )
    split = {
        "format": FORMAT,
        **{name: sorted(sample.key for sample in rows) for name, rows in samples.items()},
    }
    begin(folder, plan, seal(split, indent=0))
    for name, rows in shards.items():
        write_shard(folder / f"{name}.tar", plan.plan, rows)
    (folder / COUNTS).write_bytes(_format_counts(counts))
    complete(folder, also=(COUNTS,))
    return counts, bad


def _sample(stimulus: Stimulus, image: PreparedImage) -> Sample:
    notes = {
        "regime": stimulus.regime,
        "experiment": stimulus.experiment,
        "level": stimulus.level,
        "block": stimulus.block,
        "index": stimulus.index,
        "category": stimulus.category,
        "source": stimulus.name,
    }
    if image.change:
        notes["change"] = image.change
    return Sample(key_of(stimulus.parsed), stimulus.label, image.data, image.width, image.height, notes)


def _counts(stimuli: list[Stimulus]) -> Counts:
    rows = collections.Counter(
        (CONDITIONS[stimulus.regime], stimulus.level, stimulus.block, stimulus.category)
        for stimulus in stimuli
    )
    return tuple((*row, count) for row, count in sorted(rows.items()))


def _format_counts(counts: Counts) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("condition", "level", "block", "category", "images"))
    writer.writerows(counts)
    return text.getvalue().encode("ascii")
