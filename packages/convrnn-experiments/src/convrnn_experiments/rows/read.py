"""Reader of the rows of a comparison: evaluated runs, published weights by name, and files of other programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from convrnn_data.base import advice
from convrnn_data.human.trial_csv import COLUMNS
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import Evaluation, read_run, unique_names
from convrnn_experiments.rows import predictions_table, satbench_files, trial_answers
from convrnn_experiments.rows.accuracies import AccuracyRow
from convrnn_experiments.rows.csv_lines import column_names
from convrnn_model.weights.pretrained import PRETRAINED

FORMS = (
    "a run, the folder of evaluated weights, the name of published weights that were evaluated, a CSV file of "
    "predictions, or the results.json of SCAN or MSDNet"
)
_WEIGHTS = (".h5", ".hdf5")


class Rows(NamedTuple):
    """Results of all rows.

    Attributes:
        evaluations: Networks with their answers to single images.
        accuracies: Networks of which only accuracies are known.
    """

    evaluations: list[Evaluation]
    accuracies: list[AccuracyRow]


def read_rows(rows: Sequence[str | Path]) -> Rows:
    """Read the results of every row, in the order of the rows.

    Args:
        rows: Folders of runs or of evaluated weights; names of published weights, whose results are in `runs/NAME`;
            CSV files in a form of `predictions_table` or `trial_answers`; files of `satbench_files`.

    Raises:
        ConvRNNError: A row is none of these, has not been evaluated, or cannot be read, or all rows are accuracies.
    """
    paths = list(dict.fromkeys(_located(str(row)) for row in rows))
    read = Rows([], [])
    for path, name in zip(paths, unique_names(paths), strict=True):
        found = _read_file(path, name) if path.is_file() else Rows(read_run(path, name), [])
        read.evaluations.extend(found.evaluations)
        read.accuracies.extend(found.accuracies)
    _require_distinct(read)
    if not read.evaluations:
        raise ConvRNNError(
            f"cannot compare {', '.join(map(str, paths))}: at least one network must have answers to single "
            "images, got accuracies alone. Give an evaluated run, or a CSV file of predictions, besides"
        )
    return read


def _require_distinct(rows: Rows) -> None:
    seen: dict[tuple[str, str], Path] = {}
    for evaluation in rows.evaluations:
        first = seen.setdefault((evaluation.network, evaluation.name), evaluation.source.path)
        if first != evaluation.source.path:
            raise ConvRNNError(
                f"cannot compare {evaluation.source.path}: a network may have one file of answers to "
                f"{evaluation.name}, got {first} of {evaluation.network} as well. Change the name in one of them"
            )


def _located(row: str) -> Path:
    """Return the path of a row, which for published weights is the default folder of their results."""
    path = Path(row)
    if path.exists():
        return path
    if row in PRETRAINED:
        results = Path("runs") / row
        if not results.is_dir():
            raise ConvRNNError(
                f"cannot read the results of {row}: the weights must be evaluated first, got no folder {results}. Run "
                f"`convrnn evaluate {row} TESTSET`, or give the folder of its --out"
            )
        return results
    raise ConvRNNError(f"cannot read the results of {row}: a row must be {FORMS}, got no such file or folder")


def _read_file(path: Path, network: str) -> Rows:
    if path.suffix.lower() in _WEIGHTS:
        raise ConvRNNError(
            f"cannot read the results of {path}: weights must be evaluated first, got a weights file. Run `convrnn "
            f"evaluate {path} TESTSET` and give its folder, runs/{path.stem}"
        )
    try:
        return _read(path, network)
    except ConvRNNError:
        raise
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path)}") from error
    except UnicodeDecodeError as error:
        raise ConvRNNError(
            f"cannot read {path}: it must be text in UTF-8, got other bytes ({error}). Save it as CSV in UTF-8"
        ) from error
    except ValueError as error:
        raise ConvRNNError(f"cannot read {path}: {error}. docs/formats.md describes the columns") from error


def _read(path: Path, network: str) -> Rows:
    if path.suffix.lower() == ".json":
        return Rows([], satbench_files.read_results(path, network))
    names = column_names(path)
    if predictions_table.is_long(names):
        return Rows(predictions_table.read_long(path).evaluations(network), [])
    if predictions_table.is_wide(names):
        return Rows(predictions_table.read_wide(path).evaluations(network), [])
    if set(names) >= set(COLUMNS):
        return Rows(trial_answers.read_trials(path), [])
    if satbench_files.is_cnet(names):
        return Rows([], satbench_files.read_cnet(path, network))
    raise ValueError(
        f"it must be CSV with the columns image and time, or file_names and predictions_exit0, got "
        f"{', '.join(names[:8]) if names else 'no header'}"
    )
