"""Definition of a target, and check of one input."""

import contextlib
import resource
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

import convrnn_data
import convrnn_experiments.errors
import convrnn_model

CPU_SECONDS = 5
"""Limit on the processor time of one input, in seconds."""

MEMORY = 2 << 30
"""Limit on the address space that a target may add, in bytes."""

LONGEST_MESSAGE = 10_000

REFUSALS = (convrnn_data.ConvRNNError, convrnn_model.ConvRNNError, convrnn_experiments.errors.ConvRNNError)


class Finding(AssertionError):
    """Input that was accepted with a wrong answer, refused with an unclear message, or took too long."""


@dataclass(frozen=True)
class Target:
    """Parser under test.

    Attributes:
        parse: parses an input, which it may write to the given empty folder, and checks the answer. It returns, or
            raises one of `refusals`; any other exception is a finding.
        seeds: valid and hostile inputs by name.
        inputs: Hypothesis strategy for further inputs.
        refusals: exceptions that count as a clear refusal.
        is_binary: driven by Atheris in `make fuzz`, else by Hypothesis.
        tokens: byte strings that matter in the format.
        repair: recomputes the format's checksums, so that mutated content is read at all.
        examples: inputs in the fast test.
    """

    parse: Callable[[bytes, Path], None]
    seeds: Mapping[str, bytes]
    inputs: st.SearchStrategy[bytes]
    refusals: tuple[type[Exception], ...] = REFUSALS
    is_binary: bool = False
    tokens: tuple[bytes, ...] = ()
    repair: Callable[[bytes], bytes] = field(default=bytes)
    examples: int = 60


def check(target: Target, data: bytes, folder: Path) -> None:
    """Run a target on one input in `folder`, which is emptied first.

    Raises:
        Exception: anything but a correct answer or a clear refusal.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start = time.process_time()
    try:
        target.parse(data, folder)
    except target.refusals as error:
        message = str(error)
        demand(0 < len(message) <= LONGEST_MESSAGE, f"a message of {len(message)} characters")
        demand(message.isprintable(), f"a message that is not one line: {message[:500]!r}")
    seconds = time.process_time() - start
    demand(seconds < CPU_SECONDS, f"{seconds:.1f} s of processor time")


def demand(holds: bool, what: str) -> None:
    """Raise a finding unless a condition holds."""
    if not holds:
        raise Finding(what)


@contextlib.contextmanager
def limited_memory() -> Iterator[None]:
    """Limit the address space to `MEMORY` bytes beyond its present size."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def variant(data: bytes, count: int) -> int:
    """Choose one of several ways to parse an input by its content."""
    return zlib.crc32(data) % count


def put(path: Path, data: bytes) -> Path:
    """Write a file, and create its folder if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
