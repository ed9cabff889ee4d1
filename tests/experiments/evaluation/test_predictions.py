"""Format of `predictions.csv`: written and read back, and corrupt files refused."""

import csv
from pathlib import Path

import numpy as np
import pytest

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.predictions import Answers, format_rows, header, read_answers

ANSWERS = Answers(
    paths=np.array(["a/1.JPEG", "set.tar#2.jpg"], dtype=object),
    names=np.array(["1.JPEG", "2.jpg"], dtype=object),
    labels=np.array([3, 15]),
    answers=np.array([[3, 0], [2, 15]]),
    confidence=np.array([[0.5, 1.0], [0.0625, 0.25]]),
    entropy=np.array([[1.5, 0.0], [2.772589, 0.25]]),
    margin=np.array([[0.25, 1.0], [0.0, 0.125]]),
    levels=np.array(["0.04", "c"], dtype=object),
    blocks=np.array([4, -1]),
)
LINES = [
    "file_paths,file_names,labels,predictions_exit0,predictions_exit1,confidence_exit0,confidence_exit1,"
    "entropy_exit0,entropy_exit1,level,block,margin_exit0,margin_exit1",
    "a/1.JPEG,1.JPEG,3,3,0,0.500000,1.000000,1.500000,0.000000,0.04,4,0.250000,1.000000",
    "set.tar#2.jpg,2.jpg,15,2,15,0.062500,0.250000,2.772589,0.250000,c,,0.000000,0.125000",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of `LINES`."""
    path = tmp_path / "predictions.csv"
    path.write_text("\n".join(LINES) + "\n")
    return path


def test_the_file_has_the_documented_format(tmp_path: Path) -> None:
    with (tmp_path / "file.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header(2))
        writer.writerows(format_rows(ANSWERS))
    assert (tmp_path / "file.csv").read_text().splitlines() == LINES


def test_answers_are_read_back(path: Path) -> None:
    found = read_answers(path)
    for name, column in vars(ANSWERS).items():
        np.testing.assert_array_equal(getattr(found, name), column, err_msg=name)


def test_files_of_earlier_versions_lack_margins(path: Path) -> None:
    lines = [line.rsplit(",", 2)[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    assert np.isnan(read_answers(path).margin).all()
    np.testing.assert_array_equal(read_answers(path).entropy, ANSWERS.entropy)


def test_answers_equal_to_the_label_are_right() -> None:
    np.testing.assert_array_equal(ANSWERS.right, [[True, False], [False, True]])
    one = ANSWERS.of(np.array([False, True]))
    assert one.names.tolist() == ["2.jpg"]
    np.testing.assert_array_equal(one.right, [[False, True]])


def test_levels_are_read_in_their_shortest_spelling(path: Path) -> None:
    path.write_text(path.read_text().replace(",0.04,4", ",0.040,4"))
    assert read_answers(path).levels.tolist() == ["0.04", "c"]


def test_a_byte_order_mark_is_skipped(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_answers(path).labels.tolist() == [3, 15]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("entropy_exit1", "entropy_exit0", "column names must be unique, got 'entropy_exit0' twice"),
        (",level,", ",,", "it must have a column 'level', got file_paths"),
        ("predictions_exit", "answers_exit", "columns predictions_exit0, predictions_exit1, ..., got none"),
        ("confidence_exit1", "confidence", "it must have a column 'confidence_exit1'"),
        ("c,,", "c,,,", "row 3 must have 13 cells as the header has, got 14"),
        ("0.125000", "1.125000", "margin must be from 0 to 1, got 1.125"),
        (",3,3,0,", ",16,3,0,", "labels must be from 0 to 15, got 16"),
        (",3,3,0,", ",3,3,-1,", "predictions must be from 0 to 15, got -1"),
        (",3,3,0,", ",3,3,0.5,", "predictions must be whole numbers, got 0.5"),
        (",3,3,0,", ",three,3,0,", "could not convert string to float: 'three'"),
        ("1.500000", "nan", "entropy must be from 0 to inf, got nan"),
        ("0.04,4", "0.04,5", "block must be from -1 to 4, got 5"),
        ("\n".join(LINES[1:]) + "\n", "", "it must have a row per image, got the header alone"),
        ("0.125000\n", "0.125000", "its last line must end in a line break, got one that is cut short"),
        ("a/1.JPEG,", '"a/1.JPEG,', "unexpected end of data"),
    ],
)
def test_corrupt_files_are_named(old: str, new: str, problem: str, path: Path) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ConvRNNError) as caught:
        read_answers(path)
    message = str(caught.value)
    assert message.startswith(f"cannot read {path}: ")
    assert problem in message
    assert message.endswith(". Run `convrnn evaluate` again")


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_truncated_file_is_refused(cut: int, path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -1 - cut])
    with pytest.raises(ConvRNNError, match="cut short"):
        read_answers(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConvRNNError, match=r"No such file or directory.*Run `convrnn evaluate` again"):
        read_answers(tmp_path / "predictions.csv")
