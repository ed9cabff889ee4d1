"""Example project: the commands of its README, on a tiny network and, in slow tests, on a full one."""

import ast
import csv
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest

import convrnn_model
from convrnn_model import bl_net, save_weights

Image = pytest.importorskip("PIL.Image", reason="the example reads photographs with pillow")
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/response_times"
PROJECT = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
COMMANDS = [
    shlex.split(line)
    for block in re.findall(
        r"^```bash\n(.*?)^```", (EXAMPLE / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    for line in block.splitlines()
]
NAMES = ("b.JPG", "a.jpg", "c.png")
N_TIMESTEPS, WIDTH = 8, 0.02

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed; make test-backends installs it",
)


@pytest.fixture
def workspace(tmp_path) -> Path:
    """Provide a folder of photographs and a folder of categories; `aside.txt` is not a photograph."""
    rng = np.random.default_rng(0)
    for folder in ("photographs", "categories/day", "categories/night"):
        (tmp_path / folder).mkdir(parents=True)
        for name, size in zip(NAMES, ((300, 200), (150, 150), (90, 260)), strict=True):
            pixels = rng.integers(0, 100, (*size, 3), dtype=np.uint8) + 155 * folder.endswith("day")
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / folder / name)
    (tmp_path / "photographs/aside.txt").write_text("not a photograph")
    return tmp_path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """Provide randomly initialised weights of a tiny BL with ImageNet's classes."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.h5"
    save_weights(bl_net((128, 128, 3), 1000, N_TIMESTEPS, width=WIDTH), path)
    return path


def run(workspace: Path, command: str, *words: object, **environment: str) -> str:
    """Run a command of the project and return its standard output."""
    module, _, function = PROJECT["scripts"][command].partition(":")
    start = f"import sys; sys.argv[0] = {command!r}; from {module} import {function}; {function}()"
    done = subprocess.run(
        [sys.executable, "-c", start, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(EXAMPLE), **environment},
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_everything_it_imports_is_public():
    imported = {
        name.name
        for path in EXAMPLE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "convrnn_model"
        for name in node.names
    }
    assert {"bl_net", "load_weights", "activations", "response_times"} <= imported
    assert imported <= set(convrnn_model.__all__)


def test_its_extras_and_commands_exist():
    model = tomllib.loads((ROOT / "packages/convrnn-model/pyproject.toml").read_text())["project"]
    extras = {extra: f"convrnn-model[{extra}]" for extra in PROJECT["optional-dependencies"]}
    assert PROJECT["optional-dependencies"] == {extra: [asked] for extra, asked in extras.items()}
    assert set(extras) < set(model["optional-dependencies"])
    assert {command for command, *_ in COMMANDS} == set(PROJECT["scripts"])


def test_answers_and_response_times(workspace, tiny):
    words = ("photographs", "--weights", tiny, "--width", WIDTH)
    assert run(workspace, "response-times", *words, "--threshold", 7).endswith(
        "3 photographs, 3 decided at 7 nats: answers\n"
    )
    rows = table(workspace / "answers/answers.csv")
    assert [row["photograph"] for row in rows] == sorted(NAMES)
    names = set(convrnn_model.class_names("imagenet"))
    for row in rows:
        assert row["response_time"] == "0"  # no entropy of 1000 classes is above log(1000) = 6.9
        assert row["answer"] == row["answer_0"]
        assert {row[f"answer_{t}"] for t in range(N_TIMESTEPS)} <= names
        entropies = [float(row[f"entropy_{t}"]) for t in range(N_TIMESTEPS)]
        assert 0 < min(entropies) <= max(entropies) <= np.log(1000) + 1e-5  # float32
    assert np.load(workspace / "answers/activations.npy").shape == (3, 2, 2, round(2048 * WIDTH))

    assert "0 decided at 0 nats" in run(
        workspace, "response-times", *words, "--threshold", 0, "--layer", 0, "--time", 1
    )
    undecided = table(workspace / "answers/answers.csv")
    assert {(row["response_time"], row["answer"]) for row in undecided} == {("", "")}
    # The threshold changes only the time of the answer.
    assert [row["entropy_3"] for row in undecided] == [row["entropy_3"] for row in rows]
    assert np.load(workspace / "answers/activations.npy").shape == (3, 128, 128, round(96 * WIDTH))


def test_errors_are_one_line(workspace, tiny, monkeypatch):
    spec = importlib.util.spec_from_file_location("response_times", EXAMPLE / "response_times.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    monkeypatch.chdir(workspace)
    for words, message in (
        (["categories", "--weights", str(tiny), "--width", str(WIDTH)], r"categories has no \.jpg.*"),
        (
            ["photographs", "--weights", str(tiny), "--width", "0.01"],
            r"cannot load \S*tiny\.h5: filters must be .*got .*",
        ),
    ):
        monkeypatch.setattr(sys, "argv", ["response-times", *words])
        with pytest.raises(SystemExit) as stopped:
            example.command()
        assert re.fullmatch(message, stopped.value.code)


@needs_torch
@pytest.mark.parametrize(("fine_tune", "epochs"), [("--no-fine-tune", 40), ("--fine-tune", 10)])
def test_training_a_readout_in_pytorch(workspace, tiny, fine_tune, epochs):
    words = (
        "categories",
        "--weights",
        tiny,
        "--width",
        WIDTH,
        "--epochs",
        epochs,
        "--learning-rate",
        0.01,
        fine_tune,
    )
    # With other load, two threads would wait for each other at each of thousands of tiny operations.
    stdout = run(workspace, "torch-readout", *words, OMP_NUM_THREADS="1")
    losses = [float(value) for value in re.findall(r"loss (\d+\.\d+)", stdout)]
    assert len(losses) == epochs
    assert losses[-1] < 0.9 * losses[0]
    check = (
        "import convrnn_model, keras, sys, torch; from torch_readout import Classifier, network_of\n"
        "from convrnn_model import activations, global_pool\n"
        "kept = torch.load('classifier.pt')\n"
        "network, _ = network_of(sys.argv[1], float(sys.argv[2]))\n"
        "before = {k: v.clone() for k, v in activations(network, global_pool(7)).state_dict().items()}\n"
        "model = Classifier(activations(network, global_pool(7)), 2, fine_tune=False)\n"
        "model.load_state_dict(kept['state'])\n"
        "changed = [k for k, v in before.items() if not torch.equal(v, kept['state'][f'features.{k}'])]\n"
        "print(kept['categories'], len(before), len(changed), sum(p.requires_grad for p in model.parameters()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check, tiny, str(WIDTH)],
        env={**os.environ, "PYTHONPATH": str(EXAMPLE)},
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(r"\['day', 'night'\] (\d+) (\d+) 2\n", done.stdout)
    assert found, done.stdout
    arrays, changed = map(int, found.groups())
    assert changed == 0 if fine_tune == "--no-fine-tune" else 0 < changed <= arrays


@pytest.mark.slow
def test_the_commands_of_the_readme_run(workspace, tmp_path_factory):
    """The cache has a randomly initialised file of the published shape."""
    cache = tmp_path_factory.mktemp("cache")
    save_weights(bl_net((128, 128, 3), 1000), cache / "bl_imagenet.h5")
    offline = {"CONVRNN_CACHE": str(cache), "CONVRNN_MIRROR": "http://127.0.0.1:9"}
    for command, *words in COMMANDS:
        if command == "torch-readout" and importlib.util.find_spec("torch") is None:
            continue
        run(workspace, command, *words, **offline)
    assert len(table(workspace / "surer/answers.csv")) == len(NAMES)
    assert np.load(workspace / "surer/activations.npy").shape[0] == len(NAMES)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("uv") is None, reason="uv is not installed")
def test_it_installs(workspace, tiny, tmp_path):
    install = (
        "uv",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        tmp_path / "site",
    )
    done = subprocess.run(
        [sys.executable, "-m", *map(str, install), "--python", sys.executable, str(EXAMPLE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [tmp_path / "site/bin/response-times", "photographs", "--weights", tiny, "--width", str(WIDTH)],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(": answers\n")
