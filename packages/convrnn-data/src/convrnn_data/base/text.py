"""Decoding of text files from any operating system."""

import codecs

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def decoded(data: bytes) -> str:
    r"""Decode UTF-8, or UTF-16 with a byte order mark; invalid bytes become U+FFFD, and line breaks \n."""
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    text = data[len(mark) :].decode(_MARKS.get(mark, "utf-8"), errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
