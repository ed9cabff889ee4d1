"""Entropy, response times, decisions and class names."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from convrnn_model import ConvRNNError, class_names, class_words, decisions, entropy, response_times


@st.composite
def softmax_over_time(draw):
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(2, 6)))
    logits = draw(numpy_strategies.arrays(np.float64, shape, elements=st.floats(-60, 60)))
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


@given(softmax_over_time())
def test_entropy_is_the_mean_surprisal(probabilities):
    ours = entropy(probabilities)
    for place in np.ndindex(ours.shape):
        surprisal = math.fsum(-p * math.log(p) for p in probabilities[place] if p)
        assert ours[place] == pytest.approx(surprisal, abs=1e-12)


@pytest.mark.parametrize("n", [2, 565, 1000])
def test_entropy_ranges_from_0_to_log_n(n):
    assert entropy(np.eye(n)[0]) == 0
    assert entropy(np.full(n, 1 / n)) == pytest.approx(np.log(n))


@pytest.mark.parametrize("values", [[-0.1, 1.1], [3.0, -2.0], [np.nan, 1.0]])
def test_entropy_rejects_other_values(values):
    with pytest.raises(ConvRNNError, match="entropy takes probabilities"):
        entropy(np.array(values))


@given(softmax_over_time(), st.floats(0, 2))
def test_response_time_is_the_first_step_below_the_threshold(probabilities, threshold):
    below = entropy(probabilities) <= threshold
    times = response_times(probabilities, threshold)
    chosen = decisions(probabilities, threshold)
    for image, (time, answer) in enumerate(zip(times, chosen, strict=True)):
        if np.isnan(time):
            assert not below[:, image].any()
            assert answer == -1
        else:
            step = int(time)
            assert below[step, image]
            assert not below[:step, image].any()
            assert answer == probabilities[step, image].argmax()


@given(softmax_over_time(), st.floats(0, 2), st.floats(0, 2))
def test_lower_thresholds_are_not_reached_earlier(probabilities, one, other):
    late, early = (np.nan_to_num(response_times(probabilities, t), nan=np.inf) for t in sorted((one, other)))
    assert (late >= early).all()


def test_lists_of_arrays_and_tensors_are_accepted():
    steps = [np.array([[0.5, 0.5], [1.0, 0.0]], np.float32), np.array([[0.0, 1.0], [0.5, 0.5]], np.float32)]
    tensors = [keras.ops.convert_to_tensor(step) for step in steps]
    for probabilities in (steps, tensors, np.stack(steps)):
        np.testing.assert_array_equal(response_times(probabilities, 0.1), [1, 0])
        np.testing.assert_array_equal(decisions(probabilities, 0.1), [1, 0])


def test_undecided_images_have_no_response_time():
    assert np.isnan(response_times(np.full((3, 2, 4), 0.25), 1.0)).all()


@pytest.mark.parametrize("threshold", [-1, np.nan])
def test_invalid_thresholds(threshold):
    with pytest.raises(ConvRNNError, match="an entropy of at least 0 nats"):
        response_times(np.full((3, 2, 4), 0.25), threshold)


def test_response_times_require_a_time_axis():
    with pytest.raises(ConvRNNError, match=r"\(time, batch, classes\), got \(2, 4\)"):
        response_times(np.full((2, 4), 0.25), 1.0)


@pytest.mark.parametrize(
    ("dataset", "n", "first", "last"),
    [("imagenet", 1000, "n01440764", "n15075141"), ("ecoset", 565, "0001_man", None)],
)
def test_class_names(dataset, n, first, last, shared):
    published = (shared / "class_names" / f"{dataset}_categories.txt").read_text().split()
    assert list(class_names(dataset)) == published
    assert len(set(published)) == n
    assert class_names(dataset)[0] == first
    assert last in (None, class_names(dataset)[-1])


def test_class_names_of_an_unknown_data_set():
    with pytest.raises(ConvRNNError, match="imagenet or ecoset"):
        class_names("cifar10")


def test_class_words_follow_the_class_names():
    words = dict(zip(class_names("imagenet"), class_words("imagenet"), strict=True))
    assert len(set(words.values())) == 1000
    assert words["n01440764"] == "tench"
    assert words["n15075141"] == "toilet tissue"
    assert words["n02690373"] == "airliner"
    for name, word in zip(class_names("ecoset"), class_words("ecoset"), strict=True):
        assert name.endswith(f"_{word}")
    with pytest.raises(ConvRNNError, match="dataset must be imagenet or ecoset"):
        class_words("cifar")
