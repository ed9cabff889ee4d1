import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_model.inference.costs import costs
from convrnn_model.inference.tiling import Tiling, best, candidates


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 3, 5, 7, 11]))
def test_tiles_cover_the_image(height, width, side):
    for tiling in candidates(height, width, side):
        assert tiling.rows * tiling.step >= height > (tiling.rows - 1) * tiling.step
        assert tiling.columns * tiling.step >= width > (tiling.columns - 1) * tiling.step
        # A tile's inputs reach over its outputs by the kernel's side less one.
        assert tiling.kind == "unfold" or tiling.points == tiling.step + side - 1
        assert tiling.kind == "unfold" or tiling.step % 2 == 0


def test_a_kernel_of_one_pixel_is_a_matrix_product():
    assert [tiling.kind for tiling in candidates(8, 8, 1)] == ["unfold"]


@pytest.mark.parametrize("points", [12, 16, 20])
def test_the_spectrum_of_a_fourier_tiling(points):
    """Compare with the transform of NumPy, in the order of the columns."""
    kernel = np.random.default_rng(0).normal(size=(5, 5, 3, 2)).astype(np.float32)
    spectrum = Tiling("fourier", 30, 30, 5, points).spectrum(kernel)
    expected = np.fft.fft2(kernel.astype(float), (points, points), axes=(0, 1)).conj() / points**2
    half = points // 2
    order = [(y, 0) for y in range(half + 1)]
    order += [(y, x) for x in range(1, half) for y in range(points)]
    order += [(y, half) for y in range(half + 1)]
    assert spectrum.shape == (len(order), 2, 3, 2)
    for found, (y, x) in zip(spectrum, order, strict=True):
        np.testing.assert_allclose(found[0] + 1j * found[1], expected[y, x], atol=1e-8)


def test_large_spectra_are_computed_in_blocks(monkeypatch):
    kernel = np.random.default_rng(0).normal(size=(3, 3, 7, 4)).astype(np.float32)
    tiling = Tiling("winograd", 8, 8, 3, 6)
    whole = tiling.spectrum(kernel)
    monkeypatch.setattr("convrnn_model.inference.tiling.LARGEST_BLOCK", 36 * 4 * 3)
    np.testing.assert_allclose(tiling.spectrum(kernel), whole, rtol=1e-6)


def test_the_fastest_tiling_depends_on_the_shape():
    row = costs("avx2")

    def kind(side, pixels, channels, filters, batch=8):
        return best(row, pixels, pixels, side, channels, filters, batch, channels).kind

    assert kind(7, 128, 96, 96) == "fourier"
    assert kind(3, 32, 320, 192) == "winograd"
    assert kind(1, 2, 3072, 2048) == "unfold"
    # One image does not pay for reading a spectrum that is four times as large as the kernel.
    assert kind(3, 4, 1536, 1024, batch=1) == "unfold"
