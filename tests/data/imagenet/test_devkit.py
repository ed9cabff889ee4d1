import numpy as np
import pytest
import scipy.io
from imagenet_files import kit_of

from convrnn_data import ConvRNNError
from convrnn_data.imagenet.ground_truth import read_ground_truth


@pytest.mark.parametrize("changed", [{680: 0, 684: 0}, {164: 0, 167: 1}])
def test_a_damaged_file_that_crashes_or_hangs_scipy_is_an_error(changed, tmp_path, monkeypatch):
    """Found by fuzzing: with SciPy 1.17, the first file crashes the process, and the second takes minutes."""
    monkeypatch.setattr("convrnn_data.imagenet.devkit.SECONDS", 3)
    synsets = ("n02690374", "n02690373", "n02690388", "n00001740")
    rows = [(number, synset, "word") for number, synset in zip((1, 2, 3, 1001), synsets, strict=True)]
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")]
    scipy.io.savemat(tmp_path / "meta.mat", {"synsets": np.array(rows, dtype=kind).reshape(-1, 1)})
    meta = bytearray((tmp_path / "meta.mat").read_bytes())
    for place, value in changed.items():
        meta[place] = value
    with pytest.raises(ConvRNNError, match=r"meta\.mat is damaged, or not the devkit's"):
        read_ground_truth(kit_of(tmp_path / "kit", bytes(meta)))
