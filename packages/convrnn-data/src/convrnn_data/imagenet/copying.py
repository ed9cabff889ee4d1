"""Writing of one shard by a worker: reads images from the source, prepares them and writes the shard."""

import errno
import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import most_open, pread_fully, read_fully
from convrnn_data.categories import CATEGORIES
from convrnn_data.imagenet.plan import Member
from convrnn_data.shards.images import BadImage, make_ready
from convrnn_data.shards.shard import Rejected, Sample, write_shard


class ShardJob(NamedTuple):
    """Input of a worker that writes a shard.

    Attributes:
        path: The tar to write.
        plan_hash: Hash of the plan.
        split: The split's name.
        members: The images, in order.
        check: "header" or "decode".
        resize: Shorter side in pixels, or None.
        strict: Whether a bad image is an error; otherwise it is rejected.
    """

    path: Path
    plan_hash: str
    split: str
    members: list[Member]
    check: str
    resize: int | None
    strict: bool


class Outcome(NamedTuple):
    """Result of a job: number of images, or the error as text, since some engines alter exceptions."""

    images: int
    error: str | None


def copy_shard(job: ShardJob) -> Outcome:
    """Write one shard atomically."""
    try:
        with Reader() as reader:
            index = write_shard(job.path, job.plan_hash, _samples(job, reader))
    except ConvRNNError as error:
        return Outcome(0, str(error))
    return Outcome(index.count, None)


def _samples(job: ShardJob, reader: "Reader") -> Iterator[Sample | Rejected]:
    for member in job.members:
        data = reader.read(member)
        try:
            image = make_ready(data, check=job.check, resize=job.resize)
        except BadImage as error:
            if job.strict:
                raise ConvRNNError(
                    f"bad image {member.synset}/{member.name} in {member.path}: {error}. Replace the image, or run "
                    "without --strict to list it in rejected.csv instead"
                ) from error
            yield Rejected(f"{member.synset}/{member.name}", str(error))
            continue
        notes: dict[str, Any] = {
            "synset": member.synset,
            "category": CATEGORIES[member.label],
            "split": job.split,
            "source": member.name,
        }
        if image.change:
            notes["change"] = image.change
        yield Sample(member.key, member.label, image.data, image.width, image.height, notes)


class Reader:
    """Reads images from the source, and refuses images that have changed since they were listed.

    A shard combines images from many tars, so tars stay open, up to the limit on open files; the least recently used
    tar is closed first.
    """

    def __init__(self) -> None:
        self._tars: OrderedDict[str, int] = OrderedDict()
        self._most = most_open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_down_to(0)

    def _close_down_to(self, count: int) -> None:
        while len(self._tars) > count:
            os.close(self._tars.popitem(last=False)[1])

    def read(self, member: Member) -> bytes:
        """Read one image.

        Raises:
            ConvRNNError: The file cannot be read, or has changed since it was listed.
        """
        try:
            data = self._from_tar(member) if member.offset else self._from_file(member)
        except OSError as error:
            otherwise = "Do not change the source while it is copied"
            raise ConvRNNError(
                f"cannot read {member.path}: {advice.describe(error, member.path, otherwise)}"
            ) from error
        if data is None or len(data) != member.size:
            raise ConvRNNError(
                f"{member.path} has changed since it was listed (image {member.name}): the source must not change "
                "during a run. Run the same command again"
            )
        return data

    def _from_tar(self, member: Member) -> bytes | None:
        file = self._tars.get(member.path)
        if file is None:
            self._close_down_to(self._most - 1)
            file = self._open(member.path)
            self._tars[member.path] = file
            if os.fstat(file).st_mtime_ns != member.stamp:
                return None
        self._tars.move_to_end(member.path)
        return pread_fully(file, member.size, member.offset)

    def _from_file(self, member: Member) -> bytes | None:
        file = self._open(member.path)
        try:
            if os.fstat(file).st_mtime_ns != member.stamp:
                return None
            # Read one byte more than listed to detect a file that has grown.
            return read_fully(file, member.size + 1)
        finally:
            os.close(file)

    def _open(self, path: str) -> int:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.EMFILE or not self._tars:
                raise
        # Other code in this process has reached the limit on open files: continue with half as many.
        self._most = max(1, len(self._tars) // 2)
        self._close_down_to(self._most - 1)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
