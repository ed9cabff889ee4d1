"""Conventions for observers' answers that need neither pandas nor NumPy."""

from typing import Literal

MAX_UNREADABLE = 0.01
"""Largest share of trials, and of sessions, that may be unreadable."""

Misses = Literal["chance", "wrong", "random", "answered"]

MISSES: dict[str, str] = {
    "chance": "a missed response scores 1/16, the probability that a random category is correct",
    "wrong": "a missed response counts as wrong",
    "random": "a missed response counts as a random category",
    "answered": "missed trials are left out",
}
"""Convention for missed responses -> its meaning, to complete a sentence."""
