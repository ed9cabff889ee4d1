"""Faults before file operations of each command."""

import errno
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterable

import pytest

from faults.commands import COMMANDS, half_written
from faults.processes import Ended, Fault

ERROR = re.compile(r"convrnn(-data)?: error: .+")
PROGRESS = re.compile(r"[^:]+(, \w+)?: [\d,]+ of [\d,]+|WARNING: All log messages before absl.*|I0000 .*")
EXHAUSTIVE = bool(os.environ.get("CONVRNN_EXHAUSTIVE"))
"""Whether to cause every fault before every operation, as `make chaos` does."""

FAULTS = {
    "kill": Fault(signal=signal.SIGKILL),
    "SIGINT": Fault(signal=signal.SIGINT),
    "SIGTERM": Fault(signal=signal.SIGTERM),
    "full disk": Fault(error=errno.ENOSPC),
    "read-only disk": Fault(error=errno.EROFS),
    "unreadable input": Fault(error=errno.EIO, reads=True),
}
CODES = {"kill": (-9,), "SIGINT": (130, 0), "SIGTERM": (143, 0)}
"""Allowed exit codes other than 1. An error may lead to 0 if the operation is dispensable."""


def sampled(count: int) -> Iterable[int]:
    """Return the first, a middle and the last operation."""
    return sorted({1, (count + 1) // 2, count})


def own_lines(error: str) -> list[str]:
    """Return the lines on standard error, without progress."""
    return [line for line in error.splitlines() if line and not PROGRESS.fullmatch(line)]


def unclear(ended: Ended) -> list[str]:
    """Return problems with the end of a command, which must print one error line or succeed silently."""
    lines = own_lines(ended.error)
    clear = not lines if ended.code == 0 else len(lines) == 1 and ERROR.fullmatch(lines[0])
    return [] if clear else [f"exit code {ended.code}: {lines}"]


def disturb(trial, name: str, fault: Fault) -> list[str]:
    """Cause a fault, then run the command again; return problems."""
    folder = trial.new_folder()
    ended = trial.run(folder, fault)
    wrong = [f"half-written: {path}" for path in half_written(folder / trial.command.output, trial.expected)]
    if ended.code not in CODES.get(name, (1, 0)):
        wrong.append(f"exit code {ended.code}")
    if name != "kill":
        wrong += unclear(ended)
    wrong += trial.unfinished(folder)
    shutil.rmtree(folder)
    return wrong


def disturb_each(trial, name: str, choose: Callable[[int], Iterable[int]]) -> None:
    """Cause a fault before each chosen operation; fail with all problems."""
    fault = FAULTS[name]
    kind = "read" if fault.reads else "write"
    operations = [operation for operation in trial.usual.operations if operation.startswith(kind)]
    assert operations
    found = {}
    for number in choose(len(operations)):
        wrong = disturb(trial, name, Fault(number, fault.signal, fault.error, fault.reads))
        if wrong:
            found[f"{number}: {operations[number - 1]}"] = wrong
    assert not found, "\n".join(f"{operation}: {wrong}" for operation, wrong in found.items())


def every(count: int) -> Iterable[int]:
    """Return all operations."""
    return range(1, count + 1)


@pytest.mark.parametrize("name", ["prepare", "reformat"])
def test_a_kill_before_each_operation(trial_of, name: str) -> None:
    disturb_each(trial_of(name), "kill", every)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *((name, fault) for name in ("prepare", "reformat", "preview", "observers") for fault in FAULTS),
        *(
            (name, "kill")
            for name in ("prepare, two workers", "observers, trials", "stimuli", "compare, trials")
        ),
        ("evaluate", "kill"),
    ],
)
def test_a_fault_before_some_operations(trial_of, name: str, fault: str) -> None:
    disturb_each(trial_of(name), fault, sampled)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_fault_before_each_operation(trial_of, name: str, fault: str) -> None:
    takes_hours = fault != "kill" and (name == "report" or COMMANDS[name].network)
    disturb_each(trial_of(name), fault, sampled if takes_hours and not EXHAUSTIVE else every)
