"""Time of BL's widest convolutions on tiles: compiled code beside the same tiles with libraries.

    compiled      the engine "tiles"
    uncompiled    the same tiles; every transform is a matrix product of NumPy
    pocketfft     the same tiles; `scipy.fft.rfft2`, and complex matrix products of NumPy

Each computes the sum of the bottom-up and lateral convolution of a layer with normalisation, ReLU and pooling, from
images to images, and they are called in turn.

    python benchmarks/tiles.py
    CONVRNN_PROCESSOR=avx2 OPENBLAS_CORETYPE=Haswell python benchmarks/tiles.py
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft

from common import in_turn, ratio, show, spread, write
from convrnn_model import names
from convrnn_model.inference.frozen import FrozenNetwork, weight_shapes
from convrnn_model.inference.operations import Architecture, operations
from convrnn_model.inference.plan import Step
from convrnn_model.inference.processor import processor
from convrnn_model.inference.tiles_engine import TilesEngine
from convrnn_model.inference.tiling import Tiling
from convrnn_model.inference.winograd import matrices
from convrnn_model.variants import VARIANTS

LAYERS = (0, 1, 2, 3)
CALLS = 5
REST = 0.2
"""Seconds; threads of OpenBLAS wait actively for some time."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/tiles.json"))
    options = parser.parse_args()
    network = random_network()
    engine = TilesEngine(
        network, operations(network), (options.image_size,) * 2, options.batch_size, options.threads
    )
    results: dict[str, Any] = {"processor": processor(), "threads": options.threads}
    for layer in LAYERS:
        step = next(s for s in engine.plan.steps if isinstance(s, Step) and s.output == names.relu(layer, 1))
        results[f"layer {layer}"] = measure(engine, network, step, options)
        show({f"layer {layer}": results[f"layer {layer}"]})
    write(options.out, results)


def random_network() -> FrozenNetwork:
    rng = np.random.default_rng(0)
    shape = Architecture("bl_net", VARIANTS["bl_net"].convolutions(), 10, 2, False, 3, (None, None))
    weights = {
        name: rng.normal(0, 1 / np.sqrt(np.prod(size[:-1])), size).astype(np.float32)
        for name, size in weight_shapes(shape).items()
    }
    return FrozenNetwork(
        **vars(shape),
        kernels={name.split("/")[0]: w for name, w in weights.items() if w.ndim == 4},
        normalizations={
            name.split("/")[0]: (w + 1, w) for name, w in weights.items() if name.endswith("/gamma")
        },
        readout=(weights["ReadoutDense/kernel"], weights["ReadoutDense/bias"]),
    )


def measure(
    engine: TilesEngine, network: FrozenNetwork, step: Step, options: argparse.Namespace
) -> dict[str, Any]:
    rng, tiling = np.random.default_rng(0), step.tiling
    shape = (options.batch_size, tiling.height, tiling.width)
    values = {
        name: rng.normal(size=(*shape, channels)).astype(np.float32)
        for name, channels in zip(step.inputs, step.channels, strict=True)
    }
    added = rng.normal(size=(*shape, step.filters)).astype(np.float32) if step.added else None
    kernel = np.concatenate([network.kernels[name] for name in step.kernels], axis=2)
    scale, shift = network.normalizations[str(step.normalization)]

    def finish(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if added is not None:
            image += added
        image *= scale
        image += shift
        np.maximum(image, 0, out=image)
        b, h, w, f = image.shape
        return image, image.reshape(b, h // 2, 2, w // 2, 2, f).max(axis=(2, 4))

    def compiled() -> tuple[np.ndarray, np.ndarray]:
        held = dict(values) if added is None else {**values, str(step.added): added}
        engine._convolve(step, options.batch_size, held)
        return held[step.output], held[str(step.pooled)]

    images = np.concatenate(list(values.values()), axis=3)
    functions: dict[str, Callable[[], Any]] = {"compiled": compiled}
    functions["uncompiled"] = uncompiled(tiling, images, kernel, finish)
    if tiling.kind == "fourier":
        functions["pocketfft"] = pocketfft(tiling, images, kernel, finish, options.threads)
    expected = compiled()[0].copy()
    for name, function in functions.items():
        difference = np.abs(function()[0] - expected).max() / np.abs(expected).max()
        if difference > 1e-4:
            raise ValueError(f"{name} differs by {difference:.2g}")
    # Several calls at a time, since the first after a rest is slower; in a network, there is no rest.
    repeated = {name: partial(repeat, function) for name, function in functions.items()}
    measured = in_turn(repeated, options.rounds, rest=REST)
    seconds = {name: [value / CALLS for value in values] for name, values in measured.items()}
    return {
        "tiles": f"{tiling.kind} {tiling.points} x {tiling.points}",
        "milliseconds": {name: spread([1e3 * value for value in each]) for name, each in seconds.items()},
        "times_faster": {
            name: ratio(each, seconds["compiled"]) for name, each in seconds.items() if name != "compiled"
        },
    }


def repeat(function: Callable[[], Any]) -> None:
    for _ in range(CALLS):
        function()


def cut(tiling: Tiling, images: np.ndarray) -> np.ndarray:
    """Cut zero-padded tiles: (points, points, batch x tiles, channels)."""
    batch, height, width, channels = images.shape
    margins = [
        (tiling.before, count * tiling.step + tiling.points - tiling.step - size - tiling.before)
        for count, size in ((tiling.rows, height), (tiling.columns, width))
    ]
    padded = np.pad(images, ((0, 0), *margins, (0, 0)))
    b, y, x, c = padded.strides
    shape = (tiling.points, tiling.points, batch, tiling.rows, tiling.columns, channels)
    view = np.lib.stride_tricks.as_strided(padded, shape, (y, x, b, y * tiling.step, x * tiling.step, c))
    return view.reshape(tiling.points, tiling.points, -1, channels)


def assemble(tiling: Tiling, tiles: np.ndarray, batch: int) -> np.ndarray:
    """Assemble (step, step, batch x tiles, filters) to images."""
    step, filters = tiling.step, tiles.shape[-1]
    whole = tiles.reshape(step, step, batch, tiling.rows, tiling.columns, filters).transpose(2, 3, 0, 4, 1, 5)
    whole = whole.reshape(batch, tiling.rows * step, tiling.columns * step, filters)
    return np.ascontiguousarray(whole[:, : tiling.height, : tiling.width])


def uncompiled(
    tiling: Tiling, images: np.ndarray, kernel: np.ndarray, finish: Callable[[np.ndarray], Any]
) -> Callable[[], Any]:
    """Return a convolution whose transforms are products with constant matrices along each axis."""
    n, step, batch = tiling.points, tiling.step, len(images)
    if tiling.kind == "winograd":
        _, forward, inverse = (matrix.astype(np.float32) for matrix in matrices())
        spectrum = tiling.spectrum(kernel)[:, 0]

        def run_winograd() -> Any:
            tiles = cut(tiling, images)
            tiles = (forward @ tiles.reshape(n, -1)).reshape(n, n, -1)
            tiles = (forward @ tiles).reshape(n * n, -1, images.shape[3])
            products = (tiles @ spectrum).reshape(n, n, -1)
            rows = (inverse @ products.reshape(n, -1)).reshape(step, n, -1)
            return finish(assemble(tiling, (inverse @ rows).reshape(step, step, -1, kernel.shape[3]), batch))

        return run_winograd
    half = n // 2 + 1
    angle = 2 * np.pi * np.outer(np.arange(n), np.arange(n)) / n
    cosine, sine = np.cos(angle), np.sin(angle)
    # Rows: real to complex. Columns: complex, to real part, imaginary part and their sum, for three real products.
    real = np.concatenate([cosine[:half], -sine[:half]]).astype(np.float32)
    column = np.block([[cosine, sine], [-sine, cosine], [cosine - sine, cosine + sine]]).astype(np.float32)
    weight = np.where(np.arange(half) % (n // 2) == 0, 1, 2)
    back = np.concatenate([cosine[:half].T * weight, -sine[:half].T * weight], 1)[:step].astype(np.float32)
    # The three products p, q, s are the complex number (p - q) + (s - p - q) i.
    re, im = np.concatenate([cosine, -sine], 1)[:step], np.concatenate([sine, cosine], 1)[:step]
    mix = np.block([[np.eye(n), -np.eye(n), 0 * np.eye(n)], [-np.eye(n), -np.eye(n), np.eye(n)]])
    column_back = (np.concatenate([re, im]) @ mix).astype(np.float32)
    transformed = np.fft.rfft2(kernel.astype(float), (n, n), axes=(0, 1)).conj() / n**2
    parts = np.stack([transformed.real, transformed.imag, transformed.real + transformed.imag])
    spectrum = parts.transpose(2, 0, 1, 3, 4).reshape(half * 3 * n, *kernel.shape[2:]).astype(np.float32)

    def run() -> Any:
        tiles = cut(tiling, images).swapaxes(0, 1)  # columns of the image first
        rows = (real @ tiles.reshape(n, -1)).reshape(2, half, n, -1).swapaxes(0, 1).reshape(half, 2 * n, -1)
        points = (column @ rows).reshape(half * 3 * n, -1, images.shape[3])
        products = (points @ spectrum).reshape(half, 3 * n, -1)
        rows = (column_back @ products).reshape(half, 2, step, -1).swapaxes(0, 1).reshape(2 * half, -1)
        tiles = (back @ rows).reshape(step, step, -1, kernel.shape[3]).swapaxes(0, 1)
        return finish(assemble(tiling, tiles, batch))

    return run


def pocketfft(
    tiling: Tiling, images: np.ndarray, kernel: np.ndarray, finish: Callable[[np.ndarray], Any], threads: int
) -> Callable[[], Any]:
    """Return a convolution with the transforms of SciPy."""
    n, step, batch = tiling.points, tiling.step, len(images)
    spectrum = np.fft.rfft2(kernel.astype(float), (n, n), axes=(0, 1)).conj().astype(np.complex64)

    def run() -> Any:
        points = scipy.fft.rfft2(cut(tiling, images), axes=(0, 1), workers=threads)
        products = points @ spectrum
        tiles = scipy.fft.irfft2(products, (n, n), axes=(0, 1), workers=threads)
        return finish(assemble(tiling, tiles[:step, :step], batch))

    return run


if __name__ == "__main__":
    main()
