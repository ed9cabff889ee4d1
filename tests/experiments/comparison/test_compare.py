"""Networks and people: hand-made results with known answers, and the table that is written of them."""

import csv
import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from convrnn_data import list_stimuli
from convrnn_experiments.cli import app
from convrnn_experiments.comparison import exits
from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.differences import differences
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.comparison.observer_estimates import mean_time_estimates, miss_rates
from convrnn_experiments.comparison.observer_group import read_observer_group, trial_keys
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import condition_name, plain_level, read_evaluations
from convrnn_experiments.observers.stimulus_checks import missing_stimuli
from convrnn_experiments.report import comparison_tables, formats, observer_tables
from convrnn_experiments.statistics import measures
from convrnn_experiments.statistics.means import mean_over


@pytest.fixture(scope="module")
def blur(tmp_path_factory, seen, make_run):
    return make_run(tmp_path_factory.mktemp("runs") / "blur", "blur", seen)


@pytest.fixture(scope="module")
def rows(blur, seen):
    return compare(read_evaluations([blur]), read_observer_group(seen))


def test_a_row_for_each_level_and_one_for_all(rows):
    assert [row.condition for row in rows] == ["blur 0", "blur 3", "blur 9", "blur (all levels)"]
    assert [row.pooled for row in rows] == [False, False, False, True]
    assert all(set(row.estimates) == {measure.key for measure in MEASURES} for row in rows)


def test_values_are_those_of_the_measures(rows):
    """What is computed with covariances gives what the plain definitions give."""
    for row in rows[:3]:
        answers, observers = row.answers, row.observers
        ours = [answers.right[answers.blocks == block, block].mean() * 100 for block in range(5)]
        theirs = [
            100 * mean_over(np.array([_mean(scores[answers.blocks == block]) for scores in observers.scores]))
            for block in range(5)
        ]
        np.testing.assert_allclose([one.value for one in row.network], ours)
        np.testing.assert_allclose([one.value for one in row.human], theirs)
        np.testing.assert_allclose([one.value for one in row.difference], np.subtract(ours, theirs))
        found = {name: estimate.value for name, estimate in row.estimates.items()}
        assert found["sat_rmse_raw"] == pytest.approx(measures.sat_rmse(ours, theirs))
        assert found["sat_rmse"] <= found["sat_rmse_raw"]
        slopes = (
            measures.steepness(np.arange(8), 100 * answers.right.mean(axis=0)),
            measures.steepness([500, 900, 1100, 1300, 1500], theirs),
        )
        assert found["steepness_network"] == pytest.approx(slopes[0])
        assert found["steepness_people"] == pytest.approx(slopes[1])
        assert found["steepness_difference"] == pytest.approx(slopes[0] - slopes[1])
        at_exit = answers.right[np.arange(len(answers.labels)), answers.blocks]
        profiles = [
            [100 * at_exit[answers.labels == label].mean() for label in range(16)],
            [
                100
                * mean_over(np.array([_mean(scores[answers.labels == label]) for scores in observers.scores]))
                for label in range(16)
            ],
        ]
        assert found["category_correlation_raw"] == pytest.approx(measures.category_correlation(*profiles))
        kappas = []
        for observer in observers.correct:
            by_block = []
            for block in range(5):
                known = (answers.blocks == block) & ~np.isnan(observer)
                by_block.append(measures.error_consistency(at_exit[known], observer[known]))
            kappas.append(mean_over(by_block))
        assert found["error_consistency"] == pytest.approx(float(mean_over(kappas)))


def _mean(scores):
    known = scores[~np.isnan(scores)]
    return known.mean() if len(known) else np.nan


def test_intervals_hold_their_values(rows):
    without = {measure.key for measure in MEASURES if not measure.interval}
    for row in rows:
        for name, found in row.estimates.items():
            if name in without:
                assert np.isnan([found.low, found.high]).all(), name
            elif np.isfinite(found.value):
                assert found.low <= found.value <= found.high, name


def half_answered(seen, tmp_path, right_half):
    """A color run that is right on half of the images, and observers who were shown that half alone."""
    stimuli = sorted(
        (s for s in list_stimuli(seen) if s.regime == "color"), key=lambda s: (s.label, str(s.parsed))
    )
    half = np.arange(len(stimuli)) % 2 == 0
    shown = {(one.block, one.name) for one, there in zip(stimuli, half, strict=True) if there}
    people = read_observer_group(seen)
    table = people.table
    keys = zip(table["block"], table["file_name"], strict=True)
    kept = table[[key in shown for key in keys]]
    kept.attrs = table.attrs
    return replace(people, table=kept), np.repeat((half if right_half else ~half)[:, None], 8, axis=1)


@pytest.mark.parametrize(("right_half", "percent"), [(True, 100), (False, 0)])
def test_only_images_that_people_answered_enter_either_side(seen, make_run, tmp_path, right_half, percent):
    people, right = half_answered(seen, tmp_path, right_half)
    (one,) = read_evaluations([make_run(tmp_path / "color", "color", seen, right=right)])
    (row,) = compare([one], people)
    assert [block.value for block in row.network] == [percent] * 5
    assert row.shared.not_shown >= len(right) / 2
    assert row.image_count + row.shared.not_shown + row.shared.not_answered == len(right)
    people_curve = [block.value for block in row.human]
    assert row.estimates["sat_rmse_raw"].value == pytest.approx(
        measures.sat_rmse([percent] * 5, people_curve)
    )


def test_an_image_that_everybody_missed_enters_neither_side(seen, make_run, tmp_path):
    people = read_observer_group(seen)
    table = people.table.copy()
    answered = (table["level"] == "c") & (table["block"] == 2) & ~table["missed"]
    image = table[answered]["file_name"].iloc[0]
    here = (table["file_name"] == image) & (table["block"] == 2)
    table.loc[here, ["missed", "correct"]] = [True, False]
    table.loc[here, "response"] = None
    table.loc[here, "response_time"] = np.nan
    table.loc[here, "score"] = 1 / 16
    table.attrs = people.table.attrs
    evaluations = read_evaluations([make_run(tmp_path / "color", "color", seen)])
    (before,), (after,) = (compare(evaluations, one) for one in (people, replace(people, table=table)))
    assert after.image_count == before.image_count - 1
    assert after.shared.not_answered == before.shared.not_answered + 1


def test_a_level_that_nobody_was_shown_enters_neither_side(seen, blur):
    people = read_observer_group(seen)
    table = people.table[people.table["level"] != "9"]
    table.attrs = people.table.attrs
    rows = compare(read_evaluations([blur]), replace(people, table=table))
    assert [row.condition for row in rows] == ["blur 0", "blur 3", "blur (all levels)"]
    assert "9" not in rows[-1].answers.levels
    assert rows[-1].cell_count == 10
    single = compare(
        read_evaluations([blur]), replace(people, table=_with_attrs(table[table["level"] != "3"], table))
    )
    assert [(row.condition, row.pooled) for row in single] == [("blur 0", True)]


def _with_attrs(table, other):
    table.attrs = other.attrs
    return table


def test_a_network_that_answers_as_people_do(tmp_path, make_run, seen):
    """Whoever copies the only observer is at no distance from him, and errs where he does."""
    one = seen / "jatos_results_color_gray.txt"
    alone = tmp_path / "answers"
    alone.mkdir()
    (alone / "jatos_results_1.txt").write_text(one.read_text().splitlines()[0] + "\n")
    stimuli = sorted(
        (s for s in list_stimuli(seen) if s.regime == "color"), key=lambda s: (s.label, str(s.parsed))
    )
    table = read_observer_group(alone, misses="wrong").table.set_index(["block", "file_name"])["correct"]
    right = np.array([[bool(table.get((s.block, s.name), False))] * 5 for s in stimuli])
    run = make_run(tmp_path / "copy", "color", seen, steps=5, right=right)
    (row,) = compare(read_evaluations([run]), read_observer_group(alone, misses="wrong"))
    assert (row.observers.correct[0] == row.answers.right[:, 0]).all()
    assert row.estimates["error_consistency"].value == pytest.approx(1)
    assert np.isnan(row.estimates["error_consistency_people"].value)  # one observer has no pair
    assert np.isnan(row.estimates["error_consistency"].low)  # nor an interval


def test_order_of_rows_does_not_matter(tmp_path, blur, seen, rows):
    import shutil

    shuffled = tmp_path / "blur"
    shutil.copytree(blur, shuffled)
    path = shuffled / "evaluation/blur/predictions.csv"
    header, *lines = path.read_text().splitlines()
    order = np.random.default_rng(0).permutation(len(lines))
    path.write_text("\n".join([header, *(lines[i] for i in order)]) + "\n")
    again = compare(read_evaluations([shuffled]), read_observer_group(seen))
    for before, after in zip(rows, again, strict=True):
        for name in before.estimates:
            # Halves of images are of their positions in the file.
            if not name.startswith("response_time") and name != "sat_rmse_affine":
                np.testing.assert_allclose(before.estimates[name].value, after.estimates[name].value)


def test_every_condition_has_one_name(rows, seen):
    """One table names the regimes, and file names, folders, results and tables go by it."""
    assert {one.regime for one in list_stimuli(seen)} == {str(regime) for regime in Regime}
    names = [
        condition_name(regime, plain_level(level))
        for regime, condition in CONDITIONS.items()
        for level in condition.test_levels
    ]
    expected = ["color", "grayscale", "noise 0", "noise 0.04", "noise 0.16", "blur 0", "blur 3", "blur 9"]
    assert names == expected
    assert {row.condition for row in rows} <= {*names, "blur (all levels)"}
    assert condition_name(Regime.BLUR, plain_level("3.0")) == "blur 3"


def invoke(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)], catch_exceptions=True)


@pytest.mark.parametrize("match", list(Exits))
def test_the_command_writes_and_prints_the_table(tmp_path, blur, seen, match):
    out = tmp_path / "table"
    done = invoke(blur, "--human", seen, "--out", out, "--exits", match, "--misses", "random")
    assert done.exit_code == 0, done.output
    with (out / "comparison.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 4 * len(MEASURES)
    assert {line["exits"] for line in lines} == {str(match)}
    assert {line["simulated_observers"] for line in lines} == {"True"}
    page = (out / "comparison.md").read_text()
    assert "simulated observers" in page
    assert f"Exits, '{match}': {exits.MEANING[match]}" in done.output
    assert "Missed trials" in page
    assert "random category" in page
    first = {name: (out / name).read_bytes() for name in ("comparison.csv", "comparison.md")}
    invoke(blur, "--human", seen, "--out", out, "--exits", match, "--misses", "random")
    assert first == {name: (out / name).read_bytes() for name in first}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--exclude", "nobody"], "the set must be one of satbench, got 'nobody'"),
        (["--human", "nowhere"], "nowhere does not exist"),
        (["--out", "FILE"], "must be a folder, got a file"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(tmp_path, blur, seen, change, says):
    (tmp_path / "file").write_text("")
    change = [str(tmp_path / "file") if word == "FILE" else word for word in change]
    done = invoke(blur, "--human", seen, "--out", tmp_path / "out", *change)
    assert isinstance(done.exception, ConvRNNError)
    assert says in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_answers_to_other_images_are_refused(tmp_path, make_run, seen):
    run = make_run(tmp_path / "noise", "noise", seen)
    answers = tmp_path / "answers"
    answers.mkdir()
    text = (seen / "jatos_results_blur.txt").read_text()
    (answers / "jatos_results_1.txt").write_text(text)
    with pytest.raises(ConvRNNError, match="stimuli that these observers answered, got none"):
        compare(read_evaluations([run]), read_observer_group(answers))


@pytest.mark.parametrize("damage", ["cut", "other", "old", "none"])
def test_results_that_cannot_be_read_are_named(tmp_path, make_run, seen, damage):
    run = make_run(tmp_path / "color", "color", seen)
    folder = run / "evaluation/color"
    if damage == "cut":
        (folder / "predictions.csv").write_text((folder / "predictions.csv").read_text()[:40])
    elif damage == "other":
        (folder / "predictions.csv").write_text("a,b\n1,2\n")
    elif damage == "old":
        measured = json.loads((folder / "measures.json").read_text())
        (folder / "measures.json").write_text(json.dumps({"regime": measured["regime"]}))
    else:
        (folder / "measures.json").unlink()
    with pytest.raises(ConvRNNError, match="evaluate"):
        read_evaluations([run])


@pytest.mark.parametrize("name", ["measures.json", "predictions.csv"])
@pytest.mark.parametrize(
    ("number", "says"), [(errno.EIO, "check `dmesg`"), (errno.ENOENT, "Run `convrnn evaluate` again")]
)
def test_errors_of_the_disk_have_the_way_out_that_fits(
    tmp_path, make_run, seen, monkeypatch, name, number, says
):
    run = make_run(tmp_path / "color", "color", seen)

    def failing(real):
        def call(path, *args, **kwargs):
            if path.name == name:
                raise OSError(number, os.strerror(number), str(path))
            return real(path, *args, **kwargs)

        return call

    for method in ("open", "read_text"):
        monkeypatch.setattr(Path, method, failing(getattr(Path, method)))
    with pytest.raises(
        ConvRNNError, match=f"cannot read .*{name}: {os.strerror(number)}. .*{says}"
    ) as caught:
        read_evaluations([run])
    assert (number == errno.ENOENT) == ("evaluate` again" in str(caught.value))


def test_names_in_every_layout_are_the_same_trials(blur):
    (one,) = read_evaluations([blur])
    keys = trial_keys(one.answers)
    assert len(set(keys)) == len(keys)
    assert all("_exit" not in name for _, name in keys)


def test_runs_of_one_name_are_told_apart(tmp_path, make_run, seen):
    paths = [make_run(tmp_path / place / "color", "color", seen) for place in ("a", "b")]
    assert [one.network for one in read_evaluations(paths)] == [str(path) for path in paths]


def test_tables_in_three_forms():
    table = [{"a": "x|y", "b": 1.23456789}, {"a": "<z>", "b": float("nan")}]
    assert formats.as_csv(table) == b"a,b\nx|y,1.23457\n<z>,\n"
    assert "x\\|y" in formats.as_markdown(table)
    assert "&lt;z&gt;" in formats.as_html(table)
    assert list(pd.DataFrame(table)) == ["a", "b"]


def test_what_does_not_fit_in_the_answers_is_said(tmp_path, blur, seen):
    answers = tmp_path / "answers"
    answers.mkdir()
    text = (seen / "jatos_results_blur.txt").read_text()
    (answers / "jatos_results_1.txt").write_text(text + "[{]\n")
    refused = invoke(blur, "--human", answers, "--out", tmp_path / "out")
    assert refused.exit_code == 1
    assert "1 of 5" in str(refused.exception)
    assert not (tmp_path / "out").exists()
    done = invoke(blur, "--human", answers, "--out", tmp_path / "out", "--max-unreadable", "0.2")
    assert done.exit_code == 0, done.output
    assert "jatos_results_1.txt, line 5: is cut short or not JSON" in done.stderr
    said = (tmp_path / "out" / "comparison.md").read_text()
    assert said.partition("Sessions left out")[2].startswith(": 1 unreadable, 0 repeated.")
    assert "4 observers found, 0 excluded; 960 trials found, 0 unreadable, 0 of excluded observers" in said
    assert "200 practice" in said
    assert said.replace("\n", "") in done.stdout.replace("\n", "")


def test_what_a_test_set_lacks_is_said_before_it_is_evaluated(tmp_path, seen):
    whole = missing_stimuli(seen, Regime.BLUR)
    assert whole == []
    half = tmp_path / "human"
    shutil.copytree(seen, half)
    for block, kept in ((0, 30), (3, 0)):
        for path in sorted((half / "BlurSplit_color" / str(block)).iterdir())[kept:]:
            path.unlink()
    incomplete, missing = "incomplete: blur, block 0: 30 of 48 images", "missing: "
    said = missing_stimuli(half, Regime.BLUR)
    assert said[:2] == [incomplete, "incomplete: blur, block 3: 0 of 48 images"]
    # Of the 66 images lost, those that somebody was shown after practice.
    table = read_observer_group(seen).table
    blur = table[table["experiment"] == "blur"]
    here = {(one.block, one.name) for one in list_stimuli(half)}
    keys = list(zip(blur["block"], blur["file_name"], strict=True))
    lost = [key for key in keys if key not in here]
    assert said[2:] == [
        f"{missing}{len(set(lost))} images, which observers were shown in {len(lost)} of {len(blur)} trials"
    ]
    assert missing_stimuli(half, Regime.NOISE) == []
    for path in half.glob("jatos*"):
        path.unlink()
    assert missing_stimuli(half, Regime.BLUR) == said[:2]


def test_trials_without_a_stimulus_are_counted(tmp_path, seen, make_run):
    """Half of the stimuli were lost in a download."""
    half = tmp_path / "human"
    shutil.copytree(seen, half)
    lost = [path for path in half.glob("BlurSplit_color/*/*.JPEG") if int(path.name.split("_")[0]) % 2]
    for path in lost:
        path.unlink()
    run = make_run(tmp_path / "blur", "blur", half)
    people = read_observer_group(seen)
    (row,) = [
        row
        for row in observer_tables.observers(people, read_evaluations([run]))
        if row["experiment"] == "blur"
    ]
    table = people.table[people.table["experiment"] == "blur"]
    expected = sum(int(name.split("_")[0]) % 2 for name in table["file_name"])
    assert 0 < expected == row["trials_without_stimulus"] == len(table) - row["trials_kept"]
    trials = pd.DataFrame(observer_tables.trials(people, read_evaluations([run])))
    assert trials.loc[trials["experiment"] == "blur", "without_stimulus"].sum() == expected
    assert trials.loc[trials["experiment"] == "noise", "without_stimulus"].sum() == 0


def test_two_networks_differ_with_an_interval(tmp_path, make_run, seen):
    runs = [make_run(tmp_path / name, "blur", seen, seed=seed) for seed, name in enumerate(("one", "other"))]
    found = differences(compare(read_evaluations(runs), read_observer_group(seen)))
    assert len(found) == 4 * 3
    assert {(one.network, one.reference) for one in found} == {("one", "other")}
    for one in found:
        assert one.estimate.low <= one.estimate.value <= one.estimate.high or np.isnan(one.estimate.value)
    table = comparison_tables.differences_wide(found)
    assert [row["networks"] for row in table] == ["one − other"] * 4


def test_networks_on_other_images_have_no_paired_difference(tmp_path, make_run, seen):
    rows = compare(
        read_evaluations(
            [make_run(tmp_path / "color", "color", seen), make_run(tmp_path / "blur", "blur", seen)]
        ),
        read_observer_group(seen),
    )
    assert differences(rows) == []


def test_mean_times_and_misses_are_of_observers_first(rows):
    observers = rows[0].observers
    for block, (time, miss) in enumerate(
        zip(mean_time_estimates(observers), miss_rates(observers), strict=True)
    ):
        here = observers.blocks == block
        own = [np.nanmean(times[here]) for times in observers.times if np.isfinite(times[here]).any()]
        assert time.value == pytest.approx(np.mean(own))
        assert time.low < time.value < time.high
        trials = ~np.isnan(observers.scores[:, here]) | observers.missed[:, here]
        shares = [
            100 * missed[here][shown].mean() for missed, shown in zip(observers.missed, trials, strict=True)
        ]
        assert miss.value == pytest.approx(np.mean(shares))
        assert miss.low < miss.high
