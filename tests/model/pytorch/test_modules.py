"""Modules that differ from those of PyTorch."""

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from convrnn_model.torch.modules import BatchNorm, GlobalAveragePool, Sum

IMAGES = np.random.default_rng(0).normal(2, 3, (2, 3, 2, 5)).astype(np.float32)


def test_running_statistics_are_those_of_keras():
    layer = keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-3)
    module = BatchNorm(3)
    for scale in (1, 2, 5):
        images = IMAGES * np.float32(scale)
        expected = np.asarray(keras.ops.stop_gradient(layer(images.transpose(0, 2, 3, 1), training=True)))
        found = module(torch.from_numpy(images)).detach().numpy()
        np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2), atol=2e-6)
    # One more value in the denominator would differ by 1 / 20 of the update.
    for name in ("mean", "variance"):
        wanted = np.asarray(keras.ops.stop_gradient(getattr(layer, f"moving_{name}").value))
        ours = module.running_mean if name == "mean" else module.running_var
        np.testing.assert_allclose(ours, wanted, rtol=1e-6)


def test_evaluation_is_that_of_pytorch():
    module, theirs = BatchNorm(3), torch.nn.BatchNorm2d(3, eps=1e-3)
    module(torch.from_numpy(IMAGES))
    theirs.load_state_dict(module.state_dict())
    images = torch.from_numpy(IMAGES)
    torch.testing.assert_close(module.eval()(images), theirs.eval()(images), rtol=0, atol=0)


def test_update_bn_averages_over_batches():
    module = BatchNorm(3)
    batches = [torch.from_numpy(IMAGES * np.float32(scale)) for scale in (1, 3)]
    torch.optim.swa_utils.update_bn(batches, module)
    expected = np.mean([batch.numpy().var((0, 2, 3)) for batch in batches], 0)
    np.testing.assert_allclose(module.running_var, expected, rtol=1e-5)


def test_one_value_per_channel_is_an_error_as_in_pytorch():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        BatchNorm(3)(torch.zeros(1, 3, 1, 1))


def test_sum_and_average():
    images = torch.from_numpy(IMAGES)
    assert Sum()(images) is images
    torch.testing.assert_close(Sum()(images, images), 2 * images)
    np.testing.assert_allclose(GlobalAveragePool()(images), IMAGES.mean((2, 3)), rtol=1e-5)
