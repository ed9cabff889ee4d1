"""Check of the free disk space before a long computation writes its files."""

import shutil
from pathlib import Path

from convrnn_data.base.errors import ConvRNNError


def require_space(folder: Path, size: int, task: str, way_out: str) -> None:
    """Fail early if disk space is insufficient.

    Args:
        folder: Existing folder on the disk.
        size: Bytes to be written.
        task: For the message, such as "write data".
        way_out: Alternatives to freeing space; a sentence without its full stop.

    Raises:
        ConvRNNError: Fewer than `size` bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise ConvRNNError(
            f"cannot {task}: it needs {format_size(size)} more, and the disk has {format_size(free)} left. {way_out}"
        )


def format_size(size: int) -> str:
    """Format a number of bytes."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.3f} MB"
