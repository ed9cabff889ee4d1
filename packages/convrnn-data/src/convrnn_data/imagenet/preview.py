"""Contact sheet of a prepared set or of the human stimuli."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.categories import CATEGORIES
from convrnn_data.human.stimuli import REGIMES, Stimulus, list_stimuli
from convrnn_data.shards.formats import IMAGENET
from convrnn_data.shards.prepared_set import MANIFEST, PLAN, PreparedSet
from convrnn_data.shards.stats import check_png, save_png

CELL, GAP, LEFT, TOP, BETWEEN = 112, 4, 110, 64, 18
"""Sizes in pixels: image, gap between images, column of names, heading, gap between groups."""

COLUMNS = 8
"""Images per row of a prepared set, over all splits; each split has at least two."""


class Tile(NamedTuple):
    """Image of the sheet, and the note in its corner."""

    jpeg: bytes
    note: str


class Group(NamedTuple):
    """Columns of the sheet: a heading, and the images of each category."""

    heading: str
    tiles: list[list[Tile]]


def save_preview(path: Path, picture: Path) -> None:
    """Draw a contact sheet into a PNG.

    Args:
        path: A prepared set (columns by split), or the human stimuli in any layout (columns by regime, with levels).
        picture: PNG to write.

    Raises:
        ConvRNNError: `path` is neither, or `picture` cannot be written.
    """
    check_png(picture)
    if (path / PLAN).is_file() or (
        (path / MANIFEST).is_file() and PreparedSet(path).manifest["kind"] == IMAGENET
    ):
        title, groups = "A prepared set", _of_set(PreparedSet(path))
    else:
        title, groups = "Human test stimuli", _of_stimuli(_listed(path))
    save_png(_sheet(f"{title}: {path.resolve().name}", groups), picture)


def _listed(path: Path) -> list[Stimulus]:
    try:
        return list_stimuli(path)
    except ConvRNNError as error:
        if (path / MANIFEST).is_file():
            raise
        raise ConvRNNError(
            f"cannot draw a preview: {path} must be a prepared set or human stimuli, got neither: {error}"
        ) from error


def _of_set(prepared: PreparedSet) -> list[Group]:
    wanted = max(2, COLUMNS // len(prepared.splits))
    groups = []
    for split in prepared.splits:
        table = prepared.table(split)
        rows = [np.flatnonzero(table.labels == label)[:wanted] for label in range(len(CATEGORIES))]
        tiles = [[Tile(data, "") for data in table.read(row)] for row in rows]
        groups.append(Group(f"{split} ({len(table):,})", tiles))
    return groups


def _of_stimuli(stimuli: list[Stimulus]) -> list[Group]:
    regimes = [regime for regime in REGIMES if any(stimulus.regime == regime for stimulus in stimuli)]
    wanted = 3  # The number of levels.
    groups = []
    for regime in regimes:
        of_regime = [stimulus for stimulus in stimuli if stimulus.regime == regime]
        tiles = [
            _spread([stimulus for stimulus in of_regime if stimulus.category == category], wanted)
            for category in CATEGORIES
        ]
        groups.append(Group(f"{regime} ({len(of_regime):,})", tiles))
    return groups


def _spread(stimuli: list[Stimulus], wanted: int) -> list[Tile]:
    """Select stimuli that are spread over the levels."""
    ordered = sorted(
        stimuli, key=lambda stimulus: (stimulus.level_value or 0, stimulus.block, stimulus.index)
    )
    positions = (
        {round(part * (len(ordered) - 1) / (wanted - 1)) for part in range(wanted)} if ordered else set()
    )
    return [Tile(ordered[position].read(), _note(ordered[position])) for position in sorted(positions)]


def _note(stimulus: Stimulus) -> str:
    return "" if stimulus.level_value is None else f"SD {stimulus.level}"


def _sheet(title: str, groups: list[Group]) -> Image.Image:
    widths = [max(len(tiles) for tiles in group.tiles) * (CELL + GAP) for group in groups]
    size = (LEFT + sum(widths) + BETWEEN * len(groups), TOP + (CELL + GAP) * len(CATEGORIES) + GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(17)
    draw.text((12, 8), title, "black", font)
    for row, category in enumerate(CATEGORIES):
        draw.text((LEFT - 12, TOP + row * (CELL + GAP) + CELL // 2), category, "black", font, anchor="rm")
    left = LEFT
    for group, width in zip(groups, widths, strict=True):
        draw.text((left, TOP - 26), group.heading, "black", font)
        for row, tiles in enumerate(group.tiles):
            for column, tile in enumerate(tiles):
                _paste(sheet, tile, left + column * (CELL + GAP), TOP + row * (CELL + GAP))
        left += width + BETWEEN
    return sheet


def _paste(sheet: Image.Image, tile: Tile, x: int, y: int) -> None:
    try:
        image = ImageOps.fit(Image.open(io.BytesIO(tile.jpeg)).convert("RGB"), (CELL, CELL))
    except (OSError, SyntaxError, ValueError) as error:
        raise ConvRNNError(
            f"cannot draw a preview: an image cannot be decoded ({error}). Replace the image; `convrnn-data verify` "
            "finds damaged shards"
        ) from error
    sheet.paste(image, (x, y))
    if tile.note:
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
        box = draw.textbbox((x + 4, y + 2), tile.note, font)
        draw.rectangle((x, y, box[2] + 3, box[3] + 2), "white")
        draw.text((x + 4, y + 2), tile.note, "black", font)
