"""BT, BLT, B-U, and readouts of every layer: definitions, parameters, costs, weights files, engines."""

import re

import keras
import numpy as np
import pytest

from convrnn_model import (
    ConvRNNError,
    b_d_net,
    b_net,
    b_u_net,
    bl_net,
    blt_net,
    bt_net,
    compile_network,
    inspect_weights,
    load_weights,
    multiply_adds,
    names,
    save_weights,
)
from convrnn_model.inference.engine import missing
from convrnn_model.inference.frozen import architecture_of
from convrnn_model.layers import TopDownConv2D
from convrnn_model.networks import BUILDERS
from convrnn_model.variants import top_down_margins
from convrnn_model.weights.load_save import as_array, model_weights

FILTERS, KERNELS = (96, 128, 192, 256, 512, 1024, 2048), (7, 5, 3, 3, 3, 3, 1)
# Pooling drops rows at 71 (71, 35, 17, 8, ...) and none of the columns.
IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 71, 64, 3)).astype(np.float32)
STEPS = 3


def parameters(name, classes, steps):
    """Count parameters, with moving statistics, by the definition of the networks."""
    below = (3, *FILTERS)
    bottom_up = sum(k * k * i * o for k, i, o in zip(KERNELS, below, FILTERS, strict=False))
    lateral = sum(k * k * o * o for k, o in zip(KERNELS, FILTERS, strict=True))
    top_down = sum(k * k * o * above for k, o, above in zip(KERNELS, FILTERS, FILTERS[1:], strict=False))
    readout = (FILTERS[-1] + 1) * classes
    normalisation = 4 * steps * sum(FILTERS)
    later = min(steps - 1, 1)
    return {
        "bl_net": bottom_up + later * lateral + readout,
        "bt_net": bottom_up + later * top_down + readout,
        "blt_net": bottom_up + later * (lateral + top_down) + readout,
        "b_u_net": steps * (bottom_up + readout) + (steps - 1) * lateral,
    }[name] + normalisation


@pytest.mark.parametrize("name", ["bl_net", "bt_net", "blt_net", "b_u_net"])
@pytest.mark.parametrize(("classes", "steps"), [(1000, 8), (7, 2), (7, 1)])
def test_parameters_by_formula(name, classes, steps):
    model = BUILDERS[name]((None, None, 3), classes, steps)
    assert model.count_params() == parameters(name, classes, steps)


def test_multiply_adds_of_top_down_connections():
    cost = multiply_adds(bt_net((128, 128, 3), 10, 3))
    for n, (kernel, filters, above) in enumerate(zip(KERNELS, FILTERS, FILTERS[1:], strict=False)):
        # Every px of the layer above, whose side is half of this one's, is multiplied by the kernel.
        products = kernel**2 * filters * above * (128 >> n + 1) ** 2
        assert cost.layers[names.top_down(n)] == (0, products, products)
    assert names.top_down(6) not in cost.layers
    assert sum(cost.layers[names.bottom_up(0)]) == cost.layers[names.bottom_up(0)][0]


def test_multiply_adds_of_the_unfolded_network_are_those_of_bl_and_of_the_image_at_every_step():
    unfolded, bl = (multiply_adds(build((64, 64, 3), 10, 3)) for build in (b_u_net, bl_net))
    image = 7 * 7 * 3 * 96 * 64**2
    assert unfolded.per_timestep == (bl.per_timestep[0], *(step + image for step in bl.per_timestep[1:]))


@pytest.mark.parametrize("kernel", [2, 3, 5, 7])
def test_the_transposed_convolution_is_that_of_keras_with_same_padding(kernel):
    above, below = (np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
                    for shape in ((5, 4, 6), (10, 8, 3)))  # fmt: skip
    layer = TopDownConv2D(3, kernel)
    found = layer([above, below])
    # Built in float64 from the definition: out[2 i + a] += x[i] kernel[a], cropped as TensorFlow does.
    weights = as_array(layer.kernel).astype(np.float64)
    assert weights.shape == (kernel, kernel, 3, 6)
    before, after = top_down_margins(kernel)
    assert before + after == kernel - 2
    assert after - before in (0, 1)
    expected = np.zeros((2, 10 + kernel, 8 + kernel, 3))
    for i, j in np.ndindex(5, 4):
        block = np.einsum("bc,yxfc->byxf", above[:, i, j], weights)
        expected[:, 2 * i : 2 * i + kernel, 2 * j : 2 * j + kernel] += block
    expected = expected[:, before : before + 10, before : before + 8]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected, rtol=1e-5, atol=1e-5)


def test_rows_that_pooling_drops_get_no_top_down_input():
    above, below = np.ones((1, 3, 2, 2), np.float32), np.ones((1, 7, 5, 4), np.float32)
    found = keras.ops.convert_to_numpy(TopDownConv2D(4, 3)([above, below]))
    assert found.shape == below.shape
    assert not found[:, 6].any()
    assert not found[:, :, 4].any()
    assert found[:, :6, :4].all()


@pytest.mark.parametrize("build", [bt_net, blt_net])
def test_networks_of_any_size_are_those_of_one_size(build, fill_golden):
    networks = [build(shape, 5, STEPS, width=0.02) for shape in ((71, 64, 3), (None, None, 3))]
    for network in networks:
        fill_golden(network)
    fixed, free = (np.asarray(network.predict_on_batch(IMAGES)) for network in networks)
    np.testing.assert_allclose(fixed, free, rtol=1e-5)


def test_blt_without_top_down_weights_is_bl(fill_golden):
    bl, blt = (build((71, 64, 3), 5, STEPS, width=0.02) for build in (bl_net, blt_net))
    fill_golden(bl)
    source = model_weights(bl)
    for name, variable in model_weights(blt).items():
        variable.assign(as_array(source[name]) if name in source else np.zeros(variable.shape, np.float32))
    np.testing.assert_allclose(blt.predict_on_batch(IMAGES), bl.predict_on_batch(IMAGES), rtol=1e-5)


@pytest.mark.parametrize("cumulative", [False, True])
def test_the_unfolded_network_with_the_weights_of_bl_is_bl(cumulative, fill_golden):
    bl, unfolded = (build((71, 64, 3), 5, STEPS, cumulative, width=0.02) for build in (bl_net, b_u_net))
    fill_golden(bl)
    source = model_weights(bl)
    for name, variable in model_weights(unfolded).items():
        layer, weight = name.split("/")
        shared = f"{names.split_time(layer)[0]}/{weight}"
        variable.assign(as_array(source[name] if name in source else source[shared]))
    np.testing.assert_allclose(unfolded.predict_on_batch(IMAGES), bl.predict_on_batch(IMAGES), rtol=1e-5)


def test_the_unfolded_network_shares_no_weight_over_time():
    times = {names.split_time(name.split("/")[0])[1] for name in model_weights(b_u_net((64, 64, 3), 5, 2))}
    assert times == {0, 1}


@pytest.mark.parametrize("build", [bt_net, blt_net, b_u_net])
@pytest.mark.parametrize("layer_readouts", [False, True])
def test_files_are_identified_by_content(build, layer_readouts, tmp_path):
    network = build((64, 64, 3), 6, 2, width=0.02, layer_readouts=layer_readouts)
    save_weights(network, tmp_path / "bl_imagenet.h5")
    info = inspect_weights(tmp_path / "bl_imagenet.h5")
    assert (info.variant, info.classes, info.n_timesteps) == (build.__name__, 6, 2)
    assert info.layer_readouts is layer_readouts


def test_networks_that_are_one_at_a_single_time_step(tmp_path):
    for build in (bl_net, bt_net, blt_net):
        network = build((64, 64, 3), 5, 1, width=0.02)
        assert architecture_of(network).variant == "bl_net"
        save_weights(network, tmp_path / "w.h5")
        load_weights(bl_net((64, 64, 3), 5, 1, width=0.02), tmp_path / "w.h5")


@pytest.mark.parametrize("build", [bt_net, blt_net, b_u_net])
def test_fewer_time_steps_of_a_file(build, tmp_path, fill_golden):
    long, short = (build((64, 64, 3), 5, steps, width=0.02) for steps in (3, 2))
    fill_golden(long)
    save_weights(long, tmp_path / "w.h5")
    report = load_weights(short, tmp_path / "w.h5")
    assert report.unused
    assert all("_Time_2" in name for name in report.unused)
    answers = [network.predict_on_batch(IMAGES[:, :64])[:2] for network in (short, long)]
    # An absolute tolerance, because the relative rounding error of a small probability grows with its logit.
    np.testing.assert_allclose(*answers, rtol=1e-5, atol=1e-6)
    single = build((64, 64, 3), 5, 1, width=0.02)
    load_weights(single, tmp_path / "w.h5")


def test_bl_in_place_of_blt(tmp_path):
    save_weights(bl_net((64, 64, 3), 5, 2, width=0.02), tmp_path / "w.h5")
    with pytest.raises(ConvRNNError, match=r"must contain blt_net, got bl_net.*missing: RCL_0_TConv/kernel"):
        load_weights(blt_net((64, 64, 3), 5, 2, width=0.02), tmp_path / "w.h5")


def layer_outputs(model, images):
    return np.stack(model.predict_on_batch(images))


def test_readouts_of_every_layer_of_feedforward_networks(fill_golden):
    for build, layers in ((b_net, 7), (b_d_net, 14)):
        network = build((71, 64, 3), 5, width=0.02, layer_readouts=True)
        fill_golden(network)
        assert [output.shape for output in network.outputs] == [(None, 5)] * layers
        names_ = [output._keras_history.operation.name for output in network.outputs]
        assert names_ == [f"Softmax_Layer_{n}" for n in range(layers)]
        # Each readout is that of its layer.
        wanted = [names.relu(n) for n in range(layers)]
        inner = keras.Model(network.inputs[0], [network.get_layer(name).output for name in wanted])
        for n, relu in enumerate(inner.predict_on_batch(IMAGES)):
            kernel, bias = map(as_array, network.get_layer(f"ReadoutDense_Layer_{n}").weights)
            logits = relu.mean((1, 2), dtype=np.float64) @ kernel + bias
            expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
            np.testing.assert_allclose(layer_outputs(network, IMAGES)[n], expected, rtol=1e-4)


def test_readouts_of_every_layer_at_every_time_step(fill_golden):
    plain, cumulative = (
        bl_net((71, 64, 3), 5, 2, cumulative, width=0.02, layer_readouts=True) for cumulative in (False, True)
    )
    for network in (plain, cumulative):
        fill_golden(network)
    found, summed = (layer_outputs(network, IMAGES).reshape(2, 7, 2, 5) for network in (plain, cumulative))
    logs = np.cumsum(np.log(found), axis=0)
    np.testing.assert_allclose(summed, np.exp(logs) / np.exp(logs).sum(-1, keepdims=True), rtol=1e-4)
    names_ = [output._keras_history.operation.name for output in plain.outputs]
    assert names_ == [f"Softmax_Layer_{n}_Time_{t}" for t in range(2) for n in range(7)]


def test_published_weights_with_new_readouts_of_every_layer(tmp_path, fill_golden):
    plain = b_net((64, 64, 3), 9, width=0.02)
    fill_golden(plain)
    save_weights(plain, tmp_path / "b.h5")
    network = b_net((64, 64, 3), 5, width=0.02, layer_readouts=True)
    with pytest.raises(ConvRNNError, match=r"layer_readouts=False, or pass readout='skip'"):
        load_weights(network, tmp_path / "b.h5")
    report = load_weights(network, tmp_path / "b.h5", readout="skip")
    assert {name.split("/")[0] for name in report.kept} == {f"ReadoutDense_Layer_{n}" for n in range(7)}
    np.testing.assert_array_equal(
        as_array(network.get_layer("Conv_Layer_6").kernel), as_array(plain.get_layer("Conv_Layer_6").kernel)
    )


@pytest.mark.parametrize("name", ["bt_net", "blt_net"])
def test_the_engine_for_top_down_connections(name, fill_golden):
    network = BUILDERS[name]((71, 64, 3), 5, STEPS, width=0.02)
    fill_golden(network)
    predictor = compile_network(network)
    plan = predictor.plan()
    engine = "keras" if missing("openvino") else "openvino"
    assert plan.engine == engine
    assert "top-down connections" in str(plan)
    expected = np.stack(network.predict_on_batch(IMAGES), axis=1)
    np.testing.assert_allclose(predictor.predict(IMAGES), expected, rtol=1e-4)
    with pytest.raises(ConvRNNError, match="top-down"):
        compile_network(network, engine="tiles")


@pytest.mark.parametrize("engine", ["tiles", "openvino", "keras"])
def test_groups_of_networks_with_readouts_of_every_layer(engine, fill_golden):
    if missing(engine):
        pytest.skip(f"{engine} is not installed")
    network = bl_net((71, 64, 3), 5, 2, width=0.02, layer_readouts=True)
    fill_golden(network)
    found = compile_network(network, engine=engine).predict(IMAGES)
    assert found.shape == (2, 14, 5)
    np.testing.assert_allclose(found.swapaxes(0, 1), layer_outputs(network, IMAGES), rtol=1e-4)
    features = compile_network(network, engine=engine, outputs="features").predict(IMAGES)
    assert features.shape == (2, 2, 41)


def test_names_of_unknown_layers():
    network = bt_net((64, 64, 3), 5, 2, width=0.02)
    with pytest.raises(ConvRNNError, match=re.escape("bt_net has no output called RCL_6_TConv_Time_1")):
        compile_network(network, outputs="RCL_6_TConv_Time_1")
