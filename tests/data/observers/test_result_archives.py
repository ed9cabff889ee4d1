"""Archives of results: nested, compressed twice, damaged, and without results."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from answers_by_hand import five_blocks, response, session_rows

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.observers import result_archives
from convrnn_data.observers.table import read_observers

RESULTS = {
    f"study_result_{number}/comp-result_{number}/data.txt": json.dumps(
        session_rows(str(number), five_blocks([response("50_blur_9_cat.JPEG", "cat", 450)]))
    ).encode()
    for number in (9, 10)
}


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("expected") / "jatos_results_1.txt"
    path.write_bytes(b"\n".join(RESULTS.values()))
    return read_observers(path, strict=True)


def read(path: Path) -> pd.DataFrame:
    return read_observers(path, strict=True)


NESTED = {
    "export archived again": {"results.zip": archive(RESULTS)},
    "studies": {name.replace("/", "_") + ".jrzip": archive({name: data}) for name, data in RESULTS.items()},
    "folder": {
        "study/jatos_results_1.ZIP": archive(RESULTS),
        "study/stimuli.zip": archive({"a.JPEG": b"image"}),
    },
    "beside a result": {
        "data.txt": RESULTS["study_result_9/comp-result_9/data.txt"],
        "study_result_10.zip": archive(dict(list(RESULTS.items())[1:])),
    },
    "gzip": {f"{name}.gz": gzip.compress(data) for name, data in RESULTS.items()},
    "three deep": {"b.zip": archive({"c.zip": archive({"d.zip": archive(RESULTS)})})},
}


@pytest.mark.parametrize("members", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("within", [False, True], ids=["given", "in the folder"])
def test_archives_in_archives_are_read(tmp_path, expected, members, within):
    path = tmp_path / "export.zip"
    path.write_bytes(archive(members))
    pd.testing.assert_frame_equal(read(tmp_path if within else path), expected)


def test_a_problem_names_the_archive_in_the_archive(tmp_path):
    cut = {name: data[:-9] for name, data in RESULTS.items()}
    (tmp_path / "jatos.zip").write_bytes(archive({"inner.zip": archive(cut)}))
    with pytest.raises(
        ConvRNNError, match=r"jatos\.zip/inner\.zip/study_result_9/comp-result_9/data\.txt, line 1"
    ):
        read(tmp_path)


@pytest.mark.parametrize("content", [archive(RESULTS)[:-30], b"<html>log in</html>"], ids=["cut", "text"])
def test_a_damaged_archive_in_an_archive_is_named(tmp_path, content):
    (tmp_path / "jatos.zip").write_bytes(archive({**RESULTS, "inner.zip": content}))
    with pytest.raises(
        ConvRNNError, match=r"cannot read \S+/jatos\.zip/inner\.zip: it must be a complete zip archive"
    ):
        read(tmp_path)


def test_archives_nested_too_deeply_are_an_error(tmp_path):
    data = archive(RESULTS)
    for _ in range(6):
        data = archive({"inner.zip": data})
    (tmp_path / "export.zip").write_bytes(data)
    with pytest.raises(ConvRNNError, match=r"archives may be nested 4 deep, got a deeper one"):
        read(tmp_path)


def test_a_member_that_is_too_large_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(result_archives, "_LARGEST_MEMBER", 100)
    (tmp_path / "export.zip").write_bytes(archive({"inner.zip": archive(RESULTS)}))
    with pytest.raises(ConvRNNError, match=r"a result must have at most 100 bytes, got \d+ in inner\.zip"):
        read(tmp_path)


def test_nested_archives_without_results_are_ignored(tmp_path, expected):
    (tmp_path / "jatos_results_1.txt").write_bytes(b"\n".join(RESULTS.values()))
    stimuli = archive({"blur.zip": archive({"1_blur_9_cat.JPEG": b"image"})})
    (tmp_path / "stimuli.zip").write_bytes(stimuli)
    pd.testing.assert_frame_equal(read(tmp_path), expected)
    with pytest.raises(ConvRNNError, match=r"must hold data\.txt, .* or \*_session_1\.csv, got none"):
        read(tmp_path / "stimuli.zip")
