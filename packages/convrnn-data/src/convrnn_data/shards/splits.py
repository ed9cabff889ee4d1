"""Assignment of images to train, val and test, as a pure function of keys and seed.

Within each category the images are ranked by a hash of key and seed; the first go to val, the next to test. The split
is therefore independent of order, machine and the other categories.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_data.base import advice
from convrnn_data.base.checksummed_json import seal, unseal
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.shards.formats import origins

SPLITS: tuple[str, ...] = ("train", "val", "test")

FORMAT = 1

_WAY_OUT = (
    'a split file must name images: {"train": ["n02690373_1013", …], "val": […]}. Positions in a directory listing, as '
    "in the published ConvRNN code, are not read, because positions mean other images on another machine. Remove "
    "--split-file to make a split"
)


def ranks(keys: Sequence[bytes], purpose: str, seed: int) -> np.ndarray:
    """Return a reproducible random number for each key, (keys,) uint64, different for each purpose and seed."""
    prefix = hashlib.blake2b(f"{purpose}/{seed}/".encode(), digest_size=8)
    digests = bytearray()
    for key in keys:
        state = prefix.copy()
        state.update(key)
        digests += state.digest()
    return np.frombuffer(bytes(digests), dtype="<u8")


def share_of(count: int, share: float) -> int:
    """Return a share of `count` images: rounded to whole images, halves up."""
    return int(count * share + 0.5)


def smallest_share(counts: Iterable[int]) -> float | None:
    """Return the smallest share, in hundredths, that takes at least one image of every category and leaves one.

    Args:
        counts: Images of each category.

    Returns:
        The share; None if there is none, for example if a category has a single image.
    """
    totals = list(counts)
    for hundredths in range(1, 100):
        if all(1 <= share_of(count, hundredths / 100) < count for count in totals):
            return hundredths / 100
    return None


def advise_share(split: str, counts: Iterable[int]) -> str:
    """Return advice on a share that gives every category an image in a split."""
    totals = [count for count in counts if count]
    share = smallest_share(totals)
    if share is not None:
        return f"--{split} {share:g} gives at least one image a category"
    least = min(totals, default=0)
    return f"No share gives every category an image, as the smallest has {least}: add images, or give a --split-file"


def assign(keys: np.ndarray, labels: np.ndarray, *, val: float, test: float, seed: int) -> np.ndarray:
    """Split images, category by category.

    Args:
        keys: (images,) fixed-width bytes, unique.
        labels: (images,) category of each.
        val: Share of every category for val, 0..1; rounded to whole images, halves up.
        test: Share of every category for test.
        seed: Different seeds give different splits.

    Returns:
        (images,) int8, positions in `SPLITS`.
    """
    splits = np.zeros(len(keys), dtype=np.int8)
    # Keys break ties between equal hashes, however unlikely, so that the order of the input has no effect.
    order = np.lexsort((keys, ranks(keys.tolist(), "split", seed)))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        first = share_of(len(members), val)
        second = min(first + share_of(len(members), test), len(members))
        splits[members[:first]] = 1
        splits[members[first:second]] = 2
    return splits


def follow(
    assigned: dict[bytes, int], keys: np.ndarray, default: np.ndarray, allow_missing: bool
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Split images according to a split file.

    Args:
        assigned: From `read_split`.
        keys: (images,) fixed-width bytes, unique.
        default: (images,) positions in `SPLITS` of images that the file does not name; -1 if the file must name them.
        allow_missing: Whether the file may name images that do not exist.

    Returns:
        (images,) int8, positions in `SPLITS`; and (key, reason) of each image that only the file names.

    Raises:
        ConvRNNError: The file and the images do not match.
    """
    pairs = zip(keys.tolist(), default.tolist(), strict=True)
    splits = np.array([assigned.get(key, code) for key, code in pairs], dtype=np.int8)
    unassigned = keys[splits < 0].tolist()
    if unassigned:
        raise ConvRNNError(
            f"the split file does not name {len(unassigned):,} of the {len(keys):,} images (the first: "
            f"{unassigned[0].decode()}): it was made with other --images or from another source. Remove --split-file "
            "to make a split"
        )
    absent = sorted(assigned.keys() - set(keys.tolist()))
    if absent and not allow_missing:
        raise ConvRNNError(
            f"the split file names {len(absent):,} images that do not exist (the first: {absent[0].decode()}). "
            "Pass --allow-missing to continue without them"
        )
    return splits, [(key.decode(), "in the split file, but not in the source") for key in absent]


def format_split(keys: np.ndarray, splits: np.ndarray) -> bytes:
    """Return the content of `split.json`: sorted keys of each split, and counts from each of ILSVRC's sets."""
    named = {name: np.sort(keys[splits == code]).astype(str).tolist() for code, name in enumerate(SPLITS)}
    sources = {name: origins(members) for name, members in named.items() if members}
    return seal({"format": FORMAT, "origins": sources, **named}, indent=0)


def read_split(path: Path) -> dict[bytes, int]:
    """Read a split file: key -> position in `SPLITS`.

    Raises:
        ConvRNNError: The file is not a split file, holds positions instead of keys, or assigns a key twice.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        reason = advice.describe(error, path, "Check the path, or remove --split-file to make a split")
        raise ConvRNNError(f"cannot read split file {path}: {reason}") from error
    except (ValueError, RecursionError) as error:
        raise ConvRNNError(f"split file {path} is not JSON: {_WAY_OUT}") from error
    if not isinstance(content, dict) or not any(name in content for name in SPLITS):
        raise ConvRNNError(f"split file {path} has none of the entries {', '.join(SPLITS)}: {_WAY_OUT}")
    if "sha256" in content:
        content = unseal(path)
    return _assignments(path, {name: content.get(name, []) for name in SPLITS})


def _assignments(path: Path, content: dict[str, Any]) -> dict[bytes, int]:
    assigned: dict[bytes, int] = {}
    for code, name in enumerate(SPLITS):
        if not isinstance(content[name], list):
            raise ConvRNNError(f"split file {path}: {name!r} is not a list: {_WAY_OUT}")
        for key in content[name]:
            if not isinstance(key, str) or not key.isprintable():
                raise ConvRNNError(f"split file {path} has {repr(key)[:100]} under {name!r}: {_WAY_OUT}")
            if assigned.setdefault(key.encode(), code) != code:
                raise ConvRNNError(
                    f"split file {path}: an image must be in one split, got {key} in {SPLITS[assigned[key.encode()]]} "
                    f"and {name}. Remove it from one of them"
                )
    return assigned
