"""Measures of the comparison as columns."""

from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.report.comparison_tables import AGREEMENT, CURVES, ONLY_IN_FILES, SAT, TIMES


def test_keys_and_labels_are_unique():
    assert len({measure.key for measure in MEASURES}) == len(MEASURES)
    assert len({measure.label for measure in MEASURES}) == len(MEASURES)


def test_the_tables_of_the_page_show_every_measure_once_or_the_files_do():
    assert sorted(CURVES + AGREEMENT + TIMES + SAT + ONLY_IN_FILES) == sorted(
        measure.key for measure in MEASURES
    )


def test_meanings_complete_a_sentence():
    assert not [measure.key for measure in MEASURES if measure.meaning.endswith(".")]
