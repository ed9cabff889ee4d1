"""Files of ONNX."""

import json

import numpy as np
import pytest

from convrnn_model import names

onnx = pytest.importorskip("onnx", reason="ONNX is not installed")

from convrnn_model.export import onnx_file

MAPS = [names.at(names.conv_sum(2), 1), names.cumulative(1), names.relu(0, 0), names.global_pool(1)]
WITH_ONNX_RUNTIME = """
import onnxruntime
session = onnxruntime.InferenceSession("out.onnx", providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
outputs = dict(zip(names, session.run(None, {"image": images.transpose(0, 3, 1, 2)})))
"""


def reference_run(path, images):
    """Compute with ONNX's own implementation in Python, which needs no runtime."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load(path))
    found = evaluator.run(None, {"image": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})
    return dict(zip(evaluator.output_names, map(onnx_file.channels_last, found), strict=True))


@pytest.mark.parametrize(
    ("name", "outputs", "options"),
    [
        ("bl", None, {}),
        ("bl", MAPS, {"cumulative_readout": True, "n_timesteps": 2}),
        ("b", ["Conv_Layer_0", "Softmax"], {}),
    ],
)
def test_values(name, outputs, options, graph, images, expected, assert_close, tmp_path):
    exported = graph(name, outputs, **options)
    onnx_file.write(tmp_path / "out.onnx", exported, {})
    batch = images(2, 64, 71)
    assert_close(reference_run(tmp_path / "out.onnx", batch), expected(exported, batch))


def test_onnx_runtime(graph, images, expected, assert_close, tmp_path):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    exported = graph("bl", MAPS, cumulative_readout=True)
    onnx_file.write(tmp_path / "out.onnx", exported, {})
    for n in (1, 3):
        batch = images(n, 64, 71)
        assert_close(onnx_file.run(tmp_path / "out.onnx", batch), expected(exported, batch))


def test_the_package_is_not_needed(graph, images, expected, assert_close, run_without_the_package, tmp_path):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    exported = graph()
    onnx_file.write(tmp_path / "out.onnx", exported, {})
    batch = images(2, 64, 71)
    assert_close(run_without_the_package(WITH_ONNX_RUNTIME, batch), expected(exported, batch))


def test_shapes_and_metadata(graph, tmp_path):
    for batch, axis in ((None, "batch"), (4, 4)):
        onnx_file.write(tmp_path / "out.onnx", graph("bl", MAPS[2:], batch=batch), {"classes": "5"})
        model = onnx.load(tmp_path / "out.onnx")
        axes = {
            value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
            for value in (*model.graph.input, *model.graph.output)
        }
        assert axes == {
            "image": [axis, 3, 64, 71],
            MAPS[2]: [axis, 2, 64, 71],
            MAPS[3]: [axis, 41],
        }
        assert {entry.key: entry.value for entry in model.metadata_props} == {"classes": "5"}


def test_shared_weights_are_stored_once(graph, tmp_path):
    onnx_file.write(tmp_path / "out.onnx", graph(), {})
    stored = [array.name for array in onnx.load(tmp_path / "out.onnx").graph.initializer]
    assert sum(name.endswith("LConv/kernel") for name in stored) == 7
    assert len(stored) == len(set(stored)) == 14 + 2 * 3 * 7 + 2


def test_bytes_are_reproducible(graph, tmp_path):
    for name in ("a.onnx", "b.onnx"):
        onnx_file.write(tmp_path / name, graph(), {"outputs": json.dumps([])})
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
