"""Published weights: download, cache, and verification by content and recorded hash."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convrnn_model.errors import ConvRNNError
from convrnn_model.files import write_whole
from convrnn_model.io_errors import REMEDIES, error_number, io_error
from convrnn_model.variants import VARIANTS
from convrnn_model.weights.inspection import PathLike, inspect_weights

CACHE_VARIABLE = "CONVRNN_CACHE"
MIRROR_VARIABLE = "CONVRNN_MIRROR"
URL_VARIABLE = "CONVRNN_URL_{}"
RETRIES = 2
TIMEOUT = 30
"""Seconds after which a server that sends nothing is abandoned."""

Report = Callable[[str, int, int], None]
"""Progress callback, called as `report(name, received, total)` during a download, in bytes."""


@dataclass(frozen=True)
class Pretrained:
    """Published weights file and its expected content; no checksums have been published.

    Args:
        name: Name in this package.
        url: Download address (OSF project mz9hw).
        variant: A key of `VARIANTS`.
        classes: Number of classes of the readout.
        n_timesteps: Time steps.
    """

    name: str
    url: str
    variant: str
    classes: int
    n_timesteps: int

    @property
    def file_name(self) -> str:
        """File name in the cache and on a mirror."""
        return f"{self.name}.h5"


PRETRAINED = {
    row.name: row
    for row in (
        Pretrained("bl_imagenet", "https://osf.io/download/7jrvm/", "bl_net", 1000, 8),
        # Often distributed as bl_imagenet.h5, but its readout has ecoset's 565 classes.
        Pretrained("bl_ecoset", "https://osf.io/download/9td5p/", "bl_net", 565, 8),
        Pretrained("b_imagenet", "https://osf.io/download/bxw65/", "b_net", 1000, 1),
    )
}


def fetch_weights(name: str, *, cache: PathLike | None = None, report: Report | None = None) -> Path:
    """Return a published weights file from the cache, downloading it if needed.

    The content is verified before the file gets its final name. The sha256 is recorded at first use and compared later.
    Environment variables: `CONVRNN_CACHE` is the cache directory, `CONVRNN_MIRROR` the URL of a directory with the
    files by name (`bl_imagenet.h5`), `CONVRNN_URL_BL_IMAGENET` (and so on) the URL of one file.

    Args:
        name: "bl_imagenet", "bl_ecoset" or "b_imagenet".
        cache: Cache directory; by default `CONVRNN_CACHE`, else the user's cache.
        report: Progress callback, called with the name, the bytes received and the total.

    Returns:
        The path of the file.

    Raises:
        ConvRNNError: The file cannot be downloaded, or its content differs from its name or the recorded hash.
    """
    if name not in PRETRAINED:
        raise ConvRNNError(f"unknown weights {name!r}: choose one of {', '.join(PRETRAINED)}.")
    entry = PRETRAINED[name]
    path = _cache_folder(cache) / entry.file_name
    if os.path.exists(path):
        _check(path, entry, record=_record(path), source=str(path))
    else:
        _download(entry, path, report)
    return path


def source_url(entry: Pretrained) -> str:
    """Return the URL of a file: by the variable for this file, else on the mirror, else in the authors' project."""
    specific = os.environ.get(URL_VARIABLE.format(entry.name.upper()))
    mirror = os.environ.get(MIRROR_VARIABLE)
    return specific or (f"{mirror.rstrip('/')}/{entry.file_name}" if mirror else entry.url)


def _cache_folder(cache: PathLike | None) -> Path:
    import pooch

    chosen = cache or os.environ.get(CACHE_VARIABLE) or pooch.os_cache("convrnn")
    return Path(chosen).expanduser()


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _download(entry: Pretrained, path: Path, report: Report | None) -> None:
    # Imported here, because pooch imports network libraries that other functions do not need.
    import pooch

    url = source_url(entry)

    def download_and_check(url: str, output: str, caller: Any) -> None:
        bar = _ProgressBar(entry.name, report) if report else False
        downloader = pooch.downloaders.choose_downloader(url, progressbar=bar)
        _set_timeout(downloader)
        downloader(url, output, caller)
        # The file still has a temporary name, so an invalid file never gets its final one.
        _check(Path(output), entry, record=_record(path), source=f"the response of {url}")

    files = pooch.create(
        path=path.parent,
        base_url="",
        registry={entry.file_name: None},
        urls={entry.file_name: url},
        retry_if_failed=RETRIES,
    )
    try:
        with _quiet(pooch):
            files.fetch(entry.file_name, downloader=download_and_check)
    except (OSError, ValueError) as error:
        if error_number(error) in REMEDIES:
            raise io_error(f"cannot write {path}", error) from error
        raise ConvRNNError(
            f"cannot download {entry.name} from {url}: {error}. Try again, save the file as {path} yourself, or set "
            f"{MIRROR_VARIABLE} to the URL of a folder that has {entry.file_name}."
        ) from error


def _set_timeout(downloader: Any) -> None:
    """Set a timeout for servers that stop sending, which some versions and protocols of pooch lack."""
    if hasattr(downloader, "kwargs"):
        downloader.kwargs.setdefault("timeout", TIMEOUT)
    elif getattr(downloader, "timeout", TIMEOUT) is None:
        downloader.timeout = TIMEOUT


def _check(path: Path, entry: Pretrained, *, record: Path, source: str) -> None:
    """Compare a file with its expected content and the recorded hash; record the hash at first use."""
    try:
        info = inspect_weights(path)
    except ConvRNNError as error:
        raise ConvRNNError(f"{source} is not {entry.name}: {error}") from error
    filters = tuple(c.filters for c in VARIANTS[entry.variant].convolutions())
    expected = (entry.variant, entry.classes, entry.n_timesteps, filters)
    if (info.variant, info.classes, info.n_timesteps, info.filters) != expected:
        raise ConvRNNError(
            f"{source} is not {entry.name}: it must be {entry.variant} with {entry.classes} classes, "
            f"{entry.n_timesteps} time steps and filters {filters}, got {info.variant} with {info.classes} classes "
            f"({info.dataset or 'unknown data set'}), {info.n_timesteps} time steps and filters {info.filters}. Get "
            f"the right file from {entry.url}."
        )
    if not record.exists():
        write_whole(record, f"{info.sha256}  {entry.file_name}\n".encode("ascii"))
        return
    try:
        known = record.read_text(encoding="ascii", errors="replace").split()[:1]
    except OSError as error:
        raise io_error(f"cannot read {record}", error) from error
    if known != [info.sha256]:
        raise ConvRNNError(
            f"{source} has changed since its first use: its sha256 must be {' '.join(known) or 'recorded'}, as in "
            f"{record}, got {info.sha256}. Delete the file to fetch it again; delete the record as well if you "
            "replaced the file."
        )


@contextmanager
def _quiet(pooch: Any) -> Iterator[None]:
    """Silence pooch's log; commands print their own messages."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)


class _ProgressBar:
    """Adapter from `Report` to pooch's progress bar."""

    def __init__(self, name: str, report: Report) -> None:
        self.name, self.report, self.total, self.received = name, report, 0, 0

    def update(self, amount: int) -> None:
        # pooch counts whole blocks and may exceed the total.
        self.received = min(self.received + amount, self.total)
        self.report(self.name, self.received, self.total)

    def reset(self) -> None:
        self.received = 0

    def close(self) -> None:
        """Do nothing, since no resource is open."""
