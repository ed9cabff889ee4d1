"""Inputs of the commands, created once: a drawn sample, a prepared set, a run, and its evaluation."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.commands import COMMANDS, NETWORK, PREPARE, Command, differences, link_inputs, result
from faults.processes import NONE, Ended, Fault, run, start_server


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a folder with all inputs of the commands."""
    start_server()
    # Resolved, since commands record their folder.
    folder = tmp_path_factory.mktemp("faults").resolve() / "inputs"
    folder.mkdir()
    run_successfully("convrnn-data sample sample --images-per-category 2 --trials 16 --observers 2", folder)
    (folder / "sample/imagenet").rename(folder / "source")
    (folder / "sample/human").rename(folder / "human")
    run_successfully(f"{PREPARE.replace('source set', 'source data')} --workers 1", folder)
    run_successfully(
        f"convrnn train data --perturb noise {NETWORK} --weights none --trainable all --epochs 1 --out run",
        folder,
    )
    shutil.copytree(folder / "run", folder / "evaluated")
    run_successfully("convrnn evaluate evaluated human", folder)
    one_per_block(folder / "human", folder / "stimuli")
    shutil.rmtree(folder / "sample")
    return folder


def run_successfully(line: str, folder: Path) -> None:
    """Run a command, which must succeed."""
    ended = run(line.split(), folder)
    assert ended.code == 0, ended.error


def one_per_block(human: Path, out: Path) -> None:
    """Copy the first stimulus of every block."""
    for block in human.glob("*/[0-4]"):
        stimulus = min(block.iterdir())
        target = out / stimulus.relative_to(human)
        target.parent.mkdir(parents=True)
        shutil.copy2(stimulus, target)


@dataclass
class Trial:
    """Command with the result of an undisturbed run, and folders for runs with faults.

    Attributes:
        command: the command.
        usual: how it ends undisturbed.
        expected: its result then.
        finished: the folder with that result.
    """

    command: Command
    new_folder: Callable[[], Path]
    usual: Ended = None
    expected: dict[str, str] = None
    finished: Path = None

    def run(self, folder: Path, fault: Fault = NONE) -> Ended:
        """Run the command."""
        return run(self.command.words, folder, fault)

    def unfinished(self, folder: Path) -> list[str]:
        """Run the command again without a fault; return differences from the undisturbed run."""
        ended = self.run(folder)
        if ended.code not in (0, self.command.done):
            return [f"then exit code {ended.code}: {ended.error[-300:]}"]
        return [
            f"then {name} differs"
            for name in differences(self.expected, result(folder / self.command.output))
        ]


@pytest.fixture(scope="session")
def trial_of(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Trial]]:
    """Return a function from the name of a command to its trial, each run undisturbed once."""
    root, numbers, trials = tmp_path_factory.mktemp("trials").resolve(), itertools.count(), {}

    def make(name: str) -> Trial:
        if name not in trials:
            command = COMMANDS[name]
            trial = Trial(command, lambda: link_inputs(inputs, root / f"{next(numbers)}", command))
            folder = trial.new_folder()
            trial.usual = trial.run(folder)
            assert trial.usual.code == 0, trial.usual.error
            trial.finished = folder / command.output
            trial.expected = result(trial.finished)
            trials[name] = trial
        return trials[name]

    return make
