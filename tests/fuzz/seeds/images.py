"""Small images of every format, and images whose headers claim more than they contain."""

import io
import struct
import zlib

from PIL import Image


def encoded(form: str, mode: str = "RGB", size: tuple[int, int] = (24, 18), **options: object) -> bytes:
    """Return a small gradient in a format."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(out, form, **options)
    return out.getvalue()


def valid() -> dict[str, bytes]:
    """Return valid images."""
    jpegs = {f"jpeg_{mode}": encoded("JPEG", mode) for mode in ("L", "RGB", "CMYK")}
    pngs = {f"png_{mode}": encoded("PNG", mode) for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "I;16")}
    others = {form: encoded(form) for form in ("GIF", "BMP", "TIFF", "WEBP")}
    return jpegs | pngs | others | {"progressive": encoded("JPEG", progressive=True)}


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a PNG chunk with a correct checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, rows: bytes, color_type: int = 2, depth: int = 8, *more: bytes) -> bytes:
    """Return a PNG that claims a size, independent of `rows`."""
    head = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + body


def with_checksums(data: bytes) -> bytes:
    """Recompute the checksums of the chunks of a PNG; other formats have none."""
    if data[:4] != b"\x89PNG":
        return data
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
        content = data[at + 4 : at + 8 + length]
        out += data[at : at + 4] + content + struct.pack(">I", zlib.crc32(content))
        at += 12 + length
    return bytes(out) + data[at:]


def sized(jpeg: bytes, width: int, height: int) -> bytes:
    """Return a JPEG whose frame header claims another size."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def hostile() -> dict[str, bytes]:
    """Return decompression bombs, images that claim giant sizes, and formats that run programs."""
    jpeg = encoded("JPEG")
    return {
        "jpeg_giant": sized(jpeg, 65535, 65535),
        "jpeg_wide": sized(jpeg, 65535, 1),
        "jpeg_no_width": sized(jpeg, 0, 18),
        "png_giant": png(2**31 - 1, 2**31 - 1, bytes(100)),
        "png_large": png(20_000, 20_000, bytes(20_000)),
        "png_wide": png(70_000, 1, bytes(70_000 * 3 + 1)),
        "png_text_bomb": png(1, 1, bytes(4), 2, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 9))),
        "png_data_bomb": png(1, 1, bytes(50_000_000)),
        "png_profile_bomb": png(1, 1, bytes(4), 2, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(50_000_000), 9))),
        "no_image": b"no image at all",
        "png_no_pixels": png(0, 0, b""),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) print\nshowpage\n%%EOF\n",
    }  # fmt: skip
