"""Weights files of a few kilobytes: sound ones, and HDF5 that points elsewhere, claims too much or is of other kinds."""

import io
from collections.abc import Callable

import h5py
import numpy as np

KERNELS = (7, 5, 3, 3, 3, 3, 1)
READOUT = "ReadoutDense/ReadoutDense/kernel:0"
FIRST = "Conv_Layer_0/Conv_Layer_0/kernel:0"


def sound(*, recurrent: bool = False, only_readout: bool = False, **options: object) -> bytes:
    """The least that is recognised as a network: kernels of one filter, and a readout of two classes."""
    layers: dict[str, tuple[int, ...]] = {}
    if not only_readout:
        name = "RCL_{}_BConv" if recurrent else "Conv_Layer_{}"
        layers = {name.format(n): (side, side, 1, 1) for n, side in enumerate(KERNELS)}
    out = io.BytesIO()
    with h5py.File(out, "w", **options) as file:
        file.attrs["layer_names"] = np.asarray([name.encode() for name in (*layers, "ReadoutDense")])
        for layer, shape in (*layers.items(), ("ReadoutDense", (1, 2))):
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.asarray([f"{layer}/kernel:0".encode()])
            group[f"{layer}/kernel:0"] = np.ones(shape, np.float32)
    return out.getvalue()


def changed(data: bytes, edit: Callable[[h5py.File], None]) -> bytes:
    """A file with something of it replaced."""
    out = io.BytesIO(data)
    with h5py.File(out, "r+") as file:
        edit(file)
    return out.getvalue()


def _instead(make: Callable[[h5py.File], None]) -> Callable[[h5py.File], None]:
    """Removes the readout's kernel, and puts something else there."""

    def edit(file: h5py.File) -> None:
        del file[READOUT]
        make(file)

    return edit


def _dataset(**options: object) -> Callable[[h5py.File], None]:
    return _instead(lambda file: file.create_dataset(READOUT, **options))


def _link(kind: object) -> Callable[[h5py.File], None]:
    return _instead(lambda file: file.__setitem__(READOUT, kind))


def _names(value: object, of: str = "layer_names", at: str = "/") -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file[at].attrs[of]
        file[at].attrs[of] = value

    return edit


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((1, 2), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (1, 2))
    file.create_virtual_dataset(READOUT, layout)


def _cycle(file: h5py.File) -> None:
    file["ReadoutDense/ReadoutDense/again"] = file["/"]


def _deep(file: h5py.File) -> None:
    group = file
    for _ in range(400):
        group = group.create_group("g")


def _reference(file: h5py.File) -> None:
    file.create_dataset(READOUT, (1, 2), h5py.ref_dtype)[0, 0] = file.ref


EDITS: dict[str, Callable[[h5py.File], None]] = {
    "external_link": _link(h5py.ExternalLink("/etc/other.h5", "/x")),
    "soft_link": _link(h5py.SoftLink("/ReadoutDense")),
    "soft_link_loop": _link(h5py.SoftLink("/" + READOUT)),
    "hard_link_loop": _cycle,
    "external_data": _dataset(shape=(1, 2), dtype="f4", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)]),
    "virtual_data": _instead(_virtual),
    "group_for_data": _instead(lambda file: file.create_group(READOUT)),
    "type_for_data": _link(np.dtype("f4")),
    "no_shape": _link(h5py.Empty("f4")),
    "scalar": _link(np.float32(1)),
    "huge_shape": _dataset(shape=(2**31, 2**31), dtype="f4", chunks=(1024, 1024)),
    "huge_readout": _dataset(shape=(1, 2**40), dtype="f4", chunks=(1, 1024)),
    "unlimited_shape": _dataset(shape=(1, 2), dtype="f4", maxshape=(None, None)),
    "many_axes": _dataset(shape=(1,) * 32, dtype="f4"),
    "compound": _dataset(shape=(1, 2), dtype=[("a", "f4"), ("b", "i4")]),
    "vlen_text": _dataset(shape=(1, 2), dtype=h5py.string_dtype()),
    "vlen_numbers": _dataset(shape=(1, 2), dtype=h5py.vlen_dtype("f4")),
    "opaque": _dataset(shape=(1, 2), dtype=np.dtype("V7")),
    "enum": _dataset(shape=(1, 2), dtype=h5py.enum_dtype({"a": 1})),
    "array_type": _dataset(shape=(1,), dtype=np.dtype(("f4", (2,)))),
    "references": _instead(_reference),
    "half": _dataset(shape=(1, 2), dtype="f2"),
    "overflowing": _dataset(data=np.full((1, 2), 1e300)),
    "compressed": _dataset(shape=(1, 2), dtype="f4", compression="gzip", chunks=(1, 2)),
    "bomb": _dataset(data=np.zeros((1, 20_000_000), np.float32), compression="gzip"),
    "names_scalar": _names("ReadoutDense"),
    "names_bytes": _names(np.bytes_("ReadoutDense")),
    "names_vlen": _names(["ReadoutDense"]),
    "names_numbers": _names([1.5, 2.5]),
    "names_none": _names(h5py.Empty("S4")),
    "names_matrix": _names(np.asarray([[b"a", b"b"]])),
    "names_compound": _names(np.zeros(2, [("a", "S4")])),
    "names_not_utf8": _names(np.asarray([b"\xff\xfe"])),
    "names_with_newline": _names(np.asarray([b"Readout\nDense"])),
    "names_empty_text": _names(np.asarray([b"", b"/", b"..", b"."])),
    "names_root": _names([b"/", b"//ReadoutDense"], "weight_names", "ReadoutDense"),
    "names_references": lambda file: file.attrs.__setitem__("layer_names", np.array([file.ref], h5py.ref_dtype)),
    "names_of_huge_time": _names(np.asarray([b"A_Time_" + b"9" * 5000])),
    "names_of_unlike_digits": _names(np.asarray(["A_Time_\u00b2".encode()])),
    "weight_of_huge_time": lambda file: file.create_dataset("A_Time_" + "9" * 5000, (1,)) and None,
    "deep": _deep,
    "layer_is_data": lambda file: file.move(READOUT, "x") or file.__delitem__("ReadoutDense") or file.move("x", "ReadoutDense"),
    "model_weights_is_data": lambda file: file.attrs.__delitem__("layer_names") or file.__setitem__("model_weights", 1),
    "model_weights_is_link": lambda file: file.attrs.__delitem__("layer_names")
    or file.__setitem__("model_weights", h5py.ExternalLink("/etc/x.h5", "/")),
}  # fmt: skip


def hostile(data: bytes) -> dict[str, bytes]:
    """Every edit, of one sound file."""
    return {name: changed(data, edit) for name, edit in EDITS.items()}
