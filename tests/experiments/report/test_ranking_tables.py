"""Tables of the ranking."""

from convrnn_experiments.report import ranking_tables


def test_every_network_and_condition_has_a_row(findings):
    table = ranking_tables.ranking(findings.rankings)
    assert [(row["condition"], row["network"]) for row in table] == [
        (row.condition, row.evaluation.network) for row in findings.rows
    ]
    for row, compared in zip(table, findings.rows, strict=True):
        assert (row["rank"], row["clearly_behind"], row["all_levels"]) == (1, False, compared.pooled)
        estimate = compared.estimates["sat_rmse"]
        assert (row["sat_rmse"], row["sat_rmse_low"], row["sat_rmse_high"]) == (
            estimate.value,
            estimate.low,
            estimate.high,
        )
        assert row["error_consistency_people"] == compared.estimates["error_consistency_people"].value


def test_the_observers_follow_the_networks_of_a_condition(findings):
    pooled = [one for one in findings.rankings if one.pooled]
    table = ranking_tables.ranking_wide(pooled, "humans")
    assert [(row["condition"], row["rank"]) for row in table] == [
        ("color", "1"),
        ("color", ""),
        ("blur", "1"),
        ("blur", ""),
    ]
    assert len({tuple(row) for row in table}) == 1
    floor = pooled[0].first.row.estimates["sat_rmse_floor"].value
    assert table[1]["network"] == "humans, of each other"
    assert table[1]["SAT-curve RMSE"] == f"{floor:.1f}"
    assert table[1]["behind the first"] == table[1]["response times"] == ""
