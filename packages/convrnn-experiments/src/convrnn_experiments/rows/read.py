"""Reader of the rows of a comparison: evaluated runs, published weights by name, and files of other programs."""

from collections.abc import Callable, Sequence
from pathlib import Path

from convrnn_data.base import advice
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import Evaluation, read_run, unique_names
from convrnn_experiments.rows import predictions_table
from convrnn_experiments.rows.csv_lines import column_names
from convrnn_experiments.rows.stimuli import ImportedAnswers
from convrnn_model.weights.pretrained import PRETRAINED

FORMS = (
    "a run, the folder of evaluated weights, the name of published weights that were evaluated, or a CSV file of "
    "predictions"
)
_WEIGHTS = (".h5", ".hdf5")


def read_rows(rows: Sequence[str | Path]) -> list[Evaluation]:
    """Read the results of every row, in the order of the rows.

    Args:
        rows: Folders of runs or of evaluated weights; names of published weights, whose results are in `runs/NAME`;
            CSV files in a form of `predictions_table`.

    Raises:
        ConvRNNError: A row is none of these, has not been evaluated, or cannot be read.
    """
    paths = list(dict.fromkeys(_located(str(row)) for row in rows))
    return [
        evaluation
        for path, name in zip(paths, unique_names(paths), strict=True)
        for evaluation in (_read_file(path, name) if path.is_file() else read_run(path, name))
    ]


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


def _read_file(path: Path, network: str) -> list[Evaluation]:
    if path.suffix.lower() in _WEIGHTS:
        raise ConvRNNError(
            f"cannot read the results of {path}: weights must be evaluated first, got a weights file. Run `convrnn "
            f"evaluate {path} TESTSET` and give its folder, runs/{path.stem}"
        )
    try:
        return _reader(path)(path).evaluations(network)
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path)}") from error
    except UnicodeDecodeError as error:
        raise ConvRNNError(
            f"cannot read {path}: it must be text in UTF-8, got other bytes ({error}). Save it as CSV in UTF-8"
        ) from error
    except ValueError as error:
        raise ConvRNNError(f"cannot read {path}: {error}. docs/formats.md describes the columns") from error


def _reader(path: Path) -> Callable[[Path], ImportedAnswers]:
    names = column_names(path)
    if predictions_table.is_long(names):
        return predictions_table.read_long
    if predictions_table.is_wide(names):
        return predictions_table.read_wide
    raise ValueError(
        f"it must be CSV with the columns image and time, or file_names and predictions_exit0, got "
        f"{', '.join(names[:8]) if names else 'no header'}"
    )
