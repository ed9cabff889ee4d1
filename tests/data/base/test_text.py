"""Decoding of text."""

import codecs

import pytest

from convrnn_data.base.text import decoded


@pytest.mark.parametrize(
    "data",
    [
        "é\nb".encode(),
        codecs.BOM_UTF8 + "é\nb".encode(),
        "é\r\nb".encode(),
        "é\rb".encode(),
        codecs.BOM_UTF16_LE + "é\r\nb".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "é\nb".encode("utf-16-be"),
    ],
)
def test_marks_and_line_breaks(data):
    assert decoded(data) == "é\nb"


def test_invalid_bytes_are_replaced():
    assert decoded(b"a\xffb\nc") == "a\ufffdb\nc"
