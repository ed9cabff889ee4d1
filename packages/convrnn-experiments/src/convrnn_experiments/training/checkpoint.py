"""Exact training-state checkpoints."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.folder import START_OVER, Run, read_hdf5, written_hdf5
from convrnn_model.backend import keras


class Progress(BaseModel):
    """Progress of a training run, stored as attributes of its checkpoint.

    Attributes:
        epoch: Number of completed epochs.
        best_accuracy: Balanced validation accuracy of the best epoch, mean over time steps.
        best_loss: Validation loss of the best epoch.
    """

    model_config = ConfigDict(frozen=True)

    epoch: int
    best_accuracy: float
    best_loss: float


def save_state(run: Run, variables: Sequence[keras.Variable], progress: Progress) -> None:
    """Save every variable exactly, and the progress of the training."""
    with written_hdf5(run.checkpoint) as file:
        for index, variable in enumerate(variables):
            file[str(index)] = variable.numpy()
        file.attrs["count"] = len(variables)
        file.attrs.update(progress.model_dump())


def load_state(run: Run, variables: Sequence[keras.Variable]) -> Progress | None:
    """Restore the variables that `save_state` wrote; returns the progress, or None if there is no checkpoint.

    Raises:
        ConvRNNError: The checkpoint cannot be read, is corrupt, or belongs to another network or version.
    """
    if not run.checkpoint.is_file():
        return None
    with read_hdf5(run.checkpoint, expected="a training checkpoint", remedy=START_OVER) as file:
        values = [file[str(index)][()] for index in range(int(file.attrs["count"]))]
        if missing := set(Progress.model_fields) - set(file.attrs):
            raise ConvRNNError(
                f"cannot resume from {run.checkpoint}: its attributes must include {', '.join(sorted(missing))}, got "
                f"those of an earlier version. {START_OVER}"
            )
        progress = Progress.model_validate({name: float(file.attrs[name]) for name in Progress.model_fields})
    if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
        raise ConvRNNError(
            f"cannot resume from {run.checkpoint}: its arrays must have the shapes of this network's variables, "
            f"got others. {START_OVER}"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return progress
