"""Schemas of the files of a prepared set, of ImageNet or of human stimuli."""

import collections
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from convrnn_data.base.schema import Count, Document
from convrnn_data.categories import CATEGORIES

FORMAT = 1
"""Version of the prepared set's format; part of every plan hash."""

IMAGENET, HUMAN = "imagenet", "human"
"""Kinds of prepared sets."""

VALIDATION_KEY = re.compile(r"ILSVRC2012_val_(\d{8})", re.ASCII)

Origin = Literal["training", "validation"]
Rejection = Annotated[list[str], Field(min_length=2, max_length=2)]
"""Source and reason."""
ShardName = Annotated[str, Field(pattern=r"^[a-z_]{1,40}/[0-9]{6,9}$")]
SplitName = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
FileName = Annotated[str, Field(pattern=r"^(?:(?:[a-z_]{1,40}/)?[a-z0-9_]{1,40}\.[a-z]{1,9}|README\.md)$")]
"""Name of a file within the set's folder."""


def _of_all_categories(counts: dict[str, Any]) -> dict[str, int]:
    for category in CATEGORIES:
        count = counts.get(category)
        if type(count) is not int or not 0 <= count < 2**63:
            raise ValueError(f"must have a count for every category, got {count!r} for {category}")
    return {category: counts[category] for category in CATEGORIES}


CategoryCounts = Annotated[dict[str, Any], AfterValidator(_of_all_categories)]


class NearDuplicates(Document):
    """Result of the comparison with the human stimuli.

    Attributes:
        left_out: Images that were left out.
        stimuli: Human stimuli compared with.
        matched: Human stimuli that an image is a near-duplicate of.
    """

    left_out: Count
    stimuli: Count
    matched: Count


class _Header(Document):
    """First entries of `plan.json` and `manifest.json`.

    Attributes:
        format: `FORMAT`.
        kind: `IMAGENET` or `HUMAN`.
        plan: Plan hash.
        settings: Settings that determine the bytes of the set.
    """

    format: int
    kind: str
    plan: str
    settings: dict[str, Any]


class SetIdentity(_Header):
    """Entries of `plan.json` and `manifest.json` that identify a set.

    Attributes:
        shards: Images per shard.
    """

    shards: dict[ShardName, Count]


class PlanFile(_Header):
    """Content of `plan.json`, which exists until a set is complete; independent of machine, paths and date.

    Attributes:
        counts: Images per split and category; only for ImageNet.
        shards: Images per shard.
        rejected: Images that were left out.
        near_duplicates: See `NearDuplicates`; only for ImageNet, and only after a comparison.
    """

    counts: dict[SplitName, CategoryCounts] = Field(default_factory=dict)
    shards: dict[ShardName, Count]
    rejected: list[Rejection]
    near_duplicates: NearDuplicates | None = None


class FileEntry(Document):
    """Entry of `manifest.json` for a file of the set."""

    bytes: Count
    sha256: str


class Manifest(_Header):
    """Content of `manifest.json`, which completes a set.

    Attributes:
        categories: `CATEGORIES`.
        counts: Images per split and category.
        origins: Images of each split from ILSVRC's training and validation sets; only for ImageNet.
        near_duplicates: See `NearDuplicates`; only for ImageNet.
        shards: Images per shard.
        rejected: Number of images that were left out.
        files: All other files of the set.
    """

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)]
    categories: list[str] = Field(default_factory=list)
    counts: dict[SplitName, CategoryCounts]
    origins: dict[SplitName, dict[Origin, Count]] = Field(default_factory=dict)
    near_duplicates: NearDuplicates | None = None
    shards: dict[ShardName, Count]
    rejected: Count
    files: dict[FileName, FileEntry]


class Samples(Document):
    """Columns of a shard's index, one entry per sample.

    Attributes:
        keys: Unique names.
        offsets: First byte of each JPEG in the tar.
        sizes: Bytes of each JPEG.
        labels: Positions in `CATEGORIES`.
        widths: In pixels.
        heights: In pixels.
    """

    keys: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]]
    offsets: list[Count]
    sizes: list[Count]
    labels: list[Annotated[int, Field(ge=0, lt=len(CATEGORIES))]]
    widths: list[Annotated[int, Field(ge=0, lt=2**31)]]
    heights: list[Annotated[int, Field(ge=0, lt=2**31)]]


class ShardIndex(Document):
    """Content of the index of a shard.

    Attributes:
        plan: Hash of the plan that the shard belongs to.
        shard: The shard's name.
        count: Number of samples.
        bytes: Size of the tar.
        sha256: Of the tar.
        samples: Columns.
        rejected: Images that were left out of the shard.
    """

    plan: str
    shard: str = ""
    count: Count
    bytes: Count
    sha256: str = Field(validation_alias="sha256 of the tar", serialization_alias="sha256 of the tar")
    samples: Samples
    rejected: list[Rejection]

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        samples = self.samples
        if any(len(column) != self.count for _, column in samples):
            raise ValueError(f"every column of samples must have {self.count} entries")
        if any(start + size > self.bytes for start, size in zip(samples.offsets, samples.sizes, strict=True)):
            raise ValueError("every sample must end within the tar")
        return self


def differences(old: SetIdentity, new: PlanFile) -> str:
    """Describe how a plan differs from the plan of an existing set; "" if it does not."""
    for name in ("format", "kind"):
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            return f"{name} must be {before}, got {now}"
    changed = [
        f"{name} must be {old.settings.get(name)}, got {new.settings.get(name)}"
        for name in {**new.settings, **old.settings}
        if old.settings.get(name) != new.settings.get(name)
    ]
    if changed or old.plan == new.plan:
        return "; ".join(changed)
    before, now = sum(old.shards.values()), sum(new.shards.values())
    return f"it must have {before:,} images, got {now:,}" if before != now else "the images have changed"


def origin(key: str) -> Origin:
    """Return which of ILSVRC's sets an image belongs to, by its key."""
    return "validation" if VALIDATION_KEY.fullmatch(key) else "training"


def origins(keys: Iterable[str]) -> dict[Origin, int]:
    """Count images from each of ILSVRC's sets."""
    return dict(sorted(collections.Counter(map(origin, keys)).items()))
