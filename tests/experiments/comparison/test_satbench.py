"""Published curves, recovered from synthetic answers under the published convention for misses."""

import json

import numpy as np
import pytest
from answers_by_hand import response, session_rows

from convrnn_data.categories import CATEGORIES
from convrnn_data.observers.exclusions import exclude
from convrnn_data.observers.table import observer_curves, read_observers, with_misses
from convrnn_data.sample.simulated_observers import CURVES, MISSED
from convrnn_experiments.comparison import satbench

EXPERIMENTS = {
    "color": ("color_gray", "c"),
    "grayscale": ("color_gray", "g"),
    "blur 0": ("blur", "0"),
    "blur 9": ("blur", "9"),
}
OBSERVERS, TRIALS = 45, 200


def quotas(total, count, rng):
    """Return `count` whole numbers that vary and sum to `total`."""
    numbers = np.floor(rng.dirichlet(np.full(count, 400)) * total).astype(int)
    numbers[rng.permutation(count)[: total - numbers.sum()]] += 1
    return numbers


def share_missed(percent):
    """Return the usual shares (blocks,), reduced in blocks with too many correct trials for them."""
    return np.minimum(MISSED, 0.7 * (1 - np.nan_to_num(percent) / 100))


def answers(condition, percent):
    """Return sessions in which `percent` of each block's trials are correct and the usual share is missed."""
    rng = np.random.default_rng(len(condition))
    experiment, level = EXPERIMENTS[condition]
    blocks = {number: {} for number in range(OBSERVERS)}
    for block, (correct, missed) in enumerate(
        zip(np.nan_to_num(percent), share_missed(percent), strict=True)
    ):
        hits = quotas(round(correct / 100 * TRIALS * OBSERVERS), OBSERVERS, rng)
        misses = np.minimum(quotas(round(missed * TRIALS * OBSERVERS), OBSERVERS, rng), TRIALS - hits)
        for number in range(OBSERVERS):
            kinds = np.repeat(
                ["hit", "miss", "error"],
                [hits[number], misses[number], TRIALS - hits[number] - misses[number]],
            )
            rows = []
            for trial, kind in enumerate(rng.permutation(kinds)):
                category = CATEGORIES[trial % 16]
                wrong = CATEGORIES[(trial + 5) % 16]
                answer = {"hit": category, "miss": None, "error": wrong}[kind]
                name = f"{trial + 10}_{experiment}_{level}_{category}.JPEG"
                rows.append(response(name, answer, 400))
            first = [response(f"{i}_{experiment}_{level}_bird.JPEG", "bird", 400) for i in range(10)]
            blocks[number][block] = [*first, *rows]
    return [session_rows(f"9{number:03d}", trials) for number, trials in blocks.items()]


def mean_curve(table, misses):
    curves = observer_curves(with_misses(table, misses, seed=0), by=None)
    return curves.mean().to_numpy()


@pytest.mark.parametrize(
    "curve", [one for one in satbench.CURVES if one.source == "notebook"], ids=lambda one: one.condition
)
def test_notebook_curves_are_recovered_where_misses_are_wrong(tmp_path, curve):
    path = tmp_path / "jatos_results_1.txt"
    path.write_text("\n".join(json.dumps(rows) for rows in answers(curve.condition, curve.percent)))
    table = exclude(read_observers(path, strict=True), named=["satbench"])
    known = ~np.isnan(curve.percent)
    found = mean_curve(table, curve.misses)
    assert found[known] == pytest.approx(np.array(curve.percent)[known], abs=0.5)
    # The other conventions give higher curves, by 1/16 of the misses or more.
    missed = share_missed(curve.percent)
    expected = np.array(curve.percent) + 100 / 16 * missed
    assert mean_curve(table, "chance")[known] == pytest.approx(expected[known], abs=0.5)
    assert mean_curve(table, "random")[known] == pytest.approx(expected[known], abs=1)


@pytest.mark.parametrize("condition", ["color", "grayscale", "blur 9"])
def test_figure_and_notebook_agree_under_the_same_convention(condition):
    """Check that the two sources agree once the notebook's misses, at their usual share, score 1/16."""
    (figure,) = [one for one in satbench.comparable(condition, "chance") if one.who == "people"]
    (notebook,) = [one for one in satbench.comparable(condition, "wrong") if one.who == "people"]
    converted = np.array(notebook.percent) + 100 / 16 * np.array(MISSED)
    assert converted == pytest.approx(figure.percent, abs=1.2)


def test_simulated_observers_have_the_curves_of_the_published_figure():
    human_curves = [one for one in satbench.CURVES if (one.who, one.source) == ("people", "figure")]
    assert len(human_curves) == 6
    for curve in human_curves:
        regime, _, level = curve.condition.partition(" ")
        experiment, key = {"color": ("color_gray", "c"), "grayscale": ("color_gray", "g")}.get(
            regime, (regime, level)
        )
        np.testing.assert_allclose(curve.percent, CURVES[experiment][key])


def test_published_curves_name_source_and_convention():
    for curve in satbench.CURVES:
        assert len(curve.percent) == len(curve.error) == 5
        if curve.who == "people":
            assert (curve.source, curve.misses) in {("figure", "random"), ("notebook", "wrong")}
        else:
            assert (curve.source, curve.misses) == ("figure", None)


@pytest.mark.parametrize(
    ("misses", "expected"),
    [
        ("chance", [("people", "figure", 36.5), ("ConvRNN", "figure", 4.3)]),
        ("random", [("people", "figure", 36.5), ("ConvRNN", "figure", 4.3)]),
        ("wrong", [("people", "notebook", 35.6), ("ConvRNN", "figure", 4.3)]),
        ("answered", [("ConvRNN", "figure", 4.3)]),
    ],
)
def test_only_curves_of_the_same_convention_are_comparable(misses, expected):
    found = satbench.comparable("blur 9", misses)
    assert [(curve.who, curve.source, curve.percent[-1]) for curve in found] == expected
    assert satbench.comparable("blur 7", misses) == []
