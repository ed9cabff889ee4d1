"""One image: read its size from the header, check that it is whole, repair it, shrink it on request."""

import io
import struct
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

QUALITY = 95
"""JPEG quality of every image that has to be encoded anew."""

MOST_PIXELS = 89_478_485
"""Pillow's own limit (256 MB of colours); ImageNet's largest picture has a third less. Larger ones are bombs."""

MOST_SIDE = 65_500
"""Pixels in a row or column that the JPEG library writes."""

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
"""What is read, by its bytes; Pillow knows forms that run other programs."""

_START, _SCAN, _END = 0xD8, 0xDA, 0xD9
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers that open a frame, and so state width, height and components; the three left out are tables."""

_KEPT_APPS = (0xE0, 0xEE)
"""JFIF and Adobe: decoding needs both. Other application segments hold EXIF and the like."""

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
"""What Pillow raises for damaged pictures of all formats."""


class BadImage(Exception):
    """The bytes are no whole picture; the message says why."""


class Header(NamedTuple):
    """What a JPEG's header says: pixels, components (1 gray, 3 colour, 4 CMYK), and where the picture begins."""

    width: int
    height: int
    components: int
    scan: int


class Picture(NamedTuple):
    """An image as it goes into a shard.

    Attributes:
        data: the JPEG's bytes.
        width: in pixels.
        height: in pixels.
        change: what was done to the bytes, in words; None if they are as they came.
    """

    data: bytes
    width: int
    height: int
    change: str | None


def make_ready(data: bytes, *, check: str = "header", resize: int | None = None) -> Picture:
    """Check an image, and repair or shrink it where needed.

    Args:
        data: the file's bytes, of any of `FORMATS`, whatever its name says.
        check: "header" reads the header and looks for the end; "decode" decodes all of it.
        resize: shorter side in pixels for larger images.

    Raises:
        BadImage: the picture is cut, damaged, or none.
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
    return Picture(data, header.width, header.height, None)


def read_header(data: bytes) -> Header:
    """Read a JPEG's size, and see that it has an end.

    Raises:
        BadImage: the segments do not follow each other, or the end is missing.
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
    if frame[0] * frame[1] > MOST_PIXELS:
        raise BadImage(f"the JPEG must have at most {MOST_PIXELS:,} pixels, got {frame[0]} x {frame[1]}")
    # In coded picture data FF is always followed by 00 or a marker, so FF D9 is the end and nothing else.
    if data.rfind(b"\xff\xd9", scan) < 0:
        raise BadImage("the JPEG is truncated: it has no end marker")
    return Header(*frame, scan)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, first byte, last byte + 1) of every segment's content up to the first scan's header."""
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
    """The JPEG without EXIF and other notes, which decoding does not need and which have crashed decoders."""
    kept = [data[:2]]
    for marker, start, end in _segments(data):
        if not 0xE0 <= marker <= 0xEF or marker in _KEPT_APPS:
            kept.append(data[start - 4 : end])
        scan = end
    return b"".join([*kept, data[scan:]])


def decode(data: bytes) -> Image.Image:
    """Decode a picture of any of `FORMATS`.

    Raises:
        BadImage: the picture is cut, damaged, or none.
    """
    return _decoded(without_exif(data) if data[:2] == b"\xff\xd8" else data)


def _decoded(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            image.load()
    except UnidentifiedImageError as error:
        # Pillow's own words hold an address in memory, and a set's files name the reason: they are always the same.
        raise BadImage(f"it cannot be decoded: it must be one of {', '.join(FORMATS)}") from error
    except UNREADABLE as error:
        raise BadImage(f"it cannot be decoded: {error}") from error
    return image


def _converted(data: bytes, resize: int | None) -> Picture:
    image = _decoded(data)
    return _encoded(image, image.format or "unknown format", resize)


def _encoded(image: Image.Image, was: str | None, resize: int | None) -> Picture:
    """Encode anew as JPEG; `was` names what it came as, if the repair is the reason."""
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
    if max(image.size) > MOST_SIDE:
        raise BadImage(
            f"a side of a JPEG must have at most {MOST_SIDE:,} pixels, got {image.size[0]} x {image.size[1]}"
        )
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return Picture(out.getvalue(), *image.size, f"{', '.join(changes)}, quality {QUALITY}")
