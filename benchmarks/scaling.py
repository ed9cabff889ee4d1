"""How preparing grows with images and workers, and what multiply-adds cost: the points behind docs/scaling.md.

    python benchmarks/scaling.py                     docs/scaling.json and docs/images/scaling.png
    python benchmarks/scaling.py --images 200 400    fewer

Processor seconds are given beside wall seconds, since they change less on a machine that others use too. Each point
is a process of its own, so that its peak of memory is its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import COLOURS, write
from prepare import make_images

SIDE = 128
"""Pixels of the network's input."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[500, 1000, 2000, 4000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--widths", type=float, nargs="+", default=[0.125, 0.25, 0.5])
    parser.add_argument("--out", type=Path, default=Path("docs/scaling.json"))
    parser.add_argument("--picture", type=Path, default=Path("docs/images/scaling.png"))
    parser.add_argument("--point", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        measure(*options.point)
        return
    results: dict[str, Any] = {"prepare": [], "network": []}
    with tempfile.TemporaryDirectory() as folder:
        for count in options.images:
            make_images(Path(folder) / str(count) / "train", count)
            for workers in options.workers:
                out = Path(folder) / f"{count}-{workers}"
                results["prepare"].append(point("prepare", Path(folder) / str(count), out, workers))
                print(results["prepare"][-1], flush=True)
    for width in options.widths:
        results["network"].append(point("network", width))
        print(results["network"][-1], flush=True)
    write(options.out, results)
    draw(results, options.picture)


def point(*words: object) -> dict[str, float]:
    """One measurement, in a process of its own."""
    command = [sys.executable, __file__, "--point", *map(str, words)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(what: str, *words: str) -> None:
    found = measure_prepare(*words) if what == "prepare" else measure_network(*words)
    print(json.dumps(found))


def measure_prepare(source: str, out: str, workers: str) -> dict[str, float]:
    """Seconds and the most memory of preparing a folder with so many workers."""
    from convrnn_data import prepare

    before, began = used(), time.perf_counter()
    # Small shards, so that every worker gets several.
    prepare(Path(source), Path(out), images="all", val=0.1, workers=int(workers), shard_size=100)
    wall = time.perf_counter() - began
    if int(workers) > 1:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True)  # only what has ended is counted
    return {
        "images": len(list(Path(source).rglob("*.JPEG"))),
        "workers": int(workers),
        "wall_seconds": round(wall, 2),
        "processor_seconds": round(used() - before, 2),
        "peak_mib_main": peak(resource.RUSAGE_SELF),
        "peak_mib_worker": peak(resource.RUSAGE_CHILDREN) if int(workers) > 1 else 0.0,
    }


def used() -> float:
    """Processor seconds of this process and of its children that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def peak(who: int) -> float:
    return round(resource.getrusage(who).ru_maxrss / 1024, 1)


def measure_network(width: str, batch: int = 4, rounds: int = 2) -> dict[str, float]:
    """Multiply-adds a processor second of BL's pooled features, all eight time steps."""
    import numpy as np

    from convrnn_experiments.conditions import Regime
    from convrnn_experiments.config import Config, build_network
    from convrnn_experiments.features import pooled_model
    from convrnn_model import multiply_adds

    config = Config(data="", perturb=Regime.COLOR, width=float(width), image_size=SIDE)
    network = build_network(config)
    model, _ = pooled_model(network, config)
    images = np.zeros((batch, SIDE, SIDE, 3), np.uint8)
    model.predict_on_batch(images)
    before = used()
    for _ in range(rounds):
        model.predict_on_batch(images)
    each = (used() - before) / rounds / batch
    cost = float(multiply_adds(network, (SIDE, SIDE)).cumulative[-1])
    return {
        "width": float(width),
        "multiply_adds": cost,
        "processor_seconds_an_image": round(each, 4),
        "multiply_adds_a_processor_second": float(f"{cost / each:.3g}"),
        "peak_mib": peak(resource.RUSAGE_SELF),
    }


def draw(results: dict[str, Any], path: Path) -> None:
    """Processor seconds and memory over images, a line for each number of workers."""
    from matplotlib.figure import Figure

    from convrnn_experiments.runs import written

    figure = Figure(figsize=(8.0, 3.0), layout="constrained")
    seconds, memory = figure.subplots(1, 2)
    for place, workers in enumerate(sorted({one["workers"] for one in results["prepare"]})):
        mine = [one for one in results["prepare"] if one["workers"] == workers]
        images = [one["images"] for one in mine]
        style = {"color": COLOURS[place], "marker": "o", "label": f"{workers} worker{'s' * (workers > 1)}"}
        seconds.plot(images, [one["processor_seconds"] for one in mine], **style)
        memory.plot(images, [max(one["peak_mib_main"], one["peak_mib_worker"]) for one in mine], **style)
    seconds.set_ylabel("processor seconds")
    memory.set_ylabel("peak memory of a process, MiB")
    for axes in (seconds, memory):
        axes.set_xlabel("images")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    with written(path) as beside:
        figure.savefig(beside, format=path.suffix[1:], dpi=150)


if __name__ == "__main__":
    main()
