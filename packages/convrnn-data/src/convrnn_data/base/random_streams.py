"""Random streams: each use of random numbers has a tag, so that no two uses share draws."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """Tags of the random streams. Results depend on the values: never change or reuse one."""

    TRAINING_IMAGE = 1
    OTHER_IMAGE = 2
    STIMULUS_IMAGE = 3
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
    CEILING_HALVES = 35
    OBSERVER = 1000
    CATEGORY_EASE = 1001
    IMAGE_DIFFICULTY = 1002


def seed_sequence(seed: int, stream: Stream, *indices: int) -> np.random.SeedSequence:
    """Return the seed sequence of a stream, or of one part of a stream.

    The tag and the indices form a spawn key. A plain list would be ambiguous: NumPy pads short lists with zeros, so
    `[seed, 2]` and `[seed, 2, 0]` give the same numbers.

    Args:
        seed: Seed chosen by the user.
        stream: Tag of the stream.
        indices: Position within the stream, such as the epoch.
    """
    return np.random.SeedSequence(seed, spawn_key=(int(stream), *indices))


def generator(seed: int, stream: Stream, *indices: int) -> np.random.Generator:
    """Return the NumPy generator of a stream; see `seed_sequence`."""
    return np.random.default_rng(seed_sequence(seed, stream, *indices))
