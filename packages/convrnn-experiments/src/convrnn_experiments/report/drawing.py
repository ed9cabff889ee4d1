"""Sections of the page, drawn in several processes."""

import contextlib
import pickle
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from convrnn_data.base.jobs import run_jobs
from convrnn_data.base.process_pool import available_cores
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.report import canvas
from convrnn_experiments.report.findings import Findings
from convrnn_experiments.report.html import Section
from convrnn_experiments.report.plots import Colours

Maker = Callable[[Findings, Colours], Section | None]
"""Function that makes a section from the findings and the colours of the networks, or None without results for it."""


def draw_sections(
    findings: Findings, makers: Sequence[Maker], workers: int | None
) -> Generator[tuple[int, Section | None], None, None]:
    """Make every section; yields its number and itself in order of completion.

    Args:
        findings: Results to present.
        makers: Functions, importable by name. The last ones, which draw most in a report, begin first.
        workers: Number of processes; None uses one per core.

    Raises:
        ConvRNNError: A process ended, or the findings cannot be stored for the processes.
    """
    workers = min(workers or available_cores(), len(makers))
    order = [(number, makers[number]) for number in reversed(range(len(makers)))]
    if workers == 1:
        for number, make in order:
            yield number, _section(findings, make)
        return
    with _stored(findings) as path:
        jobs = [_Job(path, number, make) for number, make in order]
        with contextlib.closing(run_jobs(_draw, jobs, len(jobs), workers=workers)) as done:
            yield from done


@dataclass(frozen=True)
class _Job:
    findings: Path
    number: int
    make: Maker


def _draw(job: _Job) -> tuple[int, Section | None]:
    return job.number, _section(_load(job.findings), job.make)


def _section(findings: Findings, make: Maker) -> Section | None:
    with canvas.style():
        return make(findings, canvas.colour_of(findings.networks))


@contextlib.contextmanager
def _stored(findings: Findings) -> Iterator[Path]:
    """Store the findings in a temporary file, which every process reads once."""
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="convrnn-"))
            path = Path(folder) / "findings.pickle"
            path.write_bytes(pickle.dumps(findings, protocol=pickle.HIGHEST_PROTOCOL))
        except OSError as error:
            raise ConvRNNError(
                f"cannot store the results for the drawing processes in {error.filename or tempfile.gettempdir()}: "
                f"{error.strerror or error}. Set TMPDIR to a folder with free space, or use --workers 1"
            ) from error
        yield path


@lru_cache(maxsize=1)
def _load(path: Path) -> Findings:
    findings = pickle.loads(path.read_bytes())
    assert isinstance(findings, Findings)
    return findings
