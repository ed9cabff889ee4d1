"""What all trials share: made once, and laid out for each by links."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobs import JOBS, PREPARE, RESULT_JOBS, SAMPLE, SET_JOBS, differences, line
from processes import kind_of, preload, working


@dataclass(frozen=True)
class Usual:
    """A job that nothing disturbs.

    Attributes:
        seconds: of the processor, in all.
        phases: of each phase that was seen, the seconds it began at and took.
        operations: how many of each kind: files opened for writing, renamed or removed, folders made or removed.
    """

    seconds: float
    phases: dict[str, tuple[float, float]]
    operations: dict[str, int]


@dataclass
class Place:
    """The drawn sample, a prepared set, weights, a finished run, an evaluated one.

    Attributes:
        folder: where it lies.
        reference: of each job, the result of an undisturbed run.
        usual: of each job, what an undisturbed run took.
    """

    folder: Path
    reference: dict[str, dict[str, str]] = field(default_factory=dict)
    usual: dict[str, Usual] = field(default_factory=dict)

    def lay_out(self, name: str, job: str) -> Path:
        """A new folder with everything that a job reads, by links that a fault may replace by copies."""
        folder = self.folder / "trials" / name.replace("/", " ")
        folder.mkdir(parents=True)
        links = {"source": "sample/imagenet", "human": "sample/human", "data": "data", "start.h5": "start.h5"}
        if job in RESULT_JOBS:
            links["evaluated"] = "evaluated"
        for link, target in links.items():
            (folder / link).symlink_to(self.folder / target)
        if job == "evaluate":
            shutil.copytree(self.folder / "run", folder / "run")
        return folder


def copy_of(link: Path) -> Path:
    """Replaces a link by what it leads to."""
    target = link.resolve()
    link.unlink()
    if target.is_dir():
        shutil.copytree(target, link)
    else:
        shutil.copy2(target, link)
    return link


def make_place(folder: Path, jobs: Sequence[str]) -> Place:
    """Draw, prepare, train what is evaluated, evaluate what is compared."""
    networks = not set(jobs) <= SET_JOBS
    preload(networks)
    _must(SAMPLE, folder)
    _must(PREPARE.replace("source set", "sample/imagenet data") + " --shard-size 8 --workers 1", folder)
    if networks:
        # One epoch of the whole network: what it has learnt is of no importance.
        _must(" ".join((*JOBS["whole network"].words, "--epochs", "1")), folder)
        shutil.copy2(folder / "run/weights.h5", folder / "start.h5")
    if set(jobs) & RESULT_JOBS:
        shutil.copytree(folder / "run", folder / "evaluated")
        _must("convrnn evaluate evaluated sample/human", folder)
    return Place(folder)


def _must(command: str, folder: Path) -> None:
    with working(line(command), folder) as started:
        if started.wait():
            raise RuntimeError(f"{command} ended with {started.wait()}: {started.said('err')}")


def undisturbed(place: Place, name: str) -> None:
    """Run a job that nothing disturbs, twice, and keep the result and what it took the second time.

    The first time has files to read from the disk that are in memory afterwards.

    Raises:
        RuntimeError: it failed, or did not give the same both times.
    """
    first = _undisturbed(place, name, "first")[0]
    place.reference[name], place.usual[name] = _undisturbed(place, name, "undisturbed")
    if wrong := differences(first, place.reference[name]):
        raise RuntimeError(f"{name} gives something else each time: {', '.join(wrong)}")


def _undisturbed(place: Place, name: str, which: str) -> tuple[dict[str, str], Usual]:
    job = JOBS[name]
    folder = place.lay_out(f"{name}, {which}", name)
    began: dict[str, float] = {}
    used = 0.0

    def look() -> bool:
        nonlocal used
        used = max(used, started.worked())
        began.setdefault(job.phase(started.seen()), used)
        return False

    with working(job.words, folder) as started:
        if started.wait_until(look):
            raise RuntimeError(f"{name} ended with {started.wait()}: {started.said('err')}")
    began[job.phases[0]] = 0.0
    ends = [*list(began.values())[1:], used]
    phases = {phase: (start, end - start) for (phase, start), end in zip(began.items(), ends, strict=True)}
    operations = Counter(map(kind_of, started.said("did").splitlines()))
    return job.result(folder), Usual(used, phases, dict(operations))
