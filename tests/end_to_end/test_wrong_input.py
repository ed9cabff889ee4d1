"""Invalid input: one line on stderr, the documented exit code, and no files."""

import shutil
from pathlib import Path

import pytest

from convrnn_data.sample.sample import draw_sample

REPOSITORY = Path(__file__).resolve().parents[2]

WRONG = [
    ("convrnn train nowhere --perturb color", 1, "nowhere"),
    ("convrnn train data --perturb sepia", 2, "sepia"),
    ("convrnn train data", 2, "--perturb"),
    ("convrnn train data --perturb color --epochs 0", 2, "epochs"),
    ("convrnn train data --perturb color --sparkle", 2, "sparkle"),
    ("convrnn train data --perturb color --mixed-precision False", 2, "False"),
    ("convrnn train data --perturb color --weights none", 1, "--trainable all"),
    ("convrnn train data --perturb color --weights nowhere.h5", 1, "nowhere.h5"),
    ("convrnn train data --perturb color --weights broken.h5", 1, "broken.h5"),
    ("convrnn train data --perturb color --noise-sd 0.1 --weights none --trainable all", 1, "--noise-sd"),
    ("convrnn train data --perturb noise --noise-sd a,b", 2, "a,b"),
    ("convrnn train data --perturb color --engine spark", 2, "spark"),
    ("convrnn train data --perturb color --workers 0", 1, "--workers"),
    ("convrnn train data --perturb color --trainable all --weights none --workers 2", 1, "--workers"),
    ("convrnn train data --perturb color --processes 2", 1, "--coordinator"),
    ("convrnn train data --perturb color --address 10.0.0.1:6379", 1, "10.0.0.1:6379"),
    ("convrnn features data --perturb color --address 10.0.0.1:6379", 1, "--engine ray"),
    ("convrnn features nowhere --perturb color", 1, "nowhere"),
    ("convrnn features data --perturb color --weights none", 1, "--weights"),
    ("convrnn features data --perturb color --task 4/3", 1, "4/3"),
    ("convrnn train sample --perturb color --weights none --trainable all", 1, "sample"),
    ("convrnn evaluate nowhere data", 1, "nowhere"),
    ("convrnn evaluate data data", 1, "data"),
    ("convrnn report nowhere", 1, "nowhere"),
    ("convrnn report", 2, "ROW"),
    ("convrnn dance", 2, "dance"),
    ("convrnn-data prepare nowhere out", 1, "nowhere"),
    ("convrnn-data prepare empty out", 1, "empty"),
    ("convrnn-data prepare sample/imagenet out --val 2", 1, "--val"),
    ("convrnn-data prepare sample/imagenet out --address 10.0.0.1:6379", 1, "10.0.0.1:6379"),
    ("convrnn-data reformat empty out", 1, "empty"),
    ("convrnn-data reformat nowhere out", 1, "nowhere"),
    ("convrnn-data observers empty out.csv", 1, "empty"),
    ("convrnn-data observers nowhere out.csv", 1, "nowhere"),
    ("convrnn-data observers sample/human out.csv --max-unreadable 2", 2, "--max-unreadable"),
    ("convrnn-data sample data", 1, "data"),
    ("convrnn-model inspect nowhere.h5", 1, "nowhere.h5"),
    ("convrnn-model inspect broken.h5", 1, "broken.h5"),
    ("convrnn-model summary vgg", 1, "vgg"),
]


@pytest.fixture(scope="module")
def workspace(command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    draw_sample(folder / "sample", images_per_category=2, trials=16, observers=1)
    (folder / "empty").mkdir()
    (folder / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n and then nothing")
    words = ["convrnn-data", "prepare", "sample/imagenet", "data", "--images", "all", "--val", "0.5"]
    assert command(*words, cwd=folder).returncode == 0
    return folder


def files_in(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize(("words", "code", "named"), WRONG, ids=[words for words, _, _ in WRONG])
def test_one_line_and_no_files(workspace: Path, forked, words: str, code: int, named: str) -> None:
    check(forked, workspace, words, code, named)


# The forked process has imported everything; here the command does, as a user starts it.
@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        ("convrnn train data --perturb color --weights nowhere.h5", 1, "nowhere.h5"),
        ("convrnn-data prepare nowhere out", 1, "nowhere"),
        ("convrnn-model inspect broken.h5", 1, "broken.h5"),
    ],
)
def test_one_line_from_a_started_command(workspace: Path, command, words: str, code: int, named: str) -> None:
    check(command, workspace, words, code, named)


def check(run, workspace: Path, words: str, code: int, named: str) -> None:
    """Check that a command ends with one line that names the mistake, and leaves every file alone."""
    before = files_in(workspace)
    done = run(*words.split(), cwd=workspace)
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert named in lines[0]
    assert not done.stdout
    assert files_in(workspace) == before


def test_weights_of_another_network_are_refused(workspace: Path, command) -> None:
    make = "import keras, convrnn_model as m; m.save_weights(m.b_net((64, 64, 3), 16, width=0.02), 'feedforward.h5')"
    assert command("python", "-c", make, cwd=workspace).returncode == 0
    before = files_in(workspace)
    words = "convrnn train data --perturb color --width 0.02 --image-size 64 --weights feedforward.h5"
    done = command(*words.split(), cwd=workspace)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "feedforward.h5" in done.stderr
    assert files_in(workspace) == before


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("train PERTURB=sepia", "sepia"),
        ("train", "PERTURB"),
        ("data IMAGENET=/nowhere/at/all", "/nowhere/at/all"),
        ("data HUMAN=/nowhere/at/all", "/nowhere/at/all"),
        ("data IMAGENET=. VALIDATION=/nowhere/at/all", "/nowhere/at/all"),
        ("data VALIDATION=.", "needs the training images"),
        ("quick WEIGHTS=/nowhere/at/all.h5", "/nowhere/at/all.h5"),
        ("quick HUMAN=/nowhere/at/all", "/nowhere/at/all"),
    ],
)
def test_make_refuses_invalid_variables_first(command, tmp_path: Path, words: str, named: str) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    done = command("make", *words.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert named in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("HUMAN=.", ""),
        ("VALIDATION=val.tar", "--validation val.tar"),
        ("VALIDATION=val.tar HUMAN=.", "--validation val.tar --exclude-stimuli ."),
        ("VALIDATION=val.tar VALIDATION_LABELS=l", "--validation val.tar --validation-labels l"),
    ],
)
def test_make_data_passes_validation_images_and_stimuli(
    command, tmp_path: Path, words: str, options: str
) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    for name in ("val.tar", "requirements.lock", "pyproject.toml", "CITATION.cff"):
        (tmp_path / name).touch()
    for package in ("data", "model", "experiments"):
        (tmp_path / f"packages/convrnn-{package}").mkdir(parents=True)
        (tmp_path / f"packages/convrnn-{package}/pyproject.toml").touch()
    done = command("make", "-n", "data", "IMAGENET=.", *words.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (prepare,) = [line for line in done.stdout.splitlines() if "convrnn-data prepare" in line]
    assert " ".join(prepare.partition(" prepare ")[2].split()) == f". data {options}".strip()
