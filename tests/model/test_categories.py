"""Decisions among 16 categories from the probabilities of ImageNet's or ecoset's classes."""

import tarfile

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_model import ConvRNNError, category_classes, class_names, map_decisions

SYNSETS = {
    **{"airplane": 1, "bear": 4, "bicycle": 2, "bird": 49, "boat": 5, "bottle": 7, "car": 3, "cat": 6},
    **{"chair": 4, "clock": 3, "dog": 109, "elephant": 2, "keyboard": 2, "knife": 1, "oven": 1, "truck": 3},
}
"""Number of synsets of each category on the lists of Geirhos et al."""
CLASSES = {"imagenet": 1000, "ecoset": 565}

each_source = pytest.mark.parametrize("source", CLASSES)


def softmax(shape, seed):
    shares = np.exp(3 * np.random.default_rng(seed).normal(size=shape))
    return shares / shares.sum(axis=-1, keepdims=True)


def directly(probabilities, source, rule):
    """Score one image with Python's numbers, class by class in readout order."""
    scores = []
    for classes in category_classes(source).values():
        found = [
            float(p) for p, name in zip(probabilities, class_names(source), strict=True) if name in classes
        ]
        total = found[0]
        for value in found[1:]:
            total += value
        scores.append({"average": total / len(found), "sum": total, "max": max(found)}[rule])
    return scores


@each_source
@given(rule=st.sampled_from(["average", "sum", "max"]), seed=st.integers(0, 99), single=st.booleans())
def test_scores_equal_a_direct_computation_exactly(source, rule, seed, single):
    probabilities = softmax((3, 2, CLASSES[source]), seed).astype(np.float32 if single else np.float64)
    scores = map_decisions(probabilities, source, rule=rule)
    assert scores.dtype == np.float64
    assert scores.shape == (3, 2, 16)
    for place in np.ndindex(3, 2):
        assert scores[place].tolist() == directly(probabilities[place], source, rule)


@each_source
@pytest.mark.parametrize("rule", ["average", "sum", "max"])
def test_a_certain_class_decides_for_its_category(source, rule):
    certain = np.eye(CLASSES[source])
    for label, classes in enumerate(category_classes(source).values()):
        rows = [class_names(source).index(name) for name in classes]
        scores = map_decisions(certain[rows], source, rule=rule)
        assert (scores.argmax(axis=-1) == label).all()
        assert (np.delete(scores, label, axis=-1) == 0).all()
        assert scores[:, label] == pytest.approx(1 / len(classes) if rule == "average" else 1)


@each_source
def test_every_class_is_in_at_most_one_category(source):
    table = category_classes(source)
    assert list(table) == list(SYNSETS)
    members = [name for classes in table.values() for name in classes]
    assert len(set(members)) == len(members)
    assert set(members) <= set(class_names(source))
    assert all(table.values())


def test_synsets_are_those_of_the_lists(shared):
    listed = {}
    with tarfile.open(shared / "image_names.tar.xz") as tar:
        for member in tar:
            if member.isfile():
                names = tar.extractfile(member).read().split()
                listed[member.name.split("/")[-1].removesuffix(".txt")] = {
                    name[:9].decode() for name in names
                }
    assert {category: set(classes) for category, classes in category_classes().items()} == listed
    assert {category: len(classes) for category, classes in category_classes().items()} == SYNSETS
    assert sum(SYNSETS.values()) == 202


def test_ecoset_has_stand_ins_for_keyboard_and_oven():
    table = category_classes("ecoset")
    assert table["keyboard"] == ("1011_typewriter",)
    assert table["oven"] == ("0384_stove",)
    assert table["dog"] == ("0039_dog",)
    assert not {"0077_ship", "0710_bobcat", "1306_wolf", "1892_panda"} & {
        name for classes in table.values() for name in classes
    }


def test_lists_of_tensors_are_accepted():
    probabilities = softmax((4, 2, 1000), 0).astype(np.float32)
    expected = map_decisions(probabilities)
    steps = [keras.ops.convert_to_tensor(step) for step in probabilities]
    np.testing.assert_array_equal(map_decisions(steps), expected)
    np.testing.assert_array_equal(map_decisions(keras.ops.convert_to_tensor(probabilities)), expected)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((2, 565), {}, r"imagenet must have the shape \(\.\.\., 1000\), got \(2, 565\)"),
        ((2, 1000), {"source": "ecoset"}, r"ecoset must have the shape \(\.\.\., 565\), got \(2, 1000\)"),
        ((), {}, r"\(\.\.\., 1000\), got \(\)"),
        ((2, 1000), {"source": "cifar10"}, "source must be 'imagenet' or 'ecoset', got 'cifar10'"),
        ((2, 1000), {"to": "8-class"}, "to must be '16-class', got '8-class'"),
        ((2, 1000), {"rule": "median"}, "rule must be 'average', 'sum', 'max', got 'median'"),
    ],
)
def test_invalid_arguments(shape, arguments, message):
    with pytest.raises(ConvRNNError, match=message):
        map_decisions(np.full(shape, 0.001), **arguments)


@pytest.mark.parametrize("value", [-0.1, 3.0, np.nan])
def test_other_values_than_probabilities(value):
    with pytest.raises(ConvRNNError, match="map_decisions takes probabilities"):
        map_decisions(np.full((1, 1000), value))


def test_no_images():
    assert map_decisions(np.empty((0, 8, 1000), np.float32)).shape == (0, 8, 16)
