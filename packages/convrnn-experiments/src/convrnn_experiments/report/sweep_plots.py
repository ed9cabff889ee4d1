"""Figure of accuracy against mean response time, over thresholds on the entropy."""

from collections.abc import Sequence

import numpy as np

from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.evaluation.threshold_sweep import ThresholdSweep
from convrnn_experiments.report.canvas import CHANCE, Drawing, Margins, Sheet
from convrnn_experiments.report.plots import Colours
from convrnn_experiments.report.sat_plots import LEGEND

Sweeps = Sequence[tuple[Evaluation, ThresholdSweep]]


def test_sets(sweeps: Sweeps) -> dict[str, list[tuple[Evaluation, ThresholdSweep]]]:
    """Group sweeps by test set."""
    panels: dict[str, list[tuple[Evaluation, ThresholdSweep]]] = {}
    for evaluation, sweep in sweeps:
        panels.setdefault(evaluation.name, []).append((evaluation, sweep))
    return panels


def threshold_sweeps(sweeps: Sweeps, colours: Colours) -> Drawing:
    """Draw a panel per test set: a line per network over thresholds, and dashed, its accuracy at fixed time steps."""
    panels = test_sets(sweeps)
    rows = -(-max(map(len, panels.values())) // 2)
    sheet = Sheet(len(panels), (3.3, 2.62 + 0.16 * rows), columns=3)
    for cell, (name, members) in enumerate(panels.items()):
        axis = sheet.axes(cell, Margins(top=0.34 + 0.16 * rows))
        for evaluation, sweep in members:
            colour, marker = colours[evaluation.network]
            x = [step.value for step in sweep.steps]
            value, low, high = np.array([[one.value, one.low, one.high] for one in sweep.accuracy]).T
            axis.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
            axis.plot(
                x, value, color=colour, marker=marker, markersize=3.5, label=f"network {evaluation.network}"
            )
            fixed = [estimate.value for estimate in evaluation.accuracy.estimates]
            axis.plot(range(1, len(fixed) + 1), fixed, color=colour, linewidth=1, linestyle="--")
        axis.axhline(CHANCE, color="0.5", linewidth=0.8, linestyle=":")
        axis.set(xlabel="Mean response time (time steps)", ylabel="Accuracy (%)", ylim=(0, 100))
        axis.grid(True)
        axis.legend(loc="lower left", bbox_to_anchor=(-0.17, 1), ncols=2, **LEGEND)
        axis.set_title(name, pad=7 + 11.5 * rows)
    return sheet.draw("threshold_sweeps")
