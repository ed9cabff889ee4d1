"""Kill -9 at moments drawn by chance, go on with the same command, compare with a run that nothing disturbed."""

import random
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from jobs import JOBS, differences
from place import Place
from processes import Crash, Started, working

IN_A_ROW = 4
"""At most so many kills before the command is left to end."""

LANE = 5
"""Kills that follow one another in a lane; lanes are independent."""

SHARES = {
    "prepare": 0.2,
    "prepare, two workers": 0.15,
    "reformat": 0.1,
    "kept features": 0.15,
    "whole network": 0.15,
    "evaluate": 0.125,
    "compare": 0.0625,
    "report": 0.0625,
}
"""Of all kills, which part each job gets."""


@dataclass(frozen=True)
class Kill:
    """One kill of a command at work.

    Attributes:
        job: whose.
        phase: how far it was.
        seconds: that it had used of the processor, or None before a file operation.
        before: the file operation that it did not come to, or "" at a moment.
        whom: "all" with its workers, or "command" alone.
    """

    job: str
    phase: str
    seconds: float | None
    before: str
    whom: str


@dataclass(frozen=True)
class Ending:
    """The command left to end after kills: what came of it.

    Attributes:
        job: whose.
        kills: how many came before.
        wrong: files that differ from the undisturbed run's, or the error; empty where all is the same.
    """

    job: str
    kills: int
    wrong: tuple[str, ...]


def shared_out(kills: int, jobs: tuple[str, ...]) -> dict[str, int]:
    """So many kills, on these jobs, by their shares; the last one gets what rounding leaves."""
    whole = sum(SHARES[job] for job in jobs)
    counts = {job: round(kills * SHARES[job] / whole) for job in jobs}
    counts[jobs[-1]] += kills - sum(counts.values())
    return counts


def kill_all(place: Place, job: str, count: int, seed: int) -> Iterator[Kill | Ending]:
    """So many kills of a job, two lanes at once."""
    lanes = [(start, min(LANE, count - start)) for start in range(0, count, LANE)]
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda lane: kill_lane(place, job, *lane, seed), lanes):
            yield from found


def kill_lane(place: Place, job: str, lane: int, kills: int, seed: int) -> list[Kill | Ending]:
    """So many kills of one job; the same draws for the same seed."""
    draw, found, done, rounds = random.Random(f"{seed} {job} {lane}"), [], 0, 0
    while done < kills:
        folder = place.lay_out(f"{job} {lane}-{rounds}", job)
        rounds += 1
        row, ending = kill_row(place, job, folder, draw, min(draw.randint(1, IN_A_ROW), kills - done))
        done += len(row)
        if row or ending.wrong:  # without a kill, only what is wrong says something
            found += [*row, ending]
        shutil.rmtree(folder)
    return found


def kill_row(
    place: Place, job: str, folder: Path, draw: random.Random, most: int
) -> tuple[list[Kill], Ending]:
    """At most so many kills one after another, each of the same command, and its end when it is killed no more."""
    row: list[Kill] = []
    parity = draw.randint(0, 1)
    killed: list[Started] = []
    while len(row) < most:
        kill, started = kill_once(place, job, folder, draw, by_operation=len(row) % 2 == parity)
        if kill is None:  # it came to its end before
            break
        row.append(kill)
        killed.append(started)
    else:
        with working(JOBS[job].words, folder) as started:
            started.wait()
    for dead in killed:
        dead.signal(signal.SIGKILL)  # workers that outlived it
    return row, Ending(job, len(row), wrong_end(place, job, folder, started))


def kill_once(
    place: Place, job: str, folder: Path, draw: random.Random, *, by_operation: bool
) -> tuple[Kill | None, Started]:
    """Kill the command before a file operation, or else within one of its phases.

    Kinds of operations, and phases, have equal chances, so that kills do not pile up in the longest; within, every
    operation and every moment has.

    Returns:
        The kill, or None where the command had ended by itself before; and the command.
    """
    usual, words = place.usual[job], JOBS[job].words
    whom, kind = draw.choice(("all", "command")), draw.choice(sorted(usual.operations))
    number = draw.randint(1, usual.operations[kind])
    phase = draw.choice(sorted(usual.phases))
    moment = draw.uniform(0, usual.phases[phase][1])
    if by_operation:
        with working(words, folder, crash=Crash(kind, number, group=whom == "all")) as started:
            ended, seconds = started.wait(), None
    else:
        with working(words, folder) as started:
            seconds = wait_for_phase(started, job, phase, moment)
            started.signal(signal.SIGKILL, group=whom == "all")
            ended = started.wait()
    if ended != -signal.SIGKILL:
        return None, started
    before = started.said("did").splitlines()[-1] if by_operation else ""
    return Kill(job, JOBS[job].phase(started.seen()), seconds, before, whom), started


def wait_for_phase(started: Started, job: str, phase: str, moment: float) -> float:
    """Until the command has used so many seconds in a phase, or in the one that comes next where it has nothing left.

    Returns:
        The processor seconds that it has used in all.
    """
    phases = JOBS[job].phases
    started.wait_until(lambda: phases.index(JOBS[job].phase(started.seen())) >= phases.index(phase))
    started.wait_for_work(started.worked() + moment)
    return round(started.worked(), 2)


def wrong_end(place: Place, job: str, folder: Path, started: Started) -> tuple[str, ...]:
    """What is wrong with a command that ended by itself, and with what it wrote."""
    code = started.wait()
    if code not in (0, JOBS[job].done):
        return (f"exit code {code}: {' '.join(started.said('err').split())[-300:]}",)
    return differences(place.reference[job], JOBS[job].result(folder))
