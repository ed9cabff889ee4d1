"""Throughput of image batches from a prepared set, against `keras.utils.image_dataset_from_directory`.

Both loaders read the same files and return the same central square, covering the shorter side, in batches of 32. The
Keras loader reads a folder per category in file order, decodes whole images and resizes without antialiasing; it maps
with AUTOTUNE and prefetches by default. A resize without antialiasing is less work, so Keras is measured in three
configurations:

    keras, antialiased   with antialias=True of the backend: the same quality as ours
    keras, area          with interpolation="area", the only setting of the loader that averages pixels
    keras, default       bilinear between four pixels, with aliasing

Our loader crops at stimulus size and resizes on the device, as training does in the color regime, with and without a
random crop and flip; `at the network's size` omits the second scale, to measure its cost. The stages give the cost of
perturbing and resizing under every regime. Results are images per second, processor time per image, which other load
affects less, and the time of each of our stages in one thread; decoding alone is the limit of any loader of these
files. Give photographs in ImageNet's layout (train/<wnid>/*.JPEG); otherwise images are drawn, which are easier
to decode.

    python benchmarks/input.py --images /path/to/imagenet --count 2000
"""

import argparse
import functools
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from common import bars, in_turn, per_second, ratio, show, spread, write
from convrnn_data import PreparedSet, prepare
from convrnn_data.categories import shipped_lists
from convrnn_data.sample.sample import draw_sample
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.images import decoding
from convrnn_experiments.images.batches import (
    EncodedImages,
    Frame,
    batches,
    decode_sizes,
    epoch_jitter,
    epoch_rows,
    images_of_split,
)
from convrnn_experiments.images.perturbations import Perturb
from convrnn_experiments.runs.config import default_resize

BATCH = 32
STAGED = 250  # largest number of images for the stages


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, help="ImageNet, or a part of it; drawn images by default")
    parser.add_argument("--count", type=int, default=1000, help="images, repeated under new names as needed")
    parser.add_argument("--stimulus-size", type=int, default=224)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/input.json"))
    parser.add_argument("--picture", type=Path, default=None, help="also draw the speeds into this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds, processor_seconds, staged, count = measure(options, Path(folder))
    first = "convrnn"
    results = {
        "pictures": f"{count:,}, {'given' if options.images else 'drawn'}",
        "stimulus_size": options.stimulus_size,
        "image_size": options.image_size,
        "rounds": options.rounds,
        "images_per_second": per_second(count, seconds),
        "times_as_fast_as": {name: ratio(seconds[name], seconds[first]) for name in seconds if name != first},
        "processor_microseconds": {
            name: per_image(count, values) for name, values in processor_seconds.items()
        },
        "processor_time_of_others": {
            name: ratio(values, processor_seconds[first])
            for name, values in processor_seconds.items()
            if name != first
        },
        "stage_microseconds": staged,
    }
    show(results)
    write(options.out, results)
    if options.picture:
        speeds = {name: [count / one for one in values] for name, values in seconds.items()}
        bars(options.picture, {f"{options.image_size} px": speeds}, unit="images per second")


def per_image(count: int, seconds: list[float]) -> dict[str, float]:
    """Summarise microseconds per image, for `count` images."""
    return spread([1e6 * one / count for one in seconds])


def measure(
    options: argparse.Namespace, folder: Path
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, dict[str, float]], int]:
    """Measure wall and processor seconds of an epoch of each loader, the stages, and the number of images."""
    source = options.images
    if source is None:
        draw_sample(folder / "sample", images_per_category=6, trials=16, observers=1)
        source = folder / "sample/imagenet"
    repeat_images(source, folder / "imagenet/train", options.count)
    prepare(folder / "imagenet", folder / "set", images="all", val=0)
    encoded = images_of_split(PreparedSet(folder / "set"), "train")
    shown, size, count = options.stimulus_size, options.image_size, len(encoded)
    resized = on_device(Regime.COLOR, size)

    def ours(side: int = shown) -> int:
        rows = epoch_rows(count, seed=0, epoch=0)
        return seen(batches(encoded, Frame(side, side), BATCH, rows=rows), resized)

    def augmented() -> int:
        rows, jitter = epoch_rows(count, seed=0, epoch=0), epoch_jitter(count, seed=0, epoch=0)
        frame = Frame(shown, default_resize(shown))
        return seen(batches(encoded, frame, BATCH, rows=rows, jitter=jitter), resized)

    def theirs(interpolation: str) -> tf.data.Dataset:
        return keras.utils.image_dataset_from_directory(
            folder / "imagenet/train",
            image_size=(size, size),
            batch_size=BATCH,
            shuffle=False,
            interpolation=interpolation,
            crop_to_aspect_ratio=True,
            verbose=False,
        )

    with antialiased():
        smooth = theirs("bilinear")
    functions: dict[str, Callable[[], int]] = {
        "convrnn": ours,
        "convrnn, random crop and flip": augmented,
        "convrnn, at the network's size": functools.partial(ours, size),
        "keras, antialiased": functools.partial(seen, smooth),
        "keras, area": functools.partial(seen, theirs("area")),
        "keras, as it ships": functools.partial(seen, theirs("bilinear")),
    }
    for name, function in functions.items():
        assert function() == count, f"{name} does not give every image once"
    spent: dict[str, list[float]] = {name: [] for name in functions}
    counted = {
        name: functools.partial(spending, function, spent[name]) for name, function in functions.items()
    }
    seconds = in_turn(counted, options.rounds, warm=0)
    staged = stages(encoded, Frame(shown, shown), options.rounds)
    return seconds, spent, staged | device_stages(shown, size, options.rounds), count


def on_device(regime: Regime, size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Compile the step from images to the input of the network, as training does."""
    layer = Perturb(CONDITIONS[regime], size=size)
    return tf.function(lambda images: layer(images))


def device_stages(shown: int, size: int, rounds: int) -> dict[str, dict[str, float]]:
    """Measure processor microseconds per image of perturbing and resizing, and of perturbing at network size."""
    found = {}
    for regime, side in itertools.product(Regime, (shown, size)):
        images = tf.constant(np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3), np.uint8))
        function, spent = on_device(regime, size), list[float]()
        for _ in range(rounds + 1):
            began = time.process_time()
            for _ in range(8):
                function(images)
            spent.append((time.process_time() - began) / 8)
        found[f"{regime}, {side} to {size} px"] = per_image(
            BATCH, spent[1:]
        )  # without the first call, which traces
    return found


def spending(function: Callable[[], int], spent: list[float]) -> None:
    """Call a function and record the processor seconds of all threads."""
    began = time.process_time()
    function()
    spent.append(time.process_time() - began)


def stages(encoded: EncodedImages, frame: Frame, rounds: int) -> dict[str, dict[str, float]]:
    """Measure processor microseconds per image of each stage, in one thread."""
    rows = list(range(min(len(encoded), STAGED)))
    files, sizes = encoded.read(rows), decode_sizes(encoded, frame).tolist()
    whole = [decoding.decode(file, size) for file, size in zip(files, sizes, strict=False)]
    cut = [decoding.cut(image, frame.size / frame.resize, (0.5, 0.5)) for image in whole]
    resize = decoding.resizer(frame.size)
    resized, target = [resize(square) for square in cut], np.empty((frame.size, frame.size, 3), np.uint8)
    functions: dict[str, Callable[[int], object]] = {
        "read": lambda row: encoded.read([row]),
        "decode, as coarsely as allowed": lambda row: decoding.decode(files[row], sizes[row]),
        "decode, all pixels": lambda row: decoding.decode(files[row]),
        "crop and resize": lambda row: resize(
            decoding.cut(whole[row], frame.size / frame.resize, (0.5, 0.5))
        ),
        "mirror": lambda row: decoding.copy_mirrored(resized[row], target),
    }
    spent: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            began = time.process_time()
            for row in rows:
                function(row)
            spent[name].append(time.process_time() - began)
    return {name: per_image(len(rows), values) for name, values in spent.items()}


def repeat_images(source: Path, train: Path, count: int) -> None:
    """Collect `count` images of the 16 categories: each is copied once, then linked under further numbers."""
    found = sorted(
        path for synset in shipped_lists().categories for path in (source / "train" / synset).glob("*.JPEG")
    )
    if not found:
        raise SystemExit(f"{source} has no train/<wnid>/*.JPEG of the 16 categories")
    for number in range(count):
        path = found[number % len(found)]
        target = train / path.parent.name / f"{path.parent.name}_{number}.JPEG"
        target.parent.mkdir(parents=True, exist_ok=True)
        first = number % len(found)
        if number == first:
            shutil.copyfile(path, target)
        else:
            os.link(train / path.parent.name / f"{path.parent.name}_{first}.JPEG", target)


@contextmanager
def antialiased() -> Iterator[None]:
    """Make Keras loaders created in this context resize with antialiasing, for which they have no argument."""
    from keras.src.backend.tensorflow import image

    plain = image.resize
    image.resize = functools.partial(plain, antialias=True)
    try:
        yield
    finally:
        image.resize = plain


def seen(dataset: tf.data.Dataset, function: Callable[[tf.Tensor], tf.Tensor] = lambda images: images) -> int:
    """Read all images of a dataset, pass them through a function, and count them."""
    return sum(len(function(batch[0])) for batch in dataset)


if __name__ == "__main__":
    main()
