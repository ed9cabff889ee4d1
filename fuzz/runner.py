"""Runs a target on many inputs in a process of its own, which may crash, hang or eat memory: that is then a finding."""

import hashlib
import itertools
import mmap
import multiprocessing
import random
import re
import resource
import shutil
import signal
import struct
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

CPU_LIMIT, WALL_LIMIT = 5, 60
"""Seconds that one input may take; the second is for waiting that takes no processor time."""

MEMORY_LIMIT = 2 << 30
"""Bytes of address space, beyond what a process has when it begins."""

LONGEST_MESSAGE = 10_000

_STATE = struct.Struct("qqq")


class WrongAnswer(Exception):
    """An input was accepted, and what came of it is not right."""


@dataclass(frozen=True)
class Target:
    """One parser, what it is given, and what it may answer.

    Attributes:
        name: one word.
        seeds: inputs to begin with, sound and hostile, by name.
        breaks: makes one input of a seed, from a generator and all seeds.
        parse: a function of an input and a folder to write to. It comes back, or raises one of `refusals`; anything
            else is a finding.
        refusals: the errors that are answers.
        prepare: makes `parse` in the process that runs it, where that takes slow imports.
    """

    name: str
    seeds: Callable[[], dict[str, bytes]]
    breaks: Callable[[random.Random, Sequence[bytes]], bytes]
    prepare: Callable[[], Callable[[bytes, Path], None]]
    refusals: tuple[type[Exception], ...]


@dataclass
class Result:
    """What became of a target's inputs."""

    target: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    messages: set[str] = field(default_factory=set)
    findings: list[Path] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.target:<12} {self.inputs:>8,} inputs  {self.accepted:>7,} accepted  {self.refused:>8,} refused"
            f"  {self.seconds:>7.1f} s  {len(self.messages):>4} messages  {len(self.findings)} findings"
        )


def nth_input(target: Target, seeds: Sequence[bytes], seed: int, number: int) -> bytes:
    """An input: the seeds as they are come first, then broken ones, each a function of its number alone."""
    if number < len(seeds):
        return seeds[number]
    return target.breaks(random.Random(f"{target.name}/{seed}/{number}"), seeds)


def run(target: Target, inputs: int, seed: int, findings: Path) -> Result:
    """Give a target so many inputs; whatever it does wrong is kept below `findings`, once per kind."""
    result, started = Result(target.name), time.monotonic()
    state, kinds = mmap.mmap(-1, _STATE.size), set[str]()
    seeds = tuple(target.seeds().values())
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        notes = Path(folder) / "notes"
        begin = 0
        while begin < inputs:
            state[:] = _STATE.pack(begin, 0, 0)
            process = multiprocessing.get_context("fork").Process(
                target=_work, args=(target, seeds, seed, begin, inputs, state, notes)
            )
            process.start()
            process.join()
            at, accepted, refused = _STATE.unpack(state[:])
            result.accepted += accepted
            result.refused += refused
            lines = notes.read_text("utf-8").split("\0") if notes.exists() else []
            result.messages |= {line[1:] for line in lines if line.startswith("M")}
            wrong = [line[1:] for line in lines if line.startswith("F")]
            notes.unlink(missing_ok=True)
            if at < inputs:
                wrong.append(f"{at} {_death(process.exitcode)}")
            for line in wrong:
                number, _, what = line.partition(" ")
                kind = _kind(what)
                if kind not in kinds:
                    kinds.add(kind)
                    data = nth_input(target, seeds, seed, int(number))
                    result.findings.append(_keep(findings / target.name, data, what))
            begin = at + 1
    result.inputs, result.seconds = inputs, time.monotonic() - started
    return result


def _death(code: int | None) -> str:
    names = {
        -signal.SIGPROF: f"took more than {CPU_LIMIT} s",
        -signal.SIGALRM: f"waited more than {WALL_LIMIT} s",
    }
    return names.get(code or 0, f"the process died with exit code {code}")


def _kind(what: str) -> str:
    """The last frame and the error's type: what makes two findings one."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', what)
    last = what.strip().splitlines()[-1].partition(":")[0]
    return f"{frames[-1:]} {re.sub(r'[0-9]+', 'N', last)}"


def _keep(folder: Path, data: bytes, what: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    replay = f"Replay: .venv/bin/python -m fuzz --replay {path}\n\n"
    path.with_suffix(".txt").write_text(replay + what, "utf-8", "backslashreplace")
    return path


def _work(
    target: Target, seeds: Sequence[bytes], seed: int, begin: int, end: int, state: mmap.mmap, notes: Path
) -> None:
    parse = target.prepare()
    _limit_memory()
    accepted = refused = 0
    known: set[str] = set()
    scratch = notes.parent / "scratch"
    with notes.open("a", encoding="utf-8", errors="backslashreplace") as file:
        for number in range(begin, end):
            state[:] = _STATE.pack(number, accepted, refused)
            data = nth_input(target, seeds, seed, number)
            signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT)
            signal.setitimer(signal.ITIMER_REAL, WALL_LIMIT)
            verdict = judge(target, parse, data, scratch)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            accepted += verdict is None
            refused += verdict is not None and verdict[0] == "M"
            if verdict is not None and (kind := verdict[0] + _normal(verdict)) not in known:
                known.add(kind)
                note = f"M{_normal(verdict[1:])}" if verdict[0] == "M" else f"F{number} {verdict[1:]}"
                file.write(note + "\0")
                file.flush()
    state[:] = _STATE.pack(end, accepted, refused)


def _normal(verdict: str) -> str:
    """A message without the names and numbers that differ from input to input."""
    if "Traceback" in verdict:
        return _kind(verdict)
    text = re.sub(r"/\S*scratch\S*|'[^']*'|\"[^\"]*\"|\d+", "_", verdict)
    return re.sub(r"(_[ ,]*)+", "_", text)[:80]


def judge(target: Target, parse: Callable[[bytes, Path], None], data: bytes, scratch: Path) -> str | None:
    """None where an input is accepted; `M` and the message where it is refused; `F` and what is wrong with that."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        parse(data, scratch)
    except target.refusals as error:
        message = str(error)
        if not message or len(message) > LONGEST_MESSAGE or not message.isprintable():
            return f"FThe message is not one short line (of {len(message)} letters): {message[:500]!r}"
        return "M" + message
    except Exception:  # Anything else is what is looked for.
        return "F" + traceback.format_exc()
    return None


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def replay(target: Target, path: Path) -> NoReturn:
    """One kept input again, without limits and with its traceback."""
    parse = target.prepare()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        parse(path.read_bytes(), Path(folder))
    raise SystemExit(f"{path} is accepted by {target.name}")


def kept_seeds(folder: Path) -> dict[str, bytes]:
    """Inputs once found, which stay as a test."""
    files = itertools.filterfalse(lambda path: path.suffix == ".txt", sorted(folder.glob("*")))
    return {f"kept_{path.name}": path.read_bytes() for path in files}
