"""Coverage of the comparison's intervals in a small simulation."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/interval_coverage.py"


@pytest.fixture(scope="module")
def coverage():
    spec = importlib.util.spec_from_file_location("coverage_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look up their module by name.
    with pytest.MonkeyPatch.context() as patch:
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
