"""Shared code of the benchmarks: options, a drawn set, interleaved timing, machine description, results, charts."""

import argparse
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from convrnn_data import PreparedSet, prepare
from convrnn_data.base.atomic import atomic_file
from convrnn_data.sample.sample import draw_sample
from convrnn_experiments.runs.folder import write_json

Design = TypeVar("Design")
PACKAGES = (
    "convrnn-data",
    "convrnn-model",
    "convrnn-experiments",
    "keras",
    "tensorflow",
    "jax",
    "openvino",
    "numba",
    "numpy",
    "pillow",
    "simplejpeg",
    "cykooz-resizer",
)
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Palette of Okabe and Ito, distinguishable with color blindness; neighbors also differ in lightness."""


def drawn_images_parser(
    about: str, out: str, *, images: int, width: float = 0.125
) -> argparse.ArgumentParser:
    """Make a parser of the options --width, --image-size, --images-per-category and --out.

    Args:
        about: Docstring of the benchmark; the first line is the description.
        out: File name of the results.
        images: Default number per category.
        width: Default width of the network.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument(
        "--width", type=float, default=width, help="factor on the filters; 1 is the real network"
    )
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--images-per-category", type=int, default=images)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results") / out)
    return parser


def inference_options(parser: argparse.ArgumentParser) -> None:
    """Add the options --precision and --inference of the commands."""
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--inference", choices=["auto", "tiles", "openvino", "keras"], default="auto")


def run_benchmark(
    options: argparse.Namespace, measure: Callable[[argparse.Namespace, Path], Mapping[str, Any]]
) -> None:
    """Measure in a temporary folder, then print and write the results."""
    with tempfile.TemporaryDirectory() as folder:
        results = measure(options, Path(folder))
    show(results)
    write(options.out, results)


def simulation_options(about: str, out: str, *, experiments: int = 1000) -> argparse.ArgumentParser:
    """Make a parser of the options --experiments, --seed, --workers and --out of simulations.

    Args:
        about: Docstring of the benchmark; the first line is the description.
        out: File name of the results.
        experiments: Default number for each design.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=experiments, help="for each design")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results") / out)
    return parser


def simulate_designs(
    options: argparse.Namespace,
    simulate: Callable[[Design, int, int], list[dict[str, Any]]],
    designs: Sequence[Design],
    line: Callable[[Mapping[str, Any]], str],
    **settings: Any,
) -> list[dict[str, Any]]:
    """Simulate experiments of designs in parallel, print a line per row, and write all rows.

    Args:
        options: Those of `simulation_options`.
        simulate: Function of a design, the number of experiments and the seed, which returns the design's rows.
        designs: Designs, each simulated in one process.
        line: Function that formats a row.
        settings: Other entries of the results.

    Returns:
        Rows of all designs.
    """
    began = time.monotonic()
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(options.workers) as pool:
        for found in pool.map(
            simulate, designs, itertools.repeat(options.experiments), itertools.repeat(options.seed)
        ):
            rows += found
            print(*map(line, found), sep="\n", flush=True)
    write(options.out, {**settings, "seconds": round(time.monotonic() - began), "rows": rows})
    return rows


def bias_and_coverage(estimates: Sequence[tuple[float, float, float]], truth: float) -> dict[str, float]:
    """Summarise estimates over experiments.

    Args:
        estimates: Value, low and high end of the interval in each experiment.
        truth: True value.

    Returns:
        The truth, bias and its standard error in percent of the truth, mean width of the intervals divided by that of
        95 % intervals from the spread over experiments, and coverage in percent.
    """
    value, low, high = np.array(estimates).T
    spread = float(value.std(ddof=1))
    return {
        "truth": truth,
        "bias_percent": float(100 * (value.mean() / truth - 1)),
        "bias_error_percent": float(100 * spread / abs(truth) / np.sqrt(len(value))),
        "width": float((high - low).mean() / (2 * 1.96 * spread)),
        "covered_percent": float(100 * np.mean((low <= truth) & (truth <= high))),
        "experiments": len(value),
    }


def drawn_set(folder: Path, images_per_category: int) -> PreparedSet:
    """Prepare a set of drawn images in a folder, with a quarter held out."""
    draw_sample(folder / "sample", images_per_category=images_per_category, trials=16, observers=1)
    prepare(folder / "sample/imagenet", folder / "set", images="all", val=0.25)
    return PreparedSet(folder / "set")


def drawn_images(folder: Path, images_per_category: int) -> list[Path]:
    """Draw the training images of the sample into a folder."""
    draw_sample(folder / "sample", images_per_category=images_per_category, trials=16, observers=1)
    return sorted(folder.glob("sample/imagenet/**/*.JPEG"))


def timed(function: Callable[[], object]) -> float:
    """Measure the wall time of a call in seconds."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def in_turn(
    functions: Mapping[str, Callable[[], object]], rounds: int, *, warm: int = 1, rest: float = 0
) -> dict[str, list[float]]:
    """Measure the wall time of functions in interleaved rounds, so that other load affects all of them.

    Args:
        functions: By name; each round starts with a different one.
        rounds: Number of measurements of each.
        warm: Warm-up calls of each, for tracing, caches and allocation.
        rest: Seconds before each call, in which threads of the one before stop waiting for work.
    """
    names = list(functions)
    for name in names * warm:
        functions[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            time.sleep(rest)
            seconds[name].append(timed(functions[name]))
    return seconds


def spread(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Summarise as median, minimum and maximum, rounded to significant digits."""
    summary = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: float(f"{value:.{digits}g}") for name, value in summary.items()}


def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """Summarise the ratios of each round, whose measurements are adjacent in time."""
    return spread([numerator / denominator for numerator, denominator in zip(above, below, strict=True)])


def per_second(count: int, seconds: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Summarise the rate at which `count` items were processed, by name."""
    return {name: spread([count / duration for duration in values]) for name, values in seconds.items()}


def peak_memory_mib() -> float:
    """Return the peak memory of this process."""
    # Unlike VmHWM, the peak of getrusage is inherited from the parent process.
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024, 1)


def machine() -> dict[str, Any]:
    """Describe processor, memory, system and versions."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "platform": platform.platform(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def show(results: Mapping[str, Any]) -> None:
    """Print one result per line, and summaries as `median (minimum .. maximum)`."""
    for name, value in _lines(results):
        print(f"{name:44} {value}")


def _lines(results: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    lines = []
    for name, value in results.items():
        if isinstance(value, Mapping) and set(value) == {"median", "least", "most"}:
            lines.append((above + name, "{median:g} ({least:g} .. {most:g})".format(**value)))
        elif isinstance(value, Mapping):
            lines += _lines(value, f"{above}{name}, ")
        else:
            lines.append((above + name, str(value)))
    return lines


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Write results as JSON with the machine description, atomically."""
    write_json(path, {**results, "machine": machine()})


def bars(
    path: Path, groups: Mapping[str, Mapping[str, Sequence[float]]], *, unit: str, title: str = ""
) -> None:
    """Draw medians as bars, with minimum and maximum as whiskers.

    Args:
        path: The suffix (.png, .svg) is the format.
        groups: Quantity -> competitor -> values of all rounds; a colour per competitor.
        unit: Of the values.
        title: Above the chart.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    height = 0.8 / len(names)
    figure = Figure(figsize=(7.0, 1.0 + 0.32 * len(names) * len(groups)), layout="constrained")
    axes = figure.subplots()
    for index, name in enumerate(names):
        for row, group in enumerate(groups.values()):
            if name not in group:
                continue
            low, middle, high = min(group[name]), statistics.median(group[name]), max(group[name])
            at = row + (index - (len(names) - 1) / 2) * height
            axes.barh(at, middle, height * 0.92, color=COLORS[index % len(COLORS)])
            axes.errorbar(middle, at, xerr=[[middle - low], [high - middle]], color="black", lw=1, capsize=2)
            axes.annotate(
                f"{name}: {middle:.3g}", (high, at), (4, 0), textcoords="offset points", va="center", size=8
            )
    axes.set_yticks(range(len(groups)), list(groups))
    axes.invert_yaxis()
    axes.margins(x=0.25)  # space for the labels
    axes.set_xlabel(unit)
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    with atomic_file(path, make_folder=True) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
