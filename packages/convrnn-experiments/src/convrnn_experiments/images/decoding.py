"""Decoding, cropping and resizing of single images.

The libraries release the GIL and return the same pixels on any processor.
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
except ImportError:  # no wheel for Linux on ARM; Pillow resizes more slowly
    Resizer = None

Resize = Callable[[np.ndarray], np.ndarray]
"""Function from a square (side, side, 3) uint8 to the same square at another size."""


def libraries() -> dict[str, str]:
    """Return the versions of the libraries that pixels depend on."""
    names = ("simplejpeg", "pillow", *(("cykooz-resizer",) if Resizer else ()))
    return {name: version(name) for name in names}


def decode(encoded: bytes, least: Sequence[int] = (0, 0)) -> np.ndarray:
    """Decode an image. A large JPEG may be decoded at a reduced size, which is faster and averages pixels.

    Args:
        encoded: JPEG, or an image of another format, which is decoded at full size.
        least: Minimum height and width, or 0 for the full size. The result has the smallest of 1, 7/8 .. 1/8 of the
            image's size that is not below the minimum.

    Returns:
        (height, width, 3) uint8, for any colour space.

    Raises:
        BadImage: The bytes are truncated, corrupt, or not an image.
    """
    height, width = least
    try:
        return simplejpeg.decode_jpeg(encoded, "RGB", min_height=height, min_width=width)
    except ValueError:
        return _decode_with_pillow(encoded)


def size_of(encoded: bytes) -> tuple[int, int]:
    """Read the height and width of an image from its header.

    Raises:
        BadImage: The header cannot be read.
    """
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            return image.height, image.width
    except UNREADABLE as error:
        raise BadImage(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """Explain why Pillow cannot read an image. Its own message for an unknown format contains a memory address."""
    if isinstance(error, UnidentifiedImageError):
        return f"it must be one of {', '.join(FORMATS)}, got another format or damage"
    return str(error)


def _decode_with_pillow(encoded: bytes) -> np.ndarray:
    """Decode formats other than JPEG, and JPEGs with harmless irregularities such as trailing bytes."""
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            return np.asarray(image.convert("RGB"))
    except UNREADABLE as error:
        raise BadImage(_reason(error)) from error


def cut(image: np.ndarray, fraction: float, place: Sequence[float]) -> np.ndarray:
    """Return a view of a square crop.

    Args:
        image: (height, width, 3).
        fraction: Side of the crop, as a fraction of the shorter side, up to 1.
        place: Vertical and horizontal position, each in [0, 1); 0.5 is the centre.
    """
    height, width = image.shape[:2]
    side = max(round(min(height, width) * fraction), 1)
    top, left = (
        min(math.floor(at * (free + 1)), free)
        for at, free in zip(place, (height - side, width - side), strict=True)
    )
    return image[top : top + side, left : left + side]


def resizer(size: int) -> Resize:
    """Return a function that resizes squares bilinearly with antialiasing. The function is not thread-safe."""
    if Resizer is None:
        return lambda square: _resize_with_pillow(square, size)
    buffered = Resizer()
    bilinear = ResizeOptions(ResizeAlg.convolution(FilterType.bilinear), use_alpha=False)

    def resize(square: np.ndarray) -> np.ndarray:
        if len(square) == size:
            return square
        source = ImageData(len(square), len(square), PixelType.U8x3, square.tobytes())
        resized = ImageData(size, size, PixelType.U8x3)
        buffered.resize(source, resized, bilinear)
        return np.frombuffer(resized.get_buffer(), np.uint8).reshape(size, size, 3)

    return resize


def _resize_with_pillow(square: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR))


def copy_mirrored(square: np.ndarray, target: np.ndarray) -> None:
    """Copy a square, mirrored left to right, into an array of the same shape."""
    for channel in range(3):  # copying by channel is five times as fast as by pixel of three bytes
        target[..., channel] = square[:, ::-1, channel]
