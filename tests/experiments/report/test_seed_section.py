"""Section of the page on the spread over training seeds."""

from dataclasses import replace

from convrnn_experiments.comparison.seed_groups import seed_rows
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report import canvas
from convrnn_experiments.report.seed_section import seeds_section
from convrnn_experiments.statistics.training_seeds import spread_of_values


def test_a_page_without_groups_has_no_section():
    assert seeds_section([]) is None


def test_the_figure_names_measures_and_groups_and_is_missing_without_values(human_data, make_run, tmp_path):
    runs = [
        make_run(tmp_path / f"blur-seed{seed}", "blur", human_data, steps=4, seed=seed, training_seed=seed)
        for seed in range(2)
    ]
    rows = seed_rows(read_evaluations(runs), [])
    with canvas.style():
        section = seeds_section(rows)
        unknown = [
            replace(row, values=(float("nan"),) * 2, spread=spread_of_values([float("nan")] * 2))
            for row in rows
        ]
        empty = seeds_section(unknown)
    assert section.figures[0].alt_texts == ["accuracy, last step of blur, blur (all levels)"]
    assert not empty.figures
    assert empty.tables
