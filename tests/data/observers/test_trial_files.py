"""Writer of trial CSVs: read back without loss."""

import pandas as pd
import pytest
from answers_by_hand import five_blocks, practice, response, session
from trials_by_hand import PEOPLE

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.human.trial_csv import read_trial_csv
from convrnn_data.observers.table import FURTHER_COLUMNS, read_observers, with_misses
from convrnn_data.observers.trial_files import write_trial_csvs

TRIALS = [
    response("50_blur_9_cat.JPEG", "cat", 450.1),
    response("51_blur_0_dog.JPEG", "bear", 1331.61187171936),
    response("52_blur_3_oven.JPEG", None, 751.3),
    {key: value for key, value in response("53_blur_3_oven.JPEG", None, 0).items() if key != "duration"},
    response("54_blur_9_dog.JPEG", "dog", -3),
    response("55_blur_9_dog.JPEG", "dog", 1e8 + 1 / 3),
    response("56_blur_9_dog.JPEG", "dog", 1e-7),
]
TUTORIAL = [response("0_blur_0_cat.JPEG", answer, 2000) for answer in ["cat"] * 11 + ["dog"] * 2]


@pytest.fixture
def answers(write_answers):
    return write_answers(
        session(2406, five_blocks(TRIALS), TUTORIAL),
        session("simulated-é 1/2", {2: [*practice(-1), *[row | {"order": -1} for row in TRIALS]]}),
        session("2406", {block: [response("1_noise_0.16_car.JPEG", "car", 400)] for block in range(5)}),
    )


def without_sources(table):
    table = table.copy()
    table.attrs = {}
    return table


@pytest.mark.parametrize("all_trials", [True, False])
def test_answers_of_satbench_are_read_back(answers, tmp_path, all_trials):
    table = read_observers(answers, all_trials=all_trials)
    paths = write_trial_csvs(table, tmp_path / "out")
    assert [path.name for path in paths if "blur" in path.name and "2406" in path.name] == [
        f"blur_2406_session_{number}.csv" for number in range(1, 6)
    ]
    back = read_observers(tmp_path / "out", all_trials=all_trials)
    pd.testing.assert_frame_equal(without_sources(back), without_sources(table), check_exact=True)
    if all_trials:
        assert {str(problem).partition("session: ")[2] for problem in back.attrs["problems"]} == {
            str(problem).partition("session: ")[2] for problem in table.attrs["problems"]
        }


def test_lines_by_hand(write_answers, tmp_path):
    table = read_observers(write_answers(session(7, {1: TRIALS[:3]})), all_trials=True)
    (path,) = write_trial_csvs(table, tmp_path / "out")
    assert path.name == "blur_7_session_2.csv"
    assert path.read_text() == (
        "subj,session,trial,rt,object_response,category,condition,imagename,order,duration,tutorial_accuracy\n"
        "7,2,1,0.4501,cat,cat,9,50_blur_9_cat_exit1.JPEG,1,450.1,\n"
        "7,2,2,1.33161187171936,bear,dog,0,51_blur_0_dog_exit1.JPEG,1,1331.61187171936,\n"
        "7,2,3,NaN,na,oven,3,52_blur_3_oven_exit1.JPEG,1,751.3,\n"
    )


def test_other_experiments_are_read_back(tmp_path, answers):
    for name, text in PEOPLE.items():
        (tmp_path / name).write_text(text)
    table = read_observers([answers, *(tmp_path / name for name in PEOPLE)], all_trials=True)
    assert table.columns[-2:].tolist() == list(FURTHER_COLUMNS)
    paths = write_trial_csvs(table, tmp_path / "out")
    assert set(PEOPLE) < {path.name for path in paths}
    for name in PEOPLE:
        assert read_trial_csv(tmp_path / "out" / name).trials == read_trial_csv(tmp_path / name).trials
    back = read_observers(tmp_path / "out", all_trials=True)
    pd.testing.assert_frame_equal(without_sources(back), without_sources(table), check_exact=True)


def test_a_folder_with_files_is_an_error(answers, tmp_path):
    table = read_observers(answers)
    with pytest.raises(ConvRNNError, match="must be a new or empty folder"):
        write_trial_csvs(table, answers.parent)


def test_missed_trials_stay_missed_under_every_convention(write_answers, tmp_path):
    table = read_observers(write_answers(session(7, five_blocks(TRIALS))))
    write_trial_csvs(with_misses(table, "random"), tmp_path / "out")
    back = read_observers(tmp_path / "out")
    assert back["missed"].sum() == table["missed"].sum() == 10
