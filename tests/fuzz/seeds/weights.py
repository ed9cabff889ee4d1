"""Weights files of a few kilobytes: sound ones, and HDF5 that points elsewhere, claims too much or is of other kinds."""

import contextlib
import io
import math
import random
from collections.abc import Callable
from typing import Any

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
    "layer_is_data": lambda file: file.move(READOUT, "x") or file.__delitem__("ReadoutDense") or file.move("x", "ReadoutDense"),
    "model_weights_is_data": lambda file: file.attrs.__delitem__("layer_names") or file.__setitem__("model_weights", 1),
    "model_weights_is_link": lambda file: file.attrs.__delitem__("layer_names")
    or file.__setitem__("model_weights", h5py.ExternalLink("/etc/x.h5", "/")),
}  # fmt: skip


def hostile(data: bytes) -> dict[str, bytes]:
    """Every edit, of one sound file."""
    return {name: changed(data, edit) for name, edit in EDITS.items()}


# --- drawn edits ---------------------------------------------------------------------------------------

KINDS: tuple[Any, ...] = (
    *("f4", "f4", "f4", "f4", "f2", "f8", ">f4", ">f8", "i1", "i8", "u8", "?", "c8", "S3", "V7"),
    *(
        h5py.string_dtype(),
        h5py.vlen_dtype("f4"),
        h5py.ref_dtype,
        h5py.regionref_dtype,
        h5py.enum_dtype({"a": 1}),
    ),
    *(np.dtype([("a", "f4"), ("b", "i4")]), np.dtype(("f4", (2,))), np.dtype("f4").newbyteorder(">")),
)
LARGEST_PIECE = 1 << 20
"""Numbers in a piece of drawn data."""
SHAPES = (
    (),
    (1,),
    (1, 2),
    (1, 2),
    (1, 2),
    (2, 1),
    (1, 2, 1),
    (0, 2),
    (2, 0),
    (1, 3),
    (7, 7, 1, 1),
    (3, 3, 2, 2),
    (1,) * 32,
)
VALUES = (0.0, 1.0, -1.5, float("nan"), float("inf"), 1e39, 1e-46)
NAMES = (
    *("ReadoutDense", "ReadoutDense/kernel:0", "kernel:0", "kernel", "Conv_Layer_0", "RCL_0_BConv", "RCL_0_LConv"),
    *("BatchNorm_Layer_0_Time_0", "BatchNorm_RCL_0_Time_7", "A_Time_99999999999999999999", "Sigmoid", "x", "", "/", "//", ".", ".."),
    *("a" * 3000, "\u00e9", "\u0663", "a:0:0", "ReadoutDense/ReadoutDense/kernel:0", "model_weights", "optimizer_weights"),
)  # fmt: skip


def drawn(rng: random.Random, data: bytes) -> bytes:
    """A sound file after one to four drawn edits; those that HDF5 does not let happen are left out."""
    with h5py.File.in_memory(data) as file:
        for _ in range(rng.choice((1, 1, 2, 4))):
            with contextlib.suppress(Exception):
                rng.choice(_EDITS)(rng, file)
        file.flush()
        return bytes(file.id.get_file_image())


def _somewhere(rng: random.Random, file: h5py.File) -> str:
    """A path of the file that is there, or nearly there."""
    paths = ["/", READOUT, READOUT]
    file.visit(paths.append)
    path = rng.choice(paths)
    return path if rng.random() < 0.8 else f"{path}/{rng.choice(NAMES)}"


def _new_data(rng: random.Random, file: h5py.File) -> None:
    path, shape = _somewhere(rng, file), rng.choice(SHAPES)
    options: dict[str, Any] = {"shape": shape, "dtype": rng.choice(KINDS)}
    if shape and 0 not in shape and rng.random() < 0.4:
        options |= {"chunks": shape, **rng.choice(_FILTERS)}
        if rng.random() < 0.5:
            options["maxshape"] = (None,) * len(shape)
            options["chunks"] = tuple(rng.choice((1, 2, 64, 1024)) for _ in shape)
            # Of one, written below, an input would become as large.
            if math.prod(options["chunks"]) > LARGEST_PIECE:
                options["chunks"] = shape
        if rng.random() < 0.1:
            options["shape"] = tuple(rng.choice((1, 2**31, 2**40)) for _ in shape)
    if path in file:
        del file[path]
    file.create_dataset(path, **options)
    # HDF5 itself dies of a number put among references, say.
    if options["shape"] == shape and np.dtype(options["dtype"]).kind in "fiu" and rng.random() < 0.7:
        with np.errstate(all="ignore"):
            file[path][...] = np.full(shape, rng.choice(VALUES)).astype(options["dtype"])


_FILTERS: tuple[dict[str, Any], ...] = (
    *({}, {"compression": "gzip"}, {"compression": "gzip", "compression_opts": 9, "shuffle": True}),
    *({"compression": "lzf"}, {"fletcher32": True}, {"scaleoffset": 2}),
)


def _delete(rng: random.Random, file: h5py.File) -> None:
    del file[_somewhere(rng, file)]


def _move(rng: random.Random, file: h5py.File) -> None:
    file.move(
        _somewhere(rng, file),
        rng.choice((rng.choice(NAMES), _somewhere(rng, file) + "/" + rng.choice(NAMES))),
    )


def _under_model_weights(rng: random.Random, file: h5py.File) -> None:
    names = list(file)
    file.create_group("model_weights").attrs["layer_names"] = file.attrs["layer_names"]
    for name in names:
        file.move(name, f"model_weights/{name}")
    if rng.random() < 0.8:
        del file.attrs["layer_names"]


def _new_link(rng: random.Random, file: h5py.File) -> None:
    path, to = _somewhere(rng, file), _somewhere(rng, file)
    if path in file and path != "/":
        del file[path]
    links = (h5py.SoftLink(to), h5py.ExternalLink("/etc/x.h5", to), h5py.ExternalLink("w.h5", to), file[to])
    file[path] = links[rng.randrange(len(links))]


def _new_names(rng: random.Random, file: h5py.File) -> None:
    """A list of names changed, or kept in another way."""
    holders = [path for path in ("/", *file) if {"layer_names", "weight_names"} & set(file[path].attrs)]
    holder = file[rng.choice(holders)]
    attribute = next(name for name in ("layer_names", "weight_names") if name in holder.attrs)
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in holder.attrs[attribute]]
    at = rng.randrange(len(names))
    match rng.randrange(7):
        case 0:
            names[at] = rng.choice(NAMES)
        case 1:
            names.insert(at, rng.choice(NAMES))
        case 2:
            names.insert(at, names[at])
        case 3:
            del names[at]
        case 4:
            rng.shuffle(names)
        case 5:
            names[at] = f"{names[at]}/"
        case _:
            pass
    del holder.attrs[attribute]
    ways = (
        lambda: holder.attrs.__setitem__(attribute, names),
        lambda: holder.attrs.__setitem__(attribute, np.asarray([name.encode() for name in names])),
        lambda: [holder.attrs.__setitem__(f"{attribute}{n}", [name]) for n, name in enumerate(names)],
        lambda: holder.attrs.__setitem__(attribute, names[at]),
        lambda: holder.attrs.__setitem__(attribute, np.array([names], object), dtype=h5py.string_dtype()),
        lambda: holder.attrs.create(
            attribute, [name.encode() for name in names], dtype=h5py.vlen_dtype("u1")
        ),
    )
    rng.choice(ways)()


_EDITS: tuple[Callable[[random.Random, h5py.File], None], ...] = (
    *(
        _new_data,
        _new_data,
        _new_data,
        _delete,
        _move,
        _under_model_weights,
        _new_link,
        _new_names,
        _new_names,
    ),
)


# --- checksums -----------------------------------------------------------------------------------------


def with_checksums(data: bytes) -> bytes:
    """A broken file of HDF5's newer forms with the checksums of its superblock and object headers put right."""
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
    """Bob Jenkins' hash, by which HDF5 checks its own structures."""
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    at = 0
    while len(data) - at > 12:
        a, b, c = _mixed(*_added(a, b, c, data[at : at + 12]))
        at += 12
    return _finished(*_added(a, b, c, data[at:].ljust(12, b"\0"))) if at < len(data) else c


_MASK = 0xFFFFFFFF


def _added(a: int, b: int, c: int, block: bytes) -> tuple[int, int, int]:
    words = (int.from_bytes(block[n : n + 4], "little") for n in (0, 4, 8))
    return tuple((one + word) & _MASK for one, word in zip((a, b, c), words, strict=True))  # type: ignore[return-value]


def _turned(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & _MASK


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    for by in (4, 6, 8, 16, 19, 4):
        a = (a - c & _MASK) ^ _turned(c, by)
        a, b, c = b, c + b & _MASK, a
    return a, b, c


def _finished(a: int, b: int, c: int) -> int:
    for by in (14, 11, 25, 16, 4, 14, 24):
        c = (c ^ b) - _turned(b, by) & _MASK
        a, b, c = b, c, a
    return b
