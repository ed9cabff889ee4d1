"""Picture of answers over time: lines, legends, axes and equal bytes."""

import numpy as np
import pytest

from convrnn_model import ConvRNNError
from convrnn_model.classify.answers import Answers
from convrnn_model.classify.photo import Photo
from convrnn_model.classify.picture import COLOURS, draw

pytestmark = pytest.mark.together
matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib, an extra of convrnn-model")


@pytest.fixture
def answers(tmp_path):
    probabilities = np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.6, 0.1, 0.1], [0.1, 0.8, 0.06, 0.04]])
    entropy = -(probabilities * np.log(probabilities)).sum(axis=1)
    photo = Photo(tmp_path / "dog.jpg", 10, 10, np.zeros((8, 8, 3), np.uint8))
    return Answers(photo, ("cat", "dog", "car", "oven"), probabilities, entropy, float(np.log(4)))


@pytest.fixture
def figure(monkeypatch):
    """Figures that were saved."""
    saved = []

    def save(figure, *arguments, **options):
        saved.append(figure)

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", save)
    return saved


def test_each_class_has_a_line_and_the_entropy_has_its_axis(answers, figure, tmp_path):
    draw([answers, answers], tmp_path / "a.png", classes=3)
    axes = figure[0].axes
    assert len(axes) == 6
    lines = axes[1].get_lines()
    assert [line.get_label() for line in lines] == ["dog", "cat", "car"]  # by the last probability
    np.testing.assert_array_equal(lines[0].get_ydata(), answers.probabilities[:, 1])
    np.testing.assert_array_equal(axes[2].get_lines()[0].get_ydata(), answers.entropy)
    assert axes[2].get_ylabel() == "Entropy (nats)"
    assert (axes[4].get_xlabel(), axes[4].get_xticks().tolist()) == ("Time step", [1, 2, 3])
    assert len({line.get_color() for line in lines}) == 3 <= len(COLOURS)


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_equal_answers_give_equal_bytes(answers, tmp_path, suffix):
    paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for path in paths:
        draw([answers], path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_other_suffixes_and_folders_are_refused(answers, tmp_path):
    with pytest.raises(ConvRNNError, match=r"the picture must be \.png, \.pdf, got a\.jpg"):
        draw([answers], tmp_path / "a.jpg")
    with pytest.raises(ConvRNNError, match=r"cannot write .*: No such file or directory"):
        draw([answers], tmp_path / "none/a.png")
