"""Formats of exported files."""

from pathlib import Path

import pytest

from convrnn_model import ConvRNNError
from convrnn_model.export import formats
from convrnn_model.export.formats import FORMATS, format_of


@pytest.mark.parametrize("name", ["net.pb", "net", "net.ONNX"])
def test_unknown_suffixes(name):
    with pytest.raises(
        ConvRNNError, match=r"must be one of \.onnx, \.xml, \.safetensors, \.keras, got '(\.pb|none|\.ONNX)'"
    ):
        format_of(Path(name))


@pytest.mark.parametrize("suffix", FORMATS)
def test_missing_software(suffix, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(
        ConvRNNError, match=r"which is not installed\. Install it: pip install .convrnn-model\["
    ):
        format_of(Path(f"net{suffix}"))
    monkeypatch.setattr(formats, "find_spec", lambda name: object())
    assert format_of(Path(f"net{suffix}")) is FORMATS[suffix]
