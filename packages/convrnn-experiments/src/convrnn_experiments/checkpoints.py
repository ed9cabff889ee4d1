"""Where a training stands, bit by bit."""

from collections.abc import Sequence

import h5py
import keras

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs import Run, written_hdf5


def save_state(run: Run, variables: Sequence[keras.Variable], **progress: float) -> None:
    """Every variable of a training, bit by bit, and numbers such as the epoch."""
    with written_hdf5(run.checkpoint) as file:
        for index, variable in enumerate(variables):
            file[str(index)] = variable.numpy()
        file.attrs["count"] = len(variables)
        file.attrs.update(progress)


def load_state(run: Run, variables: Sequence[keras.Variable]) -> dict[str, float] | None:
    """What `save_state` wrote, put back; None where nothing was written yet.

    Raises:
        ConvRNNError: the checkpoint is damaged, or another network's.
    """
    if not run.checkpoint.is_file():
        return None
    try:
        with h5py.File(run.checkpoint, "r") as file:
            progress = {key: float(value) for key, value in file.attrs.items()}
            values = [file[str(index)][()] for index in range(int(progress.pop("count")))]
    except (OSError, KeyError) as error:
        raise ConvRNNError(f"{run.checkpoint} is damaged ({error}); --force starts the run anew") from error
    if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
        raise ConvRNNError(f"{run.checkpoint} is not of this network; --force starts the run anew")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return progress
