"""Sizes of cached features, and executors that compute their parts."""

import pytest

from convrnn_data import ConvRNNError
from convrnn_experiments.conditions import Regime
from convrnn_experiments.features.plan import IN_PROCESS, Executor, feature_bytes
from convrnn_experiments.runs.config import Config


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 8 * 2048 * 4),
        ({"feature_dtype": "float16"}, 8 * 2048 * 2),
        ({"timesteps": 2, "width": 0.02}, 2 * 41 * 4),
        ({"network": "b_f"}, 4096 * 4),
    ],
    ids=str,
)
def test_features_take_the_bytes_of_their_type(changes: dict[str, object], expected: int) -> None:
    assert feature_bytes(Config(data="data", perturb=Regime.COLOR, **changes)) == expected


@pytest.mark.parametrize(
    ("executor", "in_process"),
    [
        (IN_PROCESS, True),
        (Executor(workers=1), True),
        (Executor(workers=2), False),
        (Executor("ray", 1), False),
        (Executor("dask"), False),
    ],
    ids=str,
)
def test_one_local_worker_is_this_process(executor: Executor, in_process: bool) -> None:
    assert executor.in_process == in_process


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("spark",), "spark"),
        (("local", 0), "--workers must be .* got 0"),
        (("local", None, "10.0.0.1:6379"), "10.0.0.1:6379"),
    ],
    ids=str,
)
def test_invalid_executors_are_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ConvRNNError, match=message):
        Executor(*arguments)
