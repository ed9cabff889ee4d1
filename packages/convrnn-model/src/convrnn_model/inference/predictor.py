"""Predictions by the fastest engine, planned for each image size and batch size."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from threading import Lock, RLock
from typing import Any, Literal

import numpy as np

from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.choice import Choice, choose
from convrnn_model.inference.engine import ENGINES, PRECISIONS, Engine, Name, Precision
from convrnn_model.inference.outputs import Outputs, requested
from convrnn_model.inference.processor import default_threads, processor
from convrnn_model.inference.shapes import peak_bytes, value_shapes
from convrnn_model.inference.source import Source, open_source
from convrnn_model.variants import VARIANTS

BATCH = 8
"""Default number of images per batch."""
MOST_ENGINES = 4
"""Engines that a predictor keeps; each has its own form of the weights."""


@dataclass(frozen=True)
class Plan:
    """Way in which a predictor computes images of one size in batches of one size.

    Args:
        engine: "tiles", "openvino" or "keras".
        precision: "float32" or "bfloat16".
        processor: Kind of processor: "avx2", "avx512", "avx512-bf16", "amx", "neon" or "generic".
        threads: Number of threads; None where Keras' backend decides.
        image_size: Height and width, px.
        batch_size: Images per batch.
        memory: Bytes of the weights and of the values computed for one batch, as far as the engine knows them.
        output_shapes: Name of each output -> its shape without the batch axis; empty for models that only Keras
            computes.
        why: Reason for the engine.
    """

    engine: Name
    precision: Precision
    processor: str
    threads: int | None
    image_size: tuple[int, int]
    batch_size: int
    memory: int
    output_shapes: Mapping[str, tuple[int, ...]]
    why: str

    def __str__(self) -> str:
        """Return the plan in one line."""
        height, width = self.image_size
        threads = f"{self.threads} threads" if self.threads else "threads of the backend"
        return (
            f"engine {self.engine} ({self.why}) in {self.precision} on {self.processor}, {threads}, "
            f"{height} x {width} px in batches of {self.batch_size}, {self.memory / 2**20:.0f} MiB"
        )


def compile_network(
    network: Any,
    *,
    outputs: str | Sequence[str] | None = None,
    precision: Precision = "float32",
    engine: Name | Literal["auto"] = "auto",
    threads: int | None = None,
    n_timesteps: int | None = None,
    cumulative_readout: bool = False,
) -> "Predictor":
    """Prepare a network for fast predictions.

    Only what the outputs need is computed. Engines "tiles" and "openvino" copy the weights, so later changes of the
    network have no effect on them; "keras" computes with the network itself. So that different machines compute alike,
    the environment variable `CONVRNN_PROCESSOR` limits the instructions to those of one kind of processor: "avx2",
    "avx512", "avx512-bf16" or "amx".

    Args:
        network: A network of this package on any backend, or the path of its weights file, which is read without
            importing Keras. Engine "keras" takes any functional model.
        outputs: A group, "softmax" (the default), "pre_softmax" (what softmax reads, so a cumulative readout's sums)
            or "features" (the last layer averaged over the image), at all time steps; or names of layers at time
            steps, as `activations` takes them.
        precision: "float32", or "bfloat16" on processors with AVX512_BF16 or AMX and on GPUs.
        engine: "tiles", "openvino" or "keras"; "auto" chooses the fastest one that computes what is asked for. For
            a model on a GPU, that is "keras".
        threads: Number of threads, by default one for each processor that the process may use. Keras uses the
            setting of its backend.
        n_timesteps: For a weights file, its first time steps; all by default.
        cumulative_readout: For a weights file, compute softmax from the sum of the readouts up to each time step.

    Raises:
        ConvRNNError: The network, the outputs or the engine are not available, or the processor lacks bfloat16.
    """
    _require_choice("precision", precision, PRECISIONS)
    _require_choice("engine", engine, (*ENGINES, "auto"))
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ConvRNNError(f"threads must be a positive integer or None, got {threads!r}.")
    source = open_source(network, n_timesteps, cumulative_readout=cumulative_readout)
    kind = processor()
    found = requested(source.architecture, outputs, source.name)
    choice = choose(
        None if engine == "auto" else engine,
        precision,
        kind,
        gpu=source.has_accelerator,
        foreign=source.foreign,
        top_down=any(operation.kind == "top_down" for operation in found.operations),
    )
    return Predictor(
        source,
        found,
        precision,
        choice,
        kind,
        threads or default_threads(),
    )


class Predictor:
    """Network compiled for predictions, as `compile_network` returns it; threads may share it.

    Args:
        source: The network.
        outputs: The outputs.
        precision: Precision of the computation.
        choice: The engine.
        processor: Kind of processor.
        threads: Number of threads.
    """

    def __init__(
        self,
        source: Source,
        outputs: Outputs,
        precision: Precision,
        choice: Choice,
        processor: str,
        threads: int,
    ) -> None:
        self._source, self._outputs, self._choice = source, outputs, choice
        self._precision, self._processor, self._threads = precision, processor, threads
        uses_keras = choice.engine == "keras"
        self._compute: Any = source.keras_model(precision) if uses_keras else source.frozen
        self._engines: OrderedDict[tuple[tuple[int, int], int], Engine] = OrderedDict()
        self._lock = RLock()
        # Keras computes several calls at once; the other engines reuse their buffers.
        self._running: AbstractContextManager[Any] = nullcontext() if uses_keras else Lock()

    def predict(self, images: Any, batch_size: int | None = None) -> Any:
        """Compute the outputs of images.

        Args:
            images: (batch, height, width, channels), float32 in [-1, 1], any number of images.
            batch_size: Images computed at once; by default 8, or less for fewer images. The last batch is padded.

        Returns:
            For a group, (batch, time, classes or filters), with one time step for feedforward networks; with readouts
            of every layer, (batch, time * layers, classes), layers within time steps. For one name, its array; for
            several, a dictionary by name. float32.

        Raises:
            TypeError: The dtype is not float32.
            ConvRNNError: The images have another shape than the network's.
        """
        array = _float32(images)
        self._require_shape(array.shape)
        size = _checked_batch(batch_size) if batch_size is not None else _default_batch(len(array))
        results = _Results(self._outputs, len(array))
        with self._lock:
            engine = self._engine((array.shape[1], array.shape[2]), size)
        with self._running:
            for start in range(0, len(array), size):
                batch = array[start : start + size]
                results.add(start, len(batch), engine.run(_padded(batch, size)))
        return results.assembled()

    def plan(self, image_size: tuple[int, int] | None = None, batch_size: int | None = None) -> Plan:
        """Return how images of one size are computed, after preparing the engine for them.

        Args:
            image_size: Height and width, px; by default the network's, if it is fixed.
            batch_size: Images per batch, by default 8.

        Raises:
            ConvRNNError: The image size is unknown, or not the network's.
        """
        height, width, channels = self._source.image_shape
        size = image_size or (height, width)
        if size[0] is None or size[1] is None:
            raise ConvRNNError(
                f"{self._source.name} accepts images of any size, so the plan depends on it. Pass "
                "image_size=(height, width)."
            )
        self._require_shape((1, size[0], size[1], channels or 1))
        batch = _checked_batch(BATCH if batch_size is None else batch_size)
        with self._lock:
            memory = self._engine((size[0], size[1]), batch).memory
        shapes = self._shapes((size[0], size[1]))
        return Plan(
            self._choice.engine,
            self._precision,
            self._processor,
            None if self._choice.engine == "keras" else self._threads,
            (size[0], size[1]),
            batch,
            memory,
            {name: shapes[value] for name, value in self._outputs.named.items() if value in shapes},
            self._choice.why,
        )

    def __repr__(self) -> str:
        """Return the network, engine and precision."""
        return f"<Predictor of {self._source.name}: {self._choice.engine} in {self._precision}>"

    def _engine(self, image_size: tuple[int, int], batch_size: int) -> Engine:
        """Return the engine for an image size and a batch size, which is kept for later calls."""
        key = image_size, batch_size
        if key not in self._engines:
            # Before the new engine, which needs memory of its own.
            while len(self._engines) >= MOST_ENGINES:
                self._engines.popitem(last=False)
            self._engines[key] = self._new_engine(image_size, batch_size)
        self._engines.move_to_end(key)
        return self._engines[key]

    def _new_engine(self, image_size: tuple[int, int], batch_size: int) -> Engine:
        """Create the chosen engine; each is imported only here, because its module needs its library."""
        arguments = self._compute, self._outputs.operations, image_size, batch_size, self._threads
        if self._choice.engine == "tiles":
            tiles: Engine = import_module("convrnn_model.inference.tiles_engine").TilesEngine(*arguments)
            return tiles
        if self._choice.engine == "openvino":
            from convrnn_model.inference.openvino_engine import OpenVINOEngine

            return OpenVINOEngine(*arguments, self._precision)
        from convrnn_model.inference.keras_engine import KerasEngine

        operations = self._outputs.operations
        values = batch_size * peak_bytes(operations, self._shapes(image_size)) if operations else 0
        return KerasEngine(self._compute, self._outputs.values, values)

    def _shapes(self, image_size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all values, none for a model that only Keras computes."""
        network = self._source.architecture
        return value_shapes(network, self._outputs.operations, image_size) if network else {}

    def _require_shape(self, shape: tuple[int, ...]) -> None:
        """Raise ConvRNNError unless a shape is that of at least one image that the network accepts."""
        expected = (None, *self._source.image_shape)
        if len(shape) != 4 or any(
            want not in (None, have) for want, have in zip(expected, shape, strict=True)
        ):
            one = " Add the batch axis: images[np.newaxis]." if len(shape) == 3 else ""
            raise ConvRNNError(
                f"images for {self._source.name} must have the shape (batch, height, width, channels) = "
                f"{tuple('any' if length is None else length for length in expected)}, got {shape}.{one}"
            )
        if not shape[0]:
            raise ConvRNNError(f"predict needs at least one image, got the shape {shape}.")
        network = self._source.architecture
        side = VARIANTS[network.variant].smallest_side if network else 1
        if min(shape[1:3]) < side:
            raise ConvRNNError(
                f"{self._source.name} halves an image {side.bit_length() - 1} times, so its sides must be at least "
                f"{side} px, got {shape[1]} x {shape[2]}. Choose a larger image size."
            )


class _Results:
    """Outputs of all images, filled batch by batch.

    Args:
        outputs: The outputs.
        count: Number of images.
    """

    def __init__(self, outputs: Outputs, count: int) -> None:
        self._outputs, self._count = outputs, count
        self._whole: np.ndarray | None = None
        self._arrays: dict[str, np.ndarray] = {}

    def add(self, start: int, count: int, found: Mapping[str, np.ndarray]) -> None:
        """Copy the first `count` values of a batch, which starts at image `start`."""
        if not self._arrays:
            self._allocate({name: found[value].shape[1:] for name, value in self._outputs.named.items()})
        for name, value in self._outputs.named.items():
            self._arrays[name][start : start + count] = found[value][:count]

    def _allocate(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        if self._outputs.form == "group":
            whole = np.empty((self._count, len(shapes), *next(iter(shapes.values()))), np.float32)
            self._arrays = {name: whole[:, time] for time, name in enumerate(shapes)}
            self._whole = whole
        else:
            self._arrays = {
                name: np.empty((self._count, *shape), np.float32) for name, shape in shapes.items()
            }

    def assembled(self) -> Any:
        """Return the outputs in the form that was asked for."""
        if self._outputs.form == "group":
            return self._whole
        if self._outputs.form == "single":
            return next(iter(self._arrays.values()))
        return self._arrays


def _float32(images: Any) -> np.ndarray:
    array = np.asarray(images)
    if array.dtype != np.float32:
        raise TypeError(
            f"predict takes float32 in [-1, 1], got {array.dtype}. Convert 8-bit images with preprocess_image."
        )
    return array


def _checked_batch(size: int) -> int:
    if isinstance(size, bool) or not hasattr(size, "__index__") or size < 1:
        raise ConvRNNError(f"batch_size must be a positive integer, got {size!r}.")
    return int(size)


def _default_batch(count: int) -> int:
    """Return the batch size for a number of images, a power of two so that few engines are prepared."""
    return min(BATCH, 1 << max(count - 1, 0).bit_length())


def _padded(batch: np.ndarray, size: int) -> np.ndarray:
    if len(batch) == size:
        return np.ascontiguousarray(batch)
    padded = np.zeros((size, *batch.shape[1:]), np.float32)
    padded[: len(batch)] = batch
    return padded


def _require_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConvRNNError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")
