"""Export of a weights file to a format that other software opens without this package."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_model.errors import ConvRNNError
from convrnn_model.export import safetensors_file
from convrnn_model.export.formats import Format, format_of
from convrnn_model.export.graph import Graph
from convrnn_model.export.metadata import graph_metadata, network_metadata
from convrnn_model.files import whole_files
from convrnn_model.inference.frozen import from_file, read_network
from convrnn_model.inference.operations import Architecture
from convrnn_model.inference.outputs import requested
from convrnn_model.inference.predictor import compile_network
from convrnn_model.variants import VARIANTS, require_positive_integer
from convrnn_model.weights.inspection import PathLike, inspect_weights
from convrnn_model.weights.safetensors import SUFFIX

IMAGE_SIZE = 128
"""Default side of the image, px, at which the published networks were trained."""
TOLERANCE = 1e-5
"""Largest difference of an output, relative to its largest value."""
CHECKED_IMAGES = 2
"""Images of the check if a file takes any number."""


@dataclass(frozen=True)
class ExportReport:
    """Result of `export_network`.

    Args:
        files: The files written.
        outputs: Names of the outputs, in order; none for files of weights alone.
        runtime: Module that opened the file for the check.
        difference: Largest difference from the network, relative to the largest value of the output; None if the
            runtime is not installed, so that the file was not checked.
        install_runtime: Command that installs the runtime.
    """

    files: tuple[Path, ...]
    outputs: tuple[str, ...]
    runtime: str
    difference: float | None
    install_runtime: str

    def __str__(self) -> str:
        """Return the files, the outputs, and the result of the check, one per line."""
        lines = [f"written: {path}" for path in self.files]
        if self.outputs:
            lines.append(f"outputs: {' '.join(self.outputs)}")
        if self.difference is None:
            lines.append(
                f"not checked, because {self.runtime} is not installed. Install it: {self.install_runtime}"
            )
        else:
            lines.append(f"checked with {self.runtime}: largest relative difference {self.difference:.1g}")
        return "\n".join(lines)


def export_network(
    weights: PathLike,
    path: PathLike,
    *,
    batch: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    outputs: str | Sequence[str] | None = None,
    n_timesteps: int | None = None,
    cumulative_readout: bool = False,
    force: bool = False,
) -> ExportReport:
    """Write a network as a file of other software: ONNX, OpenVINO, safetensors or Keras.

    Files of ONNX, OpenVINO and Keras contain the computation, and those of safetensors the weights, for
    `convrnn_model.torch`. All contain metadata: the network, its classes and categories, the sha256 of the weights
    file, and layout and range of the images. Where the software that runs the file is installed, its outputs for
    random images are compared with those of the network; tensors of safetensors are compared with the weights. A file
    that disagrees is not kept.

    Args:
        weights: HDF5 in the layout of the published files, such as `fetch_weights` returns.
        path: The file to write, with the suffix `.onnx`, `.xml`, `.safetensors` or `.keras`. Next to an `.xml`, a
            `.bin` of the same name has the weights.
        batch: Number of images; any number by default.
        image_size: Side of the image, or height and width, px; by default 128.
        outputs: A group, "softmax" (the default), "pre_softmax" or "features", at all time steps; or names of layers at
            time steps, as `activations` takes them.
        n_timesteps: The file's first time steps; all by default.
        cumulative_readout: Compute softmax from the sum of the readouts up to each time step.
        force: Replace existing files.

    Raises:
        ConvRNNError: The weights cannot be read, an argument is out of range, the software that writes the format is
            not installed, a file exists, cannot be written, or disagrees with the network.
    """
    weights, path = Path(weights), Path(path)
    form = format_of(path)
    files = (path, *([path.with_suffix(form.weights_suffix)] if form.weights_suffix else []))
    _require_absent(files, force)
    options: dict[str, Any] = {"n_timesteps": n_timesteps, "cumulative_readout": cumulative_readout}
    if not form.file:
        _require_no_graph(path, batch=batch, image_size=image_size, outputs=outputs)
        return _export_weights(weights, path, form, options)
    return _export_graph(_graph(weights, batch, image_size, outputs, options), files, form)


def _export_weights(weights: Path, path: Path, form: Format, options: Mapping[str, Any]) -> ExportReport:
    network, values = read_network(weights, **options)
    metadata = network_metadata(network, inspect_weights(weights).sha256)
    with whole_files(path) as (temporary,):
        safetensors_file.write(temporary, values, metadata)
        difference = safetensors_file.largest_difference(temporary, values)
        _require_agreement(path, form, difference, 0)
    return ExportReport((path,), (), form.runtime, difference, form.install_runtime)


def _export_graph(graph: Graph, files: tuple[Path, ...], form: Format) -> ExportReport:
    module = import_module(form.file)
    metadata = network_metadata(graph.network, inspect_weights(graph.weights).sha256)
    metadata |= graph_metadata(module.LAYOUT, graph.image_size, graph.outputs)
    difference = None
    with whole_files(*files) as (temporary, *_):
        module.write(temporary, graph, metadata)
        if find_spec(form.runtime):
            difference = _difference(graph, module.run, temporary)
            _require_agreement(files[0], form, difference, TOLERANCE)
    return ExportReport(files, graph.outputs, form.runtime, difference, form.install_runtime)


def _graph(
    weights: Path,
    batch: int | None,
    image_size: int | tuple[int, int] | None,
    outputs: str | Sequence[str] | None,
    options: Mapping[str, Any],
) -> Graph:
    network = from_file(weights, **options)
    if batch is not None:
        require_positive_integer("batch", batch)
    found = requested(network, outputs, network.variant)
    return Graph(weights, network, found.operations, found.values, _image_size(network, image_size), batch)


def _image_size(network: Architecture, image_size: int | tuple[int, int] | None) -> tuple[int, int]:
    given = IMAGE_SIZE if image_size is None else image_size
    height, width = given if isinstance(given, tuple) else (given, given)
    for side in (height, width):
        require_positive_integer("image_size", side)
    smallest = VARIANTS[network.variant].smallest_side
    if min(height, width) < smallest:
        raise ConvRNNError(
            f"{network.variant} halves an image {smallest.bit_length() - 1} times, so its sides must be at least "
            f"{smallest} px, got {height} x {width}. Choose a larger image size."
        )
    return height, width


def _difference(graph: Graph, run: Callable[..., dict[str, np.ndarray]], path: Path) -> float:
    """Return the largest difference between the outputs of a file and those of the network, for random images."""
    network = graph.network
    shape = (graph.batch or CHECKED_IMAGES, *graph.image_size, network.channels)
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    predictor = compile_network(
        graph.weights,
        outputs=graph.outputs,
        n_timesteps=network.n_timesteps,
        cumulative_readout=network.cumulative_readout,
    )
    expected, found = predictor.predict(images), run(path, images)
    if set(found) != set(expected) or any(found[name].shape != expected[name].shape for name in found):
        return float("inf")
    return max(
        float(np.abs(found[name] - value).max() / max(np.abs(value).max(), np.finfo(np.float32).tiny))
        for name, value in expected.items()
    )


def _require_agreement(path: Path, form: Format, difference: float, tolerance: float) -> None:
    # Not `>`, so that NaN is an error.
    if not difference <= tolerance:
        raise ConvRNNError(
            f"{path} was not written: {form.runtime} must agree with the network within {tolerance:g}, got a "
            f"difference of {difference:g}. Update {form.runtime} ({form.install_runtime}), or choose another format."
        )


def _require_absent(files: Sequence[Path], force: bool) -> None:
    existing = [str(path) for path in files if path.exists()]
    if existing and not force:
        raise ConvRNNError(
            f"cannot write {files[0]}: {' and '.join(existing)} must not exist yet. Pass --force to replace it, or "
            "choose another name."
        )


def _require_no_graph(path: Path, **options: Any) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ConvRNNError(
            f"{', '.join(given)} cannot be set for {path}: a {SUFFIX} file has weights without a computation. Leave "
            "them out, or choose another format."
        )
