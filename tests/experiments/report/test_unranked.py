"""Networks that a report cannot rank are listed with the reason."""

import json
from dataclasses import replace

import numpy as np
import pytest

from convrnn_experiments.comparison.contenders import contenders
from convrnn_experiments.comparison.differences import differences
from convrnn_experiments.report.answer import rank
from convrnn_experiments.report.answer_section import answer_section
from convrnn_experiments.report.canvas import colour_of, style
from convrnn_experiments.report.interactive import explore_section, libraries
from convrnn_experiments.report.ranking_tables import ranking, ranking_wide
from convrnn_experiments.report.summary import summarise
from convrnn_experiments.report.unranked import UNDEFINED_RMSE, Unranked, unranked, unranked_note
from convrnn_experiments.rows.accuracies import REASON
from convrnn_experiments.rows.satbench_files import read_results
from convrnn_experiments.statistics.intervals import UNDEFINED


@pytest.fixture(scope="module")
def with_accuracies(findings, tmp_path_factory):
    path = tmp_path_factory.mktemp("msdnet") / "results.json"
    path.write_text(
        json.dumps({"0": [30, 40, 50, 60, 70], "3": [20, 30, 40, 50, 60], "9": [10, 10, 20, 20, 20]})
    )
    return replace(findings, accuracies=read_results(path, "msdnet"))


def test_accuracies_are_not_ranked_over_all_levels_and_in_each(with_accuracies):
    (one,) = with_accuracies.unranked
    assert (one.network, one.condition, one.reason) == ("msdnet", "blur (all levels)", REASON)
    assert one.raw > 0
    everything = unranked(with_accuracies.contenders, with_accuracies.others)
    assert {other.condition for other in everything} == {"blur (all levels)", "blur 0", "blur 3", "blur 9"}


def test_a_network_with_an_undefined_distance_is_not_ranked(findings):
    row = findings.rows[0]
    undefined = replace(row, estimates=row.estimates | {"sat_rmse": UNDEFINED})
    found = contenders([undefined, *findings.rows[1:]])
    (one,) = unranked(found, [])
    assert (one.network, one.condition, one.reason) == (row.evaluation.network, row.condition, UNDEFINED_RMSE)
    ranked = rank(found, differences(findings.rows))
    assert not any(place.row is undefined for group in ranked for place in group.places)


def test_tables_have_a_row_without_a_rank(with_accuracies):
    table = ranking(with_accuracies.rankings, with_accuracies.unranked)
    *ranked, last = table
    assert all(row["not_ranked_because"] == "" and row["rank"] for row in ranked)
    assert (last["network"], last["rank"], last["not_ranked_because"]) == ("msdnet", "", REASON)
    assert last["all_levels"] is True
    assert last.keys() == ranked[0].keys()
    pooled = [one for one in with_accuracies.rankings if one.pooled]
    wide = ranking_wide(pooled, "humans", with_accuracies.unranked)
    (row,) = [row for row in wide if row["network"] == "msdnet"]
    assert (row["condition"], row["rank"]) == ("blur", "–")


def test_notes_name_network_condition_and_reason():
    found = [
        Unranked("msdnet", "blur (all levels)", 12.34, REASON),
        Unranked("msdnet", "color", np.nan, REASON),
        Unranked("own", "noise 0", np.nan, UNDEFINED_RMSE),
    ]
    assert unranked_note(found) == (
        f"Not ranked: msdnet in blur (raw RMSE 12.3 points) and color: {REASON}. own in noise 0: {UNDEFINED_RMSE}."
    )
    assert unranked_note([]) == ""


def test_the_page_and_the_summary_list_the_network(with_accuracies):
    colours = colour_of(with_accuracies.networks)
    with style():
        section = answer_section(with_accuracies, colours)
    assert "Not ranked: msdnet in blur (raw RMSE " in section.html
    assert "msdnet" in [network.name for network in summarise(with_accuracies, 0).networks]
    if (available := libraries()) is not None:
        chart = explore_section(with_accuracies, colours, available)
        assert f"Not in the chart: msdnet, because {REASON}." in chart.paragraphs
