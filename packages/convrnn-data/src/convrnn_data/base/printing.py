"""Standard streams that never raise: narrow encodings, closed or full outputs, closed pipes."""

import codecs
import contextlib
import io
import os
import sys
from typing import Any

PLAIN = {
    **dict.fromkeys("\u2018\u2019\u201a\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500\u2501", "-"),
    **{"\u2026": "...", "\u2192": "->", "\u00d7": "x", "\u00b1": "+-", "\u2264": "<=", "\u2265": ">="},
    **{"\u2022": "*", "\u2502": "|", "\u2503": "|", "\u00a0": " ", "\u202f": " ", "\u2009": " "},
    **dict.fromkeys("\u256d\u256e\u256f\u2570\u250c\u2510\u2514\u2518\u251c\u2524\u252c\u2534\u253c", "+"),
}
"""Replacements for characters that an encoding lacks; others are escaped."""
ERRORS = "convrnn.plain"
"""Name of the codec error handler `_plain`."""
_NAMES = {1: "standard output", 2: "standard error"}


def make_printing_safe() -> None:
    """Replace `sys.stdout` and `sys.stderr` by streams that never raise, and open standard streams that are closed.

    Commands call it once. Streams that were already replaced, as in tests, are left unchanged.
    """
    with contextlib.suppress(OSError):
        # A file opened later would otherwise get the descriptor of a closed stream, and receive the output.
        while (spare := os.open(os.devnull, os.O_RDWR)) < 3:
            pass
        os.close(spare)
    codecs.register_error(ERRORS, _plain)
    sys.stdout = _safe(sys.stdout, 1)
    sys.stderr = _safe(sys.stderr, 2)


def finish_printing() -> None:
    """Flush the streams, and report on standard error if output was lost."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, _Output) and stream.lost is not None:
            print(
                f"a part of {_NAMES[stream.number]} was lost: {stream.lost}. Files are not affected, and the exit code "
                "says whether the command succeeded",
                file=sys.stderr,
            )


class _Output(io.TextIOWrapper):
    """Standard stream that switches to `/dev/null` once writing fails."""

    lost: str | None = None
    """Reason for lost output, except a closed pipe."""

    def __init__(self, number: int, encoding: str, line_buffering: bool) -> None:
        buffer = io.BufferedWriter(io.FileIO(number, "wb", closefd=False))
        super().__init__(buffer, encoding=encoding, errors=ERRORS, line_buffering=line_buffering)
        self.number = number

    @property
    def buffer(self) -> Any:
        """None, because typer would bypass the encoding of an ASCII stream if it found a buffer."""
        return None

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._discard(error)

    def _discard(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            self.lost = self.lost or error.strerror or str(error)
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.number)
            os.close(nowhere)
            super().flush()  # discards the buffer


def _safe(stream: Any, number: int) -> Any:
    """Return the replacement of a standard stream."""
    if stream is None:
        return _Output(number, "utf-8", False) if _is_open(number) else open(os.devnull, "w")
    # A subclass was installed by someone who captures output.
    if type(stream) is not io.TextIOWrapper or _number(stream) != number:
        return stream
    with contextlib.suppress(OSError):
        stream.flush()
    return _Output(number, stream.encoding, stream.line_buffering)


def _number(stream: Any) -> int | None:
    try:
        return int(stream.fileno())
    except (OSError, ValueError):
        return None


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace characters that an encoding lacks by ASCII ones or by escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking), error.end
