"""Reading of photos of any size and mode as the networks' input."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_model.errors import ConvRNNError

MOST_PIXELS = 89_478_485
"""Pillow's limit against decompression bombs."""
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
"""Formats that are decoded; Pillow runs external programs for some others."""


@dataclass(frozen=True)
class Photo:
    """Photo as a network sees it.

    Attributes:
        path: The file.
        width, height: Size of the photo, px.
        image: Central square at the network's size, (size, size, 3) uint8.
    """

    path: Path
    width: int
    height: int
    image: np.ndarray


def read_photo(path: str | Path, size: int = 128) -> Photo:
    """Read a photo, upright, in color, cropped to the central square, and resized.

    The square is resized with a triangle filter that is widened for reduction (Pillow's `BILINEAR`), the filter of
    `convrnn evaluate`. Transparent pixels become white, and 16-bit gray is reduced to 8 bits. Of animations, the first
    frame is read.

    Args:
        path: JPEG, PNG, GIF, BMP, TIFF or WebP.
        size: Side of the result, px.

    Raises:
        ConvRNNError: The file is not an intact photo, or Pillow is not installed.
    """
    path = Path(path)
    pillow = _pillow()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConvRNNError(
            f"cannot read the photo {path}: {error.strerror or error}. Give another file."
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF data, of which only the orientation matters
            with pillow.Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                _require_readable_size(path, opened.size)
                upright = _in_color(pillow.ImageOps.exif_transpose(opened), pillow)
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError) as error:
        what = "a damaged or truncated file" if data else "an empty file"
        raise ConvRNNError(
            f"cannot read the photo {path}: it must be an intact {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file, got "
            f"{what} ({error}). Give another file, or convert it."
        ) from error
    width, height = upright.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = upright.resize(
        (size, size), pillow.Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
    )
    return Photo(path, width, height, np.asarray(square))


def _require_readable_size(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise ConvRNNError(
            f"cannot read the photo {path}: it must have at most {MOST_PIXELS:,} pixels, got {size[0]} x {size[1]}. "
            "Shrink it first."
        )


def _in_color(image: Any, pillow: Any) -> Any:
    """Convert an image of any mode to RGB."""
    if image.mode.startswith("I"):  # 16-bit gray, as 16 or 32 bits
        values = np.asarray(image).astype(np.int64)
        image = pillow.Image.fromarray(np.clip(values // 257, 0, 255).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of unknown range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = pillow.Image.alpha_composite(pillow.Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _pillow() -> Any:
    try:
        import PIL
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise ConvRNNError(
            'photos need Pillow, which is not installed. Install it: pip install "convrnn-model[classify]".'
        ) from error
    return PIL
