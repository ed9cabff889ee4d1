"""The pictures of a report beside its speed-accuracy curves (`sat_plots`)."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from PIL import Image

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison.agreement import consistency, consistency_errors, resample
from convrnn_experiments.comparison.compare import Row
from convrnn_experiments.comparison.exits import nearest
from convrnn_experiments.comparison.observer_group import BEEP_TIMES, Crowd
from convrnn_experiments.evaluation.results import Answers, Evaluation
from convrnn_experiments.report.canvas import Margins, Picture, Sheet
from convrnn_experiments.report.example_images import Example
from convrnn_experiments.statistics import measures
from convrnn_experiments.statistics.means import mean_over
from convrnn_experiments.statistics.response_times import entropy_response_times, fit_threshold

Colours = Mapping[str, tuple[str, str]]
_BLOCKS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d9b400")
"""Response-time blocks, fastest to slowest: viridis, its yellow darkened for white paper."""
_RIGHT, _WRONG = "#0072B2", "#D55E00"
_MOST_NAMED = 24  # raters whose names can be read beside a heatmap


def category_scatter(rows: Sequence[Row], colours: Colours, people: str) -> Picture:
    """Accuracy by category: people's across, the network's up; a panel for each network and regime."""
    sheet = Sheet(len(rows), (3.5, 3.5), columns=3)
    for cell, row in enumerate(rows):
        axis = sheet.axes(cell, Margins(top=0.52))
        axis.grid(visible=True)
        x, y = (
            np.array([[one.value, one.low, one.high] for one in found])
            for found in (row.people_categories, row.network_categories)
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
        axis.set(xlabel=f"Accuracy of {people} (%)", ylabel="Accuracy of network (%)")
        axis.set(xlim=_limits(x), ylim=_limits(y))
        _name_points(axis, x[:, 0], y[:, 0], sheet.size)
        r = row.estimates["category_correlation"]
        axis.set_title(row.condition, pad=17)
        said = f"network {row.evaluation.network}; r = {r.value:.2f} [{r.low:.2f}, {r.high:.2f}]"
        axis.text(0, 1.02, said, transform=axis.transAxes, fontsize=8)
    return sheet.picture("categories")


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Room for the intervals, and no more than there is to see."""
    low, high = np.nanmin(values), np.nanmax(values)
    return max(-3.0, low - 4), min(103.0, high + 4)


def _name_points(axis: Axes, x: np.ndarray, y: np.ndarray, size: tuple[float, float]) -> None:
    """Write the categories beside their points, each on the side where it covers least of what is there."""
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
        best = min(range(len(boxes)), key=lambda spot: sum(_shared(boxes[spot], other) for other in taken))
        taken.append(boxes[best])
        place = (px / scale[0], py / scale[1])
        axis.annotate(name, place, spots[best], textcoords="offset points", fontsize=7)


def _shared(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """The area that two boxes (left, bottom, right, top) have in common."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0.0) * max(high, 0.0)


def confusions(row: Row | None, evaluation: Evaluation, people: str) -> Picture:
    """Confusion matrices over time: the network's at its first, a middle and its last step, and people's."""
    answers = evaluation.answers if row is None else row.answers
    counts = measures.confusion_matrix(answers.labels, answers.answers)
    steps = sorted({0, (len(counts) - 1) // 3, len(counts) - 1})
    shown = [(f"{evaluation.network}: step {step + 1}", counts[step]) for step in steps]
    if row is not None:
        theirs = row.crowd.confusions(answers.labels)
        shown += [(f"{people}: RT {block + 1}", theirs[block]) for block in (0, 2, 4)]
    sheet = Sheet(len(shown), (3.3, 3.35), columns=3)
    for cell, (title, matrix) in enumerate(shown):
        axis = sheet.axes(cell, Margins(left=0.72, bottom=0.72, right=0.5, top=0.32))
        image = axis.imshow(100 * measures.row_shares(matrix), cmap="Blues", vmin=0, vmax=100, aspect="auto")
        axis.set_xticks(range(len(CATEGORIES)), CATEGORIES, rotation=90, fontsize=7)
        axis.set_yticks(range(len(CATEGORIES)), CATEGORIES, fontsize=7)
        axis.tick_params(length=0)
        axis.set_title(title)
        _scale(sheet, axis, image, "%", (0, 50, 100))
    return sheet.picture(f"confusion_{file_name(evaluation)}")


def consistency_heatmaps(rows: Sequence[Row], people: str) -> Picture:
    """Error consistency of each with each, a panel for each regime: networks first, then observers."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.condition, []).append(row)
    sheet = Sheet(len(groups), (3.5, 3.6), columns=3)
    for cell, (condition, group) in enumerate(groups.items()):
        matrix = consistency_of(group)
        np.fill_diagonal(matrix, np.nan)
        names = [row.evaluation.network for row in group]
        axis = sheet.axes(cell, Margins(left=0.85, right=0.55, bottom=0.78, top=0.5))
        axis.set_facecolor("0.85")
        # Among many observers a network's row would be too thin to see.
        sizes = [max(1, round(len(matrix) / 12))] * len(names) + [1] * (len(matrix) - len(names))
        drawn = np.repeat(np.repeat(matrix, sizes, axis=0), sizes, axis=1)
        image = axis.imshow(drawn, cmap="PuOr_r", vmin=-0.5, vmax=0.5, aspect="auto")
        ids = [observer.replace("simulated-", "sim. ") for observer in group[0].crowd.observers]
        labels = [*names, *ids] if len(matrix) <= _MOST_NAMED else names
        ticks = (np.cumsum(sizes) - (np.array(sizes) + 1) / 2)[: len(labels)]
        axis.set_xticks(ticks, labels, rotation=90, fontsize=7)
        axis.set_yticks(ticks, labels, fontsize=7)
        axis.tick_params(length=0)
        edge = sum(sizes[: len(names)]) - 0.5
        axis.axhline(edge, color="0.2", linewidth=1)
        axis.axvline(edge, color="0.2", linewidth=1)
        axis.set_title(condition, pad=17)
        axis.text(0, 1.02, f"networks, then {len(ids)} {people}", transform=axis.transAxes, fontsize=8)
        _scale(sheet, axis, image, "κ", (-0.5, 0, 0.5))
    return sheet.picture("consistency")


def consistency_of(group: Sequence[Row]) -> np.ndarray:
    """(networks + observers, networks + observers) of the networks of one condition."""
    return consistency(group[0].answers, group[0].crowd, _rights(group))


def consistency_errors_of(group: Sequence[Row]) -> np.ndarray:
    """Standard errors of `consistency_of` over images, of the same shape."""
    first = group[0]
    return consistency_errors(
        first.answers, first.crowd, _rights(group), resample(first.contrast.strata, 1, 0).images
    )


def _rights(group: Sequence[Row]) -> np.ndarray:
    """(networks, images) whether each network is right at the exits matched to people's blocks."""
    found = [nearest(row.answers.right, row.answers.blocks, row.where).astype(float) for row in group]
    return np.stack(found)


def _scale(sheet: Sheet, axis: Axes, image: AxesImage, unit: str, ticks: tuple[float, ...]) -> None:
    """A narrow colour scale at the right of a heatmap."""
    box = axis.get_position()
    bar = sheet.figure.add_axes((box.x1 + 0.02 * box.width, box.y0, 0.04 * box.width, box.height))
    bar.tick_params(labelsize=7, length=2)
    sheet.figure.colorbar(image, cax=bar, ticks=ticks).outline.set_visible(False)
    bar.set_xlabel(unit, fontsize=8)


def response_times(
    evaluations: Sequence[tuple[Evaluation, Row | None]], colours: Colours, people: str
) -> Picture:
    """When networks answer (entropy has fallen to a threshold), and when people do, by response-time block."""
    cells = sum(2 if row is not None else 1 for _, row in evaluations)
    sheet = Sheet(cells, (3.3, 2.7), columns=4)
    cell = 0
    for one, row in evaluations:
        axis = sheet.axes(cell, Margins(top=0.5))
        _network_times(axis, one, row, colours[one.network][0])
        axis.set_title(f"{one.name}: network {one.network}", pad=17)
        cell += 1
        if row is None:
            continue
        axis = sheet.axes(cell, Margins(top=0.5))
        for block, colour in enumerate(_BLOCKS):
            axis.hist(
                block_times(row.crowd, block),
                bins=list(range(0, 1801, 50)),
                histtype="step",
                color=colour,
                label=f"RT {block + 1}",
            )
            axis.axvline(BEEP_TIMES[block], color=colour, linewidth=0.8, linestyle=":")
        axis.set(xlabel="Response time (ms); dotted: the beep", ylabel="Trials", xlim=(0, 1800))
        axis.legend(loc="upper left", handlelength=1, borderaxespad=0.1, fontsize=7)
        axis.set_title(f"{one.name}: {people}", pad=17)
        cell += 1
    return sheet.picture("response_times")


def block_times(crowd: Crowd, block: int) -> np.ndarray:
    """Every response time of a block, in ms."""
    times = crowd.times[:, crowd.blocks == block]
    return times[~np.isnan(times)]


def network_times(evaluation: Evaluation, row: Row | None) -> tuple[np.ndarray, float]:
    """(images,) the time step, from 0, at which the network answers, NaN for never; and the threshold."""
    answers = evaluation.answers if row is None else row.answers
    threshold = entropy_threshold(answers, row)
    return entropy_response_times(answers.entropy, threshold), threshold


def _network_times(axis: Axes, evaluation: Evaluation, row: Row | None, colour: str) -> None:
    steps, threshold = network_times(evaluation, row)
    count = evaluation.answers.entropy.shape[1]
    shares = [100 * float(np.mean(steps == step)) for step in range(count)] + [
        100 * float(np.isnan(steps).mean())
    ]
    axis.bar(range(1, count + 2), shares, color=[colour] * count + ["0.7"])
    ticks = range(1, count + 1)
    axis.set_xticks([*ticks, count + 1], [*map(str, ticks), "never"], fontsize=8)
    axis.set(xlabel="First time step at the threshold", ylabel="Images (%)")
    axis.text(0, 1.02, f"entropy ≤ {threshold:.2f} nats", transform=axis.transAxes, fontsize=8)


def entropy_threshold(answers: Answers, row: Row | None) -> float:
    """The threshold that best predicts people's response times; without people, one that half of the images reach."""
    if row is not None:
        times = mean_over(row.crowd.standardized_times())
        fitted = fit_threshold(answers.entropy, times)
        if np.isfinite(fitted):
            return fitted
    return float(np.median(answers.entropy.min(axis=1)))


def example_images(evaluation: Evaluation, examples: Sequence[Example]) -> Picture:
    """Images with the network's answer at each time step; bars are its confidence."""
    sheet = Sheet(len(examples), (4.2, 2.2), columns=3)
    for cell, example in enumerate(examples):
        axis = sheet.axes(cell, Margins(0.08, 0.05, 0.12, 0.32), share=(0.0, 0.46))
        axis.imshow(np.asarray(example.image.convert("RGB").resize((224, 224), Image.Resampling.LANCZOS)))
        axis.set_axis_off()
        axis.set_title(example.title)
        bars = sheet.axes(cell, Margins(0.2, 0.1, 0.42, 0.32), share=(0.46, 1.0))
        steps = np.arange(1, len(example.answers) + 1)
        shades = [_RIGHT if label == example.label else _WRONG for label in example.answers]
        bars.barh(steps, 100 * example.confidence, color=shades, alpha=0.55)
        for step, label in enumerate(example.answers, start=1):
            sign = "✓" if label == example.label else "✗"
            bars.text(2, step, f"{sign} {CATEGORIES[label]}", va="center", fontsize=7.5)
        bars.set(xlim=(0, 100), ylim=(len(steps) + 0.6, 0.4), yticks=steps)
        bars.tick_params(labelsize=7, length=2)
        bars.set_xlabel("Confidence (%), by time step", fontsize=8)
    return sheet.picture(f"examples_{file_name(evaluation)}", photographs=True)


def file_name(evaluation: Evaluation) -> str:
    """Network and test set, fit for a file's name."""
    text = f"{evaluation.network}_on_{evaluation.name}"
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in text)
