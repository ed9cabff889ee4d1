"""Export to OpenVINO's format, channels last, and its check with OpenVINO."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from convrnn_model.export.graph import Graph
from convrnn_model.export.metadata import KEY
from convrnn_model.inference.openvino_engine import build_model, import_openvino
from convrnn_model.inference.operations import IMAGE

LAYOUT = "NHWC"


def write(path: Path, graph: Graph, metadata: Mapping[str, str]) -> None:
    """Write a graph as OpenVINO's model, float32, with its weights in the `.bin` file next to it.

    Args:
        path: The `.xml` file.
        graph: The graph; its input is `image`, (batch, H, W, channels), and its outputs have the names of the values.
        metadata: Values of the model's runtime information, by name, under "convrnn".
    """
    ov = import_openvino()
    shape = (graph.batch or -1, *graph.image_size, graph.network.channels)
    built = build_model(graph.network, graph.operations, shape)
    (image,) = built.get_parameters()
    computed = (operation.output for operation in graph.operations if operation.wanted)
    results = dict(zip(computed, built.get_results(), strict=True))
    model = ov.Model([results[name] for name in graph.outputs], [image], graph.network.variant)
    image.set_friendly_name(IMAGE)
    image.get_output_tensor(0).set_names({IMAGE})
    image.set_layout(ov.Layout(LAYOUT))
    for output, name in zip(model.outputs, graph.outputs, strict=True):
        output.get_tensor().set_names({name})
    for name, value in metadata.items():
        model.set_rt_info(value, [KEY, name])
    ov.save_model(model, path, compress_to_fp16=False)


def run(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the outputs of a file with OpenVINO on the CPU, in float32.

    Args:
        path: The `.xml` file.
        images: (batch, H, W, channels), float32.

    Returns:
        Name of each output -> (batch, H, W, filters) or (batch, channels).
    """
    ov = import_openvino()
    compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({IMAGE: images})
    return {output.get_any_name(): np.array(found[output]) for output in compiled.outputs}
