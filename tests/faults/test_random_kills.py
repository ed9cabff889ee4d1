"""Random kills of a worker, a command or both: all processes end within seconds, and the next run finishes.

`make chaos CHAOS_KILLS=300` asks for more than the few kills here.
"""

import contextlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from faults.commands import half_written
from faults.processes import Process, running
from faults.test_faults import ERROR, own_lines

KILLS = int(os.environ.get("CONVRNN_KILLS", "8"))
SEED = int(os.environ.get("CONVRNN_KILLS_SEED", "0"))
IN_A_ROW = 4
"""Maximum number of kills before the command may finish."""

SECONDS = 10.0
"""Seconds within which all processes must end."""

VICTIMS = {
    "features, two workers": ("worker", "worker", "command", "group"),
    "prepare, two workers": ("worker", "command", "group"),
    "evaluate": ("command",),
}


@pytest.mark.slow
@pytest.mark.timeout(300 + 60 * KILLS)
@pytest.mark.parametrize("name", VICTIMS)
def test_random_kills(trial_of, name: str) -> None:
    trial, wrong, kills, row = trial_of(name), [], 0, 0
    folder = trial.new_folder()
    with running(trial.command.words, folder) as process:
        processor_seconds = busy_seconds(process)
    shutil.rmtree(folder)
    while kills < -(-KILLS // len(VICTIMS)):
        draw = random.Random(f"{SEED} {name} {row}")
        folder, row = trial.new_folder(), row + 1
        for _ in range(draw.randint(1, IN_A_ROW)):
            found = kill_once(trial, folder, draw, VICTIMS[name], processor_seconds)
            if found is None:
                break
            kills += 1
            wrong += [f"row {row}: {what}" for what in found]
        wrong += [f"row {row}: {what}" for what in trial.unfinished(folder)]
        shutil.rmtree(folder)
    print(f"{name}: {kills} kills in {row} rows, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)


def busy_seconds(process: Process) -> float:
    """Return the processor time of a command and its workers."""
    used = 0.0
    while process.wait(0.02) is None:
        used = max(used, process.worked())
    return used


def kill_once(
    trial, folder: Path, draw: random.Random, victims: tuple[str, ...], most: float
) -> list[str] | None:
    """Kill at a random moment; return problems, or None if the command had already ended."""
    victim, number = draw.choice(victims), draw.choice((signal.SIGKILL,) * 3 + (signal.SIGTERM,))
    with running(trial.command.words, folder) as process:
        if process.wait_for_work(draw.uniform(0, most)) is not None:
            return None
        workers = workers_of(process) if victim == "worker" else []
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(draw.choice(workers), number)
        else:
            process.signal(number, group=victim == "group")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and (process.wait(0) is None or members(process.pid)):
            time.sleep(0.01)
        what = f"{signal.Signals(number).name} to {victim}"
        wrong = [f"{what}: process {pid} is left" for pid in members(process.pid)]
        wrong += [f"{what}: {problem}" for problem in problems(process, bool(workers), number)]
    left = half_written(folder / trial.command.output, trial.expected)
    return [*wrong, *(f"{what}: half-written {path}" for path in left)]


def problems(process: Process, worker_killed: bool, number: int) -> list[str]:
    """Return problems with the exit code and the message."""
    code, lines = process.wait(0), own_lines(process.ended().error)
    lines = [line for line in lines if not line.startswith(("features, ", "evaluate "))]
    if not worker_killed and number == signal.SIGKILL:
        allowed = (0, -signal.SIGKILL)
    else:
        allowed = (0, 1) if worker_killed else (0, 143, -signal.SIGTERM)
    if code not in allowed:
        return [f"exit code {code}, not one of {allowed}: {lines}"]
    clear = len(lines) == 1 and ERROR.fullmatch(lines[0]) if code > 0 else not lines
    return [] if clear else [f"exit code {code}: {lines}"]


def workers_of(process: Process) -> list[int]:
    """Return the workers that the command has spawned."""
    workers = []
    for pid in members(process.pid):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            workers += [pid] if b"spawn_main" in words else []
    return workers


def members(group: int) -> list[int]:
    """Return the processes of a group, except zombies."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, its_group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            found += [int(process.name)] if int(its_group) == group and state != "Z" else []
    return found
