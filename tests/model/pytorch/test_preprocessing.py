"""8-bit images to tensors, with the values of `preprocess_image`."""

import numpy as np
import pytest

from convrnn_model import preprocess_image

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from convrnn_model.torch import Preprocess

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
EXPECTED = preprocess_image(IMAGES).transpose(0, 3, 1, 2)


def test_arrays_are_channels_last():
    found = Preprocess()(IMAGES)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found, EXPECTED)
    np.testing.assert_array_equal(Preprocess()(IMAGES[0]), EXPECTED[0])


def test_tensors_are_channels_first():
    transform = torch.nn.Sequential(Preprocess())
    np.testing.assert_array_equal(transform(torch.from_numpy(IMAGES).permute(0, 3, 1, 2)), EXPECTED)


def test_every_value():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    np.testing.assert_array_equal(Preprocess()(torch.from_numpy(values)), preprocess_image(values))


def test_pil_images_are_converted_to_rgb():
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    np.testing.assert_array_equal(Preprocess()(image.fromarray(IMAGES[0])), EXPECTED[0])
    gray = Preprocess()(image.fromarray(IMAGES[0, ..., 0]))
    np.testing.assert_array_equal(gray, np.stack([EXPECTED[0, 0]] * 3))


def test_read_only_arrays():
    images = IMAGES.copy()
    images.setflags(write=False)
    np.testing.assert_array_equal(Preprocess()(images), EXPECTED)


@pytest.mark.parametrize("images", [torch.zeros(1, 3, 8, 8), np.zeros((8, 8, 3))])
def test_other_dtypes(images):
    with pytest.raises(TypeError, match=r"Preprocess takes uint8 in \[0, 255\], got float"):
        Preprocess()(images)
