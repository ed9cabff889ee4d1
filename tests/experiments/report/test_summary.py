"""Summary for programs."""

import json

import pytest
from pydantic import ValidationError

from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.report.findings import Findings
from convrnn_experiments.report.summary import NAME, Summary, as_json, summarise


def test_the_file_has_the_results(page, findings):
    summary = Summary.model_validate_json((page.parent / NAME).read_bytes())
    assert as_json(summary) == (page.parent / NAME).read_bytes()
    assert summary.simulated_observers is True
    assert (summary.settings.misses, summary.settings.exits) == ("chance", "index")
    assert [network.name for network in summary.networks] == ["color", "blur <b>"]
    assert [one.condition for one in summary.conditions] == [one.condition for one in findings.rankings]
    for one, ranking in zip(summary.conditions, findings.rankings, strict=True):
        entry, estimate = one.ranking[0], ranking.first.distance
        assert (entry.rank, entry.network) == (1, ranking.first.network)
        assert entry.measures["sat_rmse"].value == pytest.approx(estimate.value, rel=1e-5)
        assert set(entry.measures) == set(ranking.first.row.estimates)
        assert one.finding in summary.answer or len(summary.conditions) > 1


def test_unknown_values_are_null(findings):
    read = json.loads(as_json(summarise(findings, 0)))
    floors = [entry["measures"]["sat_rmse_floor"] for one in read["conditions"] for entry in one["ranking"]]
    assert {floor["low"] for floor in floors} == {None}
    assert read["schema_version"] == 1


def test_networks_alone_have_no_answer(findings):
    summary = summarise(Findings(findings.evaluations, None, [], [], Exits.INDEX), 3)
    assert (summary.answer, summary.simulated_observers, summary.settings.misses) == (None, None, None)
    assert summary.conditions == []
    assert summary.settings.seed == 3


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"more": 1}, {"answer": 3}])
def test_another_form_is_not_accepted(findings, change):
    with pytest.raises(ValidationError):
        Summary.model_validate(json.loads(as_json(summarise(findings, 0))) | change)
