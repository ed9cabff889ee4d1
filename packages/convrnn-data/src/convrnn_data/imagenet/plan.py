"""Plan of a prepared set: assigns every image to a shard and a position, and is hashed before any copying."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from pydantic import ConfigDict, model_validator

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.schema import Document
from convrnn_data.categories import CATEGORIES, ImageLists
from convrnn_data.imagenet.choosing import ORIGINAL_WORDING, choose, missing, refuse_clashes, refuse_empty
from convrnn_data.imagenet.listing import ClassListing, Listing
from convrnn_data.shards.formats import FORMAT, IMAGENET, NearDuplicates, PlanFile, origin
from convrnn_data.shards.splits import SPLITS, advise_share, assign, follow, ranks

IMAGES, CHECKS, VALIDATION_SPLITS = ("listed", "all"), ("header", "decode"), ("val", "test")
"""Choices of `--images`, `--check` and `--validation-split`."""

COLUMNS = ("keys", "labels", "splits", "offsets", "sizes", "stamps", "listed", "rows")
"""Columns of a plan, with one entry per image."""


class Settings(Document):
    """Settings that, together with the images, determine the bytes of a prepared set.

    Attributes:
        images: "listed" takes the images that the lists name, "all" every image of the lists' synsets.
        val: Share of each category for validation, 0..1.
        test: Share of each category for testing, 0..1.
        seed: Seed of the split and of the order in the shards.
        split_file: SHA-256 of the assignments of a split file, which replaces `val` and `test`.
        shard_size: Maximum number of samples in a shard.
        check: "header" detects truncated files, "decode" decodes every image.
        resize: Shorter side in pixels to which larger images are shrunk; None leaves the bytes as they are.
        validation: Split of ILSVRC's validation images; None without them.
        stimuli: SHA-256 of the human stimuli whose near-duplicates are left out; None without them.
    """

    model_config = ConfigDict(allow_inf_nan=True)  # The rules below refuse NaN, and name the option.

    images: str = "listed"
    val: float = 0.1
    test: float = 0.0
    seed: int = 0
    split_file: str | None = None
    shard_size: int = 1000
    check: str = "header"
    resize: int | None = None
    validation: str | None = None
    stimuli: str | None = None

    def described(self) -> dict[str, Any]:
        """Return the settings for files and hashes; those added last only if set, so that older plans stay valid."""
        added = ("validation", "stimuli")
        return {name: value for name, value in self if name not in added or value is not None}

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        rules = (
            (self.images in IMAGES, f"--images must be listed or all, got {self.images!r}"),
            (self.check in CHECKS, f"--check must be header or decode, got {self.check!r}"),
            (
                self.val >= 0 and self.test >= 0,
                f"--val and --test must be shares of at least 0, got {self.val} and {self.test}",
            ),
            (
                self.val + self.test < 1,
                f"--val and --test must leave images to train on, with a sum under 1, got {self.val} and {self.test}",
            ),
            (self.shard_size >= 1, f"--shard-size must be at least 1 image, got {self.shard_size}"),
            (
                self.resize is None or self.resize >= 1,
                f"--resize must be at least 1 pixel, got {self.resize}",
            ),
            (
                self.validation in (None, *VALIDATION_SPLITS),
                f"--validation-split must be val or test, got {self.validation!r}",
            ),
        )
        for followed, message in rules:
            if not followed:
                raise ConvRNNError(message)
        return self


class Member(NamedTuple):
    """Image to copy: key and label in the set, and location in the source."""

    key: str
    name: str
    synset: str
    label: int
    path: str
    offset: int
    size: int
    stamp: int


def members_of(listing: ClassListing) -> list[Member]:
    """Return the images of a class, without the keys and labels that a plan assigns."""
    container = listing.container
    columns = (listing.names, listing.offsets, listing.sizes, listing.stamps)
    members = []
    for encoded, *location in zip(*(column.tolist() for column in columns), strict=True):
        name = encoded.decode()
        path = container.absolute if container.end else f"{container.absolute}/{name}"
        members.append(Member("", name, container.synset, 0, path, *location))
    return members


class ShardPlan(NamedTuple):
    """Shard of a plan: name such as `train/000003`, split, and range of rows."""

    name: str
    split: str
    start: int
    stop: int


@dataclass(frozen=True)
class Plan:
    """Complete plan, with columns in the order of the shards and of the samples within them.

    Attributes:
        settings: Settings of the set.
        keys: (images,) fixed-width bytes.
        labels: (images,) int64.
        splits: (images,) int8, positions in `SPLITS`.
        offsets: (images,) int64, first byte in the tar; 0 for single files.
        sizes: (images,) int64, bytes.
        stamps: (images,) int64, modification time of the file that holds the image, in nanoseconds.
        listed: (images,) position of each image's class in `classes`.
        rows: (images,) position of each image in its class.
        classes: Classes of the source.
        shards: Shards, train first.
        rejected: (source, reason) of images that are left out.
        hash: SHA-256 of settings, keys, labels, sizes and positions.
        near_duplicates: Result of the comparison with human stimuli; None without a comparison.
    """

    settings: Settings
    keys: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    stamps: np.ndarray
    listed: np.ndarray
    rows: np.ndarray
    classes: tuple[ClassListing, ...]
    shards: tuple[ShardPlan, ...]
    rejected: tuple[tuple[str, str], ...]
    hash: str
    near_duplicates: NearDuplicates | None = None

    def members(self, shard: ShardPlan) -> list[Member]:
        """Return the images of one shard, in order."""
        rows = slice(shard.start, shard.stop)
        columns = (self.keys, self.listed, self.rows, self.labels, self.offsets, self.sizes, self.stamps)
        return [
            self._member(*row) for row in zip(*(column[rows].tolist() for column in columns), strict=True)
        ]

    def _member(
        self, key: bytes, listed: int, row: int, label: int, offset: int, size: int, stamp: int
    ) -> Member:
        container = self.classes[listed].container
        name = self.classes[listed].names[row].decode()
        path = container.absolute if container.end else f"{container.absolute}/{name}"
        return Member(key.decode(), name, container.synset, label, path, offset, size, stamp)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Count images per split and category, without empty splits."""
        return counts(self.splits, self.labels)


def counts(splits: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, int]]:
    """Count images per split and category, without empty splits."""
    table = np.zeros((len(SPLITS), len(CATEGORIES)), dtype=np.int64)
    np.add.at(table, (splits, labels), 1)
    named = {
        split: dict(zip(CATEGORIES, row, strict=True))
        for split, row in zip(SPLITS, table.tolist(), strict=True)
    }
    return {split: row for split, row in named.items() if any(row.values())}


def make_plan(
    listing: Listing,
    lists: ImageLists,
    settings: Settings,
    *,
    assigned: dict[bytes, int] | None = None,
    allow_missing: bool = False,
    validation: Sequence[ClassListing] = (),
) -> Plan:
    """Select the images, and assign them to splits and shards.

    Args:
        listing: Source, with the synsets of `lists`.
        lists: Synsets of the categories, and listed images.
        settings: Settings of the set.
        assigned: Split of every key, from `read_split`; drawn by hash if None.
        allow_missing: Whether listed images may be missing.
        validation: ILSVRC's validation images, all of which are used; they go to split `settings.validation`, unless
            `assigned` names them.

    Raises:
        ConvRNNError: No image is left, images are missing, or two images have the same key.
    """
    classes = (*listing.classes, *validation)
    chosen = [choose(of_class, lists, settings.images) for of_class in listing.classes]
    chosen += [choose(of_class, lists, "all") for of_class in validation]
    rejected = [entry for selection in chosen for entry in selection.rejected]
    listed = np.repeat(np.arange(len(chosen)), [len(selection.rows) for selection in chosen])
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *(selection.rows for selection in chosen)])
    keys = np.concatenate([np.zeros(0, dtype="S1"), *(selection.keys for selection in chosen)])
    drawn = listed < len(listing.classes)
    refuse_clashes(keys, classes, listed, rows)
    refuse_empty(keys[drawn], listing, settings.images)
    if settings.images == "listed":
        rejected += missing(listing, lists, keys[drawn], allow_missing)
    labels = np.array([lists.label(of_class.container.synset) for of_class in classes])[listed]
    splits = np.full(len(keys), -1, dtype=np.int8)
    splits[~drawn] = SPLITS.index(settings.validation or SPLITS[0])
    if assigned is None:
        splits[drawn] = assign(
            keys[drawn], labels[drawn], val=settings.val, test=settings.test, seed=settings.seed
        )
    else:
        splits, absent = follow(assigned, keys, splits, allow_missing)
        rejected += absent
    offsets, sizes, stamps = (
        np.concatenate(
            [getattr(of_class, name)[taken.rows] for of_class, taken in zip(classes, chosen, strict=True)]
        )
        for name in ("offsets", "sizes", "stamps")
    )
    order = np.lexsort((keys, ranks(keys.tolist(), "shard", settings.seed), splits))
    everything = (keys, labels, splits, offsets, sizes, stamps, listed, rows)
    columns: dict[str, Any] = dict(zip(COLUMNS, (column[order] for column in everything), strict=True))
    shards = _cut(columns["splits"], settings.shard_size)
    left_out = tuple(sorted(set(rejected)))
    digest = _digest(settings, columns, shards, left_out, classes)
    return Plan(settings, **columns, classes=classes, shards=shards, rejected=left_out, hash=digest)


def thin_splits(plan: Plan) -> list[str]:
    """Describe splits that lack images of some categories, and advise on a share that gives each an image."""
    drawn = [origin(key.decode()) == "training" for key in plan.keys.tolist()]
    totals = np.bincount(plan.labels[drawn], minlength=len(CATEGORIES))
    lines = []
    for code, split in enumerate(SPLITS):
        share, validation = getattr(plan.settings, split, 0), plan.settings.validation == split
        present = np.bincount(plan.labels[plan.splits == code], minlength=len(CATEGORIES))
        without = np.flatnonzero((totals > 0) & (present == 0))
        if len(without) and (share or validation):
            cause = "ILSVRC's validation images give" if validation else f"--{split} {share:g} gives"
            first = without[0]
            lines.append(
                f"{cause} no image of {len(without)} of {np.count_nonzero(totals)} categories to {split!r} "
                f"({CATEGORIES[first]} has {totals[first]} {'for training' if validation else 'in all'}). "
                f"{advise_share(split, totals.tolist())}"
            )
    return lines


def _cut(splits: np.ndarray, shard_size: int) -> tuple[ShardPlan, ...]:
    """Divide the ordered rows into shards; sizes within a split differ by at most one."""
    shards = []
    for code, name in enumerate(SPLITS):
        start, stop = np.searchsorted(splits, [code, code + 1])
        pieces = max(1, -(-(stop - start) // shard_size)) if stop > start else 0
        edges = [start + (stop - start) * piece // pieces for piece in range(pieces)] + [stop]
        shards += [
            ShardPlan(f"{name}/{piece:06d}", name, int(edges[piece]), int(edges[piece + 1]))
            for piece in range(pieces)
        ]
    return tuple(shards)


def _digest(
    settings: Settings,
    columns: dict[str, np.ndarray],
    shards: tuple[ShardPlan, ...],
    rejected: tuple[tuple[str, str], ...],
    classes: tuple[ClassListing, ...],
) -> str:
    worded = [(source, ORIGINAL_WORDING.get(reason, reason)) for source, reason in rejected]
    state = hashlib.sha256(json.dumps([FORMAT, settings.described(), worded, shards]).encode())
    # NumPy pads keys to the longest, so the padding, and the hash, depend on the keys only.
    state.update(columns["keys"].tobytes())
    for name in ("labels", "splits", "sizes"):
        state.update(columns[name].astype("<i8").tobytes())
    # Samples contain the file name, so names that differ from ImageNet's change the bytes and thus the plan.
    locations = zip(
        columns["keys"].tolist(), columns["listed"].tolist(), columns["rows"].tolist(), strict=True
    )
    named = ((key, classes[at].names[row]) for key, at, row in locations)
    state.update(b"".join(b"%b=%b\n" % one for one in named if one[1] != one[0] + b".JPEG"))
    return state.hexdigest()


def describe(plan: Plan) -> PlanFile:
    """Return the content of `plan.json`."""
    compared = plan.near_duplicates
    return PlanFile(
        format=FORMAT,
        kind=IMAGENET,
        plan=plan.hash,
        settings=plan.settings.described(),
        counts=plan.counts,
        shards={shard.name: shard.stop - shard.start for shard in plan.shards},
        rejected=[list(entry) for entry in plan.rejected],
        **({} if compared is None else {"near_duplicates": compared}),
    )
