"""Hits and false alarms of the perceptual hash that finds the source images of human stimuli.

    python benchmarks/near_duplicates.py PHOTOGRAPHS      a folder of photographs, at any depth
    python benchmarks/near_duplicates.py                  the drawn sample, whose images are simpler than photographs

Stimuli are made from every photograph, by each method of making a square and at each level of the human experiments.
A hit is a source photograph within the limit that `convrnn-data prepare --exclude-stimuli` applies. A false alarm is
another photograph within the limit. Mirrored photographs count as other photographs, and so do quarters, whose plain
skies and walls are harder to distinguish than whole images.
"""

import argparse
import io
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image, ImageOps

from common import drawn_images, run_benchmark
from convrnn_data.imagenet.near_duplicates import BITS, LIMIT, NOISY_LIMIT, hash_image, hash_views
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.images.perturbations import perturb

SIDE, QUALITY, BATCH = 224, 95, 36
STIMULI = 3 * 5 * 210
"""Number of stimuli in the human experiments, over which false alarms are summed."""


def crop(x: float, y: float, share: float) -> Callable[[Image.Image], Image.Image]:
    def cropped(image: Image.Image) -> Image.Image:
        side = min(image.size) * share
        left, top = (image.width - side) * x, (image.height - side) * y
        return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, (left, top, left + side, top + side))

    return cropped


def squash(share: float) -> Callable[[Image.Image], Image.Image]:
    def squashed(image: Image.Image) -> Image.Image:
        left, top = image.width * (1 - share) / 2, image.height * (1 - share) / 2
        box = (left, top, image.width - left, image.height - top)
        return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box)

    return squashed


SQUARES = {
    "whole, squashed": squash(1),
    "inner 0.875, squashed": squash(0.875),
    "center, whole side": crop(0.5, 0.5, 1),
    "center, 0.96": crop(0.5, 0.5, 0.96),
    "center, 0.93": crop(0.5, 0.5, 0.93),
    "center, 0.9": crop(0.5, 0.5, 0.9),
    "center, 0.875 (256 to 224)": crop(0.5, 0.5, 0.875),
    "center, 0.8": crop(0.5, 0.5, 0.8),
    "left, whole side": crop(0, 0, 1),
    "off center, 0.9": crop(0.3, 0.6, 0.9),
}
LEVELS = {
    "color": (Regime.COLOR, 0.0),
    "gray": (Regime.GRAYSCALE, 0.0),
    **{f"noise {level:g}": (Regime.NOISE, level) for level in CONDITIONS[Regime.NOISE].test_levels},
    **{f"blur {level:g}": (Regime.BLUR, level) for level in CONDITIONS[Regime.BLUR].test_levels},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", type=Path, nargs="?", help="folder; by default, the drawn sample")
    parser.add_argument("--images-per-category", type=int, default=1, help="of the drawn sample")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/near_duplicates.json"))
    arguments = parser.parse_args()
    run_benchmark(arguments, measure)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Count hits and false alarms among photographs, or among images drawn into a folder."""
    if options.photographs is None:
        paths = drawn_images(folder, options.images_per_category)
    else:
        paths = sorted(
            path for path in options.photographs.rglob("*") if path.suffix.lower() in (".jpeg", ".jpg")
        )
    photographs = [Image.open(path).convert("RGB") for path in paths]
    return {
        "source": str(options.photographs or "drawn sample"),
        "photographs": len(photographs),
        "bits": BITS,
        "limits": {level: limit(level) for level in LEVELS},
        "found": found(photographs),
        "false_alarms": {
            "whole": false_alarms([variants(image, [(0, 0, 1, 1)]) for image in photographs]),
            "quarters": false_alarms([variants(image, QUARTERS) for image in photographs]),
        },
    }


def limit(level: str) -> int:
    return NOISY_LIMIT if level == "noise 0.16" else LIMIT


def stimuli(squares: list[Image.Image], level: str) -> np.ndarray:
    """Hash the stimuli made from squares, (squares, 256) bool."""
    regime, strength = LEVELS[level]
    generator = keras.random.SeedGenerator(0)
    bits = []
    for start in range(0, len(squares), BATCH):
        batch = squares[start : start + BATCH]
        pixels = np.stack([np.asarray(image, np.float32) for image in batch]) / 255
        strengths = np.full(len(batch), strength, np.float32)
        shown, _ = perturb(pixels, CONDITIONS[regime], seed_generator=generator, levels=strengths)
        bits += [hash_image(stored(one)) for one in np.asarray(keras.ops.convert_to_numpy(shown))]
    return np.array(bits)


def stored(pixels: np.ndarray) -> Image.Image:
    """Encode `pixels` in [0, 1] as a JPEG and decode it."""
    out = io.BytesIO()
    Image.fromarray(np.rint(255 * pixels).clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=QUALITY)
    return Image.open(out)


def found(photographs: list[Image.Image]) -> dict[str, dict[str, dict[str, int]]]:
    """Count hits, and the largest number of differing bits, by square and level."""
    views = np.array([hash_views(image) for image in photographs])
    table: dict[str, dict[str, dict[str, int]]] = {}
    for square, make in SQUARES.items():
        squares = [make(image) for image in photographs]
        for level in LEVELS:
            distances = (views != stimuli(squares, level)[:, None]).sum(axis=2).min(axis=1)
            row = {"found": int((distances <= limit(level)).sum()), "most_bits": int(distances.max())}
            table.setdefault(square, {})[level] = row
        print(f"{square:28}", *(f"{level} {row['found']}" for level, row in table[square].items()), sep="  ")
    return table


HALVES = ((0, 0.5), (0.5, 1))
QUARTERS = [(left, top, right, bottom) for left, right in HALVES for top, bottom in HALVES]


def variants(image: Image.Image, boxes: list[tuple[float, float, float, float]]) -> list[Image.Image]:
    """Cut a photograph into parts, each also mirrored, upside down, and both."""
    width, height = image.size
    scale = np.array([width, height, width, height])
    parts = [image.crop((scale * box).astype(int).tolist()) for box in boxes]
    mirrored = [other for one in parts for other in (one, ImageOps.mirror(one))]
    return [other for one in mirrored for other in (one, ImageOps.flip(one))]


def false_alarms(photographs: list[list[Image.Image]]) -> dict[str, dict[str, float]]:
    """Count pairs of different photographs within the limit, all pairs, and false alarms per image, by level."""
    source = np.repeat(np.arange(len(photographs)), [len(its) for its in photographs])
    flat = [image for its in photographs for image in its]
    views = np.where([hash_views(image) for image in flat], np.float32(1), np.float32(-1))
    table = {}
    for level in LEVELS:
        shown = stimuli([SQUARES["center, whole side"](image) for image in flat], level)
        signs = np.where(shown, np.float32(1), np.float32(-1))
        distances = ((BITS - views @ signs.T) / 2).min(axis=1)
        others = distances[source[:, None] != source[None]]
        within = int((others <= limit(level)).sum())
        table[level] = {
            "pairs": others.size,
            "within": within,
            "least_bits": int(others.min()),
            "images_lost_percent": round(100 * STIMULI * within / others.size, 2),
        }
        print(f"false alarms, {level}: {table[level]}")
    return table


if __name__ == "__main__":
    main()
