"""Answer files in every arrangement: the same observers are read, or losses are reported."""

import gzip
import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from answers_by_hand import five_blocks, practice, response, session, session_rows

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.categories import CATEGORIES
from convrnn_data.observers.answer_files import json_records
from convrnn_data.observers.table import read_observers

NAMES = ("11", "12", "13")


def rows_of(number):
    trials = [
        response("50_blur_9_cat.JPEG", CATEGORIES[number], 450),
        response("51_blur_0_dog.JPEG", None, 750),
    ]
    return session_rows(NAMES[number], five_blocks(trials))


SESSIONS = [rows_of(number) for number in range(3)]
LINES = [json.dumps(rows) for rows in SESSIONS]


@pytest.fixture
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("expected") / "jatos_results_1.txt"
    path.write_text("\n".join(LINES) + "\n")
    return read_observers(path, strict=True)


def in_pieces(rows, size):
    return "\n".join(json.dumps(rows[start : start + size]) for start in range(0, len(rows), size))


ARRANGEMENTS = {
    "one line": "".join(LINES),
    "one line, commas": ",".join(LINES),
    "two and one": LINES[0] + " " + LINES[1] + "\n\n" + LINES[2],
    "blanks and tabs before": f"  {LINES[0]}\n\t{LINES[1]}\n{LINES[2]}",
    "over lines": "\n".join(json.dumps(rows, indent=2) for rows in SESSIONS),
    "a row a line": "\n".join("[" + ",\n".join(json.dumps(row) for row in rows) + "]" for rows in SESSIONS),
    "pieces of 7 rows": "\n".join(in_pieces(rows, 7) for rows in SESSIONS),
    "pieces of 40 rows": "\n".join(in_pieces(rows, 40) for rows in SESSIONS),
    "one array": json.dumps(SESSIONS),
    "one array over lines": json.dumps(SESSIONS, indent=1),
    "CRLF": "\r\n".join(LINES) + "\r\n",
    "CR": "\r".join(LINES),
    "no end of line": "\n".join(LINES),
}


@pytest.mark.parametrize("text", ARRANGEMENTS.values(), ids=ARRANGEMENTS)
def test_every_arrangement_of_arrays_is_read(tmp_path, expected, text):
    path = tmp_path / "jatos_results_1.txt"
    path.write_bytes(text.encode())
    pd.testing.assert_frame_equal(read_observers(path, strict=True), expected)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_recognised(tmp_path, expected, encoding):
    (tmp_path / "jatos_results_1.txt").write_text("\n".join(LINES), encoding=encoding)
    pd.testing.assert_frame_equal(read_observers(tmp_path, strict=True), expected)


def result_folders(folder):
    for number, line in enumerate(LINES, start=9):
        result = folder / f"study_result_{number}" / f"comp-result_{number + 20}"
        result.mkdir(parents=True)
        (result / "data.txt").write_text(line)
        (result / "metadata.json").write_text("{}")
    return folder


def make_archive(path, folder):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
        archive.writestr("__MACOSX/study_result_9/._data.txt", b"\0\5\26\7")
        archive.writestr("study_result_9/.data.txt", b"hidden")
    return path


def test_folders_of_single_results_are_read(tmp_path, expected):
    result_folders(tmp_path)
    (tmp_path / "study_result_9" / "._data.txt").write_bytes(b"\0\5\26\7")
    pd.testing.assert_frame_equal(read_observers(tmp_path, strict=True), expected)


@pytest.mark.parametrize("name", ["jatos_results_20261126.jrzip", "results.zip", "results.ZIP"])
@pytest.mark.parametrize("within", [False, True], ids=["given", "in the folder"])
def test_result_archives_are_read(tmp_path, expected, name, within):
    archive = make_archive(tmp_path / name, result_folders(tmp_path / ".results"))
    pd.testing.assert_frame_equal(read_observers(tmp_path if within else archive, strict=True), expected)


def test_an_archive_is_recognised_by_its_bytes(tmp_path, expected):
    make_archive(tmp_path / "jatos_results_1.txt", result_folders(tmp_path / ".results"))
    pd.testing.assert_frame_equal(read_observers(tmp_path, strict=True), expected)


METADATA = {
    "apiVersion": "1.0.1",
    "data": [
        {
            "studyId": 3,
            "studyTitle": "Blur",
            "studyResults": [
                {
                    "id": 9,
                    "studyState": "FINISHED",
                    "componentResults": [
                        {"id": 29, "path": "/study_result_9/comp-result_29", "data": {"size": 5}}
                    ],
                }
            ],
        }
    ],
}


def test_metadata_is_ignored(tmp_path, expected):
    folder = result_folders(tmp_path / ".results")
    (folder / "metadata.json").write_text(json.dumps(METADATA))
    archive = make_archive(tmp_path / "deep" / "er" / "jatos_results_data_20261126.zip", folder)
    for given in (tmp_path, archive, folder):
        pd.testing.assert_frame_equal(read_observers(given, strict=True), expected)
    with pytest.raises(ConvRNNError, match=r"metadata\.json, line 1: is not an array of rows"):
        read_observers(folder / "metadata.json")


def test_an_archive_of_several_studies(tmp_path, expected):
    folder = result_folders(tmp_path / ".results")
    other = folder / "study_result_40" / "comp-result_70"
    other.mkdir(parents=True)
    (other / "data.txt").write_text('[{"trial_type": "survey", "rt": 812}]')  # of jsPsych
    archive = make_archive(tmp_path / "all.jrzip", folder)
    table = read_observers(archive)
    assert len(table.attrs["problems"]) == 1
    assert "study_result_40/comp-result_70/data.txt, line 1: has no observer's id" in str(
        table.attrs["problems"][0]
    )
    table.attrs = expected.attrs = {}
    pd.testing.assert_frame_equal(table, expected)


def test_a_result_for_each_component_of_a_study(tmp_path, expected):
    for number, rows in enumerate(SESSIONS, start=9):
        middle = next(i for i, row in enumerate(rows) if row["sender"] == "Screen600")
        for component, part in enumerate((rows[:middle], [rows[0], *rows[middle:]])):
            result = tmp_path / f"study_result_{number}" / f"comp-result_{number}{component}"
            result.mkdir(parents=True)
            (result / "data.txt").write_text(json.dumps(part))
    pd.testing.assert_frame_equal(read_observers(tmp_path, strict=True), expected)


def test_a_problem_in_an_archive_names_the_member(tmp_path):
    folder = result_folders(tmp_path / ".results")
    broken = folder / "study_result_10" / "comp-result_30" / "data.txt"
    broken.write_text(LINES[1][:-5])
    archive = make_archive(tmp_path / "r.zip", folder)
    with pytest.raises(
        ConvRNNError, match=r"1 of 3: \S+r\.zip/study_result_10/comp-result_30/data\.txt, line 1: "
    ):
        read_observers(archive)


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_a_corrupt_archive_is_an_error(tmp_path, damage):
    archive = make_archive(tmp_path / "jatos_results.zip", result_folders(tmp_path / ".results"))
    archive.write_bytes(archive.read_bytes()[:-100] if damage == "cut" else b"<html>log in</html>")
    for given in (archive, tmp_path) if damage == "cut" else (tmp_path,):
        with pytest.raises(ConvRNNError, match="complete zip archive without a password, got a damaged one"):
            read_observers(given)


def test_an_encrypted_archive_is_an_error(tmp_path):
    archive = make_archive(tmp_path / "jatos_results.zip", result_folders(tmp_path / ".results"))
    data = bytearray(archive.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for found in re.finditer(re.escape(mark), bytes(data)):
            data[found.start() + flags] |= 1
    archive.write_bytes(data)
    with pytest.raises(
        ConvRNNError, match=r"without a password, got .*encrypted.*Unpack it with another program"
    ):
        read_observers(archive)


def test_archives_without_answers_are_ignored(tmp_path, expected):
    (tmp_path / "jatos_results_1.txt").write_text("\n".join(LINES))
    with zipfile.ZipFile(tmp_path / "ColorGraySplit.zip", "w") as archive:
        archive.writestr("0/1_color_gray_c_cat.JPEG", b"image")
    (tmp_path / "BlurSplit.zip").write_bytes(b"PK\3\4 half a download")
    pd.testing.assert_frame_equal(read_observers(tmp_path, strict=True), expected)
    with pytest.raises(ConvRNNError, match=r"must hold data\.txt, .* or \*_session_1\.csv, got none"):
        read_observers(tmp_path / "ColorGraySplit.zip")


def test_linked_files_and_folders_are_followed_once(tmp_path, expected):
    away, human = tmp_path / "away", tmp_path / "human"
    (away / "deep").mkdir(parents=True)
    human.mkdir()
    (away / "deep" / "jatos_results_1.txt").write_text("\n".join(LINES[:2]))
    (tmp_path / "third.txt").write_text(LINES[2])
    (human / "answers").symlink_to(away)
    (human / "again").symlink_to(away / "deep")
    (away / "deep" / "round").symlink_to(human)
    (human / "jatos_results_2.txt").symlink_to(tmp_path / "third.txt")
    pd.testing.assert_frame_equal(read_observers(human, strict=True), expected)


@pytest.mark.parametrize("name", ["jatos_results_2.txt", "answers"])
def test_a_broken_link_is_an_error(tmp_path, name):
    (tmp_path / "jatos_results_1.txt").write_text("\n".join(LINES))
    (tmp_path / name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConvRNNError, match=name):
        read_observers(tmp_path)


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    # Root may list every folder, so the refusal is simulated.
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "jatos_results_1.txt").write_text("\n".join(LINES))
    listdir = os.listdir

    def refuse(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(ConvRNNError, match=r"cannot list \S+/b: .*Permission denied"):
        read_observers(tmp_path)


def test_a_folder_that_cannot_be_entered_is_an_error(tmp_path, monkeypatch):
    # The folder may be listed (r) but not entered (x).
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "jatos_results_1.txt").write_text(LINES[0])
    is_dir = Path.is_dir

    def refuse(path):
        if path.parent == tmp_path / "b":
            raise PermissionError(13, "Permission denied", str(path))
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", refuse)
    for given in (tmp_path, tmp_path / "b" / "jatos_results_1.txt"):
        with pytest.raises(ConvRNNError, match=r"cannot (list|read) \S+: Permission denied"):
            read_observers(given)


def test_compressed_results_are_read_and_unfinished_downloads_are_errors(tmp_path, expected):
    (tmp_path / "jatos_results_1.txt.gz").write_bytes(gzip.compress("\n".join(LINES).encode()))
    pd.testing.assert_frame_equal(read_observers(tmp_path, strict=True), expected)
    for suffix in (".part", ".crdownload"):
        unfinished = tmp_path / f"jatos_results_2.txt{suffix}"
        unfinished.write_text(LINES[0][:100])
        with pytest.raises(
            ConvRNNError, match=f"{unfinished.name} must be a complete file, got an unfinished download"
        ):
            read_observers(tmp_path)
        unfinished.unlink()
    cut = tmp_path / "jatos_results_1.txt.gz"
    cut.write_bytes(cut.read_bytes()[:-20])
    with pytest.raises(ConvRNNError, match="must be a complete gzip file, got a damaged one"):
        read_observers(tmp_path)


def test_a_truncated_array_loses_its_own_session_alone(tmp_path):
    """Truncate an array on its own line, before another on the same line, at the end, and over several lines."""
    for text, lost, line in (
        (f"{LINES[0][:-9]}\n{LINES[1]}\n{LINES[2]}", "11", 1),
        (f"{LINES[0]}\n{LINES[1][:-9]}]{LINES[2]}", "12", 2),
        (f"{LINES[0]}\n{LINES[1]}\n{LINES[2][:-9]}", "13", 3),
        (f"{LINES[0]}\n{json.dumps(SESSIONS[1], indent=2)[:-90]}\n{LINES[2]}", "12", 2),
    ):
        path = tmp_path / "jatos_results_1.txt"
        path.write_text(text)
        table = read_observers(path, max_unreadable=0.5)
        assert set(table["observer"]) == set(NAMES) - {lost}
        assert table.attrs["sessions"] == {"found": 3, "unreadable": 1, "repeated": 0}
        assert table.attrs["problems"][0].line == line
        with pytest.raises(
            ConvRNNError, match=f"at most 0.01 of the sessions .* got 1 of 3: .*line {line}: "
        ):
            read_observers(path)


def test_a_record_without_an_id_continues_a_session_only_where_it_fits(tmp_path):
    # A record that starts over belongs to another observer, as does one after an unreadable record.
    nameless = json.dumps(SESSIONS[1][1:])
    for text in (f"{LINES[0]}\n{nameless}", f"{LINES[0][:-9]}\n{nameless}\n{LINES[2]}"):
        path = tmp_path / "jatos_results_1.txt"
        path.write_text(text)
        table = read_observers(path, max_unreadable=1)
        assert len(table["observer"].unique()) == 1
        assert len(table) == 10
        assert any("has no observer's id" in str(problem) for problem in table.attrs["problems"])


def changed_session(change):
    """Return a session in which `change` is applied to every trial."""
    trials = [
        response("50_blur_9_cat.JPEG", "cat", 450),
        response("51_blur_0_dog.JPEG", "bear", 460.5),
        response("52_blur_3_oven.JPEG", None, 750),
    ]
    rows = session_rows("11", five_blocks(trials))
    return json.dumps(
        [{**row, **change(row)} if row["sender"] == "Stimulus & Response" else row for row in rows]
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda row: {"duration": str(row["duration"])},
        lambda row: {"duration": f" {row['duration']} ms"},
        lambda row: {"duration": f"{row['duration']:e}"},
        lambda row: {"response": row["response"].capitalize()} if "response" in row else {},
        lambda row: {"response": f" {row['response'].upper()} "} if "response" in row else {"response": ""},
        lambda row: {} if "response" in row else {"response": "null"},
        lambda row: {"category": row["category"].title(), "correct": str(row["correct"])},
        lambda row: {"mode": float(row["mode"]), "order": "1"},
    ],
)
def test_unambiguous_spellings_are_read(tmp_path, change):
    path = tmp_path / "jatos_results_1.txt"
    path.write_text(changed_session(lambda row: {}))
    plain = read_observers(path, strict=True)
    path.write_text(changed_session(change))
    pd.testing.assert_frame_equal(read_observers(path, strict=True), plain)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_unreadable_trials_do_not_bias_the_share_of_misses(tmp_path, share):
    # Answered and missed trials are equally often unreadable, so the others have the same share of misses.
    rng = np.random.default_rng(5)
    trials = [response(f"{50 + i}_blur_9_cat.JPEG", "cat" if i % 2 else None, 450) for i in range(200)]
    for row in trials:
        row["duration"] = "unknown" if rng.random() < share else row["duration"]
    path = tmp_path / "jatos_results_1.txt"
    path.write_text(session("11", five_blocks(trials)))
    with pytest.raises(ConvRNNError, match=r"of the trials may be unreadable, got \d+ of 1050: .*'unknown'"):
        read_observers(path)
    table = read_observers(path, max_unreadable=1)
    assert len(table) + sum(table.attrs["unreadable"].values()) == 1000
    assert table["missed"].mean() == pytest.approx(0.5, abs=0.1)


def test_the_limit_on_unreadable_trials_is_exact(tmp_path):
    good, bad = response("50_blur_9_cat.JPEG", "cat", 450), response("50_blur_9_cat.JPEG", "zebra", 450)
    path = tmp_path / "jatos_results_1.txt"
    path.write_text(session("11", {0: [*practice(), *[good] * 89, bad]}))
    assert len(read_observers(path)) == 89
    assert len(read_observers(path, max_unreadable=0.01)) == 89
    with pytest.raises(ConvRNNError, match=r"at most 0\.0099 of the trials may be unreadable, got 1 of 100"):
        read_observers(path, max_unreadable=0.0099)


@pytest.mark.parametrize(
    "text", ["[" * 5000, '[{"a":' * 3000, "]" * 5000, "[{}" * 2000, '{"' * 3000, "][{" * 2000]
)
def test_malformed_text_is_reported_as_problems(text):
    records = list(json_records(text))
    assert records
    assert all(record.problem for record in records)
