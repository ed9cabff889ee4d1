import numpy as np
import pytest

from convrnn_model.inference import dft

LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 20, 24, 32, 36, 40]


def pairs(values):
    return [(value.real, value.imag) for value in values]


def combined(spectrum):
    return np.array([re + 1j * (0 if im is None else im) for re, im in spectrum])


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_transforms_complex_values(n, sign):
    values = np.random.default_rng(n).normal(size=(2, n)).T @ [1, 1j]
    expected = np.fft.fft(values) if sign < 0 else np.fft.ifft(values) * n
    np.testing.assert_allclose(combined(dft.complex_dft(pairs(values), sign)), expected, atol=1e-13)


@pytest.mark.parametrize("n", LENGTHS)
def test_transforms_real_values(n):
    values = np.random.default_rng(n).normal(size=n)
    spectrum = dft.real_dft(list(values))
    np.testing.assert_allclose(combined(spectrum), np.fft.rfft(values), atol=1e-13)
    assert spectrum[0][1] is None
    if n % 2 == 0:
        assert spectrum[n // 2][1] is None


@pytest.mark.parametrize("n", LENGTHS)
def test_inverts_real_transforms(n):
    values = np.random.default_rng(n).normal(size=n)
    np.testing.assert_allclose(dft.inverse_real_dft(dft.real_dft(list(values)), n), n * values, atol=1e-12)


def test_real_transforms_take_half_the_operations():
    class Counted:
        operations = 0

        def operate(self, _=None):
            Counted.operations += 1
            return self

        __add__ = __sub__ = __mul__ = __neg__ = operate

    dft.real_dft([Counted()] * 32)
    real, Counted.operations = Counted.operations, 0
    dft.complex_dft([(Counted(), Counted())] * 32)
    assert real < 0.6 * Counted.operations
    # 5 n log2 n is the usual count of a complex transform.
    assert Counted.operations < 5 * 32 * 5
