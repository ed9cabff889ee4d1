"""Other faults than a kill: each must end in the right result or in one clear line, and be mendable."""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jobs import JOBS
from kills import wrong_end
from place import Place, copy_of
from processes import STEP, Started, run_command, working

ERROR = re.compile(r"^convrnn(-data)?: error: .+$")
PROGRESS = re.compile(r"^[^:]+(, \w+)?: [\d,]+ of [\d,]+$")
TRIAL = re.compile(r"/\S+/trials/[^/]+/")
NO_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")
"""Root reads and writes what it has no permission for; without these capabilities it does not."""


@dataclass(frozen=True)
class Observation:
    """What a fault led to.

    Attributes:
        job: whose.
        fault: what was done.
        code: the exit code, or None where two commands ran.
        line: what was said on stderr, without progress.
        after: "same result", or what was wrong.
    """

    job: str
    fault: str
    code: int | None
    line: str
    after: str

    @property
    def well(self) -> bool:
        """Whether it ended in one clear line, or in none, and in the right result."""
        lines = self.line.splitlines()
        clear = not lines if self.code == 0 else len(lines) == 1 and bool(ERROR.match(lines[0]))
        return clear and self.after == "same result"


Mend = Callable[[Path], None]
Break = Callable[[Path], Mend | None]


def nothing(folder: Path) -> None:
    """Mends what needs no mending."""


def halve(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def cut(name: str) -> Break:
    """The first file of that name loses its second half; mended by the whole one."""

    def broken(folder: Path) -> Mend:
        link = folder / name.split("/")[0]
        if link.is_symlink():
            copy_of(link)
        path = sorted(folder.glob(name))[0]
        whole = path.read_bytes()
        halve(path)
        return lambda folder: (path.write_bytes(whole), None)[1]

    return broken


def cut_and_deleted(name: str) -> Break:
    """The first file of that name loses its second half; mended, as the error says, by deleting it."""

    def broken(folder: Path) -> Mend:
        path = sorted(folder.glob(name))[0]
        halve(path)
        return lambda folder: path.unlink()

    return broken


def forbidden(name: str, mode: int) -> Break:
    """Permissions are taken away, and given back."""

    def broken(folder: Path) -> Mend:
        path = folder / name
        if path.is_symlink():
            copy_of(path)
        path.mkdir(exist_ok=True) if mode & 0o100 else None
        before = path.stat().st_mode
        path.chmod(mode)
        return lambda folder: path.chmod(before)

    return broken


def unreadable(name: str) -> Break:
    """The first file of that name loses its permissions, and gets them back."""

    def broken(folder: Path) -> Mend:
        copy_of(folder / name.split("/")[0])
        path = sorted(folder.glob(name))[0]
        before = path.stat().st_mode
        path.chmod(0)
        return lambda folder: path.chmod(before)

    return broken


def broken_input(
    place: Place, job: str, what: str, breaking: Break, *, finished: bool = False, again: Sequence[str] = ()
) -> Observation:
    """Break something, run, mend, run again.

    Args:
        place: the references.
        job: which.
        what: the fault, as in the table.
        breaking: does it, and gives what mends it.
        finished: the job ran undisturbed before, and its last result, which says so, was taken away.
        again: options that the error asks for.
    """
    folder = place.lay_out(f"{job}, {what}", job)
    if finished:
        with working(JOBS[job].words, folder) as started:
            started.wait()
        (folder / "run/weights.h5").unlink()
    mend = breaking(folder) or nothing
    if (
        "permission" in what and os.geteuid() == 0
    ):  # for good, so not in a process that others are forked from
        done = run_command(JOBS[job].words, folder, *NO_OVERRIDE)
        code, said = done.returncode, done.stderr
    else:
        with working(JOBS[job].words, folder) as started:
            code, said = started.wait(), started.said("err")
    mend(folder)
    return Observation(job, what, code, own_lines(said), after(place, job, folder, again))


def after(place: Place, job: str, folder: Path, again: Sequence[str] = ()) -> str:
    """Run the command once more, and say what its result is."""
    words = [word for word in JOBS[job].words if not (again and word == "--resume")]
    with working([*words, *again], folder) as started:
        started.wait()
    wrong = wrong_end(place, job, folder, started)
    return f"differs: {', '.join(wrong)}" if wrong else "same result"


def own_lines(said: str) -> str:
    """What was said on stderr, without the lines of progress and the way to the trial's folder."""
    lines = (line for line in said.splitlines() if line and not PROGRESS.match(line))
    return "\n".join(TRIAL.sub("", line) for line in lines)


def signalled(place: Place, job: str, number: signal.Signals, share: float) -> Observation:
    """Ctrl-C, or the end of a job's time, at a share of the usual length; earlier, where it had ended by then."""
    while True:
        what = f"{number.name} after {share:.0%} of its usual work"
        folder = place.lay_out(f"{job}, {what}", job)
        with working(JOBS[job].words, folder) as started:
            hit = started.wait_for_work(share * place.usual[job].seconds) is None
            started.signal(number)
            code, said = started.wait(), started.said("err")
        if hit or share < 0.1:
            return Observation(job, what, code, own_lines(said), after(place, job, folder))
        share *= 0.8


def two_at_once(place: Place, job: str) -> Observation:
    """Two of the same command in one folder: one of them may say that the other is at work."""
    folder = place.lay_out(f"{job}, two at once", job)
    with working(JOBS[job].words, folder) as one, working(JOBS[job].words, folder) as other:
        codes = [one.wait(), other.wait()]
        said = own_lines(one.said("err") + other.said("err"))
    return Observation(job, "two at once into one folder", max(codes), said, after(place, job, folder))


def full_disk(place: Place, job: str, share: float) -> Observation:
    """A disk with room for a share of what the job writes; then room is made."""
    folder = place.lay_out(f"{job}, full disk {share}", job)
    written = folder / JOBS[job].into
    known = place.folder / "trials" / f"{job}, undisturbed" / written.name
    needed = sum(path.stat().st_size for path in known.rglob("*") if path.is_file())
    words = JOBS[job].words
    # Where a job adds to what is there, the disk is filled once that is there.
    with small_disk(written, 2**26 if job == "evaluate" else int(needed * share)) as (limit, make_room):
        if job == "evaluate":
            shutil.copytree(place.folder / "run", written, dirs_exist_ok=True)
            fill(written)
        with working(words, folder, limit) as started:
            code, said = started.wait(), started.said("err")
        make_room()
        kind = "tmpfs" if limit is None else "RLIMIT_FSIZE"
        what = f"disk full at {share:.0%} of what it writes ({kind})"
        return Observation(job, what, code, own_lines(said), after(place, job, folder))


def filled_disk(place: Place, job: str) -> Observation:
    """A disk that others fill while the command stands still after its first shard; then room is made."""
    folder = place.lay_out(f"{job}, filled disk", job)
    with small_disk(folder / "set", 2**26) as (limit, make_room):
        with working(JOBS[job].words, folder, limit) as started:
            stand_still_after_first_shard(started, folder)
            fill(folder / "set")
            started.signal(signal.SIGCONT)
            code, said = started.wait(), started.said("err")
        make_room()
        what = "disk filled by others after its first shard"
        return Observation(job, what, code, own_lines(said), after(place, job, folder))


def fill(folder: Path) -> None:
    """Leave no room."""
    with contextlib.suppress(OSError), (folder / ".filler.tmp").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[tuple[int | None, Callable[[], None]]]:
    """A file system of so many bytes at `folder`; where none can be mounted, a limit on the size of each file."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={max(size, 4096)}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield min(size // 4, resource.RLIM_INFINITY), nothing_here
        return

    def make_room() -> None:
        (folder / ".filler.tmp").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)

    try:
        yield None, make_room
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def nothing_here() -> None:
    """A limit ends with its process."""


def changed_source(place: Place) -> Observation:
    """Every image is touched while the command stands still after its first shard; then all is as it was."""
    job = "prepare"
    folder = place.lay_out("prepare, changed source", job)
    images = sorted(copy_of(folder / "source").rglob("*.JPEG"))
    stamps = {path: path.stat().st_mtime_ns for path in images}
    with working(JOBS[job].words, folder) as started:
        stand_still_after_first_shard(started, folder)
        for path in images:
            os.utime(path, ns=(0, 0))
        started.signal(signal.SIGCONT)
        code, said = started.wait(), started.said("err")
    for path, stamp in stamps.items():
        os.utime(path, ns=(stamp, stamp))
    return Observation(
        job, "a source file changed under way", code, own_lines(said), after(place, job, folder)
    )


def stand_still_after_first_shard(started: Started, folder: Path) -> None:
    while started.wait(0) is None:
        started.signal(signal.SIGSTOP)
        if list(folder.glob("set/*/*.json")):
            return
        started.signal(signal.SIGCONT)
        started.wait(STEP / 10)


def cut_shard_of_a_set(place: Place) -> Observation:
    """`verify` names a shard that was cut in a finished set; removed with its index, it is written again."""
    job = "prepare"
    folder = place.lay_out("prepare, shard cut", job)
    with working(JOBS[job].words, folder) as started:
        started.wait()
    shard = sorted((folder / "set/train").glob("*.tar"))[0]
    halve(shard)
    with working(("convrnn-data", "verify", "set"), folder) as started:
        code, said, named = started.wait(), started.said("err"), started.said("out")
    wrong = (
        "" if str(shard.relative_to(folder)) in named or shard.name in named else "\nthe shard is not named"
    )
    shard.unlink()
    shard.with_suffix(".json").unlink()
    what = "a shard of a finished set cut, then `verify`"
    return Observation(job, what, code, own_lines(said) + wrong, after(place, job, folder))


SHARES_OF_DISK = {"evaluate": (1.0,), "compare": (0.3,)}
"""Others than a third and most of what a job writes: where that fills a few blocks at most."""


def faults(job: str) -> list[Callable[[Place], Observation]]:
    """Every fault of a job."""
    found: list[Callable[[Place], Observation]] = [
        partial(signalled, job=job, number=signal.SIGINT, share=0.5),
        partial(signalled, job=job, number=signal.SIGTERM, share=0.7),
        *(partial(full_disk, job=job, share=share) for share in SHARES_OF_DISK.get(job, (0.3, 0.8))),
    ]
    if job != "prepare, two workers":
        found.append(partial(two_at_once, job=job))
    if job == "prepare":
        found += [changed_source, cut_shard_of_a_set]
    if job.startswith("prepare"):
        found.append(partial(filled_disk, job=job))
    for owner, what, breaking, options in BROKEN:
        if owner == job:
            found.append(partial(broken_input, job=job, what=what, breaking=breaking, **options))
    return found


AGAIN = {"finished": True, "again": ("--force",)}
BROKEN: list[tuple[str, str, Break, dict]] = [
    ("prepare", "no permission to write into the folder", forbidden("set", 0o555), {}),
    ("prepare", "no permission to read the source", forbidden("source", 0), {}),
    ("kept features", "no permission to write into the run", forbidden("run", 0o555), {}),
    ("kept features", "no permission to write the features", forbidden("features", 0o555), {}),
    ("kept features", "no permission to read the weights", forbidden("start.h5", 0), {}),
    ("kept features", "the weights cut", cut("start.h5"), {}),
    ("kept features", "a shard cut", cut("data/train/*.tar"), {}),
    ("kept features", "kept features cut", cut_and_deleted("features/*/train*.h5"), {"finished": True}),
    ("whole network", "a shard cut", cut("data/train/*.tar"), {}),
    ("whole network", "the checkpoint cut", cut("run/checkpoint/state.h5"), AGAIN),
    ("whole network", "the best weights cut", cut("run/checkpoint/best.h5"), AGAIN),
    ("evaluate", "no permission to write into the run", forbidden("run", 0o555), {}),
    ("evaluate", "the run's weights cut", cut("run/weights.h5"), {}),
    ("evaluate", "a stimulus cut", cut("human/NoiseSplit*/0/*.JPEG"), {}),
    ("reformat", "no permission to write there", forbidden("made", 0o555), {}),
    ("reformat", "no permission to read a stimulus", unreadable("human/*/0/*.JPEG"), {}),
    ("compare", "no permission to write there", forbidden("beside", 0o555), {}),
    ("compare", "the predictions cut", cut("evaluated/evaluation/*/predictions.csv"), {}),
    ("report", "no permission to write there", forbidden("beside", 0o555), {}),
    ("report", "the measures cut", cut("evaluated/evaluation/*/measures.json"), {}),
    ("report", "people's answers cut", cut("human/jatos_results_simulated_noise.txt"), {}),
]
