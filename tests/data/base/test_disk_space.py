"""Check of the free disk space: the sizes in its message, and no error while space suffices."""

import shutil
from pathlib import Path

import pytest

from convrnn_data.base.disk_space import format_size, require_space
from convrnn_data.base.errors import ConvRNNError


def test_insufficient_space_is_an_error_with_both_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 2_500_000))
    require_space(tmp_path, 2_500_000, "write data", "Make room")
    with pytest.raises(ConvRNNError) as caught:
        require_space(tmp_path, 52_000_000_000, "write data", "Make room")
    expected = "cannot write data: it needs 52.0 GB more, and the disk has 2.500 MB left. Make room"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.000 MB"), (999_999_999, "1,000.000 MB"), (10**9, "1.0 GB"), (52 * 10**12, "52,000.0 GB")],
)
def test_sizes_are_formatted_with_their_unit(size: int, text: str) -> None:
    assert format_size(size) == text
