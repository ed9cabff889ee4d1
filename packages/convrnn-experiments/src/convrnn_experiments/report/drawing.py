"""Sections of the page, drawn in several processes."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from convrnn_data.base.jobs import run_jobs
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
        ConvRNNError: A process ended.
    """
    jobs = [_Job(number, makers[number], findings) for number in reversed(range(len(makers)))]
    with contextlib.closing(run_jobs(_draw, jobs, len(jobs), workers=workers, resumes=False)) as done:
        yield from done


@dataclass(frozen=True)
class _Job:
    number: int
    make: Maker
    findings: Findings


def _draw(job: _Job) -> tuple[int, Section | None]:
    with canvas.style():
        return job.number, job.make(job.findings, canvas.colour_of(job.findings.networks))
