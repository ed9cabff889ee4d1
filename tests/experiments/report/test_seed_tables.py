"""Tables of the spread over training seeds, in the report and in `convrnn compare`."""

import csv

import pytest

from convrnn_experiments.comparison.options import ComparisonOptions
from convrnn_experiments.report import build
from convrnn_experiments.report.comparison_files import write_comparison
from convrnn_experiments.report.seed_tables import SEED_NOTE, SHOWN
from convrnn_experiments.report.summary import NAME, Summary


@pytest.fixture(scope="module")
def runs(tmp_path_factory, human_data, make_run):
    folder = tmp_path_factory.mktemp("seeds")
    return [
        make_run(folder / f"blur-seed{seed}", "blur", human_data, steps=4, seed=seed, training_seed=seed)
        for seed in range(2)
    ]


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_and_its_tables_have_the_spread(runs, human_data, without_figures, tmp_path):
    with without_figures():
        page = build.write_report(runs, tmp_path / "index.html", human=human_data)
    text = page.read_text()
    assert ">Spread over training seeds</h2>" in text
    rows = read(tmp_path / "tables/seeds.csv")
    (rmse,) = [row for row in rows if (row["condition"], row["measure"]) == ("blur (all levels)", "sat_rmse")]
    assert (rmse["network"], rmse["networks"], rmse["seeds"]) == ("blur", "blur-seed0; blur-seed1", "2")
    values = [
        float(row["value"])
        for row in read(tmp_path / "tables/comparison.csv")
        if (row["condition"], row["measure"]) == ("blur (all levels)", "sat_rmse")
    ]
    assert float(rmse["mean"]) == pytest.approx(sum(values) / 2, rel=1e-4)
    assert float(rmse["sd"]) == pytest.approx(abs(values[0] - values[1]) / 2**0.5, rel=1e-3)
    by_measure = {row["measure"]: row for row in rows if row["condition"] == "blur (all levels)"}
    assert by_measure["category_correlation"]["new_images_low"] == ""
    consistency = by_measure["error_consistency"]
    assert float(consistency["new_images_low"]) < float(consistency["mean"])
    mean, low, high = (float(rmse[name]) for name in ("mean", "low", "high"))
    assert f"<span>{mean:.1f} <small>[{low:.1f}, {high:.1f}]</small></span>" in text
    assert {row["measure"] for row in rows} > set(SHOWN)
    summary = Summary.model_validate_json((tmp_path / NAME).read_bytes())
    assert [one.measure for one in summary.seeds] == [row["measure"] for row in rows]
    assert [one.mean.value for one in summary.seeds if one.measure == "sat_rmse"] == [
        pytest.approx(float(row["mean"]), rel=1e-4) for row in rows if row["measure"] == "sat_rmse"
    ]
    assert {tuple(one.networks) for one in summary.seeds} == {("blur-seed0", "blur-seed1")}
    # The seeds are one row of the ranking.
    ranking = {row["condition"]: row for row in read(tmp_path / "tables/ranking.csv")}
    assert {row["network"] for row in ranking.values()} == {"blur (2 seeds)"}
    assert ranking["blur (all levels)"]["sat_rmse"] == rmse["mean"]
    assert ranking["blur (all levels)"]["sat_rmse_low"] == rmse["new_images_low"]
    (entry,) = next(one for one in summary.conditions if one.all_levels).ranking
    assert (entry.network, entry.networks) == ("blur (2 seeds)", ["blur-seed0", "blur-seed1"])


def test_a_group_is_compared_with_other_networks(runs, human_data, make_run, without_figures, tmp_path):
    other = make_run(tmp_path / "other", "blur", human_data, steps=4, seed=5, training_seed=3, epochs=7)
    with without_figures():
        page = build.write_report([*runs, other], tmp_path / "page/index.html", human=human_data)
    assert "Differences between groups, and between groups and single networks" in page.read_text()
    rows = read(page.parent / "tables/seed_differences.csv")
    assert {(row["network"], row["less_network"]) for row in rows} == {("blur (2 seeds)", "other")}
    (rmse,) = [row for row in rows if (row["condition"], row["measure"]) == ("blur (all levels)", "sat_rmse")]
    assert float(rmse["low"]) < float(rmse["difference"]) < float(rmse["high"])
    ranking = read(page.parent / "tables/ranking.csv")
    behind = [row for row in ranking if row["condition"] == "blur (all levels)" and row["rank"] == "2"]
    assert abs(float(behind[0]["behind_first"])) == pytest.approx(abs(float(rmse["difference"])))
    text = write_comparison([*runs, other], human_data, tmp_path, ComparisonOptions(), lambda _: None)
    assert "Differences between networks of several seeds:\n\n| condition | networks" in text
    assert read(tmp_path / "seed_differences.csv") == rows


def test_compare_writes_the_spread(runs, human_data, tmp_path):
    text = write_comparison(runs, human_data, tmp_path, ComparisonOptions(), lambda _: None)
    assert SEED_NOTE in text
    assert "Spread over training seeds:\n\n| network | condition | measure" in text
    assert len(read(tmp_path / "seeds.csv")) > 20
    text = write_comparison(runs[:1], human_data, tmp_path, ComparisonOptions(), lambda _: None)
    assert "Spread over training seeds" not in text
    assert (tmp_path / "seeds.csv").read_text() == ""
