"""Commands under test, their inputs and outputs, and comparison of results."""

import csv
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

PREPARE = "convrnn-data prepare source set --images all --val 0.34 --shard-size 8"
NETWORK = "--width 0.02 --timesteps 2 --image-size 64"
TRAIN = f"convrnn train data --perturb noise {NETWORK} --batch-size 8 --out run --resume"
NOT_REPRODUCED = ("model.keras", "environment.json")
"""Files of a run with dates and options, which only have to exist."""

GROWING = ("checkpoint", "history.csv", "tensorboard")
"""Files that a run replaces after every epoch."""


@dataclass(frozen=True)
class Command:
    """Command on a small input.

    Attributes:
        line: its words.
        output: the folder that it writes into.
        done: exit code where its work is done already; a command that only makes new folders refuses.
        copied: inputs that it writes into.
        network: computes with TensorFlow, which takes seconds.
    """

    line: str
    output: str
    done: int = 0
    copied: tuple[str, ...] = ()
    network: bool = False

    @property
    def words(self) -> list[str]:
        """Words of the command line."""
        return self.line.split()


COMMANDS = {
    "prepare": Command(f"{PREPARE} --workers 1", "set"),
    "prepare, two workers": Command(f"{PREPARE} --workers 2", "set"),
    "reformat": Command("convrnn-data reformat stimuli made/human", "made", done=1),
    "observers": Command("convrnn-data observers human made/trials.csv", "made"),
    "observers, trials": Command("convrnn-data observers human made/trials --layout trials", "made", done=1),
    "preview": Command("convrnn-data preview data made/sheet.png", "made"),
    "stimuli": Command("convrnn stimuli data made/stimuli --per-block 2 --size 32", "made", done=1),
    "compare": Command("convrnn compare evaluated --human human --out made", "made"),
    "compare, trials": Command(
        "convrnn compare evaluated --human human --out made --trials made/trials.csv", "made"
    ),
    "report": Command("convrnn report evaluated --human human --out made/index.html", "made"),
    "evaluate": Command("convrnn evaluate run stimuli", "run/evaluation", copied=("run",), network=True),
    "features": Command(
        f"convrnn features data --perturb noise {NETWORK} --views 1 --weights run/weights.h5 --out kept",
        "kept",
        network=True,
    ),
    "features, two workers": Command(
        f"convrnn features data --perturb noise {NETWORK} --views 2 --weights run/weights.h5 --out kept --workers 2",
        "kept",
        network=True,
    ),
    "train, cached features": Command(
        f"{TRAIN.replace('run', 'made/run')} --weights run/weights.h5 --views 1 --epochs 2 --features made/features",
        "made",
        network=True,
    ),
    "train, whole network": Command(
        f"{TRAIN.replace('run', 'made/run')} --weights none --trainable all --epochs 2", "made", network=True
    ),
}


def link_inputs(inputs: Path, folder: Path, command: Command) -> Path:
    """Create a folder with the inputs of a command as links, or as copies if the command changes them."""
    folder.mkdir(parents=True)
    for path in inputs.iterdir():
        if path.name in command.copied:
            shutil.copytree(path, folder / path.name)
        else:
            (folder / path.name).symlink_to(path)
    if command.output == "made":
        (folder / "made").mkdir()
    return folder


def result(folder: Path) -> dict[str, str]:
    """Return the content that a fault must not change: hashes of all files, including hidden ones, by path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if "tensorboard" in path.parts:
            found["tensorboard"] = "exists"  # Its files are named by date and process.
        elif path.name in NOT_REPRODUCED:
            found[name] = "exists"
        elif path.name == "history.csv":
            with path.open(newline="") as file:
                found[name] = json.dumps(
                    [row[:-1] for row in csv.reader(file)]
                )  # The last column is seconds.
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def half_written(folder: Path, expected: dict[str, str]) -> list[str]:
    """Return the files under their final names that differ from those of an undisturbed run."""
    return [
        name
        for name, value in result(folder).items()
        if value != expected.get(name, value) and not set(Path(name).parts) & set(GROWING)
    ]


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Return the names that differ or exist on one side only."""
    return sorted(name for name in expected | found if expected.get(name) != found.get(name))
