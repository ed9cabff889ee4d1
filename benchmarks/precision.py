"""Difference of softmax in bfloat16 from float32, for weights files on drawn images.

For each file, the networks answer the images of the drawn sample in float32 (engine "tiles") and in bfloat16 (engine
"openvino"), which needs a processor with AVX512_BF16 or AMX.

    python benchmarks/precision.py demo/runs/color/weights.h5 bl_ecoset.h5
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from common import show, write
from convrnn_data.sample.sample import draw_sample
from convrnn_model import compile_network, preprocess_image


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--images-per-category", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/precision.json"))
    options = parser.parse_args()
    images = drawn_images(options.images_per_category, options.image_size)
    results: dict[str, Any] = {"images": len(images), "image_size": options.image_size}
    for path in options.weights:
        results[str(path)] = compare(path, images)
    show(results)
    write(options.out, results)


def drawn_images(per_category: int, side: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        draw_sample(Path(folder), images_per_category=per_category, trials=16, observers=1)
        paths = sorted(Path(folder).glob("imagenet/**/*.JPEG"))
        pixels = [np.asarray(Image.open(path).convert("RGB").resize((side, side))) for path in paths]
    return np.asarray(preprocess_image(np.stack(pixels)))


def compare(path: Path, images: np.ndarray) -> dict[str, float]:
    """Compare softmax, (images, time, classes), over all images and time steps."""
    exact, rounded = (
        compile_network(path, precision=precision).predict(images) for precision in ("float32", "bfloat16")
    )
    difference = np.abs(exact - rounded)
    # Classes with next to no probability do not matter, so the typical difference is that of the answer.
    answers = exact.argmax(-1)
    of_answers = np.take_along_axis(difference, answers[..., None], -1)
    return {
        "classes": exact.shape[-1],
        "time_steps": exact.shape[1],
        "largest_difference": float(difference.max()),
        "median_difference_of_the_answer": float(np.median(of_answers)),
        "median_probability_of_the_answer": float(np.median(exact.max(-1))),
        "same_answers": float((answers == rounded.argmax(-1)).mean()),
    }


if __name__ == "__main__":
    main()
