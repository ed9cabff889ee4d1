"""Small weights files: valid ones, and HDF5 with external links, false sizes or other types."""

import contextlib
import io
from collections.abc import Callable, Sequence

import h5py
import numpy as np

KERNELS = (7, 5, 3, 3, 3, 3, 1)
READOUT = "ReadoutDense/ReadoutDense/kernel:0"


def valid(*, recurrent: bool = False, only_readout: bool = False, **options: object) -> bytes:
    """Return the smallest file that is recognised as a network: kernels of one filter, a readout of two classes."""
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
    """Return a file after an edit."""
    out = io.BytesIO(data)
    with h5py.File(out, "r+") as file:
        edit(file)
    return out.getvalue()


def _instead(make: Callable[[h5py.File], None]) -> Callable[[h5py.File], None]:
    """Return an edit that replaces the readout's kernel."""

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
    for _ in range(40):
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
    "large_pieces": _dataset(shape=(1, 2), dtype="f4", chunks=(1, 2**28), maxshape=(None, None), compression="gzip"),
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
    "layer_is_data": lambda file: file.move(READOUT, "x")
    or file.__delitem__("ReadoutDense")
    or file.move("x", "ReadoutDense"),
    "model_weights_is_data": lambda file: file.attrs.__delitem__("layer_names") or file.__setitem__("model_weights", 1),
    "model_weights_is_link": lambda file: file.attrs.__delitem__("layer_names")
    or file.__setitem__("model_weights", h5py.ExternalLink("/etc/x.h5", "/")),
}  # fmt: skip


def hostile(data: bytes) -> dict[str, bytes]:
    """Return a file after each of the edits."""
    return {name: changed(data, edit) for name, edit in EDITS.items()}


def with_edits(data: bytes, names: Sequence[str]) -> bytes:
    """Return a file after several edits; those that HDF5 rejects are left out."""
    for name in names:
        with contextlib.suppress(Exception):
            data = changed(data, EDITS[name])
    return data


def with_checksums(data: bytes) -> bytes:
    """Recompute the checksums of superblock and object headers; HDF5's older format has none."""
    out = bytearray(data)
    if data[:8] == b"\x89HDF\r\n\x1a\n" and data[8:9] in (b"\2", b"\3") and len(data) >= 48:
        out[44:48] = lookup3(data[:44]).to_bytes(4, "little")
    at = data.find(b"OHDR")
    while at >= 0:
        flags = data[at + 5] if at + 6 < len(data) else 0
        width, size_at = 1 << (flags & 3), at + 6 + 16 * (flags >> 5 & 1) + 4 * (flags >> 4 & 1)
        end = size_at + width + int.from_bytes(data[size_at : size_at + width], "little")
        if end + 4 <= len(data) and end - at < 4096:
            out[end : end + 4] = lookup3(bytes(out[at:end])).to_bytes(4, "little")
        at = data.find(b"OHDR", at + 4)
    return bytes(out)


def lookup3(data: bytes) -> int:
    """Return Bob Jenkins' hash, the checksum of HDF5's metadata."""
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    at = 0
    while len(data) - at > 12:
        a, b, c = _mix(*_add(a, b, c, data[at : at + 12]))
        at += 12
    return _final_mix(*_add(a, b, c, data[at:].ljust(12, b"\0"))) if at < len(data) else c


_MASK = 0xFFFFFFFF


def _add(a: int, b: int, c: int, block: bytes) -> tuple[int, int, int]:
    words = (int.from_bytes(block[n : n + 4], "little") for n in (0, 4, 8))
    return tuple((state + word) & _MASK for state, word in zip((a, b, c), words, strict=True))  # type: ignore[return-value]


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & _MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for by in (4, 6, 8, 16, 19, 4):
        a = (a - c & _MASK) ^ _rotate(c, by)
        a, b, c = b, c + b & _MASK, a
    return a, b, c


def _final_mix(a: int, b: int, c: int) -> int:
    for by in (14, 11, 25, 16, 4, 14, 24):
        c = (c ^ b) - _rotate(b, by) & _MASK
        a, b, c = b, c, a
    return b
