"""Answers to photos over time, against the network in Keras."""

import numpy as np
import pytest

from convrnn_model import (
    ConvRNNError,
    bl_net,
    class_words,
    entropy,
    load_weights,
    map_decisions,
    preprocess_image,
)
from convrnn_model.backend import keras
from convrnn_model.categories import category_classes
from convrnn_model.classify import Classifier, read_photo

pytestmark = pytest.mark.together


@pytest.fixture
def read(photos):
    return [read_photo(path, 64) for path in photos]


def test_answers_are_those_of_keras(weights, read):
    model = bl_net((64, 64, 3), 1000, n_timesteps=3, width=0.03)
    load_weights(model, weights["imagenet"])
    images = preprocess_image(np.stack([photo.image for photo in read]))
    softmax = np.stack([keras.ops.convert_to_numpy(step) for step in model(images)], axis=1)
    for answers, expected in zip(Classifier(weights["imagenet"])(read), softmax, strict=True):
        np.testing.assert_allclose(answers.probabilities, expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(answers.entropy, entropy(expected), rtol=1e-4, atol=1e-5)
        assert answers.names == class_words("imagenet")
        assert answers.largest_entropy == pytest.approx(np.log(1000))
        for step, best in zip(expected, answers.top(3), strict=True):
            assert [name for name, _ in best] == [answers.names[label] for label in np.argsort(-step)[:3]]


def test_categories_are_mapped_decisions(weights, read):
    (classes,) = Classifier(weights["ecoset"])(read[:1])
    (answers,) = Classifier(weights["ecoset"], classes="16")(read[:1])
    scores = map_decisions(classes.probabilities, "ecoset")
    np.testing.assert_allclose(answers.probabilities, scores / scores.sum(axis=1, keepdims=True))
    assert answers.names == tuple(category_classes())
    np.testing.assert_array_equal(answers.entropy, classes.entropy)


def test_names_are_words_categories_or_numbers(weights, read):
    (sixteen,) = Classifier(weights["sixteen"])(read[:1])
    assert sixteen.names == tuple(category_classes())
    (five,) = Classifier(weights["five"])(read[:1])
    assert five.names == ("class 0", "class 1", "class 2", "class 3", "class 4")
    assert Classifier(weights["ecoset"])(read[:1])[0].names[:2] == ("man", "house")
    with pytest.raises(
        ConvRNNError, match="readout must have ImageNet's 1000 or ecoset's 565 classes, got 5"
    ):
        Classifier(weights["five"], classes="16")


def test_feedforward_networks_have_one_step(weights, read):
    (answers,) = Classifier(weights["b_imagenet"])(read[:1])
    assert answers.probabilities.shape == (1, 1000)
    assert answers.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_time_steps_and_cumulative_readout_are_chosen(weights, read):
    (whole,) = Classifier(weights["five"])(read[:1])
    (first,) = Classifier(weights["five"], n_timesteps=2)(read[:1])
    np.testing.assert_allclose(first.probabilities, whole.probabilities[:2], atol=1e-6)
    (sums,) = Classifier(weights["five"], cumulative_readout=True)(read[:1])
    np.testing.assert_allclose(sums.probabilities[0], whole.probabilities[0], atol=1e-6)
    assert not np.allclose(sums.probabilities[1], whole.probabilities[1], atol=1e-3)


def test_rows_have_a_class_each(weights, read):
    (answers,) = Classifier(weights["five"])(read[:1])
    rows = list(answers.rows(2))
    assert [(row["time_step"], row["rank"]) for row in rows] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (3, 1),
        (3, 2),
    ]
    assert rows[0]["probability"] == pytest.approx(answers.probabilities[0].max(), abs=1e-6)
    with pytest.raises(ConvRNNError, match="number of photos must be a positive integer, got 0"):
        Classifier(weights["five"])([])
