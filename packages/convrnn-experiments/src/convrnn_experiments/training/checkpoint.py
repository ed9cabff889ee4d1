"""Exact training-state checkpoints."""

from collections.abc import Sequence

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.folder import START_OVER, Run, read_hdf5, written_hdf5
from convrnn_model.backend import keras


def save_state(run: Run, variables: Sequence[keras.Variable], **progress: float) -> None:
    """Save every variable exactly, and the progress of the training, such as the epoch."""
    with written_hdf5(run.checkpoint) as file:
        for index, variable in enumerate(variables):
            file[str(index)] = variable.numpy()
        file.attrs["count"] = len(variables)
        file.attrs.update(progress)


def load_state(run: Run, variables: Sequence[keras.Variable]) -> dict[str, float] | None:
    """Restore the variables that `save_state` wrote; returns the progress, or None if there is no checkpoint.

    Raises:
        ConvRNNError: the checkpoint cannot be read, is corrupt, or belongs to another network.
    """
    if not run.checkpoint.is_file():
        return None
    with read_hdf5(run.checkpoint, expected="a training checkpoint", remedy=START_OVER) as file:
        progress = {key: float(value) for key, value in file.attrs.items()}
        values = [file[str(index)][()] for index in range(int(progress.pop("count")))]
    if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
        raise ConvRNNError(
            f"cannot resume from {run.checkpoint}: its arrays must have the shapes of this network's variables, "
            f"got others. {START_OVER}"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return progress
