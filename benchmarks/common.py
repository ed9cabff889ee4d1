"""What the benchmarks share: options, a drawn set, timing in turns, the machine in words, results and pictures."""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from convrnn_data import PreparedSet, prepare
from convrnn_data.sample.sample import draw_sample
from convrnn_experiments.runs.folder import write_json, written

PACKAGES = (
    "convrnn-data",
    "convrnn-model",
    "convrnn-experiments",
    "keras",
    "tensorflow",
    "jax",
    "numpy",
    "pillow",
    "simplejpeg",
    "cykooz-resizer",
)
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Okabe and Ito's, which colour-blind people tell apart; neighbours differ in lightness too."""


def drawn_images_parser(
    about: str, out: str, *, images: int, width: float = 0.125
) -> argparse.ArgumentParser:
    """Options of what runs a network on drawn images: --width, --image-size, --images-per-category and --out.

    Args:
        about: a module's docstring, whose first line is shown.
        out: name of the file of results.
        images: of each category.
        width: of the network, where none is given.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument(
        "--width", type=float, default=width, help="factor on the filters; 1 is the real network"
    )
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--images-per-category", type=int, default=images)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results") / out)
    return parser


def drawn_set(folder: Path, images_per_category: int) -> PreparedSet:
    """A prepared set of drawn images, a quarter of them held out, made in a folder."""
    draw_sample(folder / "sample", images_per_category=images_per_category, trials=16, observers=1)
    prepare(folder / "sample/imagenet", folder / "set", images="all", val=0.25)
    return PreparedSet(folder / "set")


def timed(function: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def in_turn(
    functions: Mapping[str, Callable[[], object]], rounds: int, *, warm: int = 1
) -> dict[str, list[float]]:
    """Wall seconds of each call, each function once a round, so that what slows the machine down slows all.

    Args:
        functions: by name; each round begins with another one.
        rounds: how many measurements of each.
        warm: calls of each before the first measurement, for tracing, caches and allocation.
    """
    names = list(functions)
    for name in names * warm:
        functions[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            seconds[name].append(timed(functions[name]))
    return seconds


def spread(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Median, least and most, to so many significant digits."""
    found = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: float(f"{value:.{digits}g}") for name, value in found.items()}


def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """`spread` of above / below, round by round: neighbours in time see the same machine."""
    return spread([one / other for one, other in zip(above, below, strict=True)])


def per_second(count: int, seconds: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """`spread` of how many of `count` things were done a second, by name."""
    return {name: spread([count / one for one in values]) for name, values in seconds.items()}


def peak_memory_mib() -> float:
    """The most memory that this process has held so far."""
    # Not getrusage's: a process begins with the peak of the one that started it, though it holds nothing yet.
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024, 1)


def machine() -> dict[str, Any]:
    """Processor, memory, system and versions: what a figure holds for."""
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
    """Print results, one a line; what `spread` found as `median (least .. most)`."""
    for name, value in _lines(results):
        print(f"{name:44} {value}")


def _lines(results: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    found = []
    for name, value in results.items():
        if isinstance(value, Mapping) and set(value) == {"median", "least", "most"}:
            found.append((above + name, "{median:g} ({least:g} .. {most:g})".format(**value)))
        elif isinstance(value, Mapping):
            found += _lines(value, f"{above}{name}, ")
        else:
            found.append((above + name, str(value)))
    return found


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Write results as JSON, with the machine; beside its name first, then renamed."""
    write_json(path, {**results, "machine": machine()})


def bars(
    path: Path, groups: Mapping[str, Mapping[str, Sequence[float]]], *, unit: str, title: str = ""
) -> None:
    """A picture of medians as bars, with least and most as whiskers.

    Args:
        path: its ending (.png, .svg) is the format.
        groups: what was measured -> who did it -> the values of all rounds; one colour for each who.
        unit: of the values.
        title: above the picture.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    height = 0.8 / len(names)
    figure = Figure(figsize=(7.0, 1.0 + 0.32 * len(names) * len(groups)), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(names):
        for row, group in enumerate(groups.values()):
            if name not in group:
                continue
            low, middle, high = min(group[name]), statistics.median(group[name]), max(group[name])
            at = row + (place - (len(names) - 1) / 2) * height
            axes.barh(at, middle, height * 0.92, color=COLOURS[place % len(COLOURS)])
            axes.errorbar(middle, at, xerr=[[middle - low], [high - middle]], color="black", lw=1, capsize=2)
            axes.annotate(
                f"{name}: {middle:.3g}", (high, at), (4, 0), textcoords="offset points", va="center", size=8
            )
    axes.set_yticks(range(len(groups)), list(groups))
    axes.invert_yaxis()
    axes.margins(x=0.25)  # for the words behind the bars
    axes.set_xlabel(unit)
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    with written(path) as beside:
        figure.savefig(beside, format=path.suffix[1:], dpi=150)
