"""Preparation of one image: reads the header, detects truncation, converts to JPEG, shrinks on request."""

import io
import struct
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

QUALITY = 95
"""JPEG quality of re-encoded images."""

MAX_PIXELS = 89_478_485
"""Pillow's limit against decompression bombs; ImageNet's largest image is a third smaller."""

MAX_SIDE = 65_500
"""Largest width or height that the JPEG library writes, in pixels."""

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
"""Formats that are decoded; others are refused, since Pillow runs external programs for some."""

_START, _SCAN, _END = 0xD8, 0xDA, 0xD9
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of frame headers, which contain width, height and components; the three excluded mark tables."""

_KEPT_APPS = (0xE0, 0xEE)
"""JFIF and Adobe segments, which decoding needs. Other application segments hold metadata such as EXIF."""

UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    struct.error,
    Warning,
    Image.DecompressionBombError,
)
"""Exceptions that Pillow raises for damaged images."""


class BadImage(Exception):
    """Reason why data is not an intact image."""


class Header(NamedTuple):
    """Header of a JPEG: size in pixels, components (1 gray, 3 color, 4 CMYK), and offset of the image data."""

    width: int
    height: int
    components: int
    scan: int


class PreparedImage(NamedTuple):
    """Image as it is stored in a shard.

    Attributes:
        data: The JPEG's bytes.
        width: In pixels.
        height: In pixels.
        change: Description of the conversion; None if the bytes are unchanged.
    """

    data: bytes
    width: int
    height: int
    change: str | None


def make_ready(data: bytes, *, check: str = "header", resize: int | None = None) -> PreparedImage:
    """Check an image, and convert or shrink it if necessary.

    Args:
        data: Content of a file in any of `FORMATS`.
        check: "header" reads the header and checks for the end marker; "decode" decodes the whole image.
        resize: Shorter side in pixels to which larger images are shrunk.

    Raises:
        BadImage: The data is truncated, damaged, or not an image.
    """
    if not data:
        raise BadImage("the file is empty")
    if data[:2] != b"\xff\xd8":
        return _converted(data, resize)
    header = read_header(data)
    if header.components == 4 or (resize is not None and min(header.width, header.height) > resize):
        return _encoded(_decoded(without_exif(data)), "CMYK" if header.components == 4 else None, resize)
    if check == "decode":
        _decoded(without_exif(data))
    return PreparedImage(data, header.width, header.height, None)


def read_header(data: bytes) -> Header:
    """Read the header of a JPEG, and check for the end marker.

    Raises:
        BadImage: The header is damaged, or the end marker is missing.
    """
    frame, scan = None, 0
    for marker, start, end in _segments(data):
        if marker in _FRAMES and frame is None:
            if end - start < 6:
                raise BadImage("the JPEG's frame header is damaged")
            height, width, components = struct.unpack_from(">HHB", data, start + 1)
            frame = (width, height, components)
        scan = end
    if frame is None or not frame[0] or not frame[1] or frame[2] not in (1, 3, 4):
        got = "no frame header" if frame is None else f"{frame[0]} x {frame[1]} pixels, {frame[2]} components"
        raise BadImage(f"the JPEG must have a width, a height and 1, 3 or 4 color components, got {got}")
    if frame[0] * frame[1] > MAX_PIXELS:
        raise BadImage(f"the JPEG must have at most {MAX_PIXELS:,} pixels, got {frame[0]} x {frame[1]}")
    # In entropy-coded data, FF is always followed by 00 or a marker, so FF D9 can only be the end marker.
    if data.rfind(b"\xff\xd9", scan) < 0:
        raise BadImage("the JPEG is truncated: it has no end marker")
    return Header(*frame, scan)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each segment's content, up to the header of the first scan."""
    position = 2
    while True:
        while data[position : position + 2] == b"\xff\xff":
            position += 1
        if position + 4 > len(data):
            raise BadImage("the JPEG is truncated within its header")
        prefix, marker, length = struct.unpack_from(">BBH", data, position)
        end = position + 2 + length
        if prefix != 0xFF or marker in (0, _END) or length < 2:
            raise BadImage("the JPEG's header is damaged")
        if end > len(data):
            raise BadImage("the JPEG is truncated within its header")
        yield marker, position + 4, end
        if marker == _SCAN:
            return
        position = end


def without_exif(data: bytes) -> bytes:
    """Remove EXIF and other metadata, which decoding does not need and which have crashed decoders."""
    kept = [data[:2]]
    for marker, start, end in _segments(data):
        if not 0xE0 <= marker <= 0xEF or marker in _KEPT_APPS:
            kept.append(data[start - 4 : end])
        scan = end
    return b"".join([*kept, data[scan:]])


def decode(data: bytes) -> Image.Image:
    """Decode an image in any of `FORMATS`.

    Raises:
        BadImage: The data is truncated, damaged, or not an image.
    """
    return _decoded(without_exif(data) if data[:2] == b"\xff\xd8" else data)


def _decoded(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            image.load()
    except UnidentifiedImageError as error:
        # Pillow's message contains a memory address, but the reason is written to files that must be reproducible.
        raise BadImage(f"it cannot be decoded: it must be one of {', '.join(FORMATS)}") from error
    except UNREADABLE as error:
        raise BadImage(f"it cannot be decoded: {error}") from error
    return image


def _converted(data: bytes, resize: int | None) -> PreparedImage:
    image = _decoded(data)
    return _encoded(image, image.format or "unknown format", resize)


def _encoded(image: Image.Image, was: str | None, resize: int | None) -> PreparedImage:
    """Encode as JPEG; `was` is the original format if it is the reason for the conversion."""
    changes = [f"{was} to JPEG"] if was else []
    if image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode in ("1", "LA") else "RGB")
    width, height = image.size
    if resize is not None and min(width, height) > resize:
        scale = resize / min(width, height)
        image = image.resize(
            (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS
        )
        changes.append(f"shrunk from {width}x{height}")
    if max(image.size) > MAX_SIDE:
        raise BadImage(
            f"a side of a JPEG must have at most {MAX_SIDE:,} pixels, got {image.size[0]} x {image.size[1]}"
        )
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return PreparedImage(out.getvalue(), *image.size, f"{', '.join(changes)}, quality {QUALITY}")
