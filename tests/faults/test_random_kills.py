"""Kill a worker, a command or both at drawn moments, and see how each command ends.

    python reliability/ends.py --kills 300               `features --workers 2` and `evaluate` (an hour or two)

Within ten seconds of a kill the command and all its workers have to be gone, with one line of error where a process was
left to say it, and with no file that differs from an undisturbed run's. After one to four kills in a row the same
command has to end with the undisturbed run's files. Writes docs/reliability-ends.json; exits with 1 where anything
went wrong.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from jobs import differences, every_file, line
from place import Place, make_place
from processes import Started, working

LIMIT = 10.0
"""Seconds in which everything has to be gone."""
IN_A_ROW = 4
NETWORK = "--width 0.02 --timesteps 2 --stimulus-size 68 --image-size 64 --resize 70"


@dataclass(frozen=True)
class Command:
    """A command, the folder that it writes into, and whom a kill may hit."""

    words: tuple[str, ...]
    into: str
    victims: tuple[str, ...]


COMMANDS = {
    "features, two workers": Command(
        line(
            f"convrnn features data --perturb noise {NETWORK} --views 2 --weights start.h5 --out kept --workers 2"
        ),
        "kept",
        ("worker", "worker", "command", "all"),
    ),
    "evaluate": Command(line("convrnn evaluate run human"), "run/evaluation", ("command",)),
}


@dataclass(frozen=True)
class End:
    """What came of one kill.

    Attributes:
        command: its name.
        victim: "worker", "command" or "all".
        signal: its name.
        after: processor seconds that the command had used.
        seconds: from the kill until every process was gone.
        code: the command's exit code.
        wrong: what should not be.
    """

    command: str
    victim: str
    signal: str
    after: float
    seconds: float
    code: int | None
    wrong: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="begin no row of kills after so long"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/reliability-ends.json"))
    options = parser.parse_args()
    stop = time.monotonic() + options.seconds
    ends: list[End] = []
    with tempfile.TemporaryDirectory(prefix="ends-") as folder:
        place = make_place(Path(folder).resolve(), ["evaluate"])
        usual = {name: undisturbed(place, name) for name in COMMANDS}
        names = [name for name in COMMANDS for _ in range(-(-options.kills // (len(COMMANDS) * IN_A_ROW)))]
        random.Random(options.seed).shuffle(names)

        def one(number: int) -> list[End]:
            name = names[number]
            late = time.monotonic() > stop
            return [] if late else row(place, name, usual[name], number, options.seed)

        with ThreadPoolExecutor(2) as pool:
            for found in pool.map(one, range(len(names))):
                ends += found
                for end in found:
                    print(end.command, end.victim, end.signal, end.seconds, end.code, *end.wrong, flush=True)
    options.out.write_text(json.dumps([asdict(end) for end in ends], indent=1) + "\n")
    wrong = sum(bool(end.wrong) for end in ends)
    counts = Counter((end.command, end.victim) for end in ends)
    print(f"{len(ends)} kills ({dict(counts)}), {wrong} wrong; the slowest was gone after", end=" ")
    print(f"{max((end.seconds for end in ends), default=0)} s")
    return 1 if wrong else 0


def undisturbed(place: Place, name: str) -> tuple[dict[str, str], float]:
    """The files of a run that nothing disturbs, and the processor seconds that it takes."""
    folder, used = place.lay_out(f"{name}, undisturbed", "evaluate"), 0.0

    def look() -> bool:
        nonlocal used
        used = max(used, started.worked())
        return False

    with working(COMMANDS[name].words, folder) as started:
        if started.wait_until(look):
            raise RuntimeError(f"{name} ended with {started.wait()}: {started.said('err')}")
    return every_file(folder / COMMANDS[name].into), used


def row(place: Place, name: str, usual: tuple[dict[str, str], float], number: int, seed: int) -> list[End]:
    """A few kills one after another, and the end of the command when it is killed no more."""
    draw = random.Random(f"{seed} {name} {number}")
    folder, (reference, used) = place.lay_out(f"{name} {number}", "evaluate"), usual
    found: list[End] = []
    for _ in range(draw.randint(1, IN_A_ROW)):
        end = kill(name, folder, draw, used, reference)
        if end is None:
            break
        found.append(end)
    with working(COMMANDS[name].words, folder) as started:
        code = started.wait(900)
        wrong = differences(reference, every_file(folder / COMMANDS[name].into))
        if code or wrong:
            what = (f"then exit code {code}: {started.said('err')[-200:]}", *wrong)
            found.append(End(name, "none", "", 0.0, 0.0, code, what))
    shutil.rmtree(folder)
    return found


def kill(name: str, folder: Path, draw: random.Random, used: float, reference: dict[str, str]) -> End | None:
    """Kill once; None where the command had ended before."""
    command = COMMANDS[name]
    victim, number = draw.choice(command.victims), draw.choice((signal.SIGKILL,) * 3 + (signal.SIGTERM,))
    with working(command.words, folder) as started:
        if started.wait_for_work(draw.uniform(0, used)) is not None:
            return None
        after = round(started.worked(), 2)
        if victim == "worker" and not (workers := workers_of(started)):
            victim = "command"  # It has not started any yet, or they are done.
        if victim == "worker":
            with contextlib.suppress(ProcessLookupError):
                os.kill(draw.choice(workers), number)
        else:
            started.signal(number, group=victim == "all")
        began = time.monotonic()
        until(lambda: started.wait(0) is not None and not group_of(started.pid), began + LIMIT)
        seconds, code = round(time.monotonic() - began, 2), started.wait(0)
        wrong = [*problems(started, victim, number, code)]
        wrong += [f"process {pid} is left" for pid in group_of(started.pid)]
        there = {
            path: value for path, value in every_file(folder / command.into).items() if "/." not in f"/{path}"
        }
        wrong += [f"{path} differs" for path in differences({k: reference.get(k, "") for k in there}, there)]
        return End(name, victim, signal.Signals(number).name, after, seconds, code, tuple(wrong))


def problems(started: Started, victim: str, number: int, code: int | None) -> list[str]:
    """What is wrong with how a command ended and with what it said."""
    lines = started.said("err").splitlines()
    errors = [one for one in lines if not one.startswith(("features, ", "evaluate ", "WARNING", "I0000"))]
    if victim != "worker" and number == signal.SIGKILL:
        return [] if code in (0, -signal.SIGKILL) and not errors else [f"exit code {code}: {errors}"]
    wanted = (0, 1) if victim == "worker" else (0, 143, -signal.SIGTERM)
    if code not in wanted:
        return [f"exit code {code}, not one of {wanted}: {errors}"]
    if code > 0 and (len(errors) != 1 or not errors[0].startswith("convrnn: error: ")):
        return [f"not one line: {errors}"]
    return []


def workers_of(started: Started) -> list[int]:
    """Children that Python's multiprocessing started to work."""
    found = []
    for pid in group_of(started.pid):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            found += [pid] if b"spawn_main" in words else []
    return found


def group_of(group: int) -> list[int]:
    """The processes of a group, zombies left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, its_group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            found += [int(process.name)] if int(its_group) == group and state != "Z" else []
    return found


def until(reached: Callable[[], bool], end: float) -> None:
    """Wait until something is so, or a time is reached."""
    while time.monotonic() < end and not reached():
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
