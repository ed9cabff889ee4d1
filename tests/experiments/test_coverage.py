"""Coverage of the comparison's intervals in small simulations."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def coverage():
    yield from load("interval_coverage")


def load(name):
    """Import a benchmark for the time of a fixture."""
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look up their module by name.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)  # Benchmarks import each other.
        patch.setitem(__import__("sys").modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


def test_the_truth_is_the_mean_of_many_simulated_experiments(coverage):
    world = coverage.World(coverage.Design(20, 70, 0.8, 5.0, 0.9))
    rng = np.random.default_rng(0)
    drawn = [world.draw(rng)[0] for _ in range(40)]
    humans = np.mean([contrast.curves[1].values for contrast in drawn], axis=0)
    network = np.mean([contrast.curves[0].values for contrast in drawn], axis=0)
    # A mean of 40 experiments is known to about a point.
    np.testing.assert_allclose(humans, world.truth["people"], atol=1.5)
    np.testing.assert_allclose(network, world.truth["networks"][0], atol=3)
    gaps = world.truth["networks"][0] - world.truth["people"]
    assert np.sqrt(np.mean(gaps**2)) == pytest.approx(5)


@pytest.mark.slow
def test_intervals_cover_the_truth_in_a_simulated_design(coverage):
    rows = coverage.simulate(coverage.Design(8, 70, 0.8, 5.0, 0.9), 300, seed=3)
    covered = {
        row["estimate"]: row["covered_percent"] for row in rows if not row["estimate"].startswith("raw")
    }
    assert len(covered) == 10
    # 300 experiments: 95 % is known to 1.3.
    assert min(covered.values()) >= 91, covered
    bias = {row["estimate"]: row["bias"] for row in rows}
    assert abs(bias["RMSE"]) < abs(bias["raw RMSE"])
    assert abs(bias["r"]) < abs(bias["raw r"])


@pytest.fixture(scope="module")
def power_simulation():
    yield from load("power_simulation")


@pytest.mark.slow
def test_power_is_that_of_simulated_experiments(power_simulation):
    rows = power_simulation.simulate((20, 20), 1000, seed=4)
    assert {row["seeds"] for row in rows} == {0, 3}
    # 1000 experiments: 70 % is known to 1.4 points.
    assert max(abs(row["predicted"] - row["simulated"]) for row in rows) < 0.045, rows
    narrow = [power_simulation.half_widths(np.array([4.0]), np.array([9.0]), known)[0] for known in (0, 1e9)]
    np.testing.assert_allclose(narrow, [2 * 2.262157, 1.959964 * 1e9**0.5], rtol=1e-6)


@pytest.fixture(scope="module")
def sat_coverage():
    yield from load("sat_coverage")


@pytest.fixture(scope="module")
def ceiling_coverage():
    yield from load("ceiling_coverage")


@pytest.fixture(scope="module")
def difference_coverage():
    yield from load("difference_coverage")


def test_simulated_curves_are_the_functions_that_are_fitted(sat_coverage):
    design = sat_coverage.Design("small", 20, 96, (80.0, 3.5, 850.0), (80.0, 0.8, 0.3))
    drawn = [sat_coverage.draw(design, np.random.default_rng(seed)) for seed in range(20)]
    people, times, network = (
        np.mean([part.values for part in parts], axis=0) for parts in zip(*drawn, strict=True)
    )
    np.testing.assert_allclose(people, sat_coverage.sat_accuracy(sat_coverage.TIMES, 80, 0.0035, 850), atol=2)
    np.testing.assert_allclose(times, sat_coverage.TIMES, atol=8)
    np.testing.assert_allclose(network, sat_coverage.sat_accuracy(np.arange(1.0, 9), 80, 0.8, 0.3), atol=2)


@pytest.mark.slow
def test_sat_functions_are_recovered_in_a_simulated_design(sat_coverage):
    rows = sat_coverage.simulate(sat_coverage.DESIGNS[0], 150, seed=5)
    assert len(rows) == 8
    # 150 experiments: 95 % is known to 1.8.
    assert min(row["covered_percent"] for row in rows) >= 89, rows
    assert max(abs(row["bias_percent"]) for row in rows if row["estimate"] != "intercept, network") < 5


@pytest.mark.slow
def test_ceilings_are_those_of_further_observers(ceiling_coverage):
    rows = ceiling_coverage.simulate(ceiling_coverage.Design(20, 96), 60, seed=5)
    assert len(rows) == 8
    assert min(row["covered_percent"] for row in rows) >= 85, rows
    assert max(abs(row["bias_percent"]) for row in rows) < 8, rows


@pytest.mark.slow
def test_equal_networks_seldom_differ(difference_coverage):
    rows = difference_coverage.simulate(difference_coverage.DESIGNS[0], 15, seed=5)
    assert len(rows) == 13
    for row in rows:
        assert row["covered_percent"] > 80, row
        assert row["bias_percent"] is None
        assert row["family_error_holm_percent"] <= row["family_error_uncorrected_percent"]


@pytest.fixture(scope="module")
def seed_coverage():
    yield from load("seed_coverage")


def test_distances_of_simulated_seeds_are_those_of_the_contrasts(seed_coverage):
    design = seed_coverage.Design(4.0, images=32, observers=8)
    drawn = seed_coverage.draw(design, np.array([-1.0, 0.0, 1.0]), 32, np.random.default_rng(0))
    sides = [one for _, one in drawn[0]]
    found = seed_coverage._values(drawn)
    assert -1 < found.pop(seed_coverage.CONSISTENCY) < 1
    assert set(found) == set(seed_coverage.SAMPLED)
    for measure, value in found.items():
        estimates = [seed_coverage.SAMPLED[measure](one).values[0] for one in sides]
        assert value == pytest.approx(np.mean(estimates)), measure


@pytest.mark.slow
def test_the_mean_over_seeds_is_covered(seed_coverage):
    rows = seed_coverage.simulate(seed_coverage.Design(4.0), 100, seed=5)
    # 3 numbers of seeds, each alone and less other seeds, of 7 measures.
    assert len(rows) == 42
    for row in rows:
        if row["measure"] == seed_coverage.TIMES:  # computed in too few of these experiments
            continue
        assert row["new_images_percent"] >= 88, row
        assert np.isnan(row["these_images_percent"]) or row["these_images_percent"] >= 88, row


@pytest.fixture(scope="module")
def response_time_recovery():
    yield from load("response_time_recovery")


def test_simulated_uncertainty_falls_and_shares_the_difficulty_of_images(response_time_recovery):
    design = response_time_recovery.Design(45, 400, 0.8)
    found, observers = response_time_recovery.draw(design, np.random.default_rng(0))
    times = np.nanmean(observers.standardized_times(), axis=0)
    for measure in ("response_time_correlation", "response_time_margin", "response_time_accumulator"):
        by_step = found[measure].mean(axis=0)
        assert (np.diff(by_step) < 0).all(), measure
        assert np.corrcoef(found[measure][:, -1], times)[0, 1] > 0.2, measure
    entropy, margin = found["response_time_correlation"], -found["response_time_margin"]
    assert 0 <= margin.min() <= margin.max() <= 1
    assert entropy.max() <= np.log(16)
    # Both come from the same softmax, but neither is a function of the other.
    assert -1 < np.corrcoef(entropy.ravel(), margin.ravel())[0, 1] < -0.7


@pytest.mark.slow
def test_correlations_of_response_times_are_covered(response_time_recovery):
    design = response_time_recovery.Design(8, 400, 0.8)
    rows = response_time_recovery.simulate(design, 40, seed=5)
    assert len(rows) == 4
    for row in rows:
        assert row["covered_percent"] >= 85, row
        assert abs(row["bias_percent"]) < 5 + 3 * row["bias_error_percent"], row
        assert row["truth"] <= row["best"] + 1e-9, row


@pytest.fixture(scope="module")
def consistency_coverage():
    yield from load("consistency_coverage")


@pytest.mark.slow
def test_error_consistency_is_covered(consistency_coverage):
    rows = consistency_coverage.simulate(consistency_coverage.Design(8, 96), 60, seed=5)
    assert len(rows) == 4
    for row in rows:
        assert row["covered_percent"] >= 85, row
        assert abs(row["bias_percent"]) < 8 + 3 * row["bias_error_percent"], row
