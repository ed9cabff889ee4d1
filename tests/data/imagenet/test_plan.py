import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagenet_files import listing_of, named

from convrnn_data import ConvRNNError
from convrnn_data.categories import shipped_lists
from convrnn_data.imagenet.plan import Settings, describe, make_plan
from convrnn_data.imagenet.sources import find_source, list_images
from convrnn_data.shards.formats import differences
from convrnn_data.shards.splits import SPLITS, format_split, read_split


@given(st.tuples(st.integers(0, 40), st.integers(1, 40)), st.integers(1, 30), st.integers(0, 3))
@settings(deadline=None)
def test_every_key_occurs_once_in_even_shards_whatever_the_order(sizes, shard_size, seed):
    wanted = Settings(images="all", val=0.25, test=0.1, seed=seed, shard_size=shard_size)
    plan = make_plan(listing_of(sizes), shipped_lists(), wanted)
    shards = named(plan)
    keys = [key for _, members in shards for key in members]
    assert len(keys) == len(set(keys)) == sum(sizes)
    for split in SPLITS:
        lengths = [len(members) for name, members in shards if name.startswith(split)]
        assert all(max(lengths) - 1 <= length <= shard_size for length in lengths)
        assert min(lengths, default=1) >= 1
    other = make_plan(listing_of(sizes, order=-1), shipped_lists(), wanted)
    assert (named(other), other.hash) == (shards, plan.hash)


def test_members_have_their_sizes_and_labels():
    plan = make_plan(listing_of((9, 9)), shipped_lists(), Settings(images="all"))
    for shard in plan.shards:
        for member in plan.members(shard):
            assert member.size == int(member.key.split("_")[1]) == member.offset // 512
            assert (member.label, member.synset) in ((0, "n02690373"), (10, "n02085782"))


def test_shards_mix_the_categories():
    plan = make_plan(listing_of((200, 200)), shipped_lists(), Settings(images="all", val=0, shard_size=50))
    shares = [np.mean([member.label == 0 for member in plan.members(shard)]) for shard in plan.shards]
    assert min(shares) > 0.2
    assert max(shares) < 0.8


OTHERS = {
    "val": 0.2,
    "test": 0.2,
    "seed": 1,
    "shard_size": 7,
    "check": "decode",
    "resize": 9,
    "images": "listed",
    "validation": "val",
    "stimuli": "0" * 64,
}


@pytest.mark.parametrize("name", OTHERS)
def test_each_setting_that_changes_bytes_changes_the_hash_and_is_named(name):
    assert {*OTHERS, "split_file"} == set(Settings.model_fields)
    base = Settings(images="all")
    plans = [
        make_plan(listing_of((20, 20)), shipped_lists(), one, allow_missing=True)
        for one in (base, base.model_copy(update={name: OTHERS[name]}))
    ]
    assert plans[0].hash != plans[1].hash
    message = differences(describe(plans[0]), describe(plans[1]))
    assert message == f"{name} must be {getattr(base, name)}, got {OTHERS[name]}"


def test_sets_made_before_validation_images_were_supported_are_resumed():
    """Older plans lack both settings and keep their hashes."""
    plan = make_plan(listing_of((20, 20)), shipped_lists(), Settings(images="all"))
    assert plan.hash == "33a808ae9524c9a0c886913a5d500990e8b25adae7ad0fa68d01aaad8385919d"


def test_a_changed_image_changes_the_hash(own_folders):
    wanted = shipped_lists().categories
    plans = []
    for _ in range(2):
        plans.append(
            make_plan(list_images(find_source(own_folders), wanted), shipped_lists(), Settings(images="all"))
        )
        path = own_folders / "train" / "n02690373" / "n02690373_1.JPEG"
        path.write_bytes(path.read_bytes() + b"\0")
    assert plans[0].hash != plans[1].hash
    assert differences(describe(plans[0]), describe(plans[1])) == "the images have changed"


def test_a_split_file_determines_the_split(tmp_path):
    listing, lists = listing_of((10, 10)), shipped_lists()
    plan = make_plan(listing, lists, Settings(images="all", val=0.3, test=0.2, seed=4))
    path = tmp_path / "split.json"
    path.write_bytes(format_split(plan.keys, plan.splits))
    again = make_plan(listing, lists, Settings(images="all", seed=4), assigned=read_split(path))
    assert named(again) == named(plan)


def test_a_split_file_must_name_every_image(tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"train": ["n02690373_1", "n02690373_77"], "val": ["n02085782_1"]}))
    with pytest.raises(ConvRNNError, match=r"does not name 1 of the 3 images \(the first: n02690373_2\)"):
        make_plan(listing_of((2, 1)), shipped_lists(), Settings(images="all"), assigned=read_split(path))
    with pytest.raises(ConvRNNError, match=r"names 1 images that do not exist \(the first: n02690373_77\)"):
        make_plan(listing_of((1, 1)), shipped_lists(), Settings(images="all"), assigned=read_split(path))
    plan = make_plan(
        listing_of((1, 1)),
        shipped_lists(),
        Settings(images="all"),
        assigned=read_split(path),
        allow_missing=True,
    )
    assert plan.rejected == (("n02690373_77", "in the split file, but not in the source"),)
