import pytest

from convrnn_data import ConvRNNError, open_set, prepare
from convrnn_data.sample.sample import draw_sample
from convrnn_experiments.runs.config import require_split


def test_training_names_the_share_that_left_validation_empty(tmp_path):
    draw_sample(tmp_path / "sample", images_per_category=4, trials=1, observers=1, workers=1)
    prepare(tmp_path / "sample" / "imagenet", tmp_path / "set", images="all", workers=1)
    with pytest.raises(
        ConvRNNError, match=r"--val 0\.1 of the largest category's 4 images .*--val 0\.13 gives"
    ):
        require_split(open_set(tmp_path / "set"), "val")
    require_split(open_set(tmp_path / "set"), "train")
