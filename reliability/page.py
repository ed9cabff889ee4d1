"""docs/reliability.md, written from the results of `chaos.py`."""

import os
import platform
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from commands import JOBS

HEAD = """# What happens when things go wrong

Written by `make chaos` from its own results, which lie beside this page in `reliability.json`.

What is to hold: a command can be killed at any moment, and the same command (for training with `--resume`) goes on
and ends with the bytes of a run that nothing disturbed; any other fault ends in the right result or in one line that
says what is wrong. The tables say what was tried and what happened; a full run has 200 kills.
"""

KILLED = """Each is a SIGKILL after a number of processor seconds drawn between nothing and all that the undisturbed
command takes, to the command alone or with its workers. After one to four in a row the command is left to end, and
what it wrote is compared by sha256: every file of a prepared set; weights, kept features and history (without its
seconds), and that no temporary file is left; `predictions.csv` and `measures.json`. Commands run on the drawn sample
(48 images, BL of width 0.02 at 64 px), forked from a process that has imported TensorFlow, so that kills fall into
the work. "Left to end" counts the endings; some had no kill before them, since the command ended first.
"""


def machine() -> str:
    """This machine, in a line."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "h5py"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def page(results: dict[str, Any]) -> str:
    """The page of these results."""
    endings = results["endings"]
    wrong = [one for one in endings if one["wrong"]]
    parts = [
        HEAD,
        f"Machine: {results['machine']}; shared with other work. Seed {results['seed']}. Run by:\n",
        *(f"    {command}\n" for command in results["commands"]),
        f"## {len(results['kills'])} kills\n",
        KILLED,
        untried(results, "kills", "killed"),
        table(("command", "kills", "the job stood at", "left to end", "same result"), kill_rows(results)),
        *(f"- {one['job']}, after {one['kills']} kills: {'; '.join(one['wrong'])}\n" for one in wrong),
        f"## {len(results['faults'])} other faults\n",
        "After each the cause is removed, the command is run again, and its result compared as above. Permissions are "
        "taken from root by dropping the capabilities that override them.\n",
        untried(results, "faults", "put to other faults"),
        table(("command", "fault", "exit code", "what it says", "then"), fault_rows(results["faults"])),
    ]
    return "\n".join(parts)


def untried(results: dict[str, Any], what: str, in_words: str) -> str:
    """Which commands these results are silent about."""
    missing = sorted(set(JOBS) - {one["job"] for one in results[what]})
    return f"**Not {in_words} in this run:** {'; '.join(missing)}.\n" if missing else ""


def kill_rows(results: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    for job in dict.fromkeys(one["job"] for one in results["kills"]):
        phases = Counter(one["phase"] for one in results["kills"] if one["job"] == job)
        ends = [one for one in results["endings"] if one["job"] == job]
        stood = ", ".join(f"{name} {count}" for name, count in phases.most_common())
        same = sum(not one["wrong"] for one in ends)
        yield job, str(phases.total()), stood, str(len(ends)), str(same)


def fault_rows(faults: list[dict[str, Any]]) -> Iterable[tuple[str, ...]]:
    for one in faults:
        said = one["line"].strip().replace("|", "\\|").splitlines()
        shown = f"`` {said[0]} ``" + (f" and {len(said) - 1} more lines" if said[1:] else "") if said else ""
        then = one["after"] if one["well"] else f"**wrong**: {one['after']}"
        yield one["job"], one["fault"], str(one["code"]), shown, then


def table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
