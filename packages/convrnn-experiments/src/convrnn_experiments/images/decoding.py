"""One picture: from a file's bytes to the square that a network sees.

Every step is a library's function that lets other threads run meanwhile, and gives the same pixels on any processor.
"""

import io
import math
from collections.abc import Callable, Sequence
from importlib.metadata import version

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from convrnn_data.shards.images import FORMATS, UNREADABLE, BadImage

try:
    from cykooz_resizer import FilterType, ImageData, PixelType, ResizeAlg, ResizeOptions, Resizer
except ImportError:  # Linux on ARM has no build of it: Pillow then resizes, more slowly
    Resizer = None

Resize = Callable[[np.ndarray], np.ndarray]
"""Takes a square (side, side, 3) uint8, gives it at another size."""


def libraries() -> dict[str, str]:
    """The libraries that pixels depend on, and their versions."""
    names = ("simplejpeg", "pillow", *(("cykooz-resizer",) if Resizer else ()))
    return {name: version(name) for name in names}


def decode(encoded: bytes, least: Sequence[int] = (0, 0)) -> np.ndarray:
    """Decode a picture, a large JPEG only as finely as needed: that costs less, and averages what is left out.

    Args:
        encoded: a JPEG's bytes; a picture of another form is decoded too, at its full size.
        least: height and width that the answer has at least, of 1, 7/8 .. 1/8 of the picture's; 0 for all.

    Returns:
        (height, width, 3) uint8, whatever the picture's colours.

    Raises:
        BadImage: it is cut, damaged, or no picture.
    """
    height, width = least
    try:
        return simplejpeg.decode_jpeg(encoded, "RGB", min_height=height, min_width=width)
    except ValueError:
        return _decoded_by_pillow(encoded)


def size_of(encoded: bytes) -> tuple[int, int]:
    """Return a picture's height and width, read from its header.

    Raises:
        BadImage: it has none that can be read.
    """
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            return image.height, image.width
    except UNREADABLE as error:
        raise BadImage(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """Say why Pillow cannot read a picture; its own words for an unknown format hold an address in memory."""
    if isinstance(error, UnidentifiedImageError):
        return f"it must be one of {', '.join(FORMATS)}, got another format or damage"
    return str(error)


def _decoded_by_pillow(encoded: bytes) -> np.ndarray:
    """PNG and the like, and JPEGs with oddities that harm no pixel, such as bytes after the last."""
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            return np.asarray(image.convert("RGB"))
    except UNREADABLE as error:
        raise BadImage(_reason(error)) from error


def cut(image: np.ndarray, fraction: float, place: Sequence[float]) -> np.ndarray:
    """A view of a square of `fraction` of the shorter side.

    Args:
        image: (height, width, 3).
        fraction: of the shorter side, up to 1.
        place: vertical and horizontal, each in [0, 1); 0.5 is the middle.
    """
    height, width = image.shape[:2]
    side = max(round(min(height, width) * fraction), 1)
    top, left = (
        min(math.floor(at * (free + 1)), free)
        for at, free in zip(place, (height - side, width - side), strict=True)
    )
    return image[top : top + side, left : left + side]


def resizer(size: int) -> Resize:
    """A function that resizes squares, bilinear with antialiasing; only one thread at a time may use it."""
    if Resizer is None:
        return lambda square: _resized_by_pillow(square, size)
    keeps_buffers = Resizer()
    bilinear = ResizeOptions(ResizeAlg.convolution(FilterType.bilinear), use_alpha=False)

    def resize(square: np.ndarray) -> np.ndarray:
        if len(square) == size:
            return square
        source = ImageData(len(square), len(square), PixelType.U8x3, square.tobytes())
        resized = ImageData(size, size, PixelType.U8x3)
        keeps_buffers.resize(source, resized, bilinear)
        return np.frombuffer(resized.get_buffer(), np.uint8).reshape(size, size, 3)

    return resize


def _resized_by_pillow(square: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR))


def copy_mirrored(square: np.ndarray, target: np.ndarray) -> None:
    """Write a square, left and right exchanged, into an array of the same shape."""
    for channel in range(3):  # a plane at a time: five times as fast as pixels of three bytes
        target[..., channel] = square[:, ::-1, channel]
