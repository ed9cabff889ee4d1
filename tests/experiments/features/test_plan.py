"""Executors that compute parts of the cached features."""

import pytest

from convrnn_data import ConvRNNError
from convrnn_experiments.features.plan import IN_PROCESS, Executor


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
