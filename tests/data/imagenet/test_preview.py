import pytest
from PIL import Image

from convrnn_data import ConvRNNError, prepare
from convrnn_data.imagenet.preview import save_preview


def test_sets_and_stimuli_are_drawn(class_folders, stimuli, tmp_path):
    prepare(class_folders, tmp_path / "set", images="all", val=0.3, workers=1)
    sizes = []
    for number, source in enumerate((tmp_path / "set", stimuli)):
        save_preview(source, tmp_path / f"{number}.png")
        with Image.open(tmp_path / f"{number}.png") as image:
            sizes.append(image.size)
            assert len(image.convert("RGB").getcolors(1 << 24)) > 100
    assert sizes[0][1] == sizes[1][1]  # A row per category.


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ConvRNNError, match="must be a prepared set or human stimuli, got neither"):
        save_preview(tmp_path, tmp_path / "x.png")
    with pytest.raises(ConvRNNError, match=r"must end in \.png"):
        save_preview(tmp_path, tmp_path / "x.jpg")
