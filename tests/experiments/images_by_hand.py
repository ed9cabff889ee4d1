"""Synthetic images and their encoded files."""

import io

import numpy as np
from PIL import Image


def encoded(array: np.ndarray, form: str = "JPEG", mode: str | None = None, **settings) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(buffer, form, **settings)
    return buffer.getvalue()


def jpeg(array: np.ndarray) -> bytes:
    return encoded(array, quality=95, subsampling=0)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return an image with detail at every scale, as photographs have."""
    rng = np.random.default_rng(seed)
    layers = [
        Image.fromarray(rng.integers(0, 256, (max(2, height // step), max(2, width // step), 3), np.uint8))
        for step in (1, 4, 16, 64)
    ]
    sized = [np.asarray(layer.resize((width, height), Image.Resampling.BICUBIC), float) for layer in layers]
    return np.mean(sized, axis=0).astype(np.uint8)
