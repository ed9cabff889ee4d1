"""Human answers for other programs."""

import pytest
from answers_by_hand import five_blocks, response, session
from trials_by_hand import NETWORKS, PEOPLE

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.observers.export import export_answers


@pytest.fixture
def answers(write_answers, tmp_path):
    write_answers(session("7", five_blocks([response("50_blur_9_cat.JPEG", "cat", 450)])), '[{"url": 1')
    for name, text in (PEOPLE | NETWORKS).items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_table(answers, tmp_path):
    done = export_answers(answers, tmp_path / "out" / "o.csv", max_unreadable=0.5)
    assert done.heading == ("", "blur", "edge_experiment", "eidolonI", "high-pass")
    assert done.counts[:2] == [("observers", "1", "1", "1", "2"), ("trials", "55", "2", "1", "6")]
    assert done.counts[-1] == ("used", "5", "2", "1", "5")
    assert done.summary == [
        "left out: 1 sessions that cannot be read",
        "left out: 3 trials of networks in 2 files",
        f"{tmp_path / 'out' / 'o.csv'}: 64 trials of 5 sessions, 13 used.",
    ]
    assert len((tmp_path / "out" / "o.csv").read_text().splitlines()) == 65
    assert len(done.problems) == 1


def test_trials(answers, tmp_path):
    done = export_answers(answers, tmp_path / "out", "trials", max_unreadable=0.5)
    assert done.summary[-1] == f"{tmp_path / 'out'}: 64 trials in 10 files."
    again = export_answers(tmp_path / "out", tmp_path / "o.csv")
    assert again.counts == done.counts
    assert again.problems == []


def test_a_folder_instead_of_a_file_is_an_error(answers):
    with pytest.raises(
        ConvRNNError, match=r"must be a file name, got a folder\. Give a name such as .*/trials\.csv"
    ):
        export_answers(answers, answers)
