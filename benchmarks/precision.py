"""Difference of softmax in bfloat16 from float32, for weights files on drawn images.

For each file, the networks answer the images of the drawn sample in float32 (engine "tiles") and in bfloat16 (engine
"openvino"), which needs a processor with AVX512_BF16 or AMX.

    python benchmarks/precision.py demo/runs/color/weights.h5 bl_ecoset.h5
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from common import drawn_images, run_benchmark
from convrnn_model import ConvRNNError, bl_net, compile_network, preprocess_image, save_weights


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "weights", type=Path, nargs="*", help="by default, a small network with random weights"
    )
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--images-per-category", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/precision.json"))
    options = parser.parse_args()
    try:
        run_benchmark(options, measure)
    except ConvRNNError as error:
        if options.weights:
            raise
        print(f"Skipped: {error}")


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Compare the networks of weights files, or one with random weights that is written into a folder."""
    side = options.image_size
    paths = drawn_images(folder, options.images_per_category)
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB").resize((side, side))) for path in paths])
    images = np.asarray(preprocess_image(pixels))
    results: dict[str, Any] = {"images": len(images), "image_size": side}
    for path in options.weights or [random_weights(folder / "random.h5", side)]:
        results[path.name if path.parent == folder else str(path)] = compare(path, images)
    return results


def random_weights(path: Path, side: int) -> Path:
    """Write the weights of an untrained network."""
    save_weights(bl_net((side, side, 3), 16, width=0.125), path)
    return path


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
