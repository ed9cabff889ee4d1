"""Losses and metrics: balanced over categories where documented, and blind to filler rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_data import CATEGORIES
from convrnn_experiments.conditions import Regime
from convrnn_experiments.runs.config import Config
from convrnn_experiments.training import loop
from convrnn_experiments.training.objectives import (
    FILLER,
    BalancedExitAccuracy,
    ExitAccuracy,
    MeanLoss,
    TimeAveragedCrossentropy,
    balanced_weights,
    learning_rate,
)

DOG = CATEGORIES.index("dog")


def logits_of(answers: np.ndarray) -> np.ndarray:
    """Return logits (batch, time, 16) whose maximum is at the answer, (batch, time)."""
    return 5.0 * np.eye(16, dtype=np.float32)[answers]


def balanced(labels: np.ndarray, answers: np.ndarray) -> float:
    return float(np.mean([np.mean(answers[labels == label] == label) for label in np.unique(labels)]))


def test_always_answering_dog_scores_one_category_in_sixteen() -> None:
    labels = np.array([DOG] * 525 + [label for label in range(16) if label != DOG] * 32)
    answers = np.full((len(labels), 1), DOG)
    metrics = BalancedExitAccuracy(0), ExitAccuracy(0)
    for metric in metrics:
        metric.update_state(labels, logits_of(answers))
    assert [float(metric.result()) for metric in metrics] == pytest.approx([1 / 16, 525 / 1005])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(1, 60), parts=st.integers(1, 4))
def test_balanced_accuracy_is_the_mean_over_the_categories_that_occur(
    seed: int, count: int, parts: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(16, size=count)
    answers = np.where(rng.random((count, 2)) < 0.6, labels[:, None], rng.integers(16, size=(count, 2)))
    metric = BalancedExitAccuracy(1)
    for chosen in np.array_split(np.arange(count), parts):
        if len(chosen):
            metric.update_state(labels[chosen], logits_of(answers[chosen]))
    assert float(metric.result()) == pytest.approx(balanced(labels, answers[:, 1]), abs=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_fillers_count_in_no_metric_and_no_loss() -> None:
    labels, answers = np.array([3, 5, 3, FILLER]), np.array([[3], [5], [3], [7]])
    for metric in (ExitAccuracy(0), BalancedExitAccuracy(0)):
        metric.update_state(labels, logits_of(answers))
        assert float(metric.result()) == 1.0
    weights = np.float32([0.5, 2.0, 0.5, 0.0])
    logits = np.random.default_rng(0).normal(size=(4, 3, 16)).astype(np.float32)
    for function in (TimeAveragedCrossentropy(), _mean_loss):
        without_filler = float(function(labels[:3], logits[:3], sample_weight=weights[:3]))
        assert float(function(labels, logits, sample_weight=weights)) == pytest.approx(
            without_filler, rel=1e-6
        )


def _mean_loss(labels: np.ndarray, logits: np.ndarray, sample_weight: np.ndarray) -> float:
    metric = MeanLoss()
    metric.update_state(labels, logits, sample_weight)
    return float(metric.result())


def rows_with_fillers(features: np.ndarray, labels: np.ndarray, rows: list[int]) -> tf.data.Dataset:
    """Return batches of 4 as the pipeline yields them: a filler, -1, has the first image and its label."""
    order = np.maximum(rows, 0)
    return tf.data.Dataset.from_tensor_slices((features[order], labels[order], np.array(rows))).batch(4)


def test_training_with_fillers_equals_training_without() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(10, 2, 5)).astype(np.float32)
    labels = rng.integers(4, size=10).astype(np.int32)
    found = []
    # 4, 4 and 2 rows; the last batch filled up to 4, as for four processes.
    for filled in ([], [-1, -1]):
        shown = rows_with_fillers(features, labels, [*range(10), *filled])
        pooled = keras.Input((2, 5))
        dense = keras.layers.Dense(16, kernel_initializer="zeros")
        task = loop.Task(keras.Model(pooled, dense(pooled)), lambda epoch, shown=shown: shown, shown, labels)
        config = Config(data="", perturb=Regime.COLOR, batch_size=4, epochs=2)
        loop.compile_task(task, config)
        rows = [loop.run_epoch(task, config, epoch) for epoch in range(2)]
        found.append(([{**row, "seconds": 0} for row in rows], dense.get_weights()))
    (plain, weights), (with_fillers, same) = found
    for row, other in zip(plain, with_fillers, strict=True):
        assert other == pytest.approx(row, rel=1e-6)
    for one, other in zip(weights, same, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-7)  # float32 sums of other lengths
    answers = (features @ weights[0] + weights[1]).argmax(-1)
    for exit_index in range(2):
        expected = balanced(labels, answers[:, exit_index]), np.mean(answers[:, exit_index] == labels)
        names = f"val_balanced_accuracy_exit{exit_index}", f"val_accuracy_exit{exit_index}"
        assert [plain[-1][name] for name in names] == pytest.approx(expected)


def test_the_loss_is_weighted_and_averaged_over_images() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(7, 2, 16)).astype(np.float32)
    labels = np.array([0, 0, 0, 0, 0, 3, 9])
    weights = balanced_weights(labels)[labels]
    softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    each = -np.log([softmax[image, :, label] for image, label in enumerate(labels)]).mean(axis=1)
    assert _mean_loss(labels, logits, weights) == pytest.approx(np.mean(weights * each), rel=1e-5)
    loss = TimeAveragedCrossentropy()(labels, logits, sample_weight=weights)
    assert float(loss) == pytest.approx(np.mean(weights * each), rel=1e-5)


def test_loss_is_the_mean_over_time_of_the_crossentropy() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(5, 3, 16)).astype("float32"), rng.integers(16, size=5)
    softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -np.log([softmax[image, :, label] for image, label in enumerate(labels)]).mean()
    assert float(TimeAveragedCrossentropy()(labels, logits)) == pytest.approx(expected, rel=1e-5)


def test_exit_accuracy_is_of_its_own_time_step() -> None:
    logits = keras.ops.one_hot(np.array([[1, 2], [1, 1], [3, 1]]), 16)
    for step, expected in enumerate((2 / 3, 2 / 3)):
        metric = ExitAccuracy(step)
        metric.update_state(np.array([1, 1, 1]), logits)
        assert float(metric.result()) == pytest.approx(expected)
    last = ExitAccuracy(1)
    last.update_state(np.array([2, 1, 3]), logits)
    assert float(last.result()) == pytest.approx(2 / 3)


def test_class_weights_follow_the_labels_order_and_balance() -> None:
    labels = np.array([15] * 6 + [0] * 3 + [7])
    weights = balanced_weights(labels)
    np.testing.assert_allclose(weights[[15, 0, 7]], [10 / (3 * 6), 10 / (3 * 3), 10 / 3], rtol=1e-6)
    assert weights[1] == 0
    assert weights[labels].mean() == pytest.approx(1)


def test_learning_rate_warms_up_then_holds_or_falls() -> None:
    assert learning_rate(0.1, schedule="constant", steps=10, warmup_steps=0) == 0.1
    held = learning_rate(0.1, schedule="constant", steps=10, warmup_steps=4)
    np.testing.assert_allclose([float(held(step)) for step in (0, 2, 4, 9)], [0, 0.05, 0.1, 0.1], atol=1e-7)
    falling = learning_rate(0.1, schedule="cosine", steps=10, warmup_steps=0)
    np.testing.assert_allclose([float(falling(step)) for step in (0, 5, 10)], [0.1, 0.05, 0.0], atol=1e-7)
