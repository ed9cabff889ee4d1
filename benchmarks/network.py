"""Time, memory traffic and operations of BL's forward pass, by convolution method.

    direct   Keras' own convolution
    fft      `convolution="auto"`: Fourier transforms where they are faster on this processor, direct otherwise

Methods alternate in one process, with the same weights and images; results are medians and spreads over rounds.
TensorFlow enables oneDNN by default only on processors with AVX-512; here it is enabled for both methods, as the
`convrnn` command does (`--onednn 0` disables it). Peak memory is measured in a separate process per method.

    python benchmarks/network.py --image-size 128 --batch-size 8
    KERAS_BACKEND=jax python benchmarks/network.py
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

METHODS = {"direct": "direct", "fft": "auto"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image-size", type=int, nargs="+", default=[128, 224])
    parser.add_argument("--batch-size", type=int, nargs="+", default=[8], help="one or more, such as 1 8 32")
    parser.add_argument(
        "--width", type=float, default=1.0, help="factor on the filters; 1 is the real network"
    )
    parser.add_argument("--timesteps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--onednn", choices=("0", "1"), default="1")
    parser.add_argument("--memory-of", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/network.json"))
    parser.add_argument("--picture", type=Path, default=None, help="also draw the seconds into this file")
    options = parser.parse_args()
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = options.onednn
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.memory_of:
        print(memory(options))
        return
    report(options)


def report(options: argparse.Namespace) -> None:
    import keras

    from common import bars, show, write

    backend = keras.backend.backend()
    sizes = [(side, batch) for side in options.image_size for batch in options.batch_size]
    results: dict[str, Any] = {"backend": backend, "onednn": options.onednn, "width": options.width}
    drawn = {}
    for side, batch in sizes:
        name = f"{side} px, batch {batch}"
        results[name], drawn[name] = measure(options, side, batch)
        show({name: results[name]})
    write(options.out, results)
    if options.picture:
        title = f"BL, {options.timesteps} steps, {backend}"
        bars(options.picture, drawn, unit="seconds per image", title=title)


def measure(
    options: argparse.Namespace, side: int, batch: int
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Measure seconds per image by method, their ratio, the difference of the outputs, operations and peak memory."""
    import numpy as np

    from common import in_turn, ratio, spread
    from convrnn_model import multiply_adds

    functions: dict[str, Callable[[], object]] = {}
    answers = {}
    images = np.random.default_rng(0).uniform(-1, 1, (batch, side, side, 3)).astype(np.float32)
    for name in METHODS:
        model = network(options, side, name)
        operations = multiply_adds(model).total
        answers[name] = np.asarray(model.predict_on_batch(images))
        functions[name] = lambda model=model: model.predict_on_batch(images)  # type: ignore[misc]
    seconds = in_turn(functions, options.rounds)
    each = {name: [value / batch for value in values] for name, values in seconds.items()}
    difference = float(np.abs(answers["fft"] - answers["direct"]).max() / np.abs(answers["direct"]).max())
    peaks = {name: peak(options, side, batch, name) for name in METHODS}
    return {
        "seconds_per_image": {name: spread(values) for name, values in each.items()},
        "times_faster": ratio(seconds["direct"], seconds["fft"]),
        "largest_relative_difference": difference,
        "multiply_adds_direct": operations,
        "gflop_per_second_direct": spread([2e-9 * operations / value for value in each["direct"]]),
        "peak_memory_mib": peaks,
        "memory_times_direct": round(peaks["fft"] / peaks["direct"], 2),
    }, each


def network(options: argparse.Namespace, side: int, method: str) -> Any:
    import keras

    from convrnn_model import bl_net

    keras.utils.set_random_seed(0)
    shape = (side, side, 3)
    return bl_net(shape, 1000, options.timesteps, width=options.width, convolution=METHODS[method])


def peak(options: argparse.Namespace, side: int, batch: int, method: str) -> float:
    """Measure the peak memory in MiB of a process that predicts two batches."""
    words = [sys.executable, __file__, "--memory-of", method, "--image-size", side, "--batch-size", batch]
    words += ["--width", options.width, "--timesteps", options.timesteps, "--onednn", options.onednn]
    done = subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def memory(options: argparse.Namespace) -> float:
    import numpy as np

    from common import peak_memory_mib

    side, batch = options.image_size[0], options.batch_size[0]
    model = network(options, side, options.memory_of)
    for _ in range(2):
        model.predict_on_batch(np.zeros((batch, side, side, 3), np.float32))
    return peak_memory_mib()


if __name__ == "__main__":
    main()
