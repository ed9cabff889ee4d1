import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_model import activations, b_d_net, b_f_net, b_k_net, b_net, bl_net, save_weights
from convrnn_model.inference.frozen import from_file, from_keras
from convrnn_model.inference.operations import operations
from convrnn_model.inference.tiles_engine import TilesEngine
from convrnn_model.weights.load_save import as_array

WIDTH, CLASSES = 0.05, 7
NETWORKS = {
    "BL": lambda: bl_net((None, None, 3), CLASSES, 3, width=WIDTH),
    "BL, cumulative": lambda: bl_net((None, None, 3), CLASSES, 2, True, width=WIDTH),
    "B": lambda: b_net((None, None, 3), CLASSES, width=WIDTH),
    "B-K": lambda: b_k_net((None, None, 3), CLASSES, width=WIDTH),
    "B-F": lambda: b_f_net((None, None, 3), CLASSES, width=WIDTH),
    "B-D": lambda: b_d_net((None, None, 3), CLASSES, width=WIDTH),
}


@pytest.fixture(scope="module")
def networks():
    """Keras networks with random statistics of batch normalisation, and their copies as plain data."""
    found = {}
    for name, build in NETWORKS.items():
        model, rng = build(), np.random.default_rng(0)
        for layer in model.layers:
            if layer.name.startswith("BatchNorm"):
                for weight in layer.weights:
                    weight.assign(as_array(weight) + rng.uniform(0, 0.5, weight.shape))
        found[name] = model, from_keras(model)
    return found


def images(batch, height, width, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, height, width, 3)).astype(np.float32)


def computed(frozen, shown, wanted=None, threads=2):
    engine = TilesEngine(frozen, operations(frozen, wanted), shown.shape[1:3], len(shown), threads)
    return engine.run(shown)


def assert_close(found, expected):
    for name, value in found.items():
        reference = np.asarray(expected[name])
        assert value.shape == reference.shape
        np.testing.assert_allclose(value, reference, atol=1e-5 * np.abs(reference).max(), err_msg=name)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_value_is_that_of_keras(networks, name):
    """Compute every value at once, so nothing is fused, and the outputs alone, so everything is."""
    model, frozen = networks[name]
    shown = images(2, 71, 64)
    every = [operation.output for operation in operations(frozen)]
    expected = activations(model, every).predict_on_batch(shown)
    assert_close(computed(frozen, shown, every), expected)
    found = computed(frozen, shown)
    assert set(found) == {operation.output for operation in operations(frozen) if operation.wanted}
    assert_close(found, expected)


@settings(max_examples=10, deadline=None)
@given(st.integers(64, 100), st.integers(64, 100), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1000))
def test_any_size_batch_and_number_of_threads(networks, height, width, batch, threads, seed):
    model, frozen = networks["BL"]
    shown = images(batch, height, width, seed)
    found = computed(frozen, shown, threads=threads)
    assert_close(found, activations(model, list(found)).predict_on_batch(shown))


def test_the_bits_do_not_depend_on_the_number_of_threads(networks):
    _, frozen = networks["BL"]
    shown = images(3, 70, 90)
    one, three = (computed(frozen, shown, threads=threads) for threads in (1, 3))
    for name, value in one.items():
        np.testing.assert_array_equal(value, three[name])


def test_the_bits_of_an_image_do_not_depend_on_its_neighbours(networks):
    _, frozen = networks["BL"]
    shown = images(4, 64, 64)
    engine = TilesEngine(frozen, operations(frozen), (64, 64), 4, 2)
    whole = {name: value.copy() for name, value in engine.run(shown).items()}
    moved = engine.run(np.roll(shown, 1, axis=0))
    for name, value in whole.items():
        np.testing.assert_array_equal(np.roll(value, 1, axis=0), moved[name])


def test_calls_do_not_depend_on_earlier_ones(networks):
    _, frozen = networks["BL"]
    engine = TilesEngine(frozen, operations(frozen), (64, 64), 2, 2)
    first = {name: value.copy() for name, value in engine.run(images(2, 64, 64)).items()}
    engine.run(np.full((2, 64, 64, 3), np.nan, np.float32))
    again = engine.run(images(2, 64, 64))
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])


@pytest.mark.parametrize("kind", ["generic", "avx2", "avx512"])
def test_other_kinds_of_processors(networks, monkeypatch, kind):
    """Compute with the vectors and the plan of other kinds; the compiler splits vectors that are too long."""
    model, frozen = networks["BL"]
    monkeypatch.setattr("convrnn_model.inference.tiles_engine.processor", lambda: kind)
    shown = images(1, 64, 64)
    found = computed(frozen, shown)
    assert_close(found, activations(model, list(found)).predict_on_batch(shown))


def test_memory_is_that_of_spectra_and_buffers(networks):
    _, frozen = networks["BL"]
    small, large = (TilesEngine(frozen, operations(frozen), (64, 64), batch, 1).memory for batch in (1, 8))
    weights = sum(kernel.nbytes for kernel in frozen.kernels.values())
    assert weights < small < large


def test_the_bits_do_not_depend_on_the_backend(networks, tmp_path):
    """A file is read without a backend, so equal bits are those of every backend that this test runs with."""
    model, frozen = networks["BL"]
    save_weights(model, tmp_path / "weights.h5")
    shown = images(2, 64, 64)
    read = computed(from_file(tmp_path / "weights.h5"), shown)
    for name, value in computed(frozen, shown).items():
        np.testing.assert_array_equal(value, read[name])
