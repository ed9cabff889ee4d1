"""Snapshots of networks from Keras models and from weights files."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from nested_models import Subclassed, in_model, in_sequence

from convrnn_model import ConvRNNError, activations, b_k_net, b_net, bl_net, save_weights
from convrnn_model.inference.frozen import from_file, from_keras, weight_shapes
from convrnn_model.variants import VARIANTS
from convrnn_model.weights.load_save import as_array, model_weights


def assert_equal(a, b):
    assert (a.layers, a.classes, a.n_timesteps, a.channels) == (
        b.layers,
        b.classes,
        b.n_timesteps,
        b.channels,
    )
    assert (a.variant, a.cumulative_readout) == (b.variant, b.cumulative_readout)
    assert set(a.kernels) == set(b.kernels)
    assert set(a.normalizations) == set(b.normalizations)
    for name, kernel in a.kernels.items():
        np.testing.assert_array_equal(kernel, b.kernels[name])
    for name, folded in a.normalizations.items():
        np.testing.assert_array_equal(folded, b.normalizations[name])
    assert set(a.readouts) == set(b.readouts)
    for name, readout in a.readouts.items():
        for ours, theirs in zip(readout, b.readouts[name], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def file(network, tmp_path):
    save_weights(network, tmp_path / "w.h5")
    return tmp_path / "w.h5"


def test_a_file_gives_the_network_that_wrote_it(network, file):
    frozen = from_keras(network)
    assert_equal(from_file(file, cumulative_readout=frozen.cumulative_readout), frozen)
    assert from_file(file).image_size == (None, None)


def test_weights_have_the_names_and_shapes_of_keras(network):
    expected = {name: tuple(variable.shape) for name, variable in model_weights(network).items()}
    assert weight_shapes(from_keras(network)) == expected


def test_poolings_are_those_of_the_variant(network):
    frozen = from_keras(network)
    pools = [layer.pool for layer in VARIANTS[frozen.variant].convolutions()]
    assert [layer.pool for layer in frozen.layers] == pools
    poolings = [layer for layer in network.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert sum(pools) * (frozen.n_timesteps or 1) == len(poolings)


def test_fewer_time_steps_of_a_file(tmp_path, fill_golden):
    networks = [bl_net((64, 64, 3), 5, steps, width=0.02) for steps in (3, 2, 1)]
    for model in networks:
        fill_golden(model)
    save_weights(networks[0], tmp_path / "w.h5")
    for model, steps in zip(networks, (3, 2, 1), strict=True):
        assert_equal(from_file(tmp_path / "w.h5", steps), from_keras(model))


@pytest.mark.parametrize("steps", [0, 4])
def test_time_steps_that_a_file_lacks(steps, tmp_path):
    save_weights(bl_net((64, 64, 3), 5, 3, width=0.02), tmp_path / "w.h5")
    with pytest.raises(ConvRNNError, match=f"n_timesteps must be between 1 and 3.*got {steps}"):
        from_file(tmp_path / "w.h5", steps)


@pytest.mark.parametrize("options", [{"n_timesteps": 1}, {"cumulative_readout": True}])
def test_feedforward_files_have_no_time_steps(options, tmp_path):
    save_weights(b_net((64, 64, 3), 5, width=0.02), tmp_path / "w.h5")
    with pytest.raises(ConvRNNError, match="belong to recurrent networks"):
        from_file(tmp_path / "w.h5", **options)


def test_folded_normalisation():
    model = b_net((64, 64, 3), 5, width=0.02)
    rng = np.random.default_rng(0)
    layer = model.get_layer("BatchNorm_Layer_0")
    layer.set_weights([rng.uniform(0.5, 2, 2).astype(np.float32) for _ in range(4)])
    scale, shift = from_keras(model).normalizations["BatchNorm_Layer_0"]
    x = rng.normal(size=(4, 1, 1, 2)).astype(np.float32)
    expected = as_array(keras.Variable(layer(x, training=False)))
    np.testing.assert_allclose(x * scale + shift, expected, rtol=1e-5, atol=1e-6)
    assert scale.dtype == shift.dtype == np.float32


def test_snapshots_do_not_follow_the_model():
    model = b_net((64, 64, 3), 5, width=0.02)
    frozen = from_keras(model)
    before = {name: kernel.copy() for name, kernel in frozen.kernels.items()}
    for variable in model.weights:
        variable.assign(keras.ops.zeros(variable.shape))
    for name, kernel in frozen.kernels.items():
        np.testing.assert_array_equal(kernel, before[name])


def test_sizes_of_images():
    assert from_keras(b_net((64, 70, 4), 5, width=0.02)).image_size == (64, 70)
    assert from_keras(b_net((64, 70, 4), 5, width=0.02)).channels == 4
    assert from_keras(b_net((None, None, 3), 5, width=0.02)).image_size == (None, None)


def test_models_of_other_layers():
    image = keras.Input((64, 64, 3))
    other = keras.Model(image, keras.layers.Conv2D(2, 3, name="conv")(image), name="other")
    with pytest.raises(ConvRNNError, match=r"cannot compile other.*other names.*engine='keras'"):
        from_keras(other)


@pytest.mark.parametrize("wrap", [in_model, in_sequence, Subclassed])
def test_models_around_a_network(wrap):
    with pytest.raises(ConvRNNError, match="engine='keras', which runs any functional model"):
        from_keras(wrap(b_net((64, 64, 3), 5, width=0.02)))


def test_parts_of_a_network():
    part = activations(b_k_net((64, 64, 3), 5, width=0.02), "ReLU_Layer_3")
    with pytest.raises(ConvRNNError, match="other names or kernel sizes"):
        from_keras(part)


def test_additional_weights():
    network = b_net((64, 64, 3), 5, width=0.02)
    extended = keras.Model(network.inputs, keras.layers.Dense(2, name="extra")(network.outputs[0]))
    with pytest.raises(ConvRNNError, match="weights extra/bias, extra/kernel differ"):
        from_keras(extended)


def test_files_are_read_without_keras(file):
    code = (
        "import json, sys\n"
        "from convrnn_model.inference.frozen import from_file\n"
        "from convrnn_model.inference.operations import operations\n"
        f"count = len(operations(from_file({str(file)!r})))\n"
        "print(json.dumps([count, sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, imported = json.loads(done.stdout)
    assert count > 20
    assert imported == []
