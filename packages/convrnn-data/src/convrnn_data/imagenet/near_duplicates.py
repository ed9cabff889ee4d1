"""Near-duplicates of the human stimuli among validation images, found by a perceptual hash.

SATBench's stimuli are ILSVRC validation images under other names: scaled to 224x224, gray, blurred or noisy. The hash
compares the signs of the lowest frequencies, which those changes mostly leave alone. `benchmarks/near_duplicates.py`
measures how many it finds; the limits below are chosen by that measurement.
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
"""Frequencies in each direction whose signs make the hash."""

BITS = SIDE * SIDE

LIMIT, NOISY_LIMIT = 64, 84
"""Bits in which an image may differ from a stimulus, and from a noisy one, to count as its near-duplicate."""

NOISY = 0.04
"""Noise SD above which a stimulus is noisy: the noise itself then moves bits, toward no other image in particular."""

CROPS = (1.0, 0.93, 0.875)
"""Shares of the shorter side that a stimulus may show; the whole picture and its inner part, squashed, count too."""

VIEWS = len(CROPS) + 2

REASON = "near-duplicate of the human stimulus"
"""Begins the reason of a rejection."""

_CHUNK = 128


Box = tuple[float, float, float, float]


class HashJob(NamedTuple):
    """Some images of one class, to be hashed by a worker.

    Attributes:
        position: of the class.
        start: position of the first image in the class.
        members: the images.
    """

    position: int
    start: int
    members: list[Member]


class Hashed(NamedTuple):
    """The result of a job.

    Attributes:
        position: of the class.
        rows: positions in the class of the images that are whole pictures, (images,).
        bits: their hashes, (images, views, 256) bool.
        error: what ended the job, kept as text as in `copying.Outcome`.
    """

    position: int
    rows: np.ndarray
    bits: np.ndarray
    error: str | None = None


Run = Callable[[Iterator[HashJob], int], Generator[Hashed, None, None]]
"""Does jobs, of which there are so many, on some engine."""


@dataclass(frozen=True)
class StimulusHashes:
    """The hashes of human stimuli.

    Attributes:
        names: how each is called in the reason of a rejection.
        bits: (stimuli, 256) bool.
        limits: bits in which an image may differ from each, (stimuli,).
        digest: sha256 over the stimuli's bytes, whatever their order and names.
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
            For each image the position of the stimulus that it is a near-duplicate of, -1 for none, (images,); of
            several, the one furthest within its limit. For each stimulus whether an image is one of it, (stimuli,).
        """
        views = np.where(bits, np.float32(1), np.float32(-1)).reshape(-1, BITS)
        signs = np.where(self.bits, np.float32(1), np.float32(-1))
        # Signs agree in (256 + product) / 2 places.
        differing = (BITS - views @ signs.T) / 2
        excess = (differing - self.limits).reshape(*bits.shape[:2], -1).min(axis=1)
        nearest = excess.argmin(axis=1)
        within = excess <= 0
        return np.where(within.any(axis=1), nearest, -1), within.any(axis=0)


def hash_stimuli(folder: Path, report: Report = silent) -> StimulusHashes:
    """Hash human stimuli, in any layout.

    Raises:
        ConvRNNError: there are none, or one is not a whole picture.
    """
    stimuli = scan_stimuli(folder).stimuli
    names, bits, limits, digests = [], [], [], []
    for done, stimulus in enumerate(stimuli, start=1):
        try:
            data = stimulus.read()
            bits.append(hash_picture(decode(data)))
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
    """Bits in which an image may differ from a stimulus to count as its near-duplicate."""
    noisy = stimulus.experiment == "noise" and (stimulus.level_value or 0) > NOISY
    return NOISY_LIMIT if noisy else LIMIT


def hash_picture(picture: Image.Image) -> np.ndarray:
    """Hash a whole picture, (256,) bool."""
    import imagehash  # imports scipy, which takes a second

    return np.asarray(imagehash.phash(picture.convert("RGB"), hash_size=SIDE).hash).ravel()


def hash_views(picture: Image.Image) -> np.ndarray:
    """Hash a picture in the ways in which a square stimulus may show it, (views, 256) bool."""
    picture = picture.convert("RGB")
    width, height = picture.size
    boxes: list[Box] = [(0, 0, width, height), _centre(width, height, width * CROPS[-1], height * CROPS[-1])]
    sides = [min(width, height) * share for share in CROPS]
    boxes += [_centre(width, height, side, side) for side in sides]
    # Twice the side that the hash itself scales to, so that this scaling hardly counts.
    size = (8 * SIDE, 8 * SIDE)
    return np.array([hash_picture(picture.resize(size, Image.Resampling.LANCZOS, box)) for box in boxes])


def _centre(width: int, height: int, inner_width: float, inner_height: float) -> Box:
    left, top = (width - inner_width) / 2, (height - inner_height) / 2
    return left, top, left + inner_width, top + inner_height


def hash_images(job: HashJob) -> Hashed:
    """Hash some images, without those that are no whole pictures, which are rejected when they are copied."""
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
    """Move images that are near-duplicates of stimuli from a class's images to what is not of it, with the reason.

    Args:
        classes: with all their images.
        stimuli: from `hash_stimuli`.
        run: does `hash_images` for each job.
        report: told of jobs done.

    Returns:
        The classes, and the counts.

    Raises:
        ConvRNNError: an image cannot be read.
    """
    jobs = [job for position, one in enumerate(classes) for job in _jobs(position, one)]
    nearest = [np.full(len(one.names), -1) for one in classes]
    matched = np.zeros(len(stimuli.names), dtype=bool)
    report("Comparing with the stimuli", 0, len(jobs))
    with contextlib.closing(run(iter(jobs), len(jobs))) as results:
        for done, hashed in enumerate(results, start=1):
            if hashed.error is not None:
                raise ConvRNNError(hashed.error)
            nearest[hashed.position][hashed.rows], its = stimuli.match(hashed.bits)
            matched |= its
            report("Comparing with the stimuli", done, len(jobs))
    kept = tuple(_without(one, its, stimuli) for one, its in zip(classes, nearest, strict=True))
    left_out = sum(int((its >= 0).sum()) for its in nearest)
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
