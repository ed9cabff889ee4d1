import dataclasses
from pathlib import Path

import numpy as np
import pytest
from imagenet_files import listing_of, named

from convrnn_data import ConvRNNError
from convrnn_data.categories import shipped_lists
from convrnn_data.imagenet import choosing
from convrnn_data.imagenet.choosing import ORIGINAL_WORDING
from convrnn_data.imagenet.plan import Settings, make_plan
from convrnn_data.imagenet.sources import ClassListing, Container, find_source, list_images


def test_listed_selects_listed_images_and_counts_missing_ones(class_folders):
    lists = shipped_lists()
    listing = list_images(find_source(class_folders), lists.categories)
    there = {
        f"{one.container.synset}/{name.decode()}" for one in listing.classes for name in one.names.tolist()
    }
    listed = {f"{synset}/{name}" for synset in lists.categories for name in lists.names(synset)}
    with pytest.raises(
        ConvRNNError, match=f"{len(listed - there):,} of the 213,555 listed images are not in"
    ):
        make_plan(listing, lists, Settings())
    plan = make_plan(listing, lists, Settings(), allow_missing=True)
    assert {f"{key.split('_')[0]}/{key}.JPEG" for _, keys in named(plan) for key in keys} == there & listed
    assert {source for source, _ in plan.rejected} == listed - there


@pytest.mark.parametrize(
    "name",
    ["n02690373_1.2.JPEG", "n02690373 1.JPEG", "n02085782_5.JPEG", ".JPEG", "n" * 91 + ".JPEG", "ü.JPEG"],
)
def test_names_that_are_not_keys_are_rejected(name, monkeypatch):
    column = np.array([1], dtype=np.int64)
    bad = ClassListing(Container("n02690373", Path("a")), np.array([name.encode()]), column, column, column)
    listing = listing_of((1, 1))
    listing = dataclasses.replace(listing, classes=(*listing.classes[1:], bad))
    plan = make_plan(listing, shipped_lists(), Settings(images="all"))
    assert [source for source, _ in plan.rejected] == [f"n02690373/{name}"]
    assert plan.keys.tolist() == [b"n02085782_1"]
    # The hash is computed from the original wording of the reasons.
    for new, original in ORIGINAL_WORDING.items():
        constant = next(key for key, value in vars(choosing).items() if value == new)
        monkeypatch.setattr(choosing, constant, original)
    reworded = make_plan(listing, shipped_lists(), Settings(images="all"))
    assert reworded.rejected != plan.rejected
    assert reworded.hash == plan.hash


def test_two_images_with_one_key_are_refused(own_folders, make_jpeg):
    (own_folders / "train" / "n02690373" / "n02690373_1.jpg").write_bytes(make_jpeg(1))
    listing = list_images(find_source(own_folders), shipped_lists().categories)
    with pytest.raises(
        ConvRNNError, match=r"got n02690373_1 from .*/n02690373_1\.JPEG and .*/n02690373_1\.jpg"
    ):
        make_plan(listing, shipped_lists(), Settings(images="all"))
