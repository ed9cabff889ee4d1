"""Inference in float32 by transformed tiles: runs the plan of `plan.py` with compiled code, without a backend."""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from convrnn_model.inference import products, transforms
from convrnn_model.inference.costs import costs
from convrnn_model.inference.frozen import FrozenNetwork
from convrnn_model.inference.operations import IMAGE, Operation
from convrnn_model.inference.plan import Step, plan
from convrnn_model.inference.processor import processor
from convrnn_model.inference.shapes import value_shapes
from convrnn_model.inference.threads import Threads
from convrnn_model.inference.tiling import BYTES, Tiling
from convrnn_model.inference.vectors import vector_shape

ALIGNMENT = 64
"""Bytes of a cache line."""


class TilesEngine:
    """A network compiled for images of one size.

    Args:
        network: The network.
        operations: The operations.
        image_size: Height and width, px.
        batch_size: Number of images per call.
        threads: Number of threads.
    """

    def __init__(
        self,
        network: FrozenNetwork,
        operations: Sequence[Operation],
        image_size: tuple[int, int],
        batch_size: int,
        threads: int,
    ) -> None:
        kind = processor()
        self._network, self._costs = network, costs(kind)
        shapes = value_shapes(network, operations, image_size)
        self._wanted = {op.output: shapes[op.output][-1] for op in operations if op.wanted}
        self._shape = vector_shape(kind)
        self.plan = plan(network, operations, image_size, batch_size, self._costs, self._shape)
        self._spectra = self._kernel_spectra()
        readouts = [operation.weights for operation in operations if operation.kind == "dense"]
        self._readouts = {
            name: self._packed(_padded(kernel, 1, self._shape.padded(network.classes)))
            for name, (kernel, _) in network.readouts.items()
            if name in readouts
        }
        self._epilogues = {
            step.output: self._epilogue(step) for step in self.plan.steps if isinstance(step, Step)
        }
        sizes = (*self.plan.sizes, self.plan.left, self.plan.right)
        *self._buffers, self._left, self._right = (_aligned(size) for size in sizes)
        self._unused = np.zeros(self._shape.lanes, np.float32)
        self._threads = Threads(threads)

    @property
    def memory(self) -> int:
        """Bytes of kernels' spectra and of buffers."""
        matrices = *self._spectra.values(), *self._readouts.values()
        arrays = [*matrices, *self._buffers, self._left, self._right]
        return sum(array.nbytes for array in arrays)

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Return the wanted values by name; see `Engine`."""
        batch = len(images)
        values: dict[str, np.ndarray] = {IMAGE: images}
        found: dict[str, np.ndarray] = {}
        for i, step in enumerate(self.plan.steps):
            if isinstance(step, Step):
                self._convolve(step, batch, values)
                written = [step.output, *([step.pooled] if step.pooled else [])]
            else:
                values[step.output] = self._operate(step, values)
                written = [step.output]
            for name in written:
                if name in self._wanted:
                    found[name] = np.array(values[name][..., : self._wanted[name]])
            for name in [name for name in values if self.plan.last_use.get(name, -1) <= i]:
                del values[name]
        return found

    def _convolve(self, step: Step, batch: int, values: dict[str, np.ndarray]) -> None:
        """Compute a step: transform the inputs, multiply, transform back."""
        tiling = step.tiling
        inputs = [values[name] for name in step.inputs]
        added = values[step.added].reshape(-1) if step.added else self._unused
        shape = (batch, tiling.height, tiling.width, step.filters)
        result = values[step.output] = self._buffer(step.output, shape)
        smaller = self._unused
        if step.pooled:
            shape = (batch, tiling.height // 2, tiling.width // 2, step.filters)
            values[step.pooled] = self._buffer(step.pooled, shape)
            smaller = values[step.pooled]
        if inputs:
            left = self._transformed(step, inputs)
            right = self._right[: step.size(step.filters, batch)]
            spectrum = self._spectra[step.shared, tiling]
            self._multiply(left, spectrum, right, batch * tiling.tiles, step.depth, step.seconds[1])
            stride = step.filters if step.added else 0
        else:
            right, added, stride = added, self._unused, 0
        self._invert(
            step, batch, (right, step.filters, self._epilogues[step.output], added, stride), result, smaller
        )

    def _invert(
        self, step: Step, batch: int, source: tuple[object, ...], result: np.ndarray, smaller: np.ndarray
    ) -> None:
        """Transform products back, apply the epilogue, and write the result and its pooling."""
        tiling = step.tiling
        images = (result.reshape(-1), tiling.height, tiling.width, smaller.reshape(-1), bool(step.pooled))
        if tiling.kind == "unfold":
            # Pooling reads pairs of rows, so ranges begin with an even row of an image.
            multiple = 1 if not step.pooled else 2 if tiling.height % 2 == 0 else tiling.height
            ranges = self._threads.ranges(batch * tiling.height, step.seconds[2], multiple)
        else:
            ranges = self._threads.ranges(batch * tiling.tiles, step.seconds[2])
        inverse, layout = self._inverse(tiling), (tiling.rows, tiling.columns, tiling.step)
        self._threads.run([partial(inverse, *source, *images, *edges, *layout) for edges in ranges])

    def _transformed(self, step: Step, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Transform the inputs of a step: (tiles, products, parts, depth), flattened."""
        if not step.copies:
            return inputs[0].reshape(-1)
        tiling, batch = step.tiling, len(inputs[0])
        left = self._left[: step.size(step.depth, batch)]
        parts: list[Callable[[], None]] = []
        at = 0
        for image, channels in zip(inputs, step.channels, strict=True):
            image = _padded(image, 3, channels)
            shape = (image.reshape(-1), tiling.height, tiling.width, channels)
            for begin, end in self._threads.ranges(batch * tiling.tiles, step.seconds[0]):
                if tiling.kind == "unfold":
                    rows = left[begin * step.depth :]
                    parts.append(
                        partial(transforms.unfold, *shape, tiling.side, rows, at, step.depth, begin, end)
                    )
                else:
                    layout = (tiling.rows, tiling.columns, tiling.step, tiling.before)
                    forward = self._forward(tiling)
                    parts.append(partial(forward, *shape, left, at, step.depth, begin, end, *layout))
            at += tiling.depth(channels)
        self._threads.run(parts)
        return left

    def _multiply(
        self, left: np.ndarray, right: np.ndarray, out: np.ndarray, rows: int, depth: int, seconds: float
    ) -> None:
        """Multiply matrices point by point: (rows, points, parts, depth) by (points, parts, panels, depth, columns)."""
        points, parts, panels, all_channels, columns = right.shape
        vectors = columns // self._shape.lanes
        make = products.complex_products if parts == 2 else products.real_products
        multiply = make(self._shape.rows, vectors, self._shape.lanes)
        arguments = (left, right.reshape(-1), out, points, depth, all_channels, panels)
        boxes = _boxes(self._threads.parts(seconds), points, panels, rows)
        self._threads.run([partial(multiply, *arguments, *box) for box in boxes])

    def _forward(self, tiling: Tiling) -> Callable[..., None]:
        if tiling.kind == "winograd":
            return transforms.winograd_forward(self._shape.lanes)
        return transforms.fourier_forward(tiling.points, self._shape.lanes)

    def _inverse(self, tiling: Tiling) -> Callable[..., None]:
        if tiling.kind == "unfold":
            return transforms.pointwise(self._shape.lanes)
        if tiling.kind == "winograd":
            return transforms.winograd_inverse(self._shape.lanes)
        return transforms.fourier_inverse(tiling.points, tiling.step, self._shape.lanes)

    def _operate(self, operation: Operation, values: dict[str, np.ndarray]) -> np.ndarray:
        """Compute an operation that is not fused with a convolution."""
        first, *others = (values[name] for name in operation.inputs)
        match operation.kind:
            case "average":
                return first.mean(axis=(1, 2), dtype=np.float32)
            case "dense":
                return self._dense(str(operation.weights), first)
            case "softmax":
                shifted = np.exp(first - first.max(axis=-1, keepdims=True))
                return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
            case "add":
                return sum(others, start=first.copy())
            case "normalization":
                scale, shift = self._network.normalizations[str(operation.weights)]
                width = first.shape[-1]
                return first * _padded(scale, 0, width) + _padded(shift, 0, width)
            case "relu":
                return np.maximum(first, 0)
            case "max_pool":
                batch, height, width, channels = first.shape
                even = first[:, : height // 2 * 2, : width // 2 * 2]
                return even.reshape(batch, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
        raise ValueError(operation.kind)

    def _dense(self, name: str, features: np.ndarray) -> np.ndarray:
        (kernel, bias), readout = self._network.readouts[name], self._readouts[name]
        filters = readout.shape[2] * readout.shape[4]
        out = np.empty(len(features) * filters, np.float32)
        features = np.ascontiguousarray(features[:, : len(kernel)])
        seconds = self._costs.seconds(moved=readout.nbytes)
        self._multiply(features.reshape(-1), readout, out, len(features), len(kernel), seconds)
        return out.reshape(-1, filters)[:, : len(bias)] + bias

    def _kernel_spectra(self) -> dict[tuple[tuple[str, ...], Tiling], np.ndarray]:
        """Transform the kernels of all steps, once for those that share them."""
        spectra: dict[tuple[tuple[str, ...], Tiling], np.ndarray] = {}
        for step in self.plan.steps:
            if not isinstance(step, Step) or not step.inputs or (step.shared, step.tiling) in spectra:
                continue
            parts = []
            for name in step.shared:
                kernel = _padded(self._network.kernels[name], 3, step.filters)
                if step.inputs != (IMAGE,) or step.tiling.kind != "unfold":
                    kernel = _padded(kernel, 2, self._shape.padded(kernel.shape[2]))
                parts.append(step.tiling.spectrum(kernel))
            spectra[step.shared, step.tiling] = self._packed(np.concatenate(parts, axis=2))
        return spectra

    def _packed(self, matrices: np.ndarray) -> np.ndarray:
        """Arrange (..., channels, filters) as panels: (products, parts, panels, channels, columns)."""
        columns = self._shape.columns(matrices.shape[-1])
        points, parts, depth, filters = (1,) * (4 - matrices.ndim) + matrices.shape
        panels = matrices.reshape(points, parts, depth, filters // columns, columns)
        packed = _aligned(panels.size).reshape(points, parts, filters // columns, depth, columns)
        packed[:] = panels.transpose(0, 1, 3, 2, 4)
        return packed

    def _epilogue(self, step: Step) -> np.ndarray:
        """Return scale, shift and smallest value, (groups, 3, lanes), flattened."""
        scale, shift = np.ones(step.filters, np.float32), np.zeros(step.filters, np.float32)
        if step.normalization:
            found = self._network.normalizations[step.normalization]
            scale, shift = (_padded(values, 0, step.filters) for values in found)
        floor = np.full(step.filters, 0 if step.rectifies else -math.inf, np.float32)
        stacked = np.stack([scale, shift, floor]).reshape(3, -1, self._shape.lanes)
        return np.ascontiguousarray(stacked.swapaxes(0, 1)).reshape(-1)

    def _buffer(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        return self._buffers[self.plan.buffers[name]][: math.prod(shape)].reshape(shape)


def _boxes(parts: int, points: int, panels: int, rows: int) -> list[tuple[int, ...]]:
    """Split matrix products into parts: ranges of points, of panels of columns, and of rows."""
    by_point = _split(points, parts)
    enough = -(-parts // len(by_point))
    tall = rows >= products.ROWS_AT_ONCE * enough
    by_panel = [(0, panels)] if tall else _split(panels, enough)
    by_row = _split(rows, enough) if tall else [(0, rows)]
    return [(*p, *q, *t) for p, q, t in itertools.product(by_point, by_panel, by_row)]


def _split(count: int, parts: int) -> list[tuple[int, int]]:
    parts = min(count, parts)
    return list(itertools.pairwise(count * part // parts for part in range(parts + 1)))


def _padded(array: np.ndarray, axis: int, length: int) -> np.ndarray:
    """Append zeros to an axis; an array of this length is returned as it is."""
    if array.shape[axis] == length:
        return array
    widths = [(0, length - size if i == axis else 0) for i, size in enumerate(array.shape)]
    return np.pad(array, widths)


def _aligned(size: int) -> np.ndarray:
    """Return an uninitialised float32 array that begins with a cache line."""
    whole = np.empty(BYTES * size + ALIGNMENT, np.uint8)
    start = -whole.ctypes.data % ALIGNMENT
    return whole[start : start + BYTES * size].view(np.float32)
