"""Export to ONNX, channels first, and its check with ONNX Runtime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_model.export.graph import TO_CHANNELS_FIRST, Graph, channels_last
from convrnn_model.inference.operations import IMAGE
from convrnn_model.inference.shapes import Shape, value_shapes
from convrnn_model.variants import top_down_margins

OPSET, IR_VERSION = 17, 9
"""Versions of the operators and of the format, which runtimes read from 2023 on."""
BATCH = "batch"
"""Name of the batch axis of any length."""
LAYOUT = "NCHW"


def write(path: Path, graph: Graph, metadata: Mapping[str, str]) -> None:
    """Write a graph as ONNX.

    Args:
        path: The file.
        graph: The graph.
        metadata: Properties of the model, by name.
    """
    import onnx

    model = onnx_model(graph)
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def run(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the outputs of a file with ONNX Runtime on the CPU.

    Args:
        path: The file.
        images: (batch, H, W, channels), float32.

    Returns:
        Name of each output -> (batch, H, W, filters) or (batch, channels).
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    image = np.ascontiguousarray(images.transpose(TO_CHANNELS_FIRST))
    return dict(zip(names, map(channels_last, session.run(names, {IMAGE: image})), strict=True))


def onnx_model(graph: Graph) -> Any:
    """Return a graph as `onnx.ModelProto`.

    Its input is `image`, (batch, channels, H, W). Outputs have the names of the values, and are (batch, filters, H, W)
    or (batch, channels).
    """
    from onnx import helper, numpy_helper

    nodes = _Nodes(graph)
    model = helper.make_graph(
        nodes.made(),
        graph.network.variant,
        [_value(graph, IMAGE, nodes.shapes[IMAGE])],
        [_value(graph, name, nodes.shapes[name]) for name in graph.outputs],
        [numpy_helper.from_array(value, name) for name, value in nodes.constants.items()],
    )
    return helper.make_model(
        model,
        producer_name="convrnn-model",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )


def _value(graph: Graph, name: str, shape: Shape) -> Any:
    """Return the description of an input or output with a shape (H, W, channels) or (channels,)."""
    from onnx import TensorProto, helper

    *sides, channels = shape
    axes = (graph.batch or BATCH, channels, *sides)
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, axes)


class _Nodes:
    """Nodes of a graph, and the arrays that they read.

    Args:
        graph: The graph.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph, self._network = graph, graph.network
        self.shapes = value_shapes(graph.network, graph.operations, graph.image_size)
        self.constants: dict[str, np.ndarray] = {}

    def made(self) -> list[Any]:
        """Return the nodes in the order of computation."""
        nodes = []
        for operation in self._graph.operations:
            build = getattr(self, f"_{operation.kind}")
            nodes += build(operation.weights, list(operation.inputs), operation.output)
        return nodes

    def _constant(self, layer: str, part: str, value: np.ndarray) -> str:
        """Return the name of an array, which layers that several time steps share contain once."""
        name = f"{layer}/{part}"
        self.constants.setdefault(name, np.ascontiguousarray(value))
        return name

    def _convolution(self, layer: str, inputs: list[str], output: str) -> list[Any]:
        kernel = self._network.kernels[layer]
        before = (len(kernel) - 1) // 2
        margins = [before] * 2 + [len(kernel) - 1 - before] * 2
        name = self._constant(layer, "kernel", kernel.transpose(3, 2, 0, 1))
        return [_node("Conv", [*inputs, name], output, pads=margins)]

    def _top_down(self, layer: str, inputs: list[str], output: str) -> list[Any]:
        kernel = self._network.kernels[layer]
        before, after = top_down_margins(len(kernel))
        name = self._constant(layer, "kernel", kernel.transpose(3, 2, 0, 1))
        margins = [before] * 2 + [after] * 2
        doubled = f"{output}/doubled"
        above, below = (self.shapes[name][:2] for name in inputs)
        missing = [length - 2 * half for length, half in zip(below, above, strict=True)]
        ends = self._constant(output, "margins", np.array([0] * 6 + missing, np.int64))
        return [
            _node("ConvTranspose", [inputs[0], name], doubled, pads=margins, strides=[2, 2]),
            _node("Pad", [doubled, ends], output),
        ]

    def _add(self, _: None, inputs: list[str], output: str) -> list[Any]:
        return [_node("Sum", inputs, output)]

    def _normalization(self, layer: str, inputs: list[str], output: str) -> list[Any]:
        scale, shift = (
            self._constant(layer, part, values.reshape(1, -1, 1, 1))
            for part, values in zip(("scale", "shift"), self._network.normalizations[layer], strict=True)
        )
        scaled = f"{output}/scaled"
        return [_node("Mul", [*inputs, scale], scaled), _node("Add", [scaled, shift], output)]

    def _relu(self, _: None, inputs: list[str], output: str) -> list[Any]:
        return [_node("Relu", inputs, output)]

    def _max_pool(self, _: None, inputs: list[str], output: str) -> list[Any]:
        return [_node("MaxPool", inputs, output, kernel_shape=[2, 2], strides=[2, 2])]

    def _average(self, _: None, inputs: list[str], output: str) -> list[Any]:
        pooled = f"{output}/pooled"
        return [_node("GlobalAveragePool", inputs, pooled), _node("Flatten", [pooled], output)]

    def _dense(self, layer: str, inputs: list[str], output: str) -> list[Any]:
        arrays = zip(("kernel", "bias"), self._network.readouts[layer], strict=True)
        return [_node("Gemm", [*inputs, *(self._constant(layer, *array) for array in arrays)], output)]

    def _softmax(self, _: None, inputs: list[str], output: str) -> list[Any]:
        return [_node("Softmax", inputs, output, axis=-1)]


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, [output], name=output, **attributes)
