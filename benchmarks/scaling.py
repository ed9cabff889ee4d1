"""Growth of time and memory with images, workers, nodes and width: the data of docs/scaling.md.

    python benchmarks/scaling.py                                 docs/scaling.json and docs/images/scaling.png
    python benchmarks/scaling.py --only network --widths 0.125   one kind, or one point; other points are unchanged

Every point is measured several times, in a separate process each (the network: in one process), so that peak memory is
that of the point; results are median, minimum and maximum. Processor seconds are reported as well, since
they vary less on a shared machine; those of Ray's nodes cannot be measured from here. Both nodes are on this machine.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import COLORS, spread, write
from prepare import make_images

SIDE = 128
"""Side of the network's input in pixels."""
FEATURES_WIDTH = 0.125
NODES = "ray, two nodes"
SHARD = 100
"""Images per prepared shard, few enough that every worker gets several shards."""
FEATURES_SHARD = 16


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=["prepare", "features", "network"], default=None)
    parser.add_argument("--images", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--features-images", type=int, nargs="+", default=[96])
    parser.add_argument("--where", nargs="+", default=["1", "2", NODES], help=f"workers, or {NODES!r}")
    parser.add_argument("--widths", type=float, nargs="+", default=[0.125, 0.25, 0.5, 1.0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/scaling.json"))
    parser.add_argument("--picture", type=Path, default=Path("docs/images/scaling.png"))
    parser.add_argument("--point", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        print(json.dumps(MEASURES[options.point[0]](*options.point[1:])))
        return
    results = read(options.out)
    with tempfile.TemporaryDirectory() as folder:
        for kind, point in points(options, Path(folder)):
            key = KEYS[kind]
            print(kind, json.dumps(point), flush=True)
            kept = [one for one in results[kind] if [one[k] for k in key] != [point[k] for k in key]]
            results[kind] = sorted([*kept, point], key=lambda one: [one[k] for k in key])
            # Write after every point, so that an interruption loses only the current one.
            write(options.out, {**results, "network_commit": network_commit()})
    draw(results, options.picture)


KEYS = {"prepare": ("where", "images"), "features": ("where", "images"), "network": ("width",)}


def read(path: Path) -> dict[str, Any]:
    """Read the existing points; none if they are in the format of another version."""
    there = json.loads(path.read_text()) if path.is_file() else {}
    return {
        kind: [point for point in there.get(kind, []) if "repeats" in point and set(key) <= set(point)]
        for kind, key in KEYS.items()
    }


def network_commit() -> str:
    """Find the last commit that changed the networks; empty outside a checkout."""
    package = str(Path(__file__).resolve().parent.parent / "packages/convrnn-model/src")
    asked = ["git", "-C", package, "log", "-1", "--format=%h", "--", "."]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def points(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    only = options.only or list(KEYS)
    if "prepare" in only:
        for count in options.images:
            source = folder / f"prepare-{count}"
            make_images(source / "train", count)
            for where in options.where:
                yield "prepare", repeated(options.repeats, "prepare", source, where)
    if "features" in only:
        for count in options.features_images:
            make_set(folder / f"features-{count}", count)
            for where in options.where:
                yield "features", repeated(options.repeats, "features", folder / f"features-{count}", where)
    if "network" in only:
        for width in options.widths:
            yield "network", measured("network", width, options.repeats)


def repeated(repeats: int, *words: object) -> dict[str, Any]:
    """Summarise measurements of a point: constants unchanged, measured values as median, minimum and maximum."""
    found = [measured(*words) for _ in range(repeats)]
    values = {
        name: spread([one[name] for one in found]) if isinstance(value, float) else value
        for name, value in found[0].items()
    }
    return {**values, "repeats": repeats}


def measured(*words: object) -> dict[str, Any]:
    """Make one measurement in a separate process."""
    command = [sys.executable, __file__, "--point", *map(str, words)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def make_set(folder: Path, count: int) -> None:
    """Prepare a set of drawn photographs with a given number for training, and weights to freeze."""
    from convrnn_data import prepare
    from convrnn_data.sample.sample import draw_sample

    # A quarter of the images of each category is held out.
    draw_sample(folder / "sample", images_per_category=count // 12, trials=16, observers=1)
    prepare(
        folder / "sample/imagenet",
        folder / "set",
        images="all",
        val=0.25,
        shard_size=FEATURES_SHARD,
        workers=1,
    )
    make = (
        "import sys; from convrnn_model import bl_net, save_weights\n"
        f"save_weights(bl_net(({SIDE}, {SIDE}, 3), 16, width={FEATURES_WIDTH}), sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", make, str(folder / "start.h5")], check=True, capture_output=True)


def measure_prepare(source: str, where: str) -> dict[str, Any]:
    """Measure time and peak memory of preparing a folder."""
    from convrnn_data import prepare

    images = len(list(Path(source).rglob("*.JPEG")))
    with tempfile.TemporaryDirectory(dir=source) as out, measuring(where) as (asked, found):
        prepare(Path(source), Path(out) / "set", images="all", val=0.1, shard_size=SHARD, **asked)
    return {"where": where, "images": images, **found}


def measure_features(folder: str, where: str) -> dict[str, Any]:
    """Measure time and peak memory of the features of one view, including the start of TensorFlow and the network."""
    with tempfile.TemporaryDirectory(dir=folder) as out, measuring(where) as (asked, found):
        from convrnn_experiments.runtime.tensorflow import quiet_import

        with quiet_import():
            from convrnn_experiments.features import extractor, store
        extractor.use_one_thread_per_operation()
        from convrnn_data import PreparedSet
        from convrnn_experiments.conditions import Regime
        from convrnn_experiments.features.plan import Executor
        from convrnn_experiments.runs.config import Config, checked

        data = PreparedSet(Path(folder) / "set")
        config = Config(
            data=str(data.path),
            perturb=Regime.NOISE,
            weights=str(Path(folder) / "start.h5"),
            views=1,
            width=FEATURES_WIDTH,
            image_size=SIDE,
        )
        config = checked(config, data)
        kept = store.extract_features(config, data, Path(out), executor=Executor(**asked))
    return {"where": where, "images": sum(len(part.rows) for part in kept.parts), **found}


@contextmanager
def measuring(where: str) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """Provide the options of an executor, and record its resource use at the end."""
    found: dict[str, float] = {}
    if where == NODES:
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        cluster.add_node(num_cpus=1)
        began = time.perf_counter()
        yield {"engine": "ray", "workers": 2, "address": cluster.address}, found
        found["wall_seconds"] = time.perf_counter() - began
        cluster.shutdown()
        return
    before, began = used(), time.perf_counter()
    yield {"workers": int(where)}, found
    found["wall_seconds"] = time.perf_counter() - began
    found["processor_seconds"] = used() - before
    found["peak_mib"] = max(peak(resource.RUSAGE_SELF), peak(resource.RUSAGE_CHILDREN))


def used() -> float:
    """Return the processor seconds of this process and of its finished children."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def peak(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def measure_network(width: str, repeats: str) -> dict[str, Any]:
    """Measure a batch of pooled features of BL over eight time steps, as `features` computes it, on one core."""
    from convrnn_experiments.runtime.tensorflow import quiet_import

    with quiet_import():
        from convrnn_experiments.features.extractor import BATCH
    import numpy as np

    from convrnn_model import bl_net, multiply_adds
    from convrnn_model.inference import compile_network

    network = bl_net((SIDE, SIDE, 3), 16, width=float(width))
    predictor = compile_network(network, outputs="features", threads=1)
    images = np.zeros((BATCH, SIDE, SIDE, 3), np.float32)
    predictor.predict(images, BATCH)
    each = []
    for _ in range(int(repeats)):
        before = used()
        predictor.predict(images, BATCH)
        each.append((used() - before) / BATCH)
    cost = float(multiply_adds(network, (SIDE, SIDE)).cumulative[-1])
    return {
        "width": str(width),
        "plan": str(predictor.plan(batch_size=BATCH)),
        "multiply_adds": int(cost),
        "processor_seconds_an_image": spread(each),
        "multiply_adds_a_processor_second": spread([cost / one for one in each], digits=3),
        "peak_mib": round(peak(resource.RUSAGE_SELF)),
        "repeats": int(repeats),
    }


MEASURES = {"prepare": measure_prepare, "features": measure_features, "network": measure_network}
TICKS = [0.05, 0.1, 0.2, 0.5, 1.0]  # seconds
LABELS = {"1": "1 worker", "2": "2 workers", NODES: "Ray, 2 nodes"}


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw seconds over images, a line per executor, and the cost of a multiply-add over width, with ranges."""
    from matplotlib.figure import Figure

    from convrnn_data.base.atomic import atomic_file

    figure = Figure(figsize=(9.0, 3.0), layout="constrained")
    preparing, features, network = figure.subplots(1, 3)
    for axes, kind in ((preparing, "prepare"), (features, "features")):
        for place, where in enumerate(dict.fromkeys(one["where"] for one in results[kind])):
            mine = [one for one in results[kind] if one["where"] == where]
            images = [one["images"] for one in mine]
            whiskers(axes, images, [one["wall_seconds"] for one in mine], place, LABELS.get(where, where))
        axes.set_xlabel("images")
        axes.set_xlim(left=0)
        axes.set_ylabel("seconds")
        axes.legend(frameon=False, fontsize=8)
    widths = [float(one["width"]) for one in results["network"]]
    seconds = [one["processor_seconds_an_image"] for one in results["network"]]
    whiskers(network, widths, seconds, 0, "")
    network.set_xscale("log", base=2)
    network.set_yscale("log")
    network.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    network.minorticks_off()
    network.set_xticks(widths, [f"{width:g}" for width in widths])
    network.set_xlabel("width of BL")
    network.set_ylabel("processor seconds an image")
    for axes, title in ((preparing, "preparing"), (features, "cached features"), (network, "the network")):
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        if axes is not network:
            axes.set_ylim(bottom=0)
    with atomic_file(path, make_folder=True) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)


def whiskers(axes: Any, x: list[float], found: list[dict[str, float]], place: int, label: str) -> None:
    middle = [one["median"] for one in found]
    below = [one["median"] - one["least"] for one in found]
    above = [one["most"] - one["median"] for one in found]
    axes.errorbar(
        x, middle, yerr=[below, above], color=COLORS[place], marker="o", ms=4, capsize=2, label=label
    )


if __name__ == "__main__":
    main()
