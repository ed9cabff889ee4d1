"""Near-duplicates of the human stimuli among validation images, found by a perceptual hash.

SATBench's stimuli are ILSVRC validation images under other names: scaled to 224x224, gray, blurred or noisy. The hash
consists of the signs of the lowest frequencies, which these changes mostly preserve. The limits below were chosen with
`benchmarks/near_duplicates.py`, which measures the detection rate.
"""

import contextlib
import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from convrnn_data.base import advice
from convrnn_data.base.console import Report, silent
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.human.stimuli import Stimulus, scan_stimuli
from convrnn_data.imagenet.copying import Reader
from convrnn_data.imagenet.listing import ClassListing
from convrnn_data.imagenet.plan import Member, members_of
from convrnn_data.shards.formats import NearDuplicates
from convrnn_data.shards.images import BadImage, decode

SIDE = 16
"""Number of frequencies in each direction whose signs form the hash."""

BITS = SIDE * SIDE

LIMIT, NOISY_LIMIT = 64, 84
"""Maximum number of bits in which a near-duplicate differs from a stimulus, and from a noisy stimulus."""

NOISY = 0.04
"""Noise SD above which a stimulus counts as noisy, because the noise changes bits."""

CROPS = (1.0, 0.93, 0.875)
"""Shares of the shorter side that square crops cover; the whole image and its center, squashed, are views too."""

VIEWS = len(CROPS) + 2

REASON = "near-duplicate of the human stimulus"
"""Beginning of the reason of a rejection."""

_CHUNK = 128


Box = tuple[float, float, float, float]


class HashJob(NamedTuple):
    """Some images of one class, for a worker to hash.

    Attributes:
        position: Position of the class.
        start: Position of the first image in the class.
        members: Images.
    """

    position: int
    start: int
    members: list[Member]


class Hashed(NamedTuple):
    """Result of a job.

    Attributes:
        position: Position of the class.
        rows: (images,) positions in the class of the intact images.
        bits: (images, views, 256) bool, hashes of these images.
        error: Error as text, as in `copying.Outcome`.
    """

    position: int
    rows: np.ndarray
    bits: np.ndarray
    error: str | None = None


Run = Callable[[Iterator[HashJob], int], Generator[Hashed, None, None]]
"""Runs jobs on an engine, given the jobs and their number."""


@dataclass(frozen=True)
class StimulusHashes:
    """Hashes of the human stimuli.

    Attributes:
        names: Names for the reasons of rejections.
        bits: (stimuli, 256) bool.
        limits: (stimuli,) maximum number of differing bits.
        digest: SHA-256 of the stimuli's content, independent of order and names.
    """

    names: list[str]
    bits: np.ndarray
    limits: np.ndarray
    digest: str

    def match(self, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find near-duplicates.

        Args:
            bits: (images, views, 256) bool.

        Returns:
            (images,) position of the matching stimulus, the one furthest within the limit if there are several, -1 if
            there is none; and (stimuli,) bool, whether an image matches.
        """
        views = np.where(bits, np.float32(1), np.float32(-1)).reshape(-1, BITS)
        signs = np.where(self.bits, np.float32(1), np.float32(-1))
        # The product of sign vectors is 256 minus twice the number of differing bits.
        differing = (BITS - views @ signs.T) / 2
        excess = (differing - self.limits).reshape(*bits.shape[:2], -1).min(axis=1)
        nearest = excess.argmin(axis=1)
        within = excess <= 0
        return np.where(within.any(axis=1), nearest, -1), within.any(axis=0)


def hash_stimuli(folder: Path, report: Report = silent) -> StimulusHashes:
    """Hash the human stimuli in a folder of any layout.

    Raises:
        ConvRNNError: The folder holds no stimuli, or a stimulus is damaged.
    """
    stimuli = scan_stimuli(folder).stimuli
    names, bits, limits, digests = [], [], [], []
    for done, stimulus in enumerate(stimuli, start=1):
        try:
            data = stimulus.read()
            bits.append(hash_image(decode(data)))
        except OSError as error:
            reason = advice.describe(error, stimulus.path, "Every stimulus must be readable")
            raise ConvRNNError(f"cannot read {stimulus.path}: {reason}") from error
        except BadImage as error:
            raise ConvRNNError(
                f"cannot compare the images with stimulus {stimulus.path}: {error}. Replace or remove the stimulus"
            ) from error
        names.append(str(stimulus.parsed))
        limits.append(limit_of(stimulus))
        digests.append(hashlib.sha256(data).digest())
        report("Hashing stimuli", done, len(stimuli))
    if not stimuli:
        raise ConvRNNError(
            f"{folder} holds no human stimuli to compare the validation images with. Remove --exclude-stimuli, or give "
            "it the human test set"
        )
    digest = hashlib.sha256(b"".join(sorted(digests))).hexdigest()
    return StimulusHashes(names, np.array(bits), np.array(limits), digest)


def limit_of(stimulus: Stimulus) -> int:
    """Return the maximum number of bits in which a near-duplicate differs from a stimulus."""
    noisy = stimulus.experiment == "noise" and (stimulus.level_value or 0) > NOISY
    return NOISY_LIMIT if noisy else LIMIT


def hash_image(image: Image.Image) -> np.ndarray:
    """Hash a whole image, (256,) bool."""
    import imagehash  # Imports scipy, which takes a second.

    return np.asarray(imagehash.phash(image.convert("RGB"), hash_size=SIDE).hash).ravel()


def hash_views(image: Image.Image) -> np.ndarray:
    """Hash an image in each way in which it may have been made into a square stimulus, (views, 256) bool."""
    image = image.convert("RGB")
    width, height = image.size
    boxes: list[Box] = [(0, 0, width, height), _center(width, height, width * CROPS[-1], height * CROPS[-1])]
    sides = [min(width, height) * share for share in CROPS]
    boxes += [_center(width, height, side, side) for side in sides]
    # Twice the size to which the hash scales, so that this step has little effect.
    size = (8 * SIDE, 8 * SIDE)
    return np.array([hash_image(image.resize(size, Image.Resampling.LANCZOS, box)) for box in boxes])


def _center(width: int, height: int, inner_width: float, inner_height: float) -> Box:
    left, top = (width - inner_width) / 2, (height - inner_height) / 2
    return left, top, left + inner_width, top + inner_height


def hash_images(job: HashJob) -> Hashed:
    """Hash some images; skip damaged images, which are rejected when they are copied."""
    rows, bits = [], []
    try:
        with Reader() as reader:
            for row, member in enumerate(job.members, start=job.start):
                with contextlib.suppress(BadImage):
                    bits.append(hash_views(decode(reader.read(member))))
                    rows.append(row)
    except ConvRNNError as error:
        return Hashed(job.position, np.zeros(0), np.zeros(0), str(error))
    return Hashed(job.position, np.array(rows, dtype=np.int64), np.array(bits).reshape(-1, VIEWS, BITS))


def leave_out(
    classes: Sequence[ClassListing], stimuli: StimulusHashes, run: Run, report: Report = silent
) -> tuple[tuple[ClassListing, ...], NearDuplicates]:
    """Move near-duplicates of stimuli to the rejected files of their class, with the reason.

    Args:
        classes: Classes with all images.
        stimuli: Result of `hash_stimuli`.
        run: Runs `hash_images` for each job.
        report: Progress callback.

    Returns:
        The classes, and the counts.

    Raises:
        ConvRNNError: An image cannot be read.
    """
    jobs = [job for position, listing in enumerate(classes) for job in _jobs(position, listing)]
    nearest = [np.full(len(listing.names), -1) for listing in classes]
    matched = np.zeros(len(stimuli.names), dtype=bool)
    report("Comparing with the stimuli", 0, len(jobs))
    with contextlib.closing(run(iter(jobs), len(jobs))) as results:
        for done, hashed in enumerate(results, start=1):
            if hashed.error is not None:
                raise ConvRNNError(hashed.error)
            nearest[hashed.position][hashed.rows], newly_matched = stimuli.match(hashed.bits)
            matched |= newly_matched
            report("Comparing with the stimuli", done, len(jobs))
    kept = tuple(_without(listing, rows, stimuli) for listing, rows in zip(classes, nearest, strict=True))
    left_out = sum(int((rows >= 0).sum()) for rows in nearest)
    return kept, NearDuplicates(left_out=left_out, stimuli=len(matched), matched=int(matched.sum()))


def _jobs(position: int, listing: ClassListing) -> Iterator[HashJob]:
    members = members_of(listing)
    for start in range(0, len(members), _CHUNK):
        yield HashJob(position, start, members[start : start + _CHUNK])


def _without(listing: ClassListing, nearest: np.ndarray, stimuli: StimulusHashes) -> ClassListing:
    kept = nearest < 0
    duplicates = tuple(
        (listing.names[row].decode(), f"{REASON} {stimuli.names[nearest[row]]}")
        for row in np.flatnonzero(~kept)
    )
    return replace(
        listing,
        names=listing.names[kept],
        offsets=listing.offsets[kept],
        sizes=listing.sizes[kept],
        stamps=listing.stamps[kept],
        foreign=(*listing.foreign, *duplicates),
    )
