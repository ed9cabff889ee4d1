"""Damaged inputs, failing writes, and concurrent commands."""

import shutil
from pathlib import Path

import pytest

from faults.commands import COMMANDS, half_written
from faults.processes import Fault, running
from faults.test_faults import unclear

DAMAGED = [
    ("prepare", "source/*/*/*.JPEG", 0),
    ("compare", "evaluated/evaluation/*/predictions.csv", 1),
    ("compare", "human/jatos_results_simulated_noise.txt", 1),
    ("report", "evaluated/evaluation/*/measures.json", 1),
    ("report", "human/jatos_results_simulated_noise.txt", 1),
    ("evaluate", "run/weights.h5", 1),
    ("evaluate", "stimuli/NoiseSplit*/0/*.JPEG", 1),
    ("features", "run/weights.h5", 1),
    ("features", "data/train/*.tar", 1),
    ("train, cached features", "run/weights.h5", 1),
    ("train, whole network", "data/train/*.tar", 1),
]
"""Command, file that is cut to half its size, and exit code; a damaged image is only reported."""

RESUMED = [
    ("train, cached features", "made/features/*/train*.h5", "Delete it"),
    ("train, whole network", "made/run/checkpoint/state.h5", "--force"),
    ("train, whole network", "made/run/checkpoint/best.h5", "--force"),
]
"""Command, its own file that is cut to half its size, and the way out in the error."""


def cost(name: str):
    """Mark commands that take seconds as slow."""
    return pytest.mark.slow if COMMANDS[name].network or name == "report" else ()


def halve(path: Path) -> bytes:
    """Cut a file to half its size; return the original content."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return whole


def own_copy(folder: Path, name: str) -> None:
    """Replace a link to an input by a copy."""
    path = folder / name
    if path.is_symlink():
        target = path.resolve()
        path.unlink()
        shutil.copytree(target, path) if target.is_dir() else shutil.copy2(target, path)


@pytest.mark.parametrize(
    ("name", "pattern", "code"), [pytest.param(*case, marks=cost(case[0])) for case in DAMAGED]
)
def test_a_damaged_input_is_one_clear_error(trial_of, name: str, pattern: str, code: int) -> None:
    trial = trial_of(name)
    folder = trial.new_folder()
    own_copy(folder, pattern.partition("/")[0])
    path = min(folder.glob(pattern))
    whole = halve(path)
    ended = trial.run(folder)
    assert (ended.code, unclear(ended)) == (code, [])
    path.write_bytes(whole)
    if code:
        assert trial.unfinished(folder) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pattern", "way_out"), RESUMED)
def test_damage_to_a_file_of_a_run_names_the_way_out(trial_of, name: str, pattern: str, way_out: str) -> None:
    trial = trial_of(name)
    folder = trial.new_folder()
    assert trial.run(folder).code == 0
    (folder / "made/run/weights.h5").unlink()  # A finished run does not read the checkpoint.
    path = min(folder.glob(pattern))
    halve(path)
    ended = trial.run(folder)
    assert (ended.code, unclear(ended)) == (1, [])
    assert way_out in ended.error
    if way_out == "--force":
        shutil.rmtree(folder / "made/run")
    else:
        path.unlink()
    assert trial.unfinished(folder) == []


@pytest.mark.parametrize(
    ("name", "share"),
    [
        pytest.param(name, share, marks=cost(name))
        for name in COMMANDS
        # A third of its size would be too small for TensorFlow's temporary files.
        for share in ((0.8,) if name == "evaluate" else (0.3, 0.8))
    ],
)
def test_a_failed_write_is_one_clear_error(trial_of, name: str, share: float) -> None:
    trial = trial_of(name)
    folder = trial.new_folder()
    largest = max(path.stat().st_size for path in trial.finished.rglob("*") if path.is_file())
    ended = trial.run(folder, Fault(file_size=int(share * largest)))
    assert ended.code in (0, 1)
    assert unclear(ended) == []
    assert half_written(folder / trial.command.output, trial.expected) == []
    assert trial.unfinished(folder) == []


@pytest.mark.parametrize("name", [pytest.param(name, marks=cost(name)) for name in COMMANDS])
def test_a_second_concurrent_command_is_refused(trial_of, name: str) -> None:
    trial = trial_of(name)
    folder = trial.new_folder()
    with running(trial.command.words, folder) as one, running(trial.command.words, folder) as other:
        both = one.ended(), other.ended()
    assert {ended.code for ended in both} in ({0}, {0, 1})
    assert [unclear(ended) for ended in both] == [[], []]
    assert trial.unfinished(folder) == []
