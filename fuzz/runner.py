"""Runs a target on many inputs in a process of its own, which may crash, hang or eat memory: that is then a finding."""

import hashlib
import mmap
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import struct
import tempfile
import time
import traceback
from collections import Counter
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
        prepare: makes `parse`, where that takes slow imports; called once, before the process that runs it is forked.
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
    messages: Counter[str] = field(default_factory=Counter)
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
    seeds, parse = tuple(target.seeds().values()), target.prepare()
    kinds: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=fast_folder()) as folder:
        worker = _Worker(target, parse, seeds, seed, Path(folder))
        while result.inputs < inputs:
            for number, what in worker.work(result, inputs):
                if (kind := _kind(what)) not in kinds:
                    kinds.add(kind)
                    data = nth_input(target, seeds, seed, number)
                    result.findings.append(_keep(findings / target.name, data, what))
    result.seconds = time.monotonic() - started
    return result


def fast_folder() -> Path | None:
    """Memory for the files that every input is written to, where the system has such a folder; None elsewhere."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else None


@dataclass(frozen=True)
class _Worker:
    """Forks processes that work through a target's inputs, one after the other."""

    target: Target
    parse: Callable[[bytes, Path], None]
    seeds: Sequence[bytes]
    seed: int
    folder: Path

    def work(self, result: Result, end: int) -> list[tuple[int, str]]:
        """From the first input that `result` lacks to `end`, or one that a process died of; what was wrong, by number."""
        at, died, wrong = self._fork(result, result.inputs, end)
        if at < end:
            wrong.append((at, died))
        result.inputs = min(at + 1, end)
        return wrong

    def _fork(self, result: Result, begin: int, end: int) -> tuple[int, str, list[tuple[int, str]]]:
        """Where a process came to, what it died of, and what it found wrong; its counts are added to the result."""
        state, notes = mmap.mmap(-1, _STATE.size), self.folder / "notes"
        state[:] = _STATE.pack(begin, 0, 0)
        process = multiprocessing.get_context("fork").Process(
            target=_work, args=(self, begin, end, state, notes)
        )
        process.start()
        waited = _wait(process, state)
        at, accepted, refused = _STATE.unpack(state[:])
        result.accepted += accepted
        result.refused += refused
        return at, waited or _death(process.exitcode), _read_notes(notes, result.messages)


def _wait(process: multiprocessing.process.BaseProcess, state: mmap.mmap) -> str | None:
    """Until a process ends, or is at one input for too long; then it is ended, and that is what it died of."""
    before, seconds = -1, 0
    while process.is_alive():
        process.join(1)
        # Seconds in which this process was awake too: a machine that sleeps, or a pause of both, is no waiting.
        (now, _, _) = _STATE.unpack(state[:])
        before, seconds = now, seconds + 1 if now == before else 0
        if seconds > WALL_LIMIT:
            process.kill()
            process.join()
            return f"waited more than {WALL_LIMIT} s"
    return None


def _read_notes(notes: Path, messages: Counter[str]) -> list[tuple[int, str]]:
    """Adds the messages to those known, and answers the findings: number and what was wrong."""
    lines = notes.read_text("utf-8").split("\0") if notes.exists() else []
    notes.unlink(missing_ok=True)
    messages.update(line[1:] for line in lines if line.startswith("M"))
    wrong = [line[1:].partition(" ") for line in lines if line.startswith("F")]
    return [(int(number), what) for number, _, what in wrong]


def _death(code: int | None) -> str:
    return (
        f"took more than {CPU_LIMIT} s"
        if code == -signal.SIGPROF
        else f"the process died with exit code {code}"
    )


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


def _work(worker: _Worker, begin: int, end: int, state: mmap.mmap, notes: Path) -> None:
    _limit_memory()
    accepted = refused = 0
    known: set[str] = set()
    scratch = worker.folder / "scratch"
    with notes.open("a", encoding="utf-8", errors="backslashreplace") as file:
        for number in range(begin, end):
            state[:] = _STATE.pack(number, accepted, refused)
            data = nth_input(worker.target, worker.seeds, worker.seed, number)
            signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT)
            verdict = judge(worker.target, worker.parse, data, scratch)
            signal.setitimer(signal.ITIMER_PROF, 0)
            accepted += verdict is None
            refused += verdict is not None and verdict[0] == "M"
            if verdict is not None and verdict[0] == "M":
                file.write(f"M{_normal(verdict[1:])}\0")
            elif verdict is not None and (kind := _kind(verdict)) not in known:
                known.add(kind)
                file.write(f"F{number} {verdict[1:]}\0")
            if verdict is not None:
                file.flush()  # What is known stays known if the next input ends the process.
    state[:] = _STATE.pack(end, accepted, refused)


def _normal(verdict: str) -> str:
    """A message without the names and numbers that differ from input to input."""
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
