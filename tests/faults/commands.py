"""The commands that are put to the test: their words, what they must give, and how far one is."""

import contextlib
import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SAMPLE = "convrnn-data sample sample --images-per-category 3 --trials 16 --observers 2"
PREPARE = "convrnn-data prepare source set --images all --val 0.34"
NETWORK = "--width 0.02 --timesteps 2 --image-size 64 --batch-size 8"
TRAIN = f"convrnn train data --perturb noise {NETWORK} --out run --resume"
EPOCHS = {"kept features": 6, "whole network": 4}
PARTS = 10
"""Files of kept features: two views of four training shards, one of two for validation."""


@dataclass(frozen=True)
class Job:
    """A command and what it must give.

    Attributes:
        name: as in the table.
        words: the command, run in a folder that `Place.lay_out` has filled.
        into: the folder there that it writes into.
        phases: what it goes through, in order.
        result: that folder -> a digest of every file, or part of a file, that must be the same.
        phase: a process -> how far it is, one of `phases`.
        done: the exit code of the same command where its work is done already; without work to go on with, that
            may be a refusal to write over it.
    """

    name: str
    words: tuple[str, ...]
    into: str
    phases: tuple[str, ...]
    result: Callable[[Path], dict[str, str]]
    phase: Callable[["Seen"], str]
    done: int = 0


def line(text: str) -> tuple[str, ...]:
    """A command's words."""
    return tuple(text.split())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def every_file(folder: Path) -> dict[str, str]:
    """All files below, hidden ones too, so that what is left behind makes a difference."""
    return {
        str(path.relative_to(folder)): digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".said-")
    }


def run_result(folder: Path) -> dict[str, str]:
    """All of a run and its kept features, but for seconds, dates and options.

    A history's last column is seconds. `environment.json` has the command, in which `--force` may stand; a Keras file
    has its date within; TensorBoard's files have it in their names, one for each process that wrote: of these, that
    they are there.
    """
    found = every_file(folder / "run") | every_file(folder / "features")
    kept = {}
    for name, value in found.items():
        if name.startswith("tensorboard/"):
            kept["tensorboard"] = "there"
        else:
            kept[name] = "there" if name in ("model.keras", "environment.json") else value
    with contextlib.suppress(FileNotFoundError), (folder / "run/history.csv").open(newline="") as file:
        kept["history.csv"] = json.dumps([row[:-1] for row in csv.reader(file)])
    return kept


def _into(name: str) -> Callable[[Path], dict[str, str]]:
    return lambda folder: every_file(folder / name)


def differences(wanted: dict[str, str], found: dict[str, str]) -> tuple[str, ...]:
    """The names whose digests differ, or that only one has."""
    return tuple(sorted(name for name in wanted | found if wanted.get(name) != found.get(name)))


@dataclass(frozen=True)
class Seen:
    """A command at work, as it looks from outside.

    Attributes:
        folder: where it runs.
        said: on stdout.
        since: when it began, in nanoseconds.
    """

    folder: Path
    said: str
    since: int

    def wrote(self, pattern: str) -> bool:
        """Whether it, and not one killed before it, wrote such a file or into such a folder."""
        for path in self.folder.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime_ns >= self.since:
                    return True
        return False

    def began(self, name: str) -> bool:
        """Whether it wrote a file, or is writing it beside its name."""
        folder, _, last = name.rpartition("/")
        return self.wrote(name) or self.wrote(f"{folder}/.{last}.*.tmp")


def set_phase(seen: Seen) -> str:
    if seen.began("set/rejected.csv") or seen.began("set/manifest.json"):
        return "completing"
    return "copying" if seen.began("set/split.json") else "listing and planning"


def run_phase(epochs: int, readout: bool) -> Callable[[Seen], str]:
    def phase(seen: Seen) -> str:
        if "weights:" not in seen.said:
            return "building"
        last = (f"epoch {epochs}/{epochs}:", f"after epoch {epochs} of")
        if any(text in seen.said for text in last) or seen.began("run/weights_last.h5"):
            return "saving"
        if readout and len(list(seen.folder.glob("features/*/[!.]*.h5"))) < PARTS:
            return "features"
        return "epochs"

    return phase


def evaluation_phase(seen: Seen) -> str:
    if seen.wrote("run/evaluation/*/predictions.csv"):
        return "measuring"
    return "answering" if seen.began("run/evaluation/*/predictions.csv") else "loading"


def reformat_phase(seen: Seen) -> str:
    if seen.wrote("made/.human.partial/counts.csv") or seen.wrote("made/human"):
        return "completing"
    return "copying" if seen.wrote("made/.human.partial") else "listing"


def writing_phase(seen: Seen) -> str:
    return "writing" if seen.wrote("beside/**/*") else "computing"


SET_PHASES = ("listing and planning", "copying", "completing")
WRITING = ("computing", "writing")
SET_JOBS = {"prepare", "prepare, two workers", "reformat"}
"""Those that need no network."""

RESULT_JOBS = {"compare", "report"}
"""Those that read an evaluated run."""

JOBS = {
    job.name: job
    for job in (
        Job(
            "prepare",
            line(f"{PREPARE} --shard-size 1 --workers 1"),
            "set",
            SET_PHASES,
            _into("set"),
            set_phase,
        ),
        Job(
            "prepare, two workers",
            line(f"{PREPARE} --shard-size 8 --workers 2"),
            "set",
            SET_PHASES,
            _into("set"),
            set_phase,
        ),
        Job(
            "reformat",
            line("convrnn-data reformat human made/human"),
            "made",
            ("listing", "copying", "completing"),
            _into("made"),
            reformat_phase,
            done=1,
        ),
        Job(
            "kept features",
            line(
                f"{TRAIN} --weights start.h5 --views 2 --epochs {EPOCHS['kept features']} --features features"
            ),
            "run",
            ("building", "features", "epochs", "saving"),
            run_result,
            run_phase(EPOCHS["kept features"], readout=True),
        ),
        Job(
            "whole network",
            line(f"{TRAIN} --weights none --trainable all --epochs {EPOCHS['whole network']}"),
            "run",
            ("building", "epochs", "saving"),
            run_result,
            run_phase(EPOCHS["whole network"], readout=False),
        ),
        Job(
            "evaluate",
            line("convrnn evaluate run human"),
            "run",
            ("loading", "answering", "measuring"),
            _into("run/evaluation"),
            evaluation_phase,
        ),
        Job(
            "compare",
            line("convrnn compare evaluated --human human --out beside"),
            "beside",
            WRITING,
            _into("beside"),
            writing_phase,
        ),
        Job(
            "report",
            line("convrnn report evaluated --human human --out beside/index.html"),
            "beside",
            WRITING,
            _into("beside"),
            writing_phase,
        ),
    )
}
