"""Speed of writing a prepared set against `tar`, of reading it against webdataset, and of planning.

    python benchmarks/prepare.py                  all three, with 2 GB of images and 1.28 million members
    python benchmarks/prepare.py --gigabytes 0.2 --members 100000

Files are written to a temporary folder (in --folder) and removed at the end.
"""

import argparse
import glob
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from convrnn_data import open_set, prepare
from convrnn_data.categories import CATEGORIES, ImageLists, shipped_lists
from convrnn_data.imagenet.plan import Settings, make_plan
from convrnn_data.imagenet.sources import IMAGES, SYNSETS, find_source, list_images
from convrnn_data.shards.shard import BLOCK, RECORD, ustar_header

KILOBYTES = 92
"""Typical size of an image, on which speeds depend."""

JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffc0001108014d01f403011100021100031100ffda000c03010002000300003f00"
)
"""Header of a 500x333 JPEG; random bytes without FF replace the image data, which is never decoded here."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=2.1)
    parser.add_argument("--members", type=int, default=1_280_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--only", choices=["write", "plan"], default=None)
    parser.add_argument("--plan-of", type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--all-synsets", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plan_of:
        measure_plan(arguments.plan_of, arguments.all_synsets)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if arguments.only != "plan":
            writing_and_reading(Path(folder), arguments.gigabytes, arguments.workers, arguments.rounds)
        if arguments.only != "write":
            planning(Path(folder), arguments.members)


def writing_and_reading(folder: Path, gigabytes: float, workers: int, rounds: int) -> None:
    count = make_images(folder / "train", int(gigabytes * 1e9 / (KILOBYTES * 1000)))
    size = sum(path.stat().st_size for path in (folder / "train").rglob("*.JPEG"))
    subprocess.run(
        f"sync; cat {folder}/train/*/* > /dev/null", shell=True, check=True
    )  # Fill the page cache.
    print(
        f"{count:,} images, {size / 1e9:.2f} GB, {workers} workers, warm cache; wall seconds of {rounds} rounds each"
    )
    out, tar = folder / "set", folder / "all.tar"
    seconds: dict[str, list[float]] = {"tar cf": [], "prepare": []}
    for _ in range(rounds):
        tar.unlink(missing_ok=True)
        shutil.rmtree(out, ignore_errors=True)
        subprocess.run(["sync"], check=True)
        seconds["tar cf"].append(
            timed(lambda: subprocess.run(["tar", "cf", tar, "-C", folder, "train"], check=True))
        )
        tar.unlink()
        subprocess.run(["sync"], check=True)
        seconds["prepare"].append(timed(lambda: prepare(folder, out, images="all", val=0, workers=workers)))
    for name, times in seconds.items():
        print(
            f"  {name:8} {' '.join(f'{one:.2f}' for one in times)}  best {size / min(times) / 1e6:,.0f} MB/s"
        )
    tar_time, own_time = (statistics.median(times) for times in seconds.values())
    print(f"  speed of prepare, hashing on, as a part of tar's (medians): {tar_time / own_time:.2f}")
    reading(out, rounds)


def make_images(train: Path, count: int) -> int:
    """Write files in class folders, with sizes as in ImageNet."""
    random = np.random.default_rng(0)
    synsets = sorted(shipped_lists().categories)[:64]
    for number in range(count):
        folder = train / synsets[number % len(synsets)]
        if number < len(synsets):
            folder.mkdir(parents=True)
        scan = random.integers(0, 255, max(2000, int(random.normal(KILOBYTES, 25) * 1000)), dtype=np.uint8)
        (folder / f"{folder.name}_{number}.JPEG").write_bytes(JPEG + scan.tobytes() + b"\xff\xd9")
    return count


def timed(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def reading(out: Path, rounds: int) -> None:
    """Measure CPU microseconds per sample of shuffled batches by byte range, and of webdataset in order."""
    import webdataset

    table = open_set(out).table("train")
    order = np.random.default_rng(0).permutation(len(table))

    def ours() -> int:
        return sum(len(table.read(order[start : start + 64])) for start in range(0, len(order), 64))

    def theirs() -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            return sum(
                1 for _ in webdataset.WebDataset(sorted(glob.glob(f"{out}/train/*.tar")), shardshuffle=False)
            )

    costs = {"byte ranges, shuffled": cpu(ours, rounds), "webdataset, in order": cpu(theirs, rounds)}
    for name, (samples, seconds) in costs.items():
        print(
            f"  {name:22} {samples:,} samples, {seconds / samples * 1e6:.0f} CPU µs each (best of {rounds})"
        )
    (_, own), (_, other) = costs.values()
    print(f"  webdataset takes {other / own:.1f} times the CPU seconds")


def cpu(function: Callable[[], int], rounds: int) -> tuple[int, float]:
    best, samples = float("inf"), 0
    for _ in range(rounds):
        began = time.process_time()
        samples = function()
        best = min(best, time.process_time() - began)
    return samples, best


def planning(folder: Path, members: int) -> None:
    path = folder / "ILSVRC2012_img_train.tar"
    print(f"a tar of {SYNSETS} tars with {members:,} members of a few bytes (all of ImageNet: {IMAGES:,})")
    print(
        f"  made in {timed(lambda: make_tar_of_tars(path, members)):.1f} s, {path.stat().st_size / 1e9:.2f} GB"
    )
    for flags in ([], ["--all-synsets"]):
        subprocess.run([sys.executable, __file__, "--plan-of", path, *flags], check=True)


def make_tar_of_tars(path: Path, members: int) -> None:
    with open(path, "wb", buffering=1 << 20) as file:
        for number, synset in enumerate(synsets()):
            count = members // SYNSETS + (number < members % SYNSETS)
            inner = b"".join(one_class(synset, count))
            inner += bytes(-len(inner) % RECORD or RECORD)
            file.write(ustar_header(f"{synset}.tar", len(inner)) + inner)
        file.write(bytes(2 * BLOCK))


def one_class(synset: str, count: int) -> Iterator[bytes]:
    for number in range(count):
        yield ustar_header(f"{synset}_{number}.JPEG", 9) + b"few bytes".ljust(BLOCK, b"\0")


def synsets() -> list[str]:
    """List the 202 synsets of the categories, and others up to a thousand."""
    wanted = list(shipped_lists().categories)
    return sorted(wanted + [f"n{number:08d}" for number in range(SYNSETS - len(wanted))])


def measure_plan(path: Path, all_synsets: bool) -> None:
    """Measure planning in a separate process, whose peak memory is that of planning."""
    lists = shipped_lists()
    if all_synsets:
        names = synsets()
        lists = ImageLists({name: CATEGORIES[place % 16] for place, name in enumerate(names)}, {})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    listing = list_images(find_source(path), lists.categories)
    listed = time.perf_counter() - began
    plan = make_plan(listing, lists, Settings(images="all"))
    seconds, most = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"  {listing.images:,} members walked, {len(plan.keys):,} planned into {len(plan.shards):,} shards: "
        f"{seconds:.1f} s ({listed:.1f} s listing), peak memory {most / 1000:,.0f} MB ({before / 1000:,.0f} before)"
    )


if __name__ == "__main__":
    main()
