"""Random streams: every use of random numbers in this project has a tag here, so that no two share their draws."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What random numbers are drawn for. Values are part of every result: never change or reuse one."""

    TRAINING_PICTURE = 1
    OTHER_PICTURE = 2
    STIMULUS_PICTURE = 3
    EPOCH_ORDER = 10
    EPOCH_CROPS = 11
    VIEW_ORDER = 12
    TRAINING_PERTURBATION = 13
    VALIDATION_PERTURBATION = 14
    TRAINING_FEATURES = 15
    VALIDATION_FEATURES = 16
    EVALUATION_PERTURBATION = 17
    STIMULUS_PLAN = 18
    STIMULUS_PERTURBATION = 19
    BOOTSTRAP_IMAGES = 30
    BOOTSTRAP_OBSERVERS = 31
    RESPONSE_TIME_HALVES = 32
    OBSERVER_HALVES = 33
    EXIT_HALVES = 34
    OBSERVER = 1000
    CATEGORY_EASE = 1001
    IMAGE_DIFFICULTY = 1002


def seed_sequence(seed: int, stream: Stream, *indices: int) -> np.random.SeedSequence:
    """Return the seed of one stream, or of one of its parts.

    The tag and the indices are a spawn key, which NumPy separates from the seed by padding. As a plain list
    they would not be: NumPy fills up short lists with zeros, so `[seed, 2]` and `[seed, 2, 0]` draw the same.

    Args:
        seed: the user's.
        stream: what the numbers are for.
        indices: such as the epoch.
    """
    return np.random.SeedSequence(seed, spawn_key=(int(stream), *indices))


def generator(seed: int, stream: Stream, *indices: int) -> np.random.Generator:
    """Return NumPy's generator of one stream; see `seed_sequence`."""
    return np.random.default_rng(seed_sequence(seed, stream, *indices))
