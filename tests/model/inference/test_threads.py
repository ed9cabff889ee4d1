import threading
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_model.inference.threads import PARTS_PER_THREAD, SHORTEST_PART, Threads


@given(st.integers(1, 300), st.integers(1, 9), st.integers(1, 7))
def test_ranges_cover_everything_once(count, threads, multiple):
    ranges = Threads(threads).ranges(count, 1, multiple)
    assert [i for begin, end in ranges for i in range(begin, end)] == list(range(count))
    assert all(begin % multiple == 0 and begin < end for begin, end in ranges)
    assert len(ranges) <= Threads(threads).parts(1)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_part_is_computed_once(count):
    done = []
    Threads(count).run([partial(done.append, part) for part in range(50)])
    assert sorted(done) == list(range(50))


def test_parts_are_computed_at_the_same_time():
    together, done = threading.Barrier(3, timeout=60), []
    Threads(3).run([lambda: done.append(together.wait())] * 3)
    assert sorted(done) == [0, 1, 2]


@pytest.mark.parametrize("failing", [0, 7])
def test_an_error_of_a_part_is_raised_after_the_others_ended(failing):
    ended = []

    def part(number):
        if number == failing:
            raise ValueError(f"part {number}")
        time.sleep(0.01)
        ended.append(number)

    with pytest.raises(ValueError, match=f"part {failing}"):
        Threads(3).run([partial(part, number) for number in range(8)])
    assert sorted(ended) == [number for number in range(8) if number != failing]


def test_one_thread_starts_no_other():
    names = []
    Threads(1).run([lambda: names.append(threading.current_thread())] * 3)
    assert set(names) == {threading.current_thread()}
    assert Threads(1).parts(1) == 1


def test_short_stages_are_not_split():
    threads = Threads(4)
    assert threads.parts(SHORTEST_PART) == 1
    assert threads.parts(3 * SHORTEST_PART) == 3
    assert threads.parts(1) == 4 * PARTS_PER_THREAD
