import pytest

from convrnn_data import ConvRNNError, prepare
from convrnn_data.imagenet.options import DEFAULT_VAL, PrepareOptions
from convrnn_data.imagenet.plan import Settings


def test_the_defaults_are_those_of_the_settings():
    assert PrepareOptions().settings(None) == Settings()
    assert Settings().val == DEFAULT_VAL


@pytest.mark.parametrize(
    ("options", "val"),
    [
        ({"val": 0.2}, 0.2),
        ({"validation": "x"}, 0.0),
        ({"validation": "x", "validation_split": "test"}, DEFAULT_VAL),
    ],
)
def test_validation_images_replace_the_share_for_validation(options, val):
    assert PrepareOptions(**options).settings(None).val == val


def test_options_and_keywords_exclude_each_other(tmp_path):
    with pytest.raises(TypeError, match="unexpected keyword argument 'imagse'"):
        prepare(tmp_path, tmp_path / "set", imagse="all")
    with pytest.raises(TypeError, match="either options or keyword arguments"):
        prepare(tmp_path, tmp_path / "set", PrepareOptions(), images="all")
    with pytest.raises(
        ConvRNNError, match=r"cannot prepare a set: workers must be a valid integer.*, got 'many'"
    ):
        prepare(tmp_path, tmp_path / "set", workers="many")


def test_options_without_the_options_they_need_are_refused():
    with pytest.raises(ConvRNNError, match="need --validation"):
        PrepareOptions(exclude_stimuli="x").require_compatible()
