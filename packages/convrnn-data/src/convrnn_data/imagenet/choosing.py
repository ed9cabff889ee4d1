"""Selection of the images of a plan by key; finds missing, foreign and ambiguous images."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.categories import ImageLists
from convrnn_data.imagenet.listing import ClassListing, Listing, key_of, stated_synsets

NOT_IN_SOURCE = "listed, but not in the source"
BAD_KEY = "the name without its extension must be 1 to 90 letters, digits, - and _"
WRONG_CLASS = "the synset in the name differs from the synset of the class"

ORIGINAL_WORDING = {
    BAD_KEY: "the name, which becomes the key, is not of 1 to 90 letters, digits, - and _",
    WRONG_CLASS: "the name says another synset than the class it lies in",
}
"""Reason -> original wording, from which plan hashes are computed, so that sets of earlier versions stay valid."""

_KEY = re.compile(rb"[A-Za-z0-9_-]{1,90}")


class Chosen(NamedTuple):
    """Selected rows of a class, their keys, and (source, reason) of rejected images."""

    rows: np.ndarray
    keys: np.ndarray
    rejected: list[tuple[str, str]]


def choose(listing: ClassListing, lists: ImageLists, images: str) -> Chosen:
    """Select the images of a class that the lists name, or all images if `images` is "all"."""
    synset = listing.container.synset
    rejected = [(f"{synset}/{name}", reason) for name, reason in listing.foreign]
    keys = [key_of(name) for name in listing.names.tolist()]
    wanted = (
        {name.rpartition(".")[0].encode() for name in lists.names(synset)} if images == "listed" else None
    )
    rows = []
    for row, (name, key) in enumerate(zip(listing.names.tolist(), keys, strict=True)):
        if wanted is not None and key not in wanted:
            continue
        if reason := _rejection(name, key, synset.encode()):
            rejected.append((f"{synset}/{name.decode(errors='replace')}", reason))
        else:
            rows.append(row)
    taken = np.array([keys[row] for row in rows], dtype=bytes if rows else "S1")
    return Chosen(np.array(rows, dtype=np.int64), taken, rejected)


def _rejection(name: bytes, key: bytes, synset: bytes) -> str | None:
    if not _KEY.fullmatch(key):
        return BAD_KEY
    if stated_synsets(name) - {synset}:
        return WRONG_CLASS
    return None


def refuse_clashes(
    keys: np.ndarray, classes: Sequence[ClassListing], listed: np.ndarray, rows: np.ndarray
) -> None:
    """Refuse two files with the same key, whatever their extensions and folders: the key would be ambiguous."""
    order = np.argsort(keys, kind="stable")
    repeated = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    if not len(repeated):
        return
    first, second = (_path_of(classes, listed, rows, int(order[at])) for at in (repeated[0], repeated[0] + 1))
    raise ConvRNNError(
        f"{len(repeated)} image(s) repeat the key of another: a key (the file name without its extension) must be "
        f"unique, got {keys[order[repeated[0]]].decode()} from {first} and {second}. Remove one of the two files"
    )


def _path_of(classes: Sequence[ClassListing], listed: np.ndarray, rows: np.ndarray, at: int) -> str:
    listing = classes[listed[at]]
    separator = ":" if listing.container.end else "/"
    return f"{listing.container.path}{separator}{listing.names[rows[at]].decode(errors='replace')}"


def refuse_empty(keys: np.ndarray, listing: Listing, images: str) -> None:
    """Raise ConvRNNError if no image is selected."""
    if len(keys):
        return
    root, found = listing.source.root, len(listing.source.containers)
    if not listing.classes:
        raise ConvRNNError(
            f"none of the {found} classes in {root} belongs to one of the 16 categories. Give ImageNet's training set"
        )
    if images == "listed" and any(len(of_class.names) for of_class in listing.classes):
        raise ConvRNNError(
            f"none of the images in {root} is on the image lists. Pass --images all to take every image of the listed "
            "synsets"
        )
    raise ConvRNNError(
        f"the {len(listing.classes)} classes in {root} of the 16 categories hold no images: a name must end in .JPEG, "
        ".jpg, .png or .webp. Copy or unpack the images again"
    )


def missing(listing: Listing, lists: ImageLists, keys: np.ndarray, allowed: bool) -> list[tuple[str, str]]:
    """Return (source, reason) of every missing listed image; raise ConvRNNError unless missing images are allowed."""
    wanted = [f"{synset}/{name}" for synset in lists.categories for name in lists.names(synset)]
    if len(wanted) == len(keys):
        return []
    present = set(keys.astype(str).tolist())
    absent = [name for name in wanted if name[10:-5] not in present]
    if not allowed:
        raise ConvRNNError(
            f"{len(absent):,} of the {len(wanted):,} listed images are not in {listing.source.root} (the first: "
            f"{absent[0]}). Copy them there, pass --allow-missing to continue without them, or pass --images all to "
            "take every image of the listed synsets"
        )
    return [(name, NOT_IN_SOURCE) for name in absent]
