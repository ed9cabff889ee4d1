"""Files of OpenVINO."""

import pytest

from convrnn_model import names
from convrnn_model.export import openvino_file
from convrnn_model.inference.engine import missing
from convrnn_model.inference.openvino_engine import import_openvino

pytestmark = pytest.mark.skipif(missing("openvino") is not None, reason="OpenVINO is not installed")
MAPS = [names.at(names.conv_sum(2), 1), names.cumulative(1), names.relu(0, 0), names.global_pool(1)]
WITH_OPENVINO = """
import openvino
compiled = openvino.Core().compile_model("out.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
found = compiled({"image": images})
outputs = {output.get_any_name(): found[output] for output in compiled.outputs}
"""


@pytest.mark.parametrize(
    ("name", "outputs", "options"),
    [
        ("bl", None, {"batch": 3}),
        ("bl", MAPS, {"cumulative_readout": True, "n_timesteps": 2}),
        ("b", ["Softmax", "Conv_Layer_0"], {}),
    ],
)
def test_values(name, outputs, options, graph, images, expected, assert_close, tmp_path):
    exported = graph(name, outputs, **options)
    openvino_file.write(tmp_path / "out.xml", exported, {})
    for n in (3,) if exported.batch else (1, 2):
        batch = images(n, 64, 71)
        assert_close(openvino_file.run(tmp_path / "out.xml", batch), expected(exported, batch))


def test_the_package_is_not_needed(graph, images, expected, assert_close, run_without_the_package, tmp_path):
    exported = graph()
    openvino_file.write(tmp_path / "out.xml", exported, {})
    batch = images(2, 64, 71)
    assert_close(run_without_the_package(WITH_OPENVINO, batch), expected(exported, batch))


def test_shapes_precision_and_metadata(graph, tmp_path):
    exported = graph("bl", MAPS[2:], batch=4)
    openvino_file.write(tmp_path / "out.xml", exported, {"classes": "5"})
    model = import_openvino().Core().read_model(tmp_path / "out.xml")
    shapes = {value.get_any_name(): list(value.shape) for value in (*model.inputs, *model.outputs)}
    assert shapes == {"image": [4, 64, 71, 3], MAPS[2]: [4, 64, 71, 2], MAPS[3]: [4, 41]}
    assert model.get_rt_info(["convrnn", "classes"]).astype(str) == "5"
    kernel, *_ = exported.network.kernels.values()
    sizes = {
        op.get_element_type().get_type_name() for op in model.get_ops() if op.get_type_name() == "Constant"
    }
    assert "f16" not in sizes
    assert (tmp_path / "out.bin").stat().st_size >= kernel.nbytes


def test_any_batch(graph, tmp_path):
    openvino_file.write(tmp_path / "out.xml", graph(), {})
    model = import_openvino().Core().read_model(tmp_path / "out.xml")
    assert str(model.inputs[0].partial_shape[0]) == "?"
