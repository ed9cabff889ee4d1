"""Image counts of a prepared set, as a table and as a bar chart."""

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from convrnn_data.base.atomic import remove_dead_temporaries_of, write_file
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.categories import CATEGORIES
from convrnn_data.shards.prepared_set import PreparedSet

COLORS = ("#3b6ea5", "#e08f2c", "#5a9e5a", "#b0506e")
"""One color per split, in the order of the manifest; they also differ in lightness."""

ROW, BAR, LEFT, RIGHT, TOP, WIDTH = 44, 9, 130, 90, 70, 900


def table(prepared: PreparedSet) -> list[tuple[str, ...]]:
    """Return rows of text: a heading, one row per category, and the totals."""
    counts, splits = _counts(prepared), prepared.splits
    rows = [("category", *splits, "all")]
    for label, category in enumerate(CATEGORIES):
        numbers = [counts[split][label] for split in splits]
        rows.append((category, *(f"{number:,}" for number in [*numbers, sum(numbers)])))
    sums = [sum(counts[split]) for split in splits]
    rows.append(("all", *(f"{number:,}" for number in [*sums, sum(sums)])))
    return rows


def _counts(prepared: PreparedSet) -> dict[str, list[int]]:
    """Return split -> number of images by label."""
    return {split: list(row.values()) for split, row in prepared.counts.items()}


def save_chart(prepared: PreparedSet, path: Path) -> None:
    """Draw a bar chart of the counts per category and split into a PNG.

    The length of a bar is the square root of the count, since dogs outnumber knives 191 to 1.

    Raises:
        ConvRNNError: `path` cannot be written, or does not end in .png.
    """
    counts = _counts(prepared)
    image = Image.new("RGB", (WIDTH, TOP + ROW * len(CATEGORIES) + 20), "white")
    draw, font, small = ImageDraw.Draw(image), ImageFont.load_default(16), ImageFont.load_default(11)
    draw.text((20, 12), "Images per category and split (length: square root of the count)", "black", font)
    for place, split in enumerate(prepared.splits):
        x = LEFT + 170 * place
        draw.rectangle((x, 43, x + 14, 57), COLORS[place])
        draw.text((x + 20, 41), f"{split}: {sum(counts[split]):,}", "black", font)
    most = max(map(max, counts.values())) or 1
    for label, category in enumerate(CATEGORIES):
        y = TOP + ROW * label
        draw.text((LEFT - 12, y + ROW // 2), category, "black", font, anchor="rm")
        for place, split in enumerate(prepared.splits):
            number = counts[split][label]
            bar = y + (ROW - (BAR + 1) * len(prepared.splits)) // 2 + (BAR + 1) * place
            length = round((WIDTH - LEFT - RIGHT) * (number / most) ** 0.5)
            draw.rectangle((LEFT, bar, LEFT + length, bar + BAR - 1), COLORS[place])
            draw.text((LEFT + length + 6, bar + BAR // 2), f"{number:,}", "black", small, anchor="lm")
    save_png(image, path)


def check_png(path: Path) -> None:
    """Fail early if a PNG cannot be written to a path.

    Raises:
        ConvRNNError: The name does not end in .png, or the folder does not exist.
    """
    if path.suffix.lower() != ".png":
        raise ConvRNNError(
            f"cannot write {path}: the file name must end in .png, got {path.name!r}. Choose another name"
        )
    if path.is_dir():
        raise ConvRNNError(f"cannot write {path}: it is a folder. Choose another name")
    if not path.parent.is_dir():
        raise ConvRNNError(
            f"cannot write {path}: its folder does not exist. Make the folder, or choose another"
        )


def save_png(image: Image.Image, path: Path) -> None:
    """Write a PNG atomically."""
    check_png(path)
    out = io.BytesIO()
    image.save(out, "PNG")
    remove_dead_temporaries_of(path)
    write_file(path, out.getvalue())
