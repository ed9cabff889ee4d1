"""Kill -9 at moments drawn by chance, go on with the same command, compare with a run that nothing disturbed."""

import random
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from commands import JOBS, Place, working

IN_A_ROW = 4
"""At most so many kills before the command is left to end."""

LANE = 5
"""Kills that follow one another in a lane; lanes are independent."""

SHARES = {
    "prepare": 0.45,
    "prepare, two workers": 0.2,
    "kept features": 0.11,
    "whole network": 0.1,
    "evaluate": 0.14,
}
"""Of all kills, which part each job gets."""


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        job: whose.
        moment: processor seconds that the command had been given.
        phase: how far the job was.
        whom: "all" with its workers, or "command" alone.
    """

    job: str
    moment: float
    phase: str
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
        row: list[Kill] = []
        for _ in range(min(draw.randint(1, IN_A_ROW), kills - done)):
            killed = kill_once(place, job, folder, draw)
            if killed is None:  # it had ended before
                break
            row.append(killed)
        done += len(row)
        found += [*row, _left_to_end(place, job, folder, len(row))]
        shutil.rmtree(folder)
    return found


def kill_once(place: Place, job: str, folder: Path, draw: random.Random) -> Kill | None:
    """Kill the command at a moment of its usual length; None where it had ended before."""
    moment, whom = draw.uniform(0, place.usual[job]), draw.choice(("all", "command"))
    with working(JOBS[job].words, folder) as started:
        if started.wait_for_work(moment) is not None:
            return None
        phase = JOBS[job].phase(folder, started.said(0))
        started.signal(signal.SIGKILL, group=whom == "all")
        return Kill(job, round(moment, 3), phase, whom) if started.wait() == -signal.SIGKILL else None


def _left_to_end(place: Place, job: str, folder: Path, kills: int) -> Ending:
    with working(JOBS[job].words, folder) as started:
        code = started.wait()
        said = " ".join(started.said(1).split())
    if code:
        return Ending(job, kills, (f"exit code {code}: {said[-300:]}",))
    return Ending(job, kills, differences(place.reference[job], JOBS[job].result(folder)))


def differences(wanted: dict[str, str], found: dict[str, str]) -> tuple[str, ...]:
    """The names whose digests differ, or that only one has."""
    return tuple(sorted(name for name in wanted | found if wanted.get(name) != found.get(name)))
