"""The command `convrnn-model classify`: table, CSV file, picture and errors."""

import csv
import sys

import pytest

from convrnn_model import cli
from convrnn_model.classify import Classifier, read_photo

pytestmark = pytest.mark.together


@pytest.fixture
def command(monkeypatch, capsys):
    """A function that runs the command in this process, and returns exit code, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["convrnn-model", "classify", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    return run


def test_a_table_has_a_block_per_photo_and_a_line_per_step(command, photos, weights):
    code, out, err = command(*photos, "--weights", weights["imagenet"], "--top", 2, "--image-size", 64)
    assert (code, err) == (0, "")
    first, second = out.rstrip("\n").split("\n\n")
    lines = first.splitlines()
    assert lines[0] == f"{photos[0]}: 64 x 80 px, central square at 64 px"
    assert lines[1] == "time step  entropy (nats)  most probable classes"
    (answers,) = Classifier(weights["imagenet"])([read_photo(photos[0], 64)])
    for time, (line, best) in enumerate(zip(lines[2:], answers.top(2), strict=True), start=1):
        assert line.split()[0] == str(time)
        assert all(f"{name} {probability:.3f}" in line for name, probability in best)
    assert second.startswith(str(photos[1]))


def test_files_are_written(command, photos, weights, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, an extra of convrnn-model")
    table, picture = tmp_path / "a.csv", tmp_path / "a.png"
    options = ("--weights", weights["five"], "--image-size", 64, "--csv", table, "--picture", picture)
    code, out, _ = command(*photos, *options)
    assert code == 0
    assert out.endswith(f"written: {table}\nwritten: {picture}\n")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 2 * 3 * 3
    assert rows[0].keys() == {"photo", "time_step", "rank", "class", "probability", "entropy_nats"}
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--image-size", 32), "the image size must be at least 64 px for bl_net, got 32"),
        (("--image-size", 64, "--timesteps", 9), "9"),
        (("--image-size", 64, "--categories"), "cannot be mapped to the 16 categories"),
        (("--image-size", 64, "--picture", "a.txt"), "the picture must be .png, .pdf, got a.txt"),
        (("--image-size", 64, "--csv", "no/folder/a.csv"), "cannot write no/folder/a.csv: No such file"),
    ],
)
def test_errors_are_one_line(command, photos, weights, options, message):
    code, _, err = command(photos[0], "--weights", weights["five"], *options)
    assert code == 1
    assert err.count("\n") == 1
    assert message in err


def test_a_file_that_is_not_a_photo_is_named_before_anything_is_printed(command, photos, weights, tmp_path):
    (tmp_path / "text.jpg").write_text("text")
    code, out, err = command(
        photos[0], tmp_path / "text.jpg", "--weights", weights["five"], "--image-size", 64
    )
    assert (code, out) == (1, "")
    assert "text.jpg: it must be an intact" in err
