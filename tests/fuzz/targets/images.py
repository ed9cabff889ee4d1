"""Pictures, and the names of the human stimuli."""

import io
import math
import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from convrnn_data.categories import CATEGORIES
from convrnn_data.human import stimuli
from convrnn_data.shards import images, shard
from fuzz import mutations, pictures
from fuzz.targets.making import choice, demand, target

PICTURE_TOKENS = (
    *(
        b"\xff\xc0",
        b"\xff\xc2",
        b"\xff\xc4",
        b"\xff\xda",
        b"\xff\xd9",
        b"\xff\xdd",
        b"\xff\xe1",
        b"\xff\xee\0\x0eAdobe",
    ),
    *(
        b"IHDR",
        b"IDAT",
        b"PLTE",
        b"tRNS",
        b"IEND",
        b"acTL",
        b"iCCP",
        b"zTXt",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"RIFF",
    ),
)


def _break_picture(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    data = mutations.broken_bytes(rng, rng.choice(seeds), seeds, PICTURE_TOKENS)
    return pictures.with_checksums(data) if data[:4] == b"\x89PNG" and rng.random() < 0.8 else data


def _picture(data: bytes, folder: Path) -> None:
    check, resize = (("header", None), ("decode", None), ("decode", 4), ("header", 9))[choice(data, 4)]
    picture = images.make_ready(data, check=check, resize=resize)
    demand(picture.change is not None or picture.data == data, "bytes changed without a note")
    demand(
        picture.width * picture.height <= images.MOST_PIXELS, f"{picture.width}x{picture.height} is too large"
    )
    if picture.change is not None:
        with Image.open(io.BytesIO(picture.data)) as image:
            demand(image.size == (picture.width, picture.height), f"{image.size} is not what is stated")
            demand(
                image.format == "JPEG" and image.mode in ("L", "RGB"),
                f"it became {image.format} {image.mode}",
            )


class NotOne(Exception):
    """The answer of parsers that answer None."""


NAMES = (
    "24_color_gray_g_car.JPEG", "45_color_gray_c_boat.JPEG", "41_blur_9_bird.JPEG", "14_noise_0.16_bicycle.JPEG",
    "0_noise_0_oven_exit4.jpg", "007_blur_3_dog_exit0.jpeg", "9_color_gray_c_truck_exit1.JPEG",
)  # fmt: skip
NAME_TOKENS = tuple(
    text.encode()
    for text in ("_", ".", "-", "_exit0", ".JPEG", "color_gray", "noise", "blur", "0.04", "1e5", "٣", "²", "\n", "\0", "inf",
                 *CATEGORIES)
)  # fmt: skip


def _break_name(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A name of drawn parts, most of them possible ones, or broken text, or both."""
    parts = [
        rng.choice(part) if rng.random() < 0.95 else rng.choice(NAME_TOKENS).decode() for part in NAME_PARTS
    ]
    if parts[1].startswith("color_gray_") and rng.random() < 0.9:
        del parts[2]  # Its level is in its name.
    name = ("_".join(parts[:-2]) + "".join(parts[-2:])).encode()
    return (
        name
        if rng.random() < 0.7
        else mutations.broken_text(rng, rng.choice((name, *seeds)), seeds, NAME_TOKENS)
    )


NAME_PARTS = (
    (*("0", "7", "007", "41", "999999999") * 3, "1234567890", "-1", "+1", " 1"),
    ("color_gray_c", "color_gray_g", "noise", "noise", "blur", "blur", "color", "NOISE"),
    (*("0", "0.0", "0.04", "0.16", "3", "9", "9999") * 2, "12345", "0.1234567", "1e1", ".5", "5."),
    CATEGORIES,
    ("", "", "_exit0", "_exit1", "_exit4", "_exit5", "_exit", "_exit00"),
    (".JPEG", ".JPEG", ".JPEG", ".jpg", ".jpeg", ".JPG", ".png", ""),
)


def _name(data: bytes, folder: Path) -> None:
    name = data.decode("utf-8", "surrogateescape")
    parsed = stimuli.parse_name(name)
    if parsed is None:
        raise NotOne("not a stimulus")
    demand(str(parsed) == name.rpartition(".")[0] + ".JPEG", f"{name!r} became {parsed}")
    demand(parsed.regime in stimuli.REGIMES and int(parsed.number) >= 0, f"{parsed}")
    demand(parsed.regime in ("color", "grayscale") or math.isfinite(float(parsed.level)), f"{parsed}")
    key = stimuli.key_of(parsed)
    demand(
        stimuli.parse_name(f"{key.replace('-', '.')}.JPEG") == parsed,
        f"the key {key!r} is not that of {parsed}",
    )
    shard.ustar_header(f"{key}.json", 1)


TARGETS = (
    target(
        "picture", lambda: pictures.sound() | pictures.hostile(), _break_picture, _picture, images.BadImage
    ),
    target("name", lambda: {name: name.encode() for name in NAMES}, _break_name, _name, NotOne),
)
