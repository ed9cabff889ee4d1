"""Images, and the names of the human stimuli."""

import io
import math
from pathlib import Path

from hypothesis import strategies as st
from PIL import Image

from convrnn_data.categories import CATEGORIES
from convrnn_data.human import stimuli
from convrnn_data.shards import images as package_images
from convrnn_data.shards import shard
from fuzz.harness import Target, demand, variant
from fuzz.seeds import images
from fuzz.strategies import edited

# fmt: off
IMAGE_TOKENS = (
    b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xda", b"\xff\xd9", b"\xff\xdd", b"\xff\xe1", b"\xff\xee\0\x0eAdobe",
    b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"IEND", b"acTL", b"iCCP", b"zTXt", b"GIF89a", b"BM", b"II*\0", b"RIFF",
)
NAMES = (
    "24_color_gray_g_car.JPEG", "45_color_gray_c_boat.JPEG", "41_blur_9_bird.JPEG", "14_noise_0.16_bicycle.JPEG",
    "0_noise_0_oven_exit4.jpg", "007_blur_3_dog_exit0.jpeg", "9_color_gray_c_truck_exit1.JPEG",
)
NAME_PARTS = (
    ("0", "7", "007", "41", "999999999", "1234567890", "-1", "+1", " 1"),
    ("_",),
    ("color_gray_c", "color_gray_g", "noise_", "noise_", "blur_", "blur_", "color_", "NOISE_"),
    ("", "", "0", "0.0", "0.04", "0.16", "3", "9", "9999", "12345", "0.1234567", "1e1", ".5", "5."),
    ("_",),
    CATEGORIES,
    ("", "", "_exit0", "_exit1", "_exit4", "_exit5", "_exit", "_exit00"),
    (".JPEG", ".JPEG", ".JPEG", ".jpg", ".jpeg", ".JPG", ".png", ""),
)
NAME_TOKENS = tuple(
    text.encode()
    for text in ("_", ".", "-", "_exit0", ".JPEG", "color_gray", "noise", "blur", "0.04", "1e5", "٣", "²", "\n", "\0",
                 "inf", *CATEGORIES)
)
# fmt: on


def _image(data: bytes, folder: Path) -> None:
    check, resize = (("header", None), ("decode", None), ("decode", 4), ("header", 9))[variant(data, 4)]
    image = package_images.make_ready(data, check=check, resize=resize)
    demand(image.change is not None or image.data == data, "bytes changed without a note")
    demand(
        image.width * image.height <= package_images.MAX_PIXELS, f"{image.width}x{image.height} is too large"
    )
    if image.change is not None:
        with Image.open(io.BytesIO(image.data)) as decoded:
            demand(decoded.size == (image.width, image.height), f"{decoded.size} is not the size stated")
            demand(
                decoded.format == "JPEG" and decoded.mode in ("L", "RGB"), f"{decoded.format} {decoded.mode}"
            )


class NotAStimulus(Exception):
    """Refusal by a parser that returns None."""


def _name(data: bytes, folder: Path) -> None:
    name = data.decode("utf-8", "surrogateescape")
    parsed = stimuli.parse_name(name)
    if parsed is None:
        raise NotAStimulus("not a stimulus")
    demand(str(parsed) == name.rpartition(".")[0] + ".JPEG", f"{name!r} became {parsed}")
    demand(parsed.regime in stimuli.REGIMES and int(parsed.number) >= 0, f"{parsed}")
    demand(parsed.regime in ("color", "grayscale") or math.isfinite(float(parsed.level)), f"{parsed}")
    key = stimuli.key_of(parsed)
    demand(
        stimuli.parse_name(f"{key.replace('-', '.')}.JPEG") == parsed, f"{key!r} is not the key of {parsed}"
    )
    shard.ustar_header(f"{key}.json", 1)


_image_seeds = images.valid() | images.hostile()
_name_seeds = {name: name.encode() for name in NAMES}
_edited_images = edited(tuple(_image_seeds.values()), IMAGE_TOKENS)
_drawn_names = st.tuples(*map(st.sampled_from, NAME_PARTS)).map(lambda parts: "".join(parts).encode())

TARGETS = {
    "image": Target(
        _image,
        _image_seeds,
        _edited_images | _edited_images.map(images.with_checksums),
        (package_images.BadImage,),
        is_binary=True,
        tokens=IMAGE_TOKENS,
        repair=images.with_checksums,
    ),
    "name": Target(
        _name, _name_seeds, _drawn_names | edited(tuple(_name_seeds.values()), NAME_TOKENS), (NotAStimulus,)
    ),
}
