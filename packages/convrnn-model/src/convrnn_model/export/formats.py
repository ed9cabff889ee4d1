"""Formats of exported files, and the software that each one needs."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from convrnn_model.errors import ConvRNNError
from convrnn_model.weights.safetensors import INSTALL, SUFFIX


@dataclass(frozen=True)
class Format:
    """Format of exported files.

    Args:
        writer: Module that writes it.
        install: Command that installs the writer.
        runtime: Module that computes with it.
        install_runtime: Command that installs the runtime.
        file: Module of this package with `write`, `run` and `LAYOUT`; none for files of weights alone.
        weights_suffix: Suffix of a second file with the weights, or none.
    """

    writer: str
    install: str
    runtime: str
    install_runtime: str
    file: str = ""
    weights_suffix: str = ""


_OPENVINO = "openvino", 'pip install "convrnn-model[openvino]"'
_KERAS = "keras", 'pip install "convrnn-model[tensorflow]"'
_SAFETENSORS = "safetensors", INSTALL
FORMATS = {
    ".onnx": Format(
        "onnx",
        'pip install "convrnn-model[onnx]"',
        "onnxruntime",
        "pip install onnxruntime",
        file="convrnn_model.export.onnx_file",
    ),
    ".xml": Format(*_OPENVINO, *_OPENVINO, file="convrnn_model.export.openvino_file", weights_suffix=".bin"),
    SUFFIX: Format(*_SAFETENSORS, *_SAFETENSORS),
    ".keras": Format(*_KERAS, *_KERAS, file="convrnn_model.export.keras_file"),
}
"""Suffix of a file -> its format."""


def format_of(path: Path) -> Format:
    """Return the format of a file by its suffix.

    Raises:
        ConvRNNError: The suffix is unknown, or the software that writes the format is not installed.
    """
    form = FORMATS.get(path.suffix)
    if form is None:
        raise ConvRNNError(
            f"cannot export to {path}: the suffix must be one of {', '.join(FORMATS)}, got "
            f"{path.suffix or 'none'!r}. Choose the format by the name of the file."
        )
    if find_spec(form.writer) is None:
        raise ConvRNNError(
            f"cannot write {path}: {path.suffix} needs {form.writer}, which is not installed. Install it: "
            f"{form.install}."
        )
    return form
