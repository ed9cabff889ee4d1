"""The pictures of a report: networks and people together, with 95 % intervals and units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from PIL import Image

from convrnn_data.categories import CATEGORIES
from convrnn_experiments import digitised, measures
from convrnn_experiments.compare import Row, consistency
from convrnn_experiments.examples import Example
from convrnn_experiments.figures import CHANCE, PEOPLE, Margins, Picture, Sheet
from convrnn_experiments.matching import nearest
from convrnn_experiments.people import BEEP_TIMES
from convrnn_experiments.results import Answers, Evaluation

Colours = Mapping[str, tuple[str, str]]
_BLOCKS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d9b400")
"""Response-time blocks, fastest to slowest: viridis, its yellow darkened for white paper."""
_RIGHT, _WRONG = "#0072B2", "#D55E00"
_SAMPLES = 1000
_KEY = {"fontsize": 7.2, "handlelength": 1.5, "columnspacing": 0.9, "handletextpad": 0.5}
_MOST_NAMED = 24  # raters whose names can be read beside a heatmap


@dataclass(frozen=True)
class Line:
    """A network's curve in one condition: (time,) each, accuracy in percent."""

    network: str
    percent: np.ndarray
    low: np.ndarray
    high: np.ndarray
    multiply_adds: np.ndarray


@dataclass(frozen=True)
class Panel:
    """One condition: the curves of networks, and, where people were shown it, a comparison with them."""

    title: str
    condition: str
    lines: list[Line]
    row: Row | None


def panels_of(evaluations: Sequence[Evaluation], rows: Sequence[Row]) -> list[Panel]:
    """A panel for each condition of the human stimuli and each other test set, in the order of evaluations."""
    panels: dict[tuple[bool, str], Panel] = {}
    for one in evaluations:
        for condition, mask in one.conditions.items():
            if one.human and len(one.levels) > 1 and mask.all():
                continue
            title = (
                condition
                if one.human
                else f"{condition.removesuffix(' (all levels)')}, {one.measures['kind']}"
            )
            panel = panels.setdefault((one.human, condition), Panel(title, condition, [], None))
            panel.lines.append(_line(one, mask))
    return [_with_people(panel, rows) if human else panel for (human, _), panel in panels.items()]


def _with_people(panel: Panel, rows: Sequence[Row]) -> Panel:
    """The comparison of the network with most exits says where people's response times lie."""
    found = [row for row in rows if row.condition == panel.condition]
    most = max(found, key=lambda row: row.answers.answers.shape[1], default=None)
    return Panel(panel.title, panel.condition, panel.lines, most)


def _line(evaluation: Evaluation, mask: np.ndarray) -> Line:
    right = 100.0 * evaluation.answers.right[mask]
    low, high = measures.bootstrap_interval(right, seed=0, samples=_SAMPLES)
    return Line(evaluation.network, right.mean(axis=0), low, high, evaluation.multiply_adds)


def sat_curves(
    panels: Sequence[Panel], colours: Colours, people: str, *, cost: bool, reference: str | None
) -> Picture:
    """Speed-accuracy curves: accuracy over time steps, or over multiply-adds, a panel for each condition.

    Args:
        panels: of `panels_of`.
        colours: of the networks.
        people: what to call them.
        cost: whether time is in multiply-adds instead of steps.
        reference: how people's missed trials are scored, which decides the published curves that are drawn beside
            them; None draws none.
    """
    entries = [len(panel.lines) + (panel.row is not None) for panel in panels]
    rows = -(-(max(entries) + 2 * (reference is not None)) // 2)
    sheet = Sheet(len(panels), (3.3, 2.62 + 0.16 * rows), columns=3)
    largest = max(float(line.multiply_adds.max()) for panel in panels for line in panel.lines)
    scale, unit = (1e9, "billions") if largest >= 1e9 else (1e6, "millions")
    for cell, panel in enumerate(panels):
        axis = sheet.axes(cell, Margins(top=0.34 + 0.16 * rows))
        axis.grid(visible=True)
        for line in panel.lines:
            x = line.multiply_adds / scale if cost else np.arange(1, len(line.percent) + 1)
            colour, marker = colours[line.network]
            axis.plot(
                x, line.percent, color=colour, marker=marker, markersize=4, label=f"network {line.network}"
            )
            axis.fill_between(x, line.low, line.high, color=colour, alpha=0.2, linewidth=0)
        if panel.row is not None:
            _people_curve(axis, panel.row, people, scale if cost else None)
        if reference is not None and not cost:
            _published(axis, panel, reference)
        _time_axis(axis, f"Multiply-adds ({unit})" if cost else "Time step", panel if not cost else None)
        axis.set_title(panel.title, pad=7 + 11.5 * rows)
        axis.legend(loc="lower left", bbox_to_anchor=(-0.17, 1.0), ncols=2, **_KEY)
    return sheet.picture("curves_multiply_adds" if cost else "curves_steps")


def _time_axis(axis: Axes, label: str, steps: Panel | None) -> None:
    axis.axhline(CHANCE, color="0.55", linestyle=(0, (1, 2)), linewidth=1)
    axis.annotate(
        "chance", (1, CHANCE), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="right", color="0.4", fontsize=7,
    )  # fmt: skip
    axis.set(ylim=(0, 100), xlabel=label, ylabel="Accuracy (%)")
    longest = max((len(line.percent) for line in steps.lines), default=1) if steps else 0
    if 0 < longest <= 12:
        axis.set_xticks(range(1, max(longest, 5) + 1))
    else:
        axis.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axis.set_xlim(left=0.7 if steps else 0)


def _people_curve(axis: Axes, row: Row, people: str, scale: float | None) -> None:
    x = row.where + 1
    if scale is not None:
        macs = row.evaluation.multiply_adds / scale
        x = np.interp(row.where, np.arange(len(macs)), macs)
    value, low, high = (
        np.array([getattr(one, end) for one in row.people]) for end in ("value", "low", "high")
    )
    axis.plot(x, value, color=PEOPLE, marker="o", markersize=4, label=people)
    axis.fill_between(x, low, high, color=PEOPLE, alpha=0.15, linewidth=0)


def _published(axis: Axes, panel: Panel, misses: str) -> None:
    """SATBench's people where people are drawn, its network at its steps 1 to 5."""
    for curve in digitised.comparable(panel.condition, misses):
        people = curve.who == digitised.PEOPLE
        steps = np.arange(1.0, len(curve.percent) + 1)
        if people and panel.row is not None:
            steps = panel.row.where + 1
        line, marker = ("--", "o") if people else (":", "s")
        axis.plot(
            steps,
            curve.percent,
            color="0.62",
            linestyle=line,
            marker=marker,
            markersize=3,
            linewidth=1,
            label=curve.label,
        )


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
        shown += [(f"{people}: RT {block + 1}", row.crowd.confusions[block]) for block in (0, 2, 4)]
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
    first = group[0]
    right = [nearest(row.answers.right, row.answers.blocks, row.where).astype(float) for row in group]
    return consistency(first.answers, first.crowd, np.stack(right))


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
            times = row.crowd.times[row.crowd.blocks == block]
            axis.hist(
                times, bins=list(range(0, 1801, 50)), histtype="step", color=colour, label=f"RT {block + 1}"
            )
            axis.axvline(BEEP_TIMES[block], color=colour, linewidth=0.8, linestyle=":")
        axis.set(xlabel="Response time (ms); dotted: the beep", ylabel="Trials", xlim=(0, 1800))
        axis.legend(loc="upper left", handlelength=1, borderaxespad=0.1, fontsize=7)
        axis.set_title(f"{one.name}: {people}", pad=17)
        cell += 1
    return sheet.picture("response_times")


def network_times(evaluation: Evaluation, row: Row | None) -> tuple[np.ndarray, float]:
    """(images,) the time step, from 0, at which the network answers, NaN for never; and the threshold."""
    answers = evaluation.answers if row is None else row.answers
    threshold = entropy_threshold(answers, row)
    return measures.entropy_response_times(answers.entropy, threshold), threshold


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
    """That which goes best with people's times; without people, that which half of the images reach."""
    if row is not None:
        fitted = measures.fit_threshold(answers.entropy, row.crowd.response_times)
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
