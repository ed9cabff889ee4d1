"""Joint table of observers and networks: a row for each observer, image, network and time step.

It serves mixed models and models of response times in other programs. It has the trials of every network on the images
that both sides saw, including images that all observers missed.

| column | |
|---|---|
| observer, experiment | as in `convrnn_data.observers.table` |
| condition | regime: color, grayscale, noise or blur |
| level, block | as in the table of observers |
| image | file name; names of two blocks may be equal |
| category | category of the image |
| response, correct | of the observer; missing and FALSE in a missed trial |
| missed | whether the observer gave no response |
| response_time | ms; missing in a missed trial |
| network, test_set | names of the network and of its results |
| step | time step, from 0 |
| network_answer, network_correct | at this step |
| confidence | softmax of the network's answer; missing if unknown |
| entropy | of the network's softmax, nats; missing if unknown |
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from convrnn_data.base.atomic import atomic_file
from convrnn_data.base.csv_pieces import append_csv
from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison.observer_group import ObserverGroup, trial_keys
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import Evaluation

CSV, PARQUET = ".csv", ".parquet"

_OF_OBSERVER = {
    "observer": "str",
    "experiment": "str",
    "condition": "str",
    "level": "str",
    "block": "int8",
    "image": "str",
    "category": "str",
    "response": "str",
    "correct": "bool",
    "missed": "bool",
    "response_time": "float64",
}
_OF_NETWORK = {
    "network": "str",
    "test_set": "str",
    "step": "int16",
    "network_answer": "str",
    "network_correct": "bool",
    "confidence": "float64",
    "entropy": "float64",
}
COLUMNS = (*_OF_OBSERVER, *_OF_NETWORK)
_ROWS_AT_ONCE = 2**17
_NAMES = np.array(CATEGORIES, dtype=object)


def require_format(out: Path) -> None:
    """Refuse a file of another format, or Parquet without pyarrow.

    Raises:
        ConvRNNError: With the way out.
    """
    if out.suffix not in (CSV, PARQUET):
        raise ConvRNNError(
            f"cannot write {out}: the table of trials must be a {CSV} or {PARQUET} file, got the suffix "
            f"{out.suffix!r}. Choose another name"
        )
    if out.suffix == PARQUET and find_spec("pyarrow") is None:
        raise ConvRNNError(
            f"cannot write {out}: Parquet needs the package pyarrow, which is not installed. Install it (pip install "
            f'"convrnn-experiments[parquet]"), or choose a {CSV} file'
        )


def write_joint_table(evaluations: Sequence[Evaluation], group: ObserverGroup, out: Path) -> int:
    """Write the joint table, atomically and in pieces of bounded size.

    Args:
        evaluations: Evaluations of networks; those on images other than the human stimuli are skipped.
        group: Human answers, after exclusions.
        out: The file, `.csv` or `.parquet`.

    Returns:
        Number of rows.

    Raises:
        ConvRNNError: The format is unknown, or the file cannot be written.
    """
    require_format(out)
    rows = 0
    with (
        atomic_file(out, make_folder=True) as temporary,
        (_parquet if out.suffix == PARQUET else _csv)(temporary) as append,
    ):
        for piece in joint_rows(evaluations, group):
            append(piece)
            rows += len(piece)
    return rows


def joint_rows(evaluations: Sequence[Evaluation], group: ObserverGroup) -> Iterator[pd.DataFrame]:
    """Yield the rows in pieces: by network in the given order, then by observer, block, trial and step."""
    for evaluation in evaluations:
        if not evaluation.human:
            continue
        trials = group.trials(evaluation.regime)
        keys = pd.MultiIndex.from_tuples(trial_keys(evaluation.answers))
        images = keys.get_indexer(pd.MultiIndex.from_frame(trials[["block", "file_name"]]))
        trials, images = trials[images >= 0], images[images >= 0]
        size = max(_ROWS_AT_ONCE // evaluation.answers.answers.shape[1], 1)
        for start in range(0, len(trials), size):
            chosen = slice(start, start + size)
            yield _piece(evaluation, trials.iloc[chosen], images[chosen])


def _piece(evaluation: Evaluation, trials: pd.DataFrame, images: np.ndarray) -> pd.DataFrame:
    answers = evaluation.answers.of(images)
    steps = answers.answers.shape[1]
    of_observer = trials.assign(
        condition=str(evaluation.regime),
        image=trials["file_name"],
        response=trials["response"].where(~trials["missed"]),
        correct=trials["correct"] & ~trials["missed"],
    )[list(_OF_OBSERVER)]
    piece = of_observer.loc[of_observer.index.repeat(steps)].reset_index(drop=True)
    return piece.assign(
        network=evaluation.network,
        test_set=evaluation.name,
        step=np.tile(np.arange(steps), len(trials)),
        network_answer=_NAMES[answers.answers].ravel(),
        network_correct=answers.right.ravel(),
        confidence=answers.confidence.ravel(),
        entropy=answers.entropy.ravel(),
    ).astype(_OF_OBSERVER | _OF_NETWORK)


Append = Callable[[pd.DataFrame], None]


@contextmanager
def _csv(path: Path) -> Iterator[Append]:
    with path.open("w", encoding="utf-8", newline="") as file:
        append_csv(pd.DataFrame(columns=list(COLUMNS)), file, header=True)
        yield lambda piece: append_csv(piece, file, header=False)


@contextmanager
def _parquet(path: Path) -> Iterator[Append]:
    import pyarrow
    from pyarrow import parquet

    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in (_OF_OBSERVER | _OF_NETWORK).items()})
    schema = pyarrow.Schema.from_pandas(empty, preserve_index=False).remove_metadata()
    with parquet.ParquetWriter(path, schema) as writer:

        def append(piece: pd.DataFrame) -> None:
            writer.write_table(pyarrow.Table.from_pandas(piece, schema, preserve_index=False))

        yield append
