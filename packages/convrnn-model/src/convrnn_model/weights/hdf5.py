"""Strict reading and writing of the HDF5 layout of Keras 2.2 weights.

Every layer, including those without weights, has a group. The attribute `layer_names` of the root and `weight_names` of
each layer give the order; the path of a weight is `{layer}/{layer}/{weight}:0`. A whole-model file has the same layout
under `model_weights`.
"""

import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import h5py
import numpy as np

from convrnn_model import names
from convrnn_model.errors import ConvRNNError
from convrnn_model.files import whole_files
from convrnn_model.weights import damage
from convrnn_model.weights.opening import READ_ERRORS, open_hdf5, require_hdf5, unreadable

# HDF5 stores attributes in an object header of at most 64 KiB; Keras splits longer lists at this size.
ATTRIBUTE_LIMIT = 64512
LARGEST_NAME_LIST = 1 << 24
"""Maximum bytes of one list of names, since attributes outside an object header have no limit."""
LARGEST_CHUNK_EXCESS = 1 << 20
"""Maximum bytes by which a chunk may exceed its array; chunks that h5py chooses are within it."""
DEEPEST_NESTING = 32
"""Maximum nesting of groups; the layout has three levels. HDF5 takes quadratic time for deep nesting."""
KERAS_1_WEIGHT = re.compile(r".+_(W|b|gamma|beta|running_mean|running_std)(_[0-9]+)?(:0)?")


@contextmanager
def open_weights(path: Path) -> Iterator[dict[str, h5py.Dataset]]:
    """Open the weights of a file by `{layer}/{weight}`, such as `RCL_0_BConv/kernel`, in the file's order.

    The datasets are read on access, and stay open until the context exits.

    Raises:
        ConvRNNError: The file cannot be read, is not HDF5, is damaged, or has another layout.
    """
    require_hdf5(path)
    try:
        damage.require_acyclic_free_lists(path)
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    with open_hdf5(path) as file:
        try:
            weights = _find_weights(path, file)
        except READ_ERRORS as error:
            raise unreadable(path, error) from error
        yield weights


def read(path: Path, name: str, dataset: h5py.Dataset) -> np.ndarray:
    """Read one weight as float32.

    Raises:
        ConvRNNError: The weight cannot be read, or is a decompression bomb.
    """
    try:
        if _is_decompression_bomb(dataset):
            raise ConvRNNError(
                f"cannot read {name} of {path}: a chunk must not be larger than its array, so that a small file cannot "
                "fill the memory. Write the file again without compression."
            )
        # Overflow gives infinity, which the caller rejects.
        with np.errstate(over="ignore"):
            return np.asarray(dataset[()], dtype=np.float32)
    except READ_ERRORS as error:
        raise unreadable(path, error, f" in {name}") from error


def read_all(path: Path, stored: Mapping[str, h5py.Dataset], wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """Read several weights as float32.

    Args:
        path: The file, for messages.
        stored: The file's weights, from `open_weights`.
        wanted: Names of the weights to read.

    Raises:
        ConvRNNError: A weight cannot be read, is not floating-point, or is not finite.
    """
    foreign = [f"{name} is {stored[name].dtype}" for name in wanted if stored[name].dtype.kind != "f"]
    if foreign:
        raise ConvRNNError(
            f"cannot load {path}: weights must be floating-point numbers, got {', '.join(foreign)}. Give another file."
        )
    values = {name: read(path, name, stored[name]) for name in wanted}
    require_finite(path, values)
    return values


def require_finite(path: Path, values: Mapping[str, np.ndarray]) -> None:
    """Raise ConvRNNError if weights of a file are NaN or infinite."""
    not_finite = [
        f"{name} ({np.count_nonzero(~np.isfinite(value))} of {value.size})"
        for name, value in values.items()
        if not np.isfinite(value).all()
    ]
    if not_finite:
        raise ConvRNNError(
            f"cannot load {path}: weights must be finite, got NaN or infinite values in {', '.join(not_finite)}. The "
            "training diverged or the file is damaged: give another file."
        )


def _is_decompression_bomb(dataset: h5py.Dataset) -> bool:
    """Return whether chunks or storage are much larger than the data, as in a decompression bomb."""
    limit = dataset.nbytes + LARGEST_CHUNK_EXCESS
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    return chunk > limit or dataset.id.get_storage_size() > 2 * limit


def write(path: Path, layers: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Write a weights file atomically, after reading it back.

    Args:
        path: The file; an existing one is replaced.
        layers: Layer name -> weight name (`kernel`) -> float32 array, in order, including layers without weights.

    Raises:
        ConvRNNError: The file cannot be written.
    """
    if path.is_dir():
        raise ConvRNNError(
            f"cannot write {path}: it is a folder. Name the file to write, such as {path / 'weights.h5'}."
        )
    with whole_files(path) as (temporary,):
        # In memory, because on a full disk HDF5 leaves objects open that print errors until the process ends.
        whole = io.BytesIO()
        with h5py.File(whole, "w") as file:
            _fill(file, layers)
        temporary.write_bytes(whole.getvalue())
        _check_written(temporary, layers)


def _fill(file: h5py.File, layers: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    _set_names(file, "layer_names", list(layers))
    # The version that wrote the published files. "tensorflow" states the order of kernel axes, whatever the backend.
    # That version expects fixed-length bytes.
    file.attrs["backend"] = np.bytes_("tensorflow")
    file.attrs["keras_version"] = np.bytes_("2.2.4-tf")
    for layer, weights in layers.items():
        group = file.create_group(layer)
        _set_names(group, "weight_names", [f"{layer}/{weight}:0" for weight in weights])
        for weight, value in weights.items():
            group.create_dataset(f"{layer}/{weight}:0", data=value)


def _check_written(path: Path, layers: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    wanted = {
        f"{layer}/{weight}": v.shape for layer, weights in layers.items() for weight, v in weights.items()
    }
    with open_weights(path) as stored:
        if {name: dataset.shape for name, dataset in stored.items()} != wanted:
            raise OSError("reading it back gave other weights")


def _find_weights(path: Path, file: h5py.File) -> dict[str, h5py.Dataset]:
    root = file
    if not _has_names(file, "layer_names") and "model_weights" in file:
        root = _follow(path, file, "model_weights")
    if not _has_names(root, "layer_names"):
        raise _layout_error(path, file)
    weights: dict[str, h5py.Dataset] = {}
    paths = set()
    require_heaps = cache(lambda: damage.require_traversable_collections(path))
    for layer in _names(root, "layer_names", require_heaps):
        group = _follow(path, root, layer)
        listed = _names(group, "weight_names", require_heaps)
        _reject_keras_1(path, listed)
        for entry, name in zip(listed, _full_names(layer, listed), strict=True):
            if name in weights:
                raise ConvRNNError(
                    f"{path} lists {name} twice: names must be unique. Write the file again with `save_weights`."
                )
            weights[name] = _array(path, entry, _follow(path, group, entry))
            paths.add(weights[name].name)
    return weights | _unlisted(path, root, paths)


def _full_names(layer: str, listed: Sequence[str]) -> list[str]:
    """Return `{layer}/{weight}` for a group's weights, by the group's name or the layer names of a nested model.

    Keras 2 stores a nested model, such as that of `multi_gpu_model`, in one group under the nested model's name.
    """
    by_group = [f"{layer}/{entry.rsplit('/', 1)[-1].removesuffix(':0')}" for entry in listed]
    by_layer = ["/".join(entry.removesuffix(":0").split("/")[-2:]) for entry in listed]
    if names.has_weights(layer) or not any(names.has_weights(name.split("/")[0]) for name in by_layer):
        return by_group
    return by_layer


def _layout_error(path: Path, file: h5py.File) -> ConvRNNError:
    """Return the error for an HDF5 file without a list of layers, which depends on its contents."""
    if {"nb_layers", "nb_params"} & set(file.attrs):
        return _keras_1_error(path)
    if {"count", "epoch"} <= set(file.attrs):
        return ConvRNNError(
            f"{path} is a training checkpoint of `convrnn train`: a weights file has the layout of the published "
            "weights. Give the run's weights.h5, or checkpoint/best.h5 while it trains."
        )
    if list(file) == ["features"]:
        return ConvRNNError(
            f"{path} contains cached features of `convrnn`, not weights. Give a weights file."
        )
    keras_3 = "layers" in file or "_layer_checkpoint_dependencies" in file
    kind, remedy = (
        "HDF5 without the attribute `layer_names`",
        "Give a file that Keras 2 or `save_weights` wrote",
    )
    if keras_3:
        kind = "a weights file of Keras 3 (.weights.h5)"
        remedy = "Read it with `model.load_weights`, and convert it with `save_weights`"
    return ConvRNNError(
        f"{path} is {kind}: a weights file has the layout of the published weights. {remedy}."
    )


def _reject_keras_1(path: Path, listed: Sequence[str]) -> None:
    if listed and all(KERAS_1_WEIGHT.fullmatch(name) and "/" not in name for name in listed):
        raise _keras_1_error(path)


def _keras_1_error(path: Path) -> ConvRNNError:
    return ConvRNNError(
        f"{path} is a weights file of Keras 1: only the layout of Keras 2 is read. Load it in Keras 2 "
        "(`model.load_weights`) and write it again (`model.save_weights`)."
    )


def _unlisted(path: Path, root: h5py.Group, listed: set[str]) -> dict[str, h5py.Dataset]:
    """Return the datasets that no attribute lists; loading reports them as unexpected."""
    found: dict[str, h5py.Dataset] = {}
    seen: set[int] = set()

    def visit(group: h5py.Group, prefix: str, depth: int) -> None:
        if depth > DEEPEST_NESTING:
            raise ConvRNNError(
                f"{path} nests groups too deeply: at most {DEEPEST_NESTING} levels are read. Give another file."
            )
        for text in group:
            # h5py returns names that are not UTF-8 as bytes.
            raw = text if isinstance(text, bytes) else text.encode()
            # The type of the link, not of its target: libhdf5 aborts when asked about some damaged targets.
            link = group.id.links.get_info(raw)
            if link.type != h5py.h5l.TYPE_HARD or link.u in seen:
                continue
            seen.add(link.u)
            name, item = prefix + raw.decode("utf-8", "backslashreplace"), group[text]
            if isinstance(item, h5py.Group):
                visit(item, f"{name}/", depth + 1)
            elif isinstance(item, h5py.Dataset) and item.name not in listed:
                found[name] = _array(path, name, item)

    visit(root, "", 0)
    return found


def _follow(path: Path, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """Return the item at `name`; soft and external links are an error."""
    item = group
    for part in name.split("/"):
        link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            raise ConvRNNError(
                f"{path} is incomplete: it lists {name} in {group.name} but does not contain it. Copy the file again."
            )
        if not isinstance(link, h5py.HardLink):
            raise ConvRNNError(
                f"{path} has a link in place of {name}: links are not followed. Write the file again "
                "with the data in it."
            )
        item = item[part]
    if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
        raise ConvRNNError(
            f"{path} stores {name} in another file: only data in the file itself are read. Write the file "
            "again with the data in it."
        )
    return item


def _array(path: Path, name: str, item: h5py.Group | h5py.Dataset) -> h5py.Dataset:
    """Return the item if it is an array with a shape and a fixed-size NumPy dtype, else raise an error."""
    if not isinstance(item, h5py.Dataset) or item.shape is None or item.dtype is None or item.dtype.hasobject:
        raise ConvRNNError(
            f"{path} has no array for {name}: weights are arrays of numbers. Give another file."
        )
    return item


def _has_names(item: h5py.Group, attribute: str) -> bool:
    return attribute in item.attrs or f"{attribute}0" in item.attrs


def _names(item: h5py.Group, attribute: str, require_heaps: Callable[[], None]) -> list[str]:
    """Read a list of names, which Keras splits into `{attribute}0`, `{attribute}1`, ... if it is long."""
    if attribute in item.attrs:
        chunks = [_list(item, attribute, require_heaps)]
    else:
        chunks = []
        while f"{attribute}{len(chunks)}" in item.attrs:
            chunks.append(_list(item, f"{attribute}{len(chunks)}", require_heaps))
    return [name.decode() if isinstance(name, bytes) else str(name) for chunk in chunks for name in chunk]


def _list(item: h5py.Group, attribute: str, require_heaps: Callable[[], None]) -> np.ndarray:
    """Read one attribute that must be an empty list or a list of text of bounded size."""
    stored = item.attrs.get_id(attribute)
    # Not the storage size, which raises an error for the empty lists of the published files.
    if len(stored.shape) != 1 or stored.shape[0] * stored.dtype.itemsize > LARGEST_NAME_LIST:
        raise ValueError(f"the attribute {attribute} is not a list of names")
    if stored.dtype.hasobject:
        require_heaps()
    names = np.asarray(item.attrs[attribute])
    if names.size and names.dtype.kind not in "SUO":
        raise ValueError(f"the attribute {attribute} is not a list of names")
    return names


def _set_names(item: h5py.Group, attribute: str, names: Sequence[str]) -> None:
    if not names:
        # The published files have an empty list of floats, NumPy's conversion of an empty list.
        item.attrs[attribute] = np.asarray([])
        return
    values = np.asarray([name.encode() for name in names])
    n_chunks = -(-values.nbytes // ATTRIBUTE_LIMIT)
    if n_chunks == 1:
        item.attrs[attribute] = values
        return
    for index, chunk in enumerate(np.array_split(values, n_chunks)):
        item.attrs[f"{attribute}{index}"] = chunk
