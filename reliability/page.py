"""docs/reliability.md, written from the results of `chaos.py`."""

import os
import platform
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from jobs import JOBS

HEAD = """# What happens when things go wrong

Written by `make chaos` from its own results, which lie beside this page in `reliability.json`.

What is to hold: a command can be killed at any moment, and the same command (for training with `--resume`) goes on,
or starts anew, and ends with the bytes of a run that nothing disturbed; any other fault ends in the right result or in
one line that says what is wrong. The tables say what was tried and what happened; a full run has 200 kills.
"""

COMMANDS = """## What was run

All on the drawn sample: 48 images, 240 stimuli, two simulated observers, BL of width 0.02 with two time steps at 64 px,
so that there is time for hundreds of runs. Seconds are those of the processor in a run that nothing disturbs. A file
operation is a file opened for writing, renamed or removed, or a folder made or removed, by the command itself: what
workers, HDF5 and TensorFlow open is not counted, since it is not seen.
"""

KILLED = """Each is a SIGKILL to a command at work, to it alone or with its workers; where a command had come to its end
before, nothing is counted. About half of them come at a moment: a phase is drawn, then a moment within what it usually
takes. The others come just before a file operation: a kind of operation is drawn, such as renaming a shard or writing
the manifest, then one of that kind. After one to four kills in a row the command is left to end, and all that it wrote
is compared with an undisturbed run by sha256, hidden files too, so that nothing may be left behind. Of a run's files
four are not compared byte by byte: the last column of `history.csv`, which is seconds; `environment.json`,
`model.keras` and TensorBoard's events, which hold dates or options and have to be there.

Commands are forked from a process that has imported TensorFlow, so that kills fall into the work and not into the
import, during which nothing is written yet.
"""

MENDED = """Of an earlier run's 119 endings one was not the same: `train` on kept features had been killed after it had
renamed `weights.h5`, its last file, and before it had let go of the run's folder. The same command found the run
finished and had nothing to do, so the hidden `.lock` stayed. It now removes what such a kill leaves. The same kill,
drawn again from the same seed, is among these kills; the moment is a test of its own too,
`test_a_run_killed_at_its_very_end_is_found_finished_and_nothing_stays`.
"""

FAULTS = """Each is followed by the same command again, once the cause is removed (with `--force` where the error asks
for that), and the result is compared as above. Permissions are taken from root by dropping the capabilities that
override them; disks that are full are small file systems in memory (tmpfs).
"""

UNTRIED = """## What this does not show

A power cut. A killed process loses nothing that it has handed to the system; a machine without power does. Checkpoints,
weights, kept features, predictions and reports are put on the disk before they take their name (`fsync`), so that
a cut leaves the old file or the new one. Shards are not, since `prepare` would have to wait for the disk each time:
after a power cut, run `convrnn-data verify`, which reads every byte and names what `prepare` is to write again. A shard
that the cut left shorter than its index says is found by `prepare` itself.
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
    whole = f"{sum(not one['wrong'] for one in endings)} of {len(endings)}"
    well = f"{sum(one['well'] for one in results['faults'])} of {len(results['faults'])}"
    parts = [
        HEAD,
        f"**{len(results['kills'])} kills: {whole} endings with the same result. "
        f"Other faults: {well} as is to hold.**\n",
        f"Machine: {results['machine']}; shared with other work. Seed {results['seed']}. Run by:\n",
        "".join(f"    {command}\n" for command in results["commands"]),
        COMMANDS,
        table(("name", "command", "seconds, by phase", "file operations"), command_rows(results)),
        f"## {len(results['kills'])} kills\n",
        KILLED,
        untried(results, "kills", "killed"),
        table(
            ("command", "kills", "at a moment", "before a file operation", "left to end", "same result"),
            kill_rows(results),
        ),
        MENDED,
        *(f"- {one['job']}, after {one['kills']} kills: {'; '.join(one['wrong'])}\n" for one in wrong),
        f"## {len(results['faults'])} other faults\n",
        FAULTS,
        untried(results, "faults", "put to other faults"),
        *fault_tables(results["faults"]),
        UNTRIED,
    ]
    return "\n".join(parts)


def untried(results: dict[str, Any], what: str, in_words: str) -> str:
    """Which commands these results are silent about."""
    missing = sorted(set(JOBS) - {one["job"] for one in results[what]})
    return f"**Not {in_words} in this run:** {'; '.join(missing)}.\n" if missing else ""


def in_order(found: Iterable[str]) -> list[str]:
    """Names of jobs, each once, in the order of `JOBS`."""
    return sorted(set(found), key=list(JOBS).index)


def command_rows(results: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    for job in in_order(results["usual"]):
        usual = results["usual"][job]
        phases = ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in usual["of these"].items())
        operations = f"{usual['file operations']}, of {usual['kinds of these']} kinds"
        yield job, f"`{usual['command']}`", phases, operations


def kill_rows(results: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    for job in in_order(one["job"] for one in results["kills"]):
        kills = [one for one in results["kills"] if one["job"] == job]
        ends = [one for one in results["endings"] if one["job"] == job]
        moments = stood(job, [one for one in kills if not one["before"]])
        operations = stood(job, [one for one in kills if one["before"]])
        same = sum(not one["wrong"] for one in ends)
        yield job, str(len(kills)), moments, operations, str(len(ends)), str(same)


def stood(job: str, kills: list[dict[str, Any]]) -> str:
    """How many kills fell into each phase."""
    phases = Counter(one["phase"] for one in kills)
    return ", ".join(f"{phase} {phases[phase]}" for phase in JOBS[job].phases if phases[phase]) or "none"


def fault_tables(faults: list[dict[str, Any]]) -> Iterable[str]:
    for job in in_order(one["job"] for one in faults):
        yield f"### {job[0].upper()}{job[1:]}\n"
        heading = ("fault", "exit code", "what it says", "then")
        yield table(heading, fault_rows([one for one in faults if one["job"] == job]))


def fault_rows(faults: list[dict[str, Any]]) -> Iterable[tuple[str, ...]]:
    for one in faults:
        said = one["line"].strip().replace("|", "\\|").splitlines()
        shown = f"`` {said[0]} ``" + (f" and {len(said) - 1} more lines" if said[1:] else "") if said else ""
        then = one["after"] if one["well"] else f"**wrong**: {one['after']}"
        yield one["fault"], str(one["code"]), shown, then


def table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
