import numpy as np

from convrnn_model.inference import winograd


def test_products_give_the_correlation():
    rng = np.random.default_rng(0)
    tile, kernel = rng.normal(size=winograd.POINTS), rng.normal(size=winograd.KERNEL)
    products = np.array(winograd.forward(list(tile))) * (winograd.matrices()[0] @ kernel)
    np.testing.assert_allclose(
        winograd.inverse(list(products)), np.correlate(tile, kernel, "valid"), atol=1e-13
    )


def test_transforms_are_the_matrices():
    rng = np.random.default_rng(1)
    values = rng.normal(size=winograd.POINTS)
    _, tile, inverse = winograd.matrices()
    np.testing.assert_allclose(winograd.forward(list(values)), tile @ values, atol=1e-13)
    np.testing.assert_allclose(winograd.inverse(list(values)), inverse @ values, atol=1e-13)


def test_the_points_lose_less_precision_than_small_integers():
    """Compare the error in float32 with that of 0, +-1, +-2 and infinity (Lavin and Gray 2016)."""
    of_kernel = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
    of_tile = np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    )
    inverse = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
    rng = np.random.default_rng(2)
    tiles, kernels = rng.normal(size=(2000, 6, 6)), rng.normal(size=(2000, 3, 3))

    def error(matrices):
        found = []
        for dtype in (np.float32, np.float64):
            g, b, a = (matrix.astype(dtype) for matrix in matrices)
            products = (g @ kernels.astype(dtype) @ g.T) * (b @ tiles.astype(dtype) @ b.T)
            found.append(a @ products @ a.T)
        return np.abs(found[0] - found[1]).mean()

    assert error(winograd.matrices()) < 0.75 * error((of_kernel, of_tile, inverse))
