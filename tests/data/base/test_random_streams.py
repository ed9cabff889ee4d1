"""Every tag and every index of a random stream draws its own numbers."""

import numpy as np

from convrnn_data.base.random_streams import Stream, generator, seed_sequence


def test_tags_indices_and_seeds_share_no_draws() -> None:
    cases = [
        (seed, stream, *indices)
        for seed in (0, 1, 2, 2**32 + 1)
        for stream in Stream
        for indices in ((), (0,), (1,), (2,), (0, 0), (1, 0), (0, 1))
    ]
    drawn = {tuple(seed_sequence(*case).generate_state(4)) for case in cases}
    assert len(drawn) == len(cases)


def test_equal_streams_draw_equal_numbers() -> None:
    first, second = (generator(3, Stream.EPOCH_ORDER, 4).random(5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_tags_of_the_drawn_sample_also_differ_in_lists() -> None:
    """The sample's seeds are lists, which NumPy pads with zeros; the tag is the second entry."""
    drawn = {tuple(np.random.SeedSequence([0, stream]).generate_state(4)) for stream in Stream}
    assert len(drawn) == len(Stream)
