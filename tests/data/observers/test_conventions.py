"""Conventions for missed responses."""

from typing import get_args

from convrnn_data.observers.conventions import MAX_UNREADABLE, MISSES, Misses


def test_every_convention_has_a_meaning():
    assert set(MISSES) == set(get_args(Misses))
    assert all("miss" in meaning and not meaning.endswith(".") for meaning in MISSES.values())


def test_few_answers_may_be_unreadable():
    assert 0 < MAX_UNREADABLE <= 0.05
