"""Speed of a training step of BL (forward, backward, Adam) with direct convolution and with Fourier transforms.

    direct   `convolution="direct"`
    auto     `convolution="auto"`: Fourier transforms where they are faster on this processor, direct otherwise

The methods alternate in one process, from equal weights and on the same images. Their losses are reported, since
rounding errors would show in them.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

METHODS = ("direct", "auto")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument(
        "--width", type=float, default=1.0, help="factor on the filters; 1 is the real network"
    )
    parser.add_argument(
        "--timesteps", type=int, default=3, help="the memory for activations grows with them (default: 3)"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--onednn", choices=("0", "1"), default="1")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/training_step.json"))
    options = parser.parse_args()
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = options.onednn
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    report(options)


def report(options: argparse.Namespace) -> None:
    from common import show, write

    results = measure(options)
    show(results)
    write(options.out, results)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure seconds per step by method, their ratio, the losses, and multiply-adds per second."""
    import keras
    import numpy as np

    from common import in_turn, ratio, spread
    from convrnn_model import multiply_adds

    rng = np.random.default_rng(0)
    side = options.image_size
    images = rng.uniform(-1, 1, (options.batch_size, side, side, 3)).astype(np.float32)
    labels = [rng.integers(0, 16, options.batch_size) for _ in range(options.timesteps)]
    functions: dict[str, Callable[[], object]] = {}
    losses: dict[str, list[float]] = {name: [] for name in METHODS}
    for name in METHODS:
        model = network(options, name)
        # Of a forward pass; a backward pass takes twice as many.
        operations = 3 * options.batch_size * multiply_adds(model).total

        def step(model: Any = model, name: str = name) -> None:
            loss, *_ = np.atleast_1d(model.train_on_batch(images, labels))
            losses[name].append(float(loss))

        functions[name] = step
    seconds = in_turn(functions, options.rounds)
    return {
        "backend": keras.backend.backend(),
        "onednn": options.onednn,
        "width": options.width,
        "timesteps": options.timesteps,
        "seconds_per_step": {name: spread(values) for name, values in seconds.items()},
        "times_faster": ratio(seconds["direct"], seconds["auto"]),
        "last_loss": {name: values[-1] for name, values in losses.items()},
        "multiply_adds_direct": operations,
        "gflop_per_second_direct": spread([2e-9 * operations / value for value in seconds["direct"]]),
    }


def network(options: argparse.Namespace, method: str) -> Any:
    import keras

    from convrnn_model import bl_net

    keras.utils.set_random_seed(0)
    shape = (options.image_size, options.image_size, 3)
    model = bl_net(shape, 16, options.timesteps, width=options.width, convolution=method)
    loss = ["sparse_categorical_crossentropy"] * options.timesteps
    # XLA halves the speed of TensorFlow's convolutions on CPUs.
    jit_compile = "auto" if keras.backend.backend() == "jax" else False
    model.compile(keras.optimizers.Adam(0.005, epsilon=0.1), loss, jit_compile=jit_compile)
    return model


if __name__ == "__main__":
    main()
