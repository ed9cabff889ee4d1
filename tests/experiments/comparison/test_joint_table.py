"""Joint table of observers and networks, compared with the answers it is made of."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from trials_by_hand import NETWORKS, PEOPLE

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison import joint_table
from convrnn_experiments.comparison.joint_table import COLUMNS, joint_rows, require_format, write_joint_table
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.rows.read import read_rows


@pytest.fixture(scope="module")
def evaluations(blur, make_run, human_data, tmp_path_factory):
    color = make_run(tmp_path_factory.mktemp("runs") / "color", "color", human_data)
    return read_evaluations([blur, color])


@pytest.fixture(scope="module")
def group(human_data):
    return read_observer_group(human_data, misses="random")


@pytest.fixture(scope="module")
def table(evaluations, group):
    return pd.concat(joint_rows(evaluations, group), ignore_index=True)


def test_every_trial_meets_every_step(table, evaluations, group):
    assert table.columns.tolist() == list(COLUMNS)
    trials = sum(len(group.trials(evaluation.regime)) for evaluation in evaluations)
    assert len(table) == 8 * trials
    assert table.groupby(["network", "condition"]).ngroups == len(evaluations) == 2
    keys = ["network", "observer", "block", "image", "step"]
    assert not table.duplicated(keys).any()
    assert table["step"].unique().tolist() == list(range(8))


def test_both_sides_are_those_of_their_tables(table, evaluations, group):
    network = {
        (evaluation.network, int(block), str(name).replace(f"_exit{block}", "")): row
        for evaluation in evaluations
        for row, (block, name) in enumerate(
            zip(evaluation.answers.blocks, evaluation.answers.names, strict=True)
        )
    }
    by_name = {evaluation.network: evaluation.answers for evaluation in evaluations}
    human = {
        (row.observer, row.experiment, row.block, row.file_name): row
        for row in group.table.itertuples(index=False)
    }
    for row in table.sample(500, random_state=0).itertuples(index=False):
        image = network[row.network, row.block, row.image]
        answers = by_name[row.network]
        assert row.network_answer == CATEGORIES[answers.answers[image, row.step]]
        assert row.network_correct == (
            row.network_answer == row.category == CATEGORIES[answers.labels[image]]
        )
        assert (row.confidence, row.entropy) == (
            answers.confidence[image, row.step],
            answers.entropy[image, row.step],
        )
        trial = human[row.observer, row.experiment, row.block, row.image]
        assert (row.level, row.missed, row.category) == (trial.level, trial.missed, trial.category)
        # A miss has no response, although the table has a random one.
        assert row.missed or (row.response, row.response_time) == (trial.response, trial.response_time)
        assert not row.missed or (pd.isna(row.response), row.correct, np.isnan(row.response_time)) == (
            True,
            False,
            True,
        )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files(table, evaluations, group, tmp_path, suffix, monkeypatch):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="Parquet is an extra of convrnn-experiments")
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    monkeypatch.setattr(joint_table, "_ROWS_AT_ONCE", 3000)
    out = tmp_path / "new" / f"trials{suffix}"
    assert write_joint_table(evaluations, group, out) == len(table)
    back = read(out, **({"dtype": {"level": "str"}} if suffix == ".csv" else {}))
    assert back.columns.tolist() == list(COLUMNS)
    if suffix == ".parquet":
        assert back.dtypes.to_dict() == table.dtypes.to_dict()
    pd.testing.assert_frame_equal(back.astype(table.dtypes), table, check_exact=True)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_experiments_without_blocks(tmp_path):
    for name, text in (PEOPLE | NETWORKS).items():
        (tmp_path / name).write_text(text)
    rows = read_rows([tmp_path / "high-pass_resnet50_session-1.csv"]).evaluations
    table = pd.concat(joint_rows(rows, read_observer_group(tmp_path)))
    assert table.groupby("observer").size().to_dict() == {"subject-01": 2, "subject-02": 2}
    by_observer = table.set_index(["observer", "level"])[
        ["correct", "network_answer", "network_correct", "step"]
    ]
    assert by_observer.loc[("subject-01", "0.7")].tolist() == [False, "clock", False, 0]
    assert by_observer.loc[("subject-02", "inf")].tolist() == [True, "knife", True, 0]
    assert table[["confidence", "entropy"]].isna().all(axis=None)


def test_pieces_are_bounded(evaluations, group, table, monkeypatch):
    monkeypatch.setattr(joint_table, "_ROWS_AT_ONCE", 100)
    pieces = list(joint_rows(evaluations, group))
    assert max(map(len, pieces)) == 96  # 12 trials of 8 steps
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), table)


def test_images_that_no_observer_saw_and_other_splits_are_left_out(evaluations, group):
    blur = evaluations[0]
    names = blur.answers.names.copy()
    names[0] = "9999_blur_9_cat.JPEG"
    other = replace(blur, answers=replace(blur.answers, names=names))
    (changed,) = {len(pd.concat(joint_rows([other], group)))}
    assert changed < len(pd.concat(joint_rows([blur], group)))
    split = replace(blur, answers=replace(blur.answers, blocks=np.full_like(blur.answers.blocks, -1)))
    assert list(joint_rows([split], group)) == []


def test_an_empty_table_has_its_header(group, tmp_path):
    assert write_joint_table([], group, tmp_path / "trials.csv") == 0
    assert (tmp_path / "trials.csv").read_text() == f"{','.join(COLUMNS)}\n"


def test_formats(tmp_path, monkeypatch):
    with pytest.raises(ConvRNNError, match=r"must be a \.csv or \.parquet file, got the suffix '\.xlsx'"):
        require_format(tmp_path / "trials.xlsx")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(joint_table, "find_spec", lambda name: None)
    with pytest.raises(
        ConvRNNError, match=r"pyarrow, which is not installed\. .*parquet.* or choose a \.csv"
    ):
        require_format(tmp_path / "trials.parquet")
    require_format(tmp_path / "trials.csv")
