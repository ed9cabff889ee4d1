"""Table of observers' trials: reading, scores of misses, curves and means by image."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from answers_by_hand import SCREENS, five_blocks, practice, practice_of, problems, response, session

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.categories import CATEGORIES
from convrnn_data.observers import table as observer_table
from convrnn_data.observers.table import (
    by_image,
    correct_matrix,
    is_simulated,
    observer_curves,
    read_observers,
    with_misses,
)
from convrnn_data.sample import simulated_observers


def test_known_answers_are_read_exactly(write_answers):
    trials = [
        response("10_blur_9_cat.JPEG", "cat", 512.5),
        response("11_blur_0_dog.JPEG", "bear", 750.0),
        response("12_blur_3_oven.JPEG", None, 750),
    ]
    first = [response("0_blur_0_cat.JPEG", "dog", 2000)] * 10
    tutorial = [*first, response("0_blur_0_cat.JPEG", "cat", 2000), response("1_blur_0_car.JPEG", None, 2000)]
    table = read_observers(write_answers(session(2406, {0: [*practice(), *trials]}, tutorial)))
    expected = pd.DataFrame(
        {
            "observer": "2406",
            "experiment": "blur",
            "block": 0,
            "beep": 500,
            "trial": [10, 11, 12],
            "order": 1,
            "file_name": ["10_blur_9_cat.JPEG", "11_blur_0_dog.JPEG", "12_blur_3_oven.JPEG"],
            "category": ["cat", "dog", "oven"],
            "level": ["9", "0", "3"],
            "response": ["cat", "bear", None],
            "correct": [True, False, False],
            "score": [1, 0, 1 / 16],
            "response_time": [512.5, 750.0, math.nan],
            "missed": [False, False, True],
            "duration": [512.5, 750.0, 750.0],
            "practice": False,
            "in_time": True,
            "tutorial_accuracy": 0.5,
        }
    )
    pd.testing.assert_frame_equal(table, expected.astype(table.dtypes.to_dict()), check_like=False)
    assert table["response"].isna().tolist() == [False, False, True]
    assert table.attrs["left_out"] == {"practice": 10, "out_of_time": 0}


def simulate(count=2, trials=32):
    text, truth = {}, {}
    for experiment, curves in simulated_observers.CURVES.items():
        levels = list(curves)
        stimuli = [
            [
                (f"{i}_{experiment}_{levels[i % len(levels)]}_{CATEGORIES[i % 16]}.JPEG", levels[i % len(levels)],
                 CATEGORIES[i % 16])
                for i in range(trials)
            ]
            for _ in range(5)
        ]  # fmt: skip
        lines = [
            simulated_observers.simulate_observer(experiment, number, stimuli, seed=1)
            for number in range(count)
        ]
        text[experiment] = "\n".join(lines) + "\n"
        for line in lines:
            rows = json.loads(line)
            block = -1
            for row in rows:
                block = SCREENS.index(row["sender"]) if row["sender"] in SCREENS else block
                if row["sender"] == "Stimulus & Response" and block >= 0:
                    truth[rows[0]["url"]["srid"], experiment, block, row["filename"]] = row
    return text, truth


def test_simulated_observers_are_read_completely(write_answers, tmp_path):
    text, truth = simulate()
    for experiment, lines in text.items():
        write_answers(lines, name=f"jatos_results_simulated_{experiment}.txt")
    table = read_observers(tmp_path, strict=True, all_trials=True)
    assert len(table) == len(truth) == 2 * 3 * 5 * 32
    for trial in table.itertuples():
        row = truth[trial.observer, trial.experiment, trial.block, trial.file_name]
        assert (trial.category, trial.level, trial.order) == (row["category"], row["mode"], row["order"])
        assert (trial.correct, trial.missed) == (row["correct"], "response" not in row)
        if not trial.missed:
            assert (trial.response, trial.response_time) == (row["response"], row["duration"])
    assert is_simulated(table)
    scored = read_observers(tmp_path)
    assert len(scored) == 2 * 3 * 5 * 22
    assert scored.attrs["left_out"] == {"practice": 300, "out_of_time": 0}


def test_only_times_until_250_ms_after_the_beep_count(write_answers):
    names = [f"{i}_noise_0.04_car.JPEG" for i in range(6)]
    times = [0, -3, 0.1, 1150, 1150.1, 1e6]
    rows = [response(name, "car", time) for name, time in zip(names, times, strict=True)]
    path = write_answers(session("7", {1: [*practice_of("noise_0_cat"), *rows]}))
    table = read_observers(path)
    assert table["response_time"].tolist() == [0.1, 1150]
    assert table.attrs["left_out"] == {"practice": 10, "out_of_time": 4}
    everything = read_observers(path, all_trials=True)
    assert everything["in_time"].tolist() == [True] * 10 + [False, False, True, True, False, False]
    assert everything["practice"].sum() == 10


def test_blocks_in_descending_order_are_numbered_by_speed(write_answers):
    blocks = five_blocks([response("50_blur_9_cat.JPEG", "cat", 450, -1)], -1)
    table = read_observers(write_answers(session("7", dict(reversed(blocks.items())))))
    assert table[["block", "beep", "order"]].to_numpy().tolist() == [
        [0, 500, -1], [1, 900, -1], [2, 1100, -1], [3, 1300, -1], [4, 1500, -1]
    ]  # fmt: skip


def test_incomplete_sessions_are_kept_and_reported(write_answers):
    trial = response("50_blur_9_cat.JPEG", "cat", 450)
    complete, incomplete = (
        session("1", five_blocks([trial])),
        session("2", {0: [*practice(), trial], 1: practice()[:4]}),
    )
    table = read_observers(write_answers(complete, incomplete))
    assert table.groupby("observer").size().to_dict() == {"1": 5, "2": 1}
    (problem,) = problems(table)
    assert "line 2: observer 2: incomplete session: " in problem
    assert "block 1 has 4" in problem
    assert "block 4 has 0" in problem


def test_a_second_session_is_left_out_and_reported(write_answers, tmp_path):
    trial = response("50_blur_9_cat.JPEG", "cat", 450)
    first = write_answers(session("1", {0: [*practice(), trial]}), name="jatos_results_a.txt")
    write_answers(
        session("1", five_blocks([trial])), session("1", five_blocks([trial])), name="jatos_results_b.txt"
    )
    table = read_observers([tmp_path, first, first])
    assert len(table) == 5
    reported = problems(table)
    assert sum("another session of blur" in problem for problem in reported) == 2
    assert any(str(first) in problem for problem in reported)


def test_paths_without_answers_are_errors(tmp_path, write_answers):
    with pytest.raises(ConvRNNError, match="does not exist"):
        read_observers(tmp_path / "absent")
    with pytest.raises(ConvRNNError, match=r"must hold jatos_results_\*\.txt, .*, got none of these"):
        read_observers([tmp_path])
    with pytest.raises(ConvRNNError, match=r"must hold at least one observer, got no readable one: .*line 1"):
        read_observers(write_answers("{}"))
    with pytest.raises(ConvRNNError, match="must hold at least one observer, got no"):
        read_observers([])


def test_an_extra_trial_in_one_block_does_not_make_the_others_incomplete(write_answers):
    hit = response("50_blur_9_cat.JPEG", "cat", 450)
    table = read_observers(
        write_answers(session("7", {**five_blocks([hit]), 0: [*practice(), hit, hit]})), strict=True
    )
    assert len(table) == 6


def read_simulated(tmp_path, count=3):
    text, _ = simulate(count)
    for experiment, lines in text.items():
        (tmp_path / f"jatos_results_{experiment}.txt").write_text(lines)
    return read_observers(tmp_path)


def test_every_convention_scores_misses_and_nothing_else(tmp_path):
    table = read_simulated(tmp_path)
    missed = table["missed"]
    assert 0 < missed.sum() < len(table)
    scores = {name: with_misses(table, name) for name in observer_table.MISSES}
    for name, scored in scores.items():
        answered = scored[~missed]
        pd.testing.assert_frame_equal(answered, table[~missed])
        assert (answered["score"] == answered["correct"]).all(), name
        assert scored["response_time"].isna().sum() == missed.sum()
    for name, miss in (("chance", 1 / 16), ("wrong", 0), ("answered", np.nan)):
        assert np.array_equal(scores[name].loc[missed, "score"], [miss] * missed.sum(), equal_nan=True)
        assert scores[name].loc[missed, "response"].isna().all()
        assert not scores[name].loc[missed, "correct"].any()
    random = scores["random"]
    assert random["response"].isin(CATEGORIES).all()
    assert (random["correct"] == (random["response"] == random["category"])).all()
    assert (random["score"] == random["correct"]).all()
    pd.testing.assert_frame_equal(scores["chance"], table)  # the default when reading
    with pytest.raises(ConvRNNError, match="must be one of chance, wrong, random, answered, got 'ignored'"):
        with_misses(table, "ignored")


def test_chance_is_the_expectation_of_random(tmp_path):
    table = read_simulated(tmp_path, count=4)
    table["missed"] |= table["trial"] % 2 == 1
    chance = with_misses(table, "chance")["score"].mean()
    random = [with_misses(table, "random", seed=seed)["score"].mean() for seed in range(40)]
    assert np.mean(random) == pytest.approx(chance, abs=4 * np.std(random, ddof=1) / 40**0.5)


def test_curves_images_and_agreement_follow_the_convention(write_answers):
    rows = [response("50_blur_9_cat.JPEG", "cat", 400), response("51_blur_9_dog.JPEG", None, None)]
    table = read_observers(
        write_answers(session("1", five_blocks(rows)), session("2", five_blocks([rows[0], *rows[1:]])))
    )
    expected = {"chance": (53.125, 1 / 16, np.nan), "wrong": (50, 0, 0), "answered": (100, np.nan, np.nan)}
    for convention, (curve, image, agreement) in expected.items():
        scored = with_misses(table, convention)
        assert observer_curves(scored).loc[("blur", "9", "1")].tolist() == pytest.approx([curve] * 5)
        images = by_image(scored).query("block == 2").set_index("file_name")
        assert images.loc["51_blur_9_dog.JPEG", "accuracy"] == pytest.approx(image, nan_ok=True)
        matrix = correct_matrix(scored)
        assert matrix.shape == (2, 10)
        assert matrix[("blur", 2, "50_blur_9_cat.JPEG")].tolist() == [1, 1]
        assert matrix[("blur", 2, "51_blur_9_dog.JPEG")].tolist() == pytest.approx(
            [agreement] * 2, nan_ok=True
        )


def test_random_answers_depend_on_the_seed_and_the_trial_alone(tmp_path):
    table = read_simulated(tmp_path)
    whole = with_misses(table, "random", seed=5)
    some = with_misses(table.sample(frac=0.5, random_state=0), "random", seed=5)
    pd.testing.assert_frame_equal(some, whole.loc[some.index])
    assert (with_misses(table, "random", seed=6)["response"] != whole["response"]).any()


def test_random_answers_are_even_over_the_categories():
    n = 16_000
    table = pd.DataFrame(
        {"observer": "1", "experiment": "blur", "block": 0, "trial": range(n), "missed": True,
         "response": pd.Series([None] * n, dtype="str"), "category": "cat", "correct": False, "score": 0.0}
    )  # fmt: skip
    counts = with_misses(table, "random", seed=0)["response"].value_counts()
    assert len(counts) == 16
    assert ((counts - 1000) ** 2 / 1000).sum() < 37.7  # chi-squared, 15 degrees of freedom, p = 0.001


def test_curves_and_images_by_hand(write_answers):
    def block(*answers):
        names = [f"{50 + i}_blur_9_cat.JPEG" for i in range(len(answers))]
        return [
            response(name, answer, 400 + 20 * i)
            for i, (name, answer) in enumerate(zip(names, answers, strict=True))
        ]

    table = read_observers(
        write_answers(
            session("1", {b: [*practice(), *block("cat", "cat", "dog")] for b in range(5)}),
            session("2", {b: [*practice(), *block("cat", "dog", None)] for b in range(5)}),
        )
    )
    table = with_misses(table, "wrong")
    curves = observer_curves(table)
    assert curves.loc[("blur", "9", "1")].tolist() == pytest.approx([200 / 3] * 5)
    assert curves.groupby(level=["experiment", "level"]).mean().iloc[0].tolist() == pytest.approx([50] * 5)
    assert (
        observer_curves(table[table["block"] == 1], None).loc[("blur", "1")].isna().tolist()
        == [True, False] + [True] * 3
    )
    images = by_image(table).query("block == 2").set_index("file_name")
    assert images["accuracy"].tolist() == [1, 0.5, 0]
    assert images["missed"].tolist() == [0, 0, 0.5]
    assert images["response_time"].tolist() == [400, 420, 440]
    # Observer 1's times are standardised to -1, 0, 1, observer 2's two to -0.707, 0.707.
    assert images["response_time_z"].tolist() == pytest.approx([-0.854, 0.354, 1], abs=1e-3)
    matrix = correct_matrix(table)
    assert matrix.shape == (2, 15)
    assert matrix[("blur", 0, "52_blur_9_cat.JPEG")].tolist() == [0, 0]


def test_images_without_an_answer_have_no_time(write_answers):
    table = read_observers(
        write_answers(session("1", five_blocks([response("50_blur_9_cat.JPEG", None, None)])))
    )
    images = by_image(table)
    assert images["response_time"].isna().all()
    assert images["missed"].tolist() == [1] * 5


def test_the_order_of_lines_does_not_matter(write_answers):
    lines = [
        session(str(i), five_blocks([response("50_blur_9_cat.JPEG", CATEGORIES[i], 450)])) for i in range(4)
    ]
    forward, backward = (
        read_observers(write_answers(*lines)),
        read_observers(write_answers(*lines[::-1], name="jatos_results_2.txt")),
    )
    pd.testing.assert_frame_equal(forward, backward)
    assert np.array_equal(forward["observer"].unique(), list("0123"))
