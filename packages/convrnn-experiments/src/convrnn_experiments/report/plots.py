"""Figures of the report, except the speed-accuracy curves (`sat_plots`)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from PIL import Image

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.condition_observers import BEEP_TIMES
from convrnn_experiments.comparison.network_times import NetworkTimes
from convrnn_experiments.comparison.rater_consistency import rater_consistency, same_images
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.report.canvas import Drawing, Margins, Sheet
from convrnn_experiments.report.example_images import Example
from convrnn_experiments.statistics import measures

Colours = Mapping[str, tuple[str, str]]
Timed = tuple[Evaluation, Comparison | None, NetworkTimes]
_BLOCKS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d9b400")
"""Colours of response-time blocks, fastest to slowest: viridis, with yellow darkened for white paper."""
_RIGHT, _WRONG = "#0072B2", "#D55E00"
_MOST_NAMED = 24
"""Largest number of raters whose names are legible next to a heatmap."""


def category_scatter(rows: Sequence[Comparison], colours: Colours, observers: str) -> Drawing:
    """Draw accuracy by category, humans on x and the network on y, a panel per network and regime."""
    sheet = Sheet(len(rows), (3.5, 3.5), columns=3)
    for cell, row in enumerate(rows):
        axis = sheet.axes(cell, Margins(top=0.52))
        axis.grid(visible=True)
        x, y = (
            np.array([[accuracy.value, accuracy.low, accuracy.high] for accuracy in accuracies])
            for accuracies in (row.human_categories, row.network_categories)
        )
        colour, _ = colours[row.evaluation.network]
        spans = [np.nan_to_num(np.abs(v[:, 1:] - v[:, :1]).T) for v in (x, y)]
        axis.errorbar(
            x[:, 0],
            y[:, 0],
            xerr=spans[0],
            yerr=spans[1],
            fmt="o",
            color=colour,
            ecolor="0.85",
            elinewidth=0.8,
            ms=4,
        )
        axis.plot((0, 100), (0, 100), color="0.6", linewidth=0.8, linestyle="--")
        axis.set(xlabel=f"Accuracy of {observers} (%)", ylabel="Accuracy of network (%)")
        axis.set(xlim=_limits(x), ylim=_limits(y))
        _name_points(axis, x[:, 0], y[:, 0], sheet.size)
        r = row.estimates["category_correlation"]
        axis.set_title(row.condition, pad=17)
        subtitle = f"network {row.evaluation.network}; r = {r.value:.2f} [{r.low:.2f}, {r.high:.2f}]"
        axis.text(0, 1.02, subtitle, transform=axis.transAxes, fontsize=8)
    return sheet.draw("categories")


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Return limits of an axis that contain the intervals."""
    low, high = np.nanmin(values), np.nanmax(values)
    return max(-3.0, low - 4), min(103.0, high + 4)


def _name_points(axis: Axes, x: np.ndarray, y: np.ndarray, size: tuple[float, float]) -> None:
    """Label each point with its category, on the side where the label overlaps least."""
    scale = 72 * np.array(size) * 0.78 / [np.ptp(axis.get_xlim()), np.ptp(axis.get_ylim())]
    points = np.stack([x, y], axis=1) * scale
    taken = [(px - 3, py - 3, px + 3, py + 3) for px, py in points if np.isfinite(px + py)]
    for name, (px, py) in zip(CATEGORIES, points, strict=True):
        if not np.isfinite(px + py):
            continue
        wide, high = 3.9 * len(name), 6.5
        spots = [
            (4, -3),
            (-4 - wide, -3),
            (-wide / 2, 4),
            (-wide / 2, -4 - high),
            (3, 3),
            (3, -9),
            (-wide - 3, 3),
        ]
        boxes = [(px + dx, py + dy, px + dx + wide, py + dy + high) for dx, dy in spots]
        best = min(range(len(boxes)), key=lambda spot: sum(_overlap(boxes[spot], other) for other in taken))
        taken.append(boxes[best])
        place = (px / scale[0], py / scale[1])
        axis.annotate(name, place, spots[best], textcoords="offset points", fontsize=7)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return the area shared by two boxes (left, bottom, right, top)."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0.0) * max(high, 0.0)


def network_confusions(row: Comparison | None, evaluation: Evaluation) -> dict[str, np.ndarray]:
    """Return title -> confusion matrix of the network at the first, a middle and the last step."""
    answers = evaluation.answers if row is None else row.answers
    counts = measures.confusion_matrix(answers.labels, answers.answers)
    steps = sorted({0, (len(counts) - 1) // 3, len(counts) - 1})
    return {f"{evaluation.network}: step {step + 1}": counts[step] for step in steps}


def human_confusions(row: Comparison, observers: str) -> dict[str, np.ndarray]:
    """Return title -> confusion matrix of the observers in the fastest, the middle and the slowest block."""
    counts = row.observers.confusions(row.answers.labels)
    return {f"{observers}: RT {block + 1}": counts[block] for block in (0, 2, 4)}


def confusions(shown: Mapping[str, np.ndarray], name: str) -> Drawing:
    """Draw confusion matrices, a panel for each of `shown` (title -> (16, 16) counts), to files called `name`."""
    sheet = Sheet(len(shown), (3.3, 3.35), columns=3)
    for cell, (title, matrix) in enumerate(shown.items()):
        axis = sheet.axes(cell, Margins(left=0.72, bottom=0.72, right=0.5, top=0.32))
        image = axis.imshow(100 * measures.row_shares(matrix), cmap="Blues", vmin=0, vmax=100, aspect="auto")
        axis.set(xticks=[], yticks=[], title=title)
        _name_categories(sheet, axis)
        _scale(sheet, axis, image, "%", (0, 50, 100))
    return sheet.draw(name)


def _name_categories(sheet: Sheet, axis: Axes) -> None:
    """Write the names of the categories below and to the left of a matrix, in the places of tick labels.

    Outlines shared by all matrices of a page are drawn in a tenth of the time of the tick labels of each.
    """
    box = axis.get_position()
    wide, high = sheet.figure.get_size_inches()
    outlines = _category_outlines(round(72 * wide * box.width, 3), round(72 * high * box.height, 3))
    points = Affine2D().scale(1 / 72).translate(wide * box.x0, high * box.y0)
    names = PathPatch(outlines, linewidth=0, facecolor="black", clip_on=False)
    names.set_transform(points + sheet.figure.dpi_scale_trans)
    axis.add_artist(names)


@lru_cache
def _category_outlines(wide: float, high: float) -> Path:
    """Return the outlines of the names on both axes of a matrix, in points from its lower left corner."""
    font, gap, found = FontProperties(size=7), 3.5, []
    x_height = TextPath((0, 0), "x", prop=font).get_extents().height
    for place, name in enumerate(CATEGORIES):
        outline = TextPath((0, 0), name, prop=font)
        share, end = (place + 0.5) / len(CATEGORIES), outline.get_extents().x1
        left = Affine2D().translate(-gap - end, (1 - share) * high - x_height / 2)
        below = Affine2D().translate(-end, -x_height / 2).rotate_deg(90).translate(share * wide, -gap)
        found += [outline.transformed(move) for move in (left, below)]
    return Path.make_compound_path(*found)


def consistency_heatmaps(rows: Sequence[Comparison], observers: str) -> Drawing:
    """Draw the error consistency of every pair of raters, networks first, a panel per regime and set of images."""
    groups = same_images(rows)
    sheet = Sheet(len(groups), (3.5, 3.6), columns=3)
    for cell, group in enumerate(groups):
        matrix = rater_consistency(group)
        np.fill_diagonal(matrix, np.nan)
        names = [row.evaluation.network for row in group]
        axis = sheet.axes(cell, Margins(left=0.85, right=0.55, bottom=0.78, top=0.5))
        axis.set_facecolor("0.85")
        # Widen the rows of networks, which would be too thin to see among many observers.
        sizes = [max(1, round(len(matrix) / 12))] * len(names) + [1] * (len(matrix) - len(names))
        drawn = np.repeat(np.repeat(matrix, sizes, axis=0), sizes, axis=1)
        image = axis.imshow(drawn, cmap="PuOr_r", vmin=-0.5, vmax=0.5, aspect="auto")
        ids = [observer.replace("simulated-", "sim. ") for observer in group[0].observers.ids]
        labels = [*names, *ids] if len(matrix) <= _MOST_NAMED else names
        ticks = (np.cumsum(sizes) - (np.array(sizes) + 1) / 2)[: len(labels)]
        axis.set_xticks(ticks, labels, rotation=90, fontsize=7)
        axis.set_yticks(ticks, labels, fontsize=7)
        axis.tick_params(length=0)
        edge = sum(sizes[: len(names)]) - 0.5
        axis.axhline(edge, color="0.2", linewidth=1)
        axis.axvline(edge, color="0.2", linewidth=1)
        axis.set_title(group[0].condition, pad=17)
        axis.text(0, 1.02, f"networks, then {len(ids)} {observers}", transform=axis.transAxes, fontsize=8)
        _scale(sheet, axis, image, "κ", (-0.5, 0, 0.5))
    return sheet.draw("consistency")


def _scale(sheet: Sheet, axis: Axes, image: AxesImage, unit: str, ticks: tuple[float, ...]) -> None:
    """Add a narrow colour bar to the right of a heatmap."""
    box = axis.get_position()
    bar = sheet.figure.add_axes((box.x1 + 0.02 * box.width, box.y0, 0.04 * box.width, box.height))
    bar.tick_params(labelsize=7, length=2)
    sheet.figure.colorbar(image, cax=bar, ticks=ticks).outline.set_visible(False)
    bar.set_xlabel(unit, fontsize=8)


def time_panels(timed: Sequence[Timed]) -> list[tuple[Evaluation, Comparison | NetworkTimes]]:
    """Return the panels of `response_times` by test set: humans, once for all networks on the same images, then these.

    Args:
        timed: Evaluations with their comparison, if any, and the network's response times.
    """
    panels: list[tuple[Evaluation, Comparison | NetworkTimes]] = []
    seen: set[tuple[str, bytes]] = set()
    names = list(dict.fromkeys(evaluation.name for evaluation, _, _ in timed))
    for evaluation, row, times in sorted(timed, key=lambda one: names.index(one[0].name)):
        if row is not None:
            blocks = [np.sort(row.observers.block_times(block)) for block in range(len(_BLOCKS))]
            key = evaluation.name, b"|".join(block.tobytes() for block in blocks)
            if key not in seen:
                panels.append((evaluation, row))
            seen.add(key)
        panels.append((evaluation, times))
    return panels


def response_times(
    panels: Sequence[tuple[Evaluation, Comparison | NetworkTimes]], colours: Colours, observers: str
) -> Drawing:
    """Draw response times of networks, and of humans by response-time block, from `time_panels`."""
    sheet = Sheet(len(panels), (3.3, 2.7), columns=4)
    for cell, (evaluation, shown) in enumerate(panels):
        axis = sheet.axes(cell, Margins(top=0.5))
        if isinstance(shown, Comparison):
            _human_times(axis, shown)
            subject = observers
        else:
            count = evaluation.answers.entropy.shape[1]
            _network_times(axis, shown, count, colours[evaluation.network][0])
            subject = f"network {evaluation.network}"
        axis.set_title(f"{evaluation.name}: {subject}", pad=17)
    return sheet.draw("response_times")


def _human_times(axis: Axes, row: Comparison) -> None:
    """Draw a histogram of human response times for each response-time block."""
    for block, colour in enumerate(_BLOCKS):
        axis.hist(
            row.observers.block_times(block),
            bins=list(range(0, 1801, 50)),
            histtype="step",
            color=colour,
            label=f"RT {block + 1}",
        )
        axis.axvline(BEEP_TIMES[block], color=colour, linewidth=0.8, linestyle=":")
    axis.set(xlabel="Response time (ms); dotted: beep", ylabel="Trials", xlim=(0, 1800))
    axis.legend(loc="upper left", handlelength=1, borderaxespad=0.1, fontsize=7)


def _network_times(axis: Axes, times: NetworkTimes, count: int, colour: str) -> None:
    """Draw the share of images answered at each of `count` time steps, and never."""
    shares = [100 * float(np.mean(times.steps == step)) for step in range(count)]
    shares.append(100 * float(np.isnan(times.steps).mean()))
    axis.bar(range(1, count + 2), shares, color=[colour] * count + ["0.7"])
    ticks = range(1, count + 1)
    axis.set_xticks([*ticks, count + 1], [*map(str, ticks), "never"], fontsize=8)
    axis.set(xlabel="First time step at the threshold", ylabel="Images (%)")
    axis.text(0, 1.02, f"entropy ≤ {times.threshold:.2f} nats", transform=axis.transAxes, fontsize=8)


def example_images(evaluation: Evaluation, examples: Sequence[Example]) -> Drawing:
    """Draw images with the answer of the network at each time step; bars show confidence."""
    sheet = Sheet(len(examples), (4.2, 2.2), columns=3)
    for cell, example in enumerate(examples):
        axis = sheet.axes(cell, Margins(0.08, 0.05, 0.12, 0.32), share=(0.0, 0.46))
        axis.imshow(np.asarray(example.image.convert("RGB").resize((224, 224), Image.Resampling.LANCZOS)))
        axis.set_axis_off()
        axis.set_title(example.title)
        bars = sheet.axes(cell, Margins(0.2, 0.16, 0.42, 0.32), share=(0.46, 1.0))
        steps = np.arange(1, len(example.answers) + 1)
        shades = [_RIGHT if label == example.label else _WRONG for label in example.answers]
        bars.barh(steps, 100 * example.confidence, color=shades, alpha=0.55)
        for step, label in enumerate(example.answers, start=1):
            sign = "✓" if label == example.label else "✗"
            bars.text(2, step, f"{sign} {CATEGORIES[label]}", va="center", fontsize=7.5)
        bars.set(xlim=(0, 100), ylim=(len(steps) + 0.6, 0.4), yticks=steps)
        bars.tick_params(labelsize=7, length=2)
        bars.set_xlabel("Confidence (%), by time step", fontsize=8)
    return sheet.draw(f"examples_{file_name(evaluation)}", photographs=True)


def file_name(evaluation: Evaluation) -> str:
    """Combine the names of network and test set into a valid file name."""
    return valid_name(f"{evaluation.network}_on_{evaluation.name}")


def valid_name(text: str) -> str:
    """Replace the characters that file names may not have."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in text)
