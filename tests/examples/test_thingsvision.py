"""Features extracted with thingsvision, compared with those of the network alone."""

import importlib.metadata

import numpy as np
import pytest

from convrnn_model import compile_network, names

FILE = "thingsvision/extract_features.py"
LAYERS = [names.relu(0, 2), names.relu(6, 7), names.global_pool(7), names.softmax(3)]
QUIET = pytest.mark.filterwarnings("ignore")  # warnings of thingsvision, TensorFlow and timm


def test_missing_packages_give_an_error_in_one_line(without):
    status, stderr = without(FILE, "thingsvision")
    assert status == 1
    assert stderr.startswith("cannot import what the example needs: import of thingsvision halted")
    assert stderr.endswith("Install it as README.md says.\n")


@pytest.fixture
def example(bl_is_narrow, load):
    try:
        importlib.metadata.version("thingsvision")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("thingsvision is not installed")
    return load(FILE)


@QUIET
@pytest.mark.parametrize("sub", ["", "dark"])
def test_features_are_those_of_the_network(example, narrow_bl, photographs, tmp_path, sub, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    words = [str(photographs / sub), "--weights", str(narrow_bl), "--out", str(tmp_path)]
    words += [word for name in LAYERS for word in ("--layer", name)]
    monkeypatch.setattr("sys.argv", ["extract_features.py", *words])
    with pytest.raises(SystemExit) as stopped:
        example.typer.run(example.main)
    assert not stopped.value.code
    order = (tmp_path / "file_names.txt").read_text().split()
    assert [name.split("/")[-1] for name in order] == sorted(
        path.name for path in (photographs / sub).rglob("*.png")
    )

    extractor = example.bl_extractor(narrow_bl)
    folder = {path.name: path for path in photographs.rglob("*.png")}
    tensors = [extractor.preprocess(image.open(folder[name.split("/")[-1]])).numpy() for name in order]
    assert np.shape(tensors) == (len(order), 3, 128, 128)
    pixels = np.ascontiguousarray(np.moveaxis(np.stack(tensors), 1, -1))
    assert -1 <= pixels.min() < -0.9
    expected = compile_network(narrow_bl, outputs=LAYERS).predict(pixels)
    for name in LAYERS:
        found = np.load(tmp_path / f"{name}.npy")
        values = expected[name]
        channels_first = np.moveaxis(values, -1, 1) if values.ndim == 4 else values
        np.testing.assert_allclose(found, channels_first.reshape(len(order), -1), rtol=1e-3, atol=1e-4)
