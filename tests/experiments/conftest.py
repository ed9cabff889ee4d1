"""Fixtures: a prepared set small enough to train on, stimuli, answers and synthetic results."""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from convrnn_data import PreparedSet, list_stimuli, prepare
from convrnn_data.sample.sample import FOLDERS, draw_sample, plan_stimuli
from convrnn_data.sample.simulated_observers import simulate_observer
from convrnn_experiments.conditions import Regime
from convrnn_experiments.report import canvas
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import write_json


@pytest.fixture(scope="session")
def drawn_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn sample: 3 images per category, blocks of 16 stimuli, 2 simulated observers."""
    folder = tmp_path_factory.mktemp("drawn") / "sample"
    draw_sample(folder, images_per_category=3, trials=16, observers=2)
    return folder


@pytest.fixture(scope="session")
def prepared(drawn_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """The drawn images as shards, two thirds for training."""
    folder = tmp_path_factory.mktemp("prepared") / "set"
    prepare(drawn_sample / "imagenet", folder, images="all", val=0.34, workers=1)
    return PreparedSet(folder)


def _image_bytes(form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), (200, 120, 40), np.uint8)).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def without_figures() -> Callable[[], AbstractContextManager[None]]:
    """Context in which figures are not drawn, for tests of a page's text, numbers and files.

    Drawing takes three quarters of a report's time.
    """

    def draw(sheet: canvas.Sheet, name: str, *, photographs: bool = False) -> canvas.Drawing:
        sheet_png, panel = _image_bytes("PNG"), _image_bytes("JPEG" if photographs else "PNG")
        width, height = (round(side * canvas.CSS) for side in sheet.size)
        return canvas.Drawing(name, sheet_png, f"%PDF {name}".encode(), (panel,) * sheet.cells, width, height)

    @contextmanager
    def context() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(canvas.Sheet, "draw", draw)
            yield

    return context


@pytest.fixture
def figures_not_drawn(without_figures: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Apply `without_figures` to a whole test."""
    with without_figures():
        yield


@pytest.fixture(scope="session")
def human_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stimuli and answers as on OSF: blocks of 48, 4 simulated observers, and the same image in every file."""
    folder = tmp_path_factory.mktemp("human_data") / "human"
    image, blocks = _image_bytes(), {experiment: [[], [], [], [], []] for experiment in FOLDERS}
    for stimulus in plan_stimuli(48, seed=3):
        path = folder.parent / stimulus.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
        shown = (path.name, stimulus.level, stimulus.category)
        blocks[stimulus.experiment][int(path.parent.name)].append(shown)
    for experiment, shown in blocks.items():
        lines = [simulate_observer(experiment, number, shown) for number in range(4)]
        (folder / f"jatos_results_{experiment}.txt").write_text("\n".join(lines) + "\n")
    return folder


MakeRun = Callable[..., Path]


@pytest.fixture(scope="session")
def make_run() -> MakeRun:
    """Writer of a run and its evaluation on stimuli; accuracy rises over time, and no network is built.

    `seed` draws the answers; `training_seed` and other settings are those of the configuration.
    """

    def make(
        path: Path,
        regime: str,
        stimuli: Path,
        *,
        steps: int = 8,
        seed: int = 0,
        right=None,
        training_seed: int = 0,
        **settings,
    ) -> Path:
        stimuli_of_regime = [stimulus for stimulus in list_stimuli(stimuli) if stimulus.regime == regime]
        stimuli_of_regime.sort(key=lambda stimulus: (stimulus.label, str(stimulus.parsed)))
        rng = np.random.default_rng([seed, len(stimuli_of_regime)])
        if right is None:
            right = rng.random((len(stimuli_of_regime), steps)) < np.linspace(0.3, 0.8, steps)
        labels = np.array([stimulus.label for stimulus in stimuli_of_regime])[:, None]
        answers = np.where(right, labels, (labels + rng.integers(1, 16, right.shape)) % 16)
        entropy = np.sort(rng.random(right.shape), axis=1)[:, ::-1] * 2.7
        numbers = {"predictions": answers, "confidence": 1 - entropy / 2.8, "entropy": entropy}
        table = pd.DataFrame({"file_paths": [str(stimulus.path) for stimulus in stimuli_of_regime]})
        table["file_names"] = [str(stimulus.parsed) for stimulus in stimuli_of_regime]
        table["labels"] = labels
        for name, values in numbers.items():
            table[[f"{name}_exit{step}" for step in range(steps)]] = values
        table["level"] = [stimulus.level for stimulus in stimuli_of_regime]
        table["block"] = [stimulus.block for stimulus in stimuli_of_regime]
        folder = path / "evaluation" / regime
        folder.mkdir(parents=True)
        table.to_csv(folder / "predictions.csv", index=False, float_format="%.6f", lineterminator="\n")
        levels = {str(level): part for level, part in table.groupby("level").groups.items()}
        environment = {"command": f"convrnn train data --perturb {regime}", "versions": {"keras": "3.0"}}
        write_json(
            folder / "measures.json",
            {
                "regime": regime,
                "kind": "human stimuli",
                "source": str(stimuli),
                "network": "bl_net",
                "parameters": 1234,
                "multiply_adds": [10**6 * (1 + 5 * step) for step in range(steps)],
                "environment": environment,
                "images": len(stimuli_of_regime),
                "accuracy": _accuracy(right),
                "accuracy_by_level": {level: _accuracy(right[list(part)]) for level, part in levels.items()},
            },
        )
        config = Config(data="data", perturb=Regime(regime), timesteps=steps, seed=training_seed, **settings)
        write_json(path / "config.json", config.to_json())
        write_json(path / "environment.json", environment)
        (path / "weights.h5").write_bytes(b"")
        return path

    return make


def _accuracy(right: np.ndarray) -> dict[str, object]:
    percent = 100 * right.mean(axis=0)
    return {"percent": percent, "low": percent - 5, "high": percent + 5, "images": len(right)}
