import io
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convrnn_data.shards.images import QUALITY, BadImage, make_ready, read_header, without_exif


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("check", ["header", "decode"])
def test_an_intact_jpeg_keeps_its_bytes(make_jpeg, mode, check):
    data = make_jpeg(1, (31, 17), mode)
    assert make_ready(data, check=check) == (data, 31, 17, None)


def test_the_header_agrees_with_pillow_for_photographs(shared):
    for path in sorted((shared / "imagenet-sample").rglob("*.JPEG")):
        header, image = read_header(path.read_bytes()), opened(path.read_bytes())
        assert (header.width, header.height, header.components) == (*image.size, len(image.getbands())), path


def test_a_png_is_converted_and_the_change_recorded(make_jpeg):
    png = make_jpeg(2, (20, 10), "RGBA", "PNG")
    image = make_ready(png)
    assert image.change == f"PNG to JPEG, quality {QUALITY}"
    assert (opened(image.data).format, opened(image.data).mode, opened(image.data).size) == (
        "JPEG",
        "RGB",
        (20, 10),
    )


def test_cmyk_is_converted_to_the_same_colors():
    out = io.BytesIO()
    Image.new("CMYK", (16, 16), (0, 200, 200, 0)).save(out, "JPEG", quality=95)
    image = make_ready(out.getvalue())
    assert image.change == f"CMYK to JPEG, quality {QUALITY}"
    color = np.asarray(opened(image.data)).mean(axis=(0, 1))
    assert np.abs(color - [255, 55, 55]).max() < 4  # JPEG is lossy


@pytest.mark.parametrize(("size", "result"), [((60, 40), (30, 20)), ((40, 60), (20, 30)), ((41, 20), None)])
def test_resizing_shrinks_the_shorter_side_and_never_enlarges(make_jpeg, size, result):
    data = make_jpeg(3, size)
    image = make_ready(data, resize=20)
    if result is None:
        assert (image.data, image.change) == (data, None)
    else:
        assert (image.width, image.height) == opened(image.data).size == result
        assert image.change == f"shrunk from {size[0]}x{size[1]}, quality {QUALITY}"


@given(st.floats(0, 0.999))
def test_a_jpeg_truncated_anywhere_is_bad(make_jpeg, part):
    data = make_jpeg(4, (40, 40))
    with pytest.raises(BadImage):
        make_ready(data[: int(len(data) * part)])


@given(st.binary(max_size=300))
def test_arbitrary_bytes_do_not_crash(data):
    for start in (b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\x00\x08Exif", b"\x89PNG\r\n\x1a\n"):
        with pytest.raises(BadImage):
            make_ready(start + data, check="decode", resize=4)


def test_decoding_detects_damage_inside(make_jpeg):
    data = bytearray(make_jpeg(5, (64, 64)))
    tables = data.index(b"\xff\xc4")
    data[tables + 5 : tables + 21] = b"\xff" * 16  # An invalid Huffman table of 16 times 255 codes.
    assert make_ready(bytes(data)).change is None
    with pytest.raises(BadImage, match="cannot be decoded"):
        make_ready(bytes(data), check="decode")


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40]
)
def test_broken_exif_is_kept_without_a_crash(make_jpeg, exif):
    data = make_jpeg(6)
    broken = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make_ready(broken, check="decode").data == broken
        assert make_ready(broken, resize=9).height == 9
    assert without_exif(broken) == without_exif(data)
