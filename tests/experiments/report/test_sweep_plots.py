"""Figure of accuracy against mean response time."""

from convrnn_experiments.report import canvas, network_tables, sweep_plots


def test_a_panel_per_test_set_and_a_row_per_threshold(findings):
    assert findings.sweeps
    colours = canvas.colour_of(findings.networks)
    with canvas.style():
        drawing = sweep_plots.threshold_sweeps(findings.sweeps, colours)
    assert len(drawing.panels) == len({evaluation.name for evaluation, _ in findings.sweeps})
    rows = network_tables.threshold_sweeps(findings.sweeps)
    assert len(rows) == sum(len(sweep.thresholds) for _, sweep in findings.sweeps)
    for row in rows:
        assert row["low"] <= row["accuracy_percent"] <= row["high"]
        assert 1 <= row["mean_time_step"] <= 8
