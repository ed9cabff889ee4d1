"""Engine that computes with OpenVINO, in float32 or bfloat16."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from threading import Lock
from typing import Any

import numpy as np

from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.engine import Precision
from convrnn_model.inference.frozen import FrozenNetwork
from convrnn_model.inference.operations import IMAGE, Operation
from convrnn_model.inference.processor import VARIABLE
from convrnn_model.inference.shapes import peak_bytes, value_shapes
from convrnn_model.variants import top_down_margins

HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"
"""Environment variable with which oneDNN, inside OpenVINO, leaves out vector instructions."""
ISA = {
    "generic": "SSE41",
    "avx2": "AVX2",
    "avx512": "AVX512_CORE",
    "avx512-bf16": "AVX512_CORE_BF16",
    "amx": "AVX512_CORE_AMX",
}
"""oneDNN's name of each kind of processor."""
TO_CHANNELS_FIRST, TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
_IMPORT = Lock()


class OpenVINOEngine:
    """Operations compiled by OpenVINO for one image size and batch size.

    Args:
        network: The network; its weights are copied.
        operations: The operations.
        image_size: Height and width, px.
        batch_size: Number of images per call.
        threads: Number of threads.
        precision: Precision of the computation; sums are float32.

    Raises:
        ConvRNNError: OpenVINO cannot compile the operations.
    """

    def __init__(
        self,
        network: FrozenNetwork,
        operations: Sequence[Operation],
        image_size: tuple[int, int],
        batch_size: int,
        threads: int,
        precision: Precision = "float32",
    ) -> None:
        ov = import_openvino()
        self._names = [operation.output for operation in operations if operation.wanted]
        model = build_model(network, operations, (batch_size, *image_size, network.channels))
        settings = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # Several processes would be pinned to the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self._request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
        except RuntimeError as error:
            *_, reason = str(error).strip().splitlines() or [type(error).__name__]
            raise ConvRNNError(
                f"OpenVINO cannot compile {network.variant} in {precision}: {reason.strip()}. Pass another engine."
            ) from error
        size = 2 if precision == "bfloat16" else 4
        shapes = value_shapes(network, operations, image_size)
        values = peak_bytes(operations, shapes) * batch_size
        self.memory = size * _weights(network, operations) + values

    def run(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the wanted values by name; see `Engine`."""
        results = self._request.infer([images], share_inputs=True, share_outputs=True)
        return {name: results[index] for index, name in enumerate(self._names)}


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which would send an event over the network.

    If `CONVRNN_PROCESSOR` is set, OpenVINO is limited to the instructions of that kind of processor.
    """
    with _IMPORT:
        if "openvino" not in sys.modules:
            if isa := ISA.get(os.environ.get(VARIABLE, "")):
                os.environ.setdefault(ISA_VARIABLE, isa)
            blocked = "openvino_telemetry" not in sys.modules
            try:
                if blocked:
                    # OpenVINO imports a substitute for a package that is not installed.
                    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
                import openvino
            finally:
                if blocked:
                    sys.modules.pop("openvino_telemetry", None)
        import openvino
        import openvino.opset13

        return openvino


def build_model(network: FrozenNetwork, operations: Sequence[Operation], shape: tuple[int, ...]) -> Any:
    """Return `openvino.Model` from images to the wanted values, in the order of the operations.

    Args:
        network: The network; its weights are copied.
        operations: The operations.
        shape: Shape of the images, (batch, H, W, channels); -1 for a batch of any size.
    """
    return _Builder(import_openvino(), network).model(operations, shape)


class _Builder:
    """Graph of OpenVINO's operations, with channels first.

    Args:
        ov: The module `openvino`.
        network: The network.
    """

    def __init__(self, ov: Any, network: FrozenNetwork) -> None:
        self._ov, self._op, self._network = ov, ov.opset13, network
        # Shared by all time steps, so that OpenVINO keeps one copy.
        self._kernels: dict[str, Any] = {}

    def model(self, operations: Sequence[Operation], shape: tuple[int, ...]) -> Any:
        """Return the model from images (batch, H, W, channels) to the wanted values."""
        image = self._op.parameter(list(shape), np.float32)
        values: dict[str, Any] = {IMAGE: self._transposed(image, TO_CHANNELS_FIRST)}
        results = []
        for operation in operations:
            build = getattr(self, f"_{operation.kind}")
            inputs = [values[name] for name in operation.inputs]
            value = values[operation.output] = build(operation.weights, *inputs)
            if operation.wanted:
                spatial = value.get_partial_shape().rank.get_length() == 4
                results.append(self._transposed(value, TO_CHANNELS_LAST) if spatial else value)
        return self._ov.Model(results, [image])

    def _transposed(self, value: Any, axes: Sequence[int]) -> Any:
        return self._op.transpose(value, self._op.constant(list(axes))).output(0)

    def _convolution(self, name: str, x: Any) -> Any:
        kernel = self._network.kernels[name]
        if name not in self._kernels:
            self._kernels[name] = self._op.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        before = (len(kernel) - 1) // 2
        after = len(kernel) - 1 - before
        pads = [before] * 2, [after] * 2
        return self._op.convolution(x, self._kernels[name], [1, 1], *pads, [1, 1]).output(0)

    def _top_down(self, name: str, x: Any, below: Any) -> Any:
        kernel = self._network.kernels[name]
        if name not in self._kernels:
            self._kernels[name] = self._op.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        before, after = top_down_margins(len(kernel))
        doubled = self._op.convolution_backprop_data(
            x, self._kernels[name], [2, 2], pads_begin=[before] * 2, pads_end=[after] * 2
        ).output(0)
        height, width = (
            below.get_partial_shape()[axis].get_length() - doubled.get_partial_shape()[axis].get_length()
            for axis in (2, 3)
        )
        missing = [0, 0, height, width]
        if not any(missing):
            return doubled
        ends = self._op.constant([0] * 4), self._op.constant(missing)
        return self._op.pad(doubled, *ends, "constant", self._op.constant(np.float32(0))).output(0)

    def _add(self, _: None, *terms: Any) -> Any:
        return reduce(lambda total, term: self._op.add(total, term).output(0), terms)

    def _normalization(self, name: str, x: Any) -> Any:
        # Not folded into the kernels, which time steps share while normalisations are their own.
        scale, shift = (self._op.constant(a.reshape(1, -1, 1, 1)) for a in self._network.normalizations[name])
        return self._op.add(self._op.multiply(x, scale), shift).output(0)

    def _relu(self, _: None, x: Any) -> Any:
        return self._op.relu(x).output(0)

    def _max_pool(self, _: None, x: Any) -> Any:
        # The second output has the positions of the maxima.
        return self._op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)

    def _average(self, _: None, x: Any) -> Any:
        return self._op.reduce_mean(x, self._op.constant([2, 3]), False).output(0)

    def _dense(self, name: str, x: Any) -> Any:
        kernel, bias = (self._op.constant(array) for array in self._network.readouts[name])
        return self._op.add(self._op.matmul(x, kernel, False, False), bias).output(0)

    def _softmax(self, _: None, x: Any) -> Any:
        return self._op.softmax(x, 1).output(0)


def _weights(network: FrozenNetwork, operations: Sequence[Operation]) -> int:
    """Return the number of weights that operations read."""
    arrays = {
        name: network.readouts[name][0] if name in network.readouts else network.kernels[name]
        for name in (operation.weights for operation in operations if operation.kind != "normalization")
        if name
    }
    return sum(array.size for array in arrays.values())
