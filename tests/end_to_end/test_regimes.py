"""A small network learns each regime of the drawn sample, and benefits from training on the tested regime."""

import json
from pathlib import Path

import pytest

REGIMES = ("color", "grayscale", "noise", "blur")
SMALL = [
    *[
        "--weights",
        "none",
        "--trainable",
        "all",
        "--width",
        "0.0625",
        "--image-size",
        "64",
        "--batch-size",
        "16",
    ],
    *["--epochs", "10", "--learning-rate", "0.005", "--epsilon", "1e-7", "--schedule", "cosine"],
    *["--warmup-epochs", "1", "--clip-norm", "1"],
]


@pytest.fixture(scope="module")
def data(command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regimes")
    for words in (
        ["convrnn-data", "sample", "sample"],
        ["convrnn-data", "prepare", "sample/imagenet", "data", "--images", "all", "--val", "0.2"],
    ):
        done = command(*words, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def last_step(folder: Path, run: str, tested_on: str) -> float:
    measures = json.loads((folder / run / "evaluation" / f"val-{tested_on}" / "measures.json").read_text())
    return measures["accuracy"]["percent"][-1]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [0, 1])
def test_each_regime_is_learned_and_better_than_color(data: Path, command, seed: int) -> None:
    for regime in REGIMES:
        run = f"runs/{regime}-{seed}"
        for words in (
            ["convrnn", "train", "data", "--perturb", regime, *SMALL, "--seed", str(seed), "--out", run],
            [
                "convrnn",
                "evaluate",
                run,
                "data",
                "--condition",
                "color",
                "--condition",
                "noise",
                "--condition",
                "blur",
            ],
            ["convrnn", "evaluate", run, "data", "--condition", "grayscale"],
        ):
            done = command(*words, cwd=data)
            assert done.returncode == 0, done.stderr
    table = {
        (trained, tested): last_step(data, f"runs/{trained}-{seed}", tested)
        for trained in REGIMES
        for tested in REGIMES
    }
    print(f"seed {seed}: accuracy % at the last step, (trained, tested): {table}")
    for regime in REGIMES:
        assert table[regime, regime] > 50, table
    for regime in ("noise", "blur"):
        assert table[regime, regime] > table["color", regime], table
