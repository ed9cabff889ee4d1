"""CSV files of other programs: columns by name, rows by line, and damaged files."""

import pytest

from convrnn_experiments.rows import csv_lines


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b'\xef\xbb\xbfImage, Time\r\n"a,\nb",1\r\n\r\nc,2.5\r\n')
    return path


def test_columns_are_found_by_name_whatever_their_case(table):
    assert csv_lines.column_names(table) == ("image", "time")
    read = csv_lines.read_csv(table)
    assert read.column("picture", "image") == ["a,\nb", "c"]
    assert read.optional("block") == ["", ""]
    with pytest.raises(ValueError, match="must have a column label or class, got image, time"):
        read.column("label", "class")


def test_lines_count_breaks_within_cells_and_empty_lines(table):
    read = csv_lines.read_csv(table)
    assert read.lines == [3, 5]
    assert csv_lines.numbers(read.column("time"), read.lines, "time") == [1, 2.5]


@pytest.mark.parametrize("cell", ["", "nan", "-inf", "1,5", "one"])
def test_what_is_not_a_number_is_named_by_line(cell):
    with pytest.raises(ValueError, match="line 7: time must be a number"):
        csv_lines.numbers(["1", cell], [6, 7], "time")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "got an empty file"),
        (b"a,b\n", "got the header alone"),
        (b"a,A\n1,2\n", "must be unique, got 'a' twice"),
        (b"a,b\n1\n", "line 2 must have 2 cells as the header has, got 1"),
        (b'a,b\n1,"2\n', "line 2 must be comma-separated values"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path, data, message):
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        csv_lines.read_csv(path)


def test_the_names_of_a_binary_file_are_empty(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    assert csv_lines.column_names(path) == ()


def test_a_file_that_is_too_large_is_not_read(table, monkeypatch):
    monkeypatch.setattr(csv_lines, "LARGEST", 10)
    with pytest.raises(ValueError, match="at most 10 bytes"):
        csv_lines.read_csv(table)
