"""Files that are written whole or not at all."""

import os
import platform
from pathlib import Path

from convrnn_model.weights.causes import io_error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically; an existing one is replaced.

    Raises:
        ConvRNNError: The file cannot be written; an existing one is unchanged.
    """
    temporary = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise io_error(f"cannot write {path}", error) from error
    finally:
        temporary.unlink(missing_ok=True)
