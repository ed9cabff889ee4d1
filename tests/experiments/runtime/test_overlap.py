"""Overlap of a function with its producer and consumer: order, bounds, and errors that end both sides."""

import threading
import time
from collections.abc import Iterator

import pytest

from convrnn_experiments.runtime.overlap import map_ahead


@pytest.mark.parametrize("threads", [1, 3])
def test_results_are_in_order_and_items_are_bounded(threads: int) -> None:
    counting = threading.Lock()
    produced, running, most, ahead = 0, 0, 0, 0

    def numbers() -> Iterator[int]:
        nonlocal produced
        for number in range(20):
            produced += 1
            yield number

    def slow(number: int) -> int:
        nonlocal running, most
        with counting:
            running += 1
            most = max(most, running)
        time.sleep(0.002 * (number % 3))
        with counting:
            running -= 1
        return number

    found = []
    for number in map_ahead(slow, numbers(), threads):
        found.append(number)
        ahead = max(ahead, produced - len(found))
    assert found == list(range(20))
    assert most == threads
    assert ahead == threads


def test_the_next_item_is_produced_and_the_last_result_used_during_a_call() -> None:
    """Block the second call until its successor is produced and its predecessor used."""
    third, used = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        for number in range(3):
            if number == 2:
                third.set()
            yield number

    def wait(number: int) -> int:
        if number == 1:
            assert used.wait(60)
            assert third.wait(60)
        return number

    for number in map_ahead(wait, items()):
        if number == 0:
            used.set()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_of_the_producer_ends_the_threads(error: type[BaseException]) -> None:
    called: list[int] = []

    def items() -> Iterator[int]:
        yield 0
        yield 1
        raise error

    before = threading.active_count()
    with pytest.raises(error):
        list(map_ahead(called.append, items()))
    assert threading.active_count() == before


def test_an_error_of_the_function_drops_later_calls() -> None:
    called: list[int] = []

    def fail(number: int) -> None:
        called.append(number)
        raise ValueError(number)

    before = threading.active_count()
    with pytest.raises(ValueError, match=r"^0$"):
        list(map_ahead(fail, range(100)))
    assert threading.active_count() == before
    assert set(called) <= {0, 1}


def test_an_error_of_the_consumer_ends_the_threads() -> None:
    called: list[int] = []
    before = threading.active_count()
    results = map_ahead(called.append, range(100))
    next(results)
    results.close()
    assert threading.active_count() == before
    assert len(called) <= 2
