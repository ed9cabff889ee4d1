"""Files of a page: written whole, and removed once no page links to them."""

import csv
import hashlib
import html
import json
import re
from pathlib import Path

import pytest

from convrnn_experiments.report import build, output


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("figures_undrawn")
def test_a_later_page_removes_what_an_earlier_one_wrote_and_nothing_else(tmp_path, runs, seen):
    page = build.write_report(runs, tmp_path / "page/index.html", human=seen)
    own = {"tables/notes.csv": b"mine", "notes.txt": b"mine", "tables/observers.csv": b"changed by hand"}
    for name, data in own.items():
        (page.parent / name).write_bytes(data)
    build.write_report(runs[:1], page)
    alone = build.write_report(runs[:1], tmp_path / "alone/index.html")
    assert files_of(page.parent) == files_of(alone.parent) | own
    assert "tables/comparison.csv" not in files_of(page.parent)


@pytest.mark.usefixtures("figures_undrawn")
def test_pages_of_one_folder_leave_each_other_theirs(tmp_path, runs, seen):
    build.write_report(runs, tmp_path / "people.html", human=seen)
    build.write_report(runs, tmp_path / "networks.html", human=seen)
    build.write_report(runs, tmp_path / "networks.html")
    assert (tmp_path / "tables/comparison.csv").is_file()
    for link in re.findall(r"href='([^'#][^']*)'", (tmp_path / "people.html").read_text(encoding="utf-8")):
        assert (tmp_path / html.unescape(link)).is_file()


@pytest.mark.usefixtures("figures_undrawn")
def test_what_a_killed_report_has_written_is_known_to_the_next(tmp_path, runs, seen, monkeypatch):
    page, whole = tmp_path / "index.html", output.write_file

    def killed(path, data, **options):
        if path == page:
            raise KeyboardInterrupt
        whole(path, data, **options)

    with monkeypatch.context() as patch:
        patch.setattr(output, "write_file", killed)
        with pytest.raises(KeyboardInterrupt):
            build.write_report(runs, page, human=seen)
    assert (tmp_path / "tables/comparison.csv").is_file()
    build.write_report(runs, page)
    assert not (tmp_path / "tables/comparison.csv").exists()


@pytest.mark.usefixtures("figures_undrawn")
@pytest.mark.parametrize(
    "listed",
    [
        "{",
        '{"index.html": {"../victim.csv": []}}',
        '{"index.html": {"/victim.csv": []}}',
        '{"index.html": 1}',
    ],
)
def test_a_list_that_is_none_removes_nothing(tmp_path, runs, listed):
    victim = tmp_path / "victim.csv"
    victim.write_bytes(b"")
    page = tmp_path / "page/index.html"
    page.parent.mkdir()
    (page.parent / output.LIST).write_text(
        listed.replace("[]", json.dumps([hashlib.sha256(b"").hexdigest()]))
    )
    build.write_report(runs[:1], page)
    assert victim.is_file()


@pytest.mark.usefixtures("figures_undrawn")
def test_a_report_leaves_no_table_of_an_earlier_one(tmp_path: Path, seen, make_run) -> None:
    path = make_run(tmp_path / "blur", "blur", seen)
    human = tmp_path / "human"
    human.mkdir()
    answers = seen / "jatos_results_blur.txt"
    (human / answers.name).write_bytes(answers.read_bytes()[:-400])
    page = build.write_report([path], tmp_path / "page/index.html", human=human, max_unreadable=1.0)
    with (page.parent / "tables/observer_problems.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 1
    (human / answers.name).write_bytes(answers.read_bytes())
    build.write_report([path], page, human=human)
    assert not (page.parent / "tables/observer_problems.csv").exists()
