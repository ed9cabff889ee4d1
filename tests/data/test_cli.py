import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import convrnn_data
from convrnn_data.cli import main

pytestmark = pytest.mark.together


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Return a function that runs the command in an empty folder and returns exit code, output and errors."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["convrnn-data", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    return run


def test_the_public_names_are_listed():
    assert sorted(convrnn_data.__all__) == sorted(
        name
        for name, value in vars(convrnn_data).items()
        if (not name.startswith("_") and not isinstance(value, type(sys))) or name == "__version__"
    )


def test_all_commands_work_on_a_drawn_sample(command):
    assert (
        command("sample", "drawn", "--images-per-category", "2", "--trials", "16", "--observers", "1")[0] == 0
    )
    code, out, err = command("prepare", "drawn/imagenet", "set", "--images", "all", "--val", "0.5")
    assert code == 0
    assert {line.partition(":")[0] for line in err.splitlines()} <= {"Writing shards"}  # after ten seconds
    assert "set: 32 images (16 train, 16 val)" in out
    code, out, _ = command("prepare", "drawn/imagenet", "set", "--images", "all", "--val", "0.5")
    assert (code, "complete already, nothing to do" in out) == (0, True)
    code, out, _ = command("verify", "set")
    assert (code, "all as written" in out) == (0, True)
    code, out, _ = command("stats", "set", "--picture", "counts.png")
    assert code == 0
    assert [re.split(r" +", line.strip()) for line in out.splitlines()][1] == ["airplane", "1", "1", "2"]
    code, out, _ = command("reformat", "drawn/human", "new", "--layout", "shards")
    assert (code, "left out; all counts in new/counts.csv" in out) == (0, True)
    for folder, picture in (("set", "set.png"), ("new", "new.png"), ("drawn/human", "human.png")):
        assert command("preview", folder, picture)[0] == 0
        with Image.open(picture) as sheet:
            assert min(sheet.size) > 300


def test_verify_names_damaged_files_and_fails(command, class_folders):
    command("prepare", class_folders, "set", "--images", "all", "--val", "0")
    path = Path("set/train/000000.tar")
    path.write_bytes(path.read_bytes()[:-1])
    code, out, err = command("verify", "set")
    assert code == 1
    assert "set/train/000000.tar has" in out
    assert err.count("\n") == 1


def test_a_split_file_from_one_set_serves_another(command, class_folders, class_tars):
    command("prepare", class_folders, "one", "--images", "all", "--val", "0.3")
    code, _, err = command("prepare", class_tars, "two", "--images", "all", "--split-file", "one/split.json")
    assert (code, err) == (0, "")
    assert Path("one/split.json").read_bytes() == Path("two/split.json").read_bytes()
    assert Path("one/val/000000.tar").read_bytes() == Path("two/val/000000.tar").read_bytes()


def test_tasks_print_how_to_complete_the_set(command, class_folders):
    _, out, _ = command("prepare", class_folders, "set", "--images", "all", "--task", "1/1")
    assert "`convrnn-data verify set` completes the set" in out
    code, out, err = command("verify", "set")
    assert (code, err) == (0, "")
    assert "; completed" in out


WRONG = [
    ("prepare", 2, "Missing argument 'IMAGENET'"),
    (
        "prepare nowhere set",
        1,
        "cannot read nowhere: No such file or directory. Give ImageNet as <wnid>/",
    ),
    ("prepare empty set", 1, "empty is not ImageNet: .* got an empty folder"),
    ("prepare note.txt set", 1, "note.txt is not a tar: got a text file"),
    ("prepare other set", 1, "is not ImageNet: .* got a, b"),
    ("prepare outside set", 1, "none of the 1 classes in outside belongs to one of the 16 categories"),
    ("prepare bare set --images all", 1, "hold no image"),
    (
        "prepare FOLDERS note.txt --images all",
        1,
        "cannot make note.txt: a prepared set is a folder, got a file",
    ),
    (
        "prepare FOLDERS note.txt/set --images all",
        1,
        "cannot make note.txt/set: note.txt is a file, not a folder",
    ),
    (
        "prepare FOLDERS other --images all",
        1,
        "cannot make other: it must be a new or empty folder, or .* got a folder with a",
    ),
    ("prepare FOLDERS set", 1, "of the 213,555 listed images are not in .* --allow-missing"),
    ("prepare FOLDERS set --images some", 2, "Invalid value for '--images'"),
    ("prepare FOLDERS set --imagse all", 2, "No such option: --imagse"),
    (
        "prepare FOLDERS set --images all --shard-size -5",
        1,
        "--shard-size must be at least 1 image, got -5",
    ),
    ("prepare FOLDERS set --images all --shard-size many", 2, "Invalid value for '--shard-size'"),
    (
        "prepare FOLDERS set --images all --val 0.7 --test 0.6",
        1,
        "must leave images to train on, with a sum under 1, got 0.7 and 0.6",
    ),
    ("prepare FOLDERS set --images all --val -1", 1, "must be shares of at least 0, got -1.0 and"),
    ("prepare FOLDERS set --images all --val nan", 1, "must be shares of at least 0, got nan and"),
    (
        "prepare FOLDERS set --images all --task 5/4",
        1,
        "--task must be I/N with I from 1 to N, such as 3/8, got '5/4'",
    ),
    ("prepare FOLDERS set --images all --task one", 1, "such as 3/8, got 'one'"),
    ("prepare FOLDERS set --images all --workers 0", 1, "--workers must be at least 1, got 0"),
    ("prepare FOLDERS set --images all --resize 0", 1, "--resize must be at least 1 pixel, got 0"),
    (
        "prepare FOLDERS set --images all --address head:6379",
        1,
        "--address cannot be used with --engine local, .* got 'head:6379'",
    ),
    ("prepare FOLDERS set --images all --engine spark", 2, "Invalid value for '--engine'"),
    ("prepare FOLDERS set --image-names empty", 1, "airplane.txt: No such file"),
    ("prepare FOLDERS set --images all --split-file none.json", 1, "none.json: No such file"),
    ("prepare FOLDERS set --images all --split-file positions.json", 1, "positions mean other images"),
    (
        "prepare FOLDERS set --images all --split-file positions.json --val 0.1",
        1,
        "--val and --test cannot be given with it. Remove",
    ),
    ("verify nowhere", 1, "nowhere does not exist"),
    ("verify empty", 1, "has no manifest.json"),
    ("stats other", 1, "other is not a prepared set"),
    (
        "preview other a.png",
        1,
        "other must be a prepared set or human stimuli, got neither: other is not the human test set",
    ),
    ("preview other a.jpg", 1, "must end in .png"),
    ("reformat nowhere new", 1, "nowhere does not exist"),
    ("reformat empty new", 1, "empty is not the human test set: .* got an empty folder"),
    ("reformat other note.txt", 1, "cannot make note.txt: it must be a new or empty folder, got a file"),
    ("frobnicate", 2, "No such command 'frobnicate'"),
]


@pytest.mark.parametrize(("line", "code", "message"), WRONG, ids=[line for line, _, _ in WRONG])
def test_wrong_input_gives_one_line_and_leaves_no_files(line, code, message, command, class_folders, digests):
    for folder in ("empty", "other/a", "other/b", "outside/n02128757", "bare/n02690373"):
        Path(folder).mkdir(parents=True)
    Path("note.txt").write_text("x" * 2000)
    Path("positions.json").write_text(json.dumps([4, 2]))
    before = sorted(Path().rglob("*"))
    found, out, err = command(*line.replace("FOLDERS", str(class_folders)).split())
    assert (found, out) == (code, "")
    assert err.startswith("convrnn-data: error: ")
    assert err.count("\n") == 1
    assert re.search(message, err)
    assert sorted(Path().rglob("*")) == before


def test_importing_does_not_need_tensorflow_or_keras():
    script = "import sys, convrnn_data.cli; print({'tensorflow', 'keras', 'ray', 'distributed'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_observers_writes_a_table_and_trial_csvs(command):
    command("sample", "drawn", "--images-per-category", "1", "--trials", "16", "--observers", "2")
    code, out, err = command("observers", "drawn/human", "new/trials.csv")
    assert (code, err) == (0, "")
    assert re.search(r"trials +160 +160 +160\n", out)
    assert out.endswith("new/trials.csv: 480 trials of 6 sessions, 180 used.\n")
    code, out, _ = command("observers", "drawn/human", "files", "--layout", "trials")
    assert (code, out.splitlines()[-1]) == (0, "files: 480 trials in 30 files.")
    assert command("observers", "files", "again.csv")[0] == 0
    assert Path("again.csv").read_bytes() == Path("new/trials.csv").read_bytes()
    code, _, err = command("observers", "drawn/imagenet", "other.csv")
    assert (code, "got none of these" in err) == (1, True)


def test_observers_lists_twenty_problems(command):
    lines = [f"s,1,{trial},0.5,cow,cat,0,{trial}.png" for trial in range(1, 26)]
    header = "subj,session,trial,rt,object_response,category,condition,imagename"
    Path("mine.csv").write_text("\n".join([header, *lines, "s,1,99,0.5,cat,cat,0,a.png", ""]))
    code, out, err = command("observers", "mine.csv", "o.csv", "--max-unreadable", "1")
    assert (code, "o.csv: 26 trials of 1 sessions, 1 used." in out) == (0, True)
    assert err.splitlines()[-1] == "5 more problems"
    assert "mine.csv, line 2: object_response must be one of the 16 categories, got 'cow'; left out." in err
