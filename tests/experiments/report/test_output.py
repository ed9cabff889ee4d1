"""Files of a page: written atomically, and removed once no page links to them."""

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


@pytest.mark.usefixtures("figures_not_drawn")
def test_a_later_page_removes_only_files_of_an_earlier_page(tmp_path, runs, human_data):
    page = build.write_report(runs, tmp_path / "page/index.html", human=human_data)
    own = {"tables/notes.csv": b"mine", "notes.txt": b"mine", "tables/observers.csv": b"changed by hand"}
    for name, data in own.items():
        (page.parent / name).write_bytes(data)
    build.write_report(runs[:1], page)
    alone = build.write_report(runs[:1], tmp_path / "alone/index.html")
    assert files_of(page.parent) == files_of(alone.parent) | own
    assert "tables/comparison.csv" not in files_of(page.parent)


@pytest.mark.usefixtures("figures_not_drawn")
def test_pages_in_one_folder_keep_their_own_files(tmp_path, runs, human_data):
    build.write_report(runs, tmp_path / "people.html", human=human_data)
    build.write_report(runs, tmp_path / "networks.html", human=human_data)
    build.write_report(runs, tmp_path / "networks.html")
    assert (tmp_path / "tables/comparison.csv").is_file()
    for link in re.findall(r"href='([^'#][^']*)'", (tmp_path / "people.html").read_text(encoding="utf-8")):
        assert (tmp_path / html.unescape(link)).is_file()


@pytest.mark.usefixtures("figures_not_drawn")
def test_the_next_report_removes_files_of_a_killed_report(tmp_path, runs, human_data, monkeypatch):
    page, write = tmp_path / "index.html", output.write_file

    def killed(path, data, **options):
        if path == page:
            raise KeyboardInterrupt
        write(path, data, **options)

    with monkeypatch.context() as patch:
        patch.setattr(output, "write_file", killed)
        with pytest.raises(KeyboardInterrupt):
            build.write_report(runs, page, human=human_data)
    assert (tmp_path / "tables/comparison.csv").is_file()
    build.write_report(runs, page)
    assert not (tmp_path / "tables/comparison.csv").exists()


@pytest.mark.usefixtures("figures_not_drawn")
@pytest.mark.parametrize(
    "listed",
    [
        "{",
        '{"index.html": {"../victim.csv": []}}',
        '{"index.html": {"/victim.csv": []}}',
        '{"index.html": 1}',
    ],
)
def test_an_invalid_list_of_files_removes_nothing(tmp_path, runs, listed):
    victim = tmp_path / "victim.csv"
    victim.write_bytes(b"")
    page = tmp_path / "page/index.html"
    page.parent.mkdir()
    (page.parent / output.LIST).write_text(
        listed.replace("[]", json.dumps([hashlib.sha256(b"").hexdigest()]))
    )
    build.write_report(runs[:1], page)
    assert victim.is_file()


@pytest.mark.usefixtures("figures_not_drawn")
def test_a_report_removes_tables_of_an_earlier_report(tmp_path: Path, human_data, make_run) -> None:
    path = make_run(tmp_path / "blur", "blur", human_data)
    human = tmp_path / "human"
    human.mkdir()
    answers = human_data / "jatos_results_blur.txt"
    (human / answers.name).write_bytes(answers.read_bytes()[:-400])
    page = build.write_report([path], tmp_path / "page/index.html", human=human, max_unreadable=1.0)
    with (page.parent / "tables/observer_problems.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 1
    (human / answers.name).write_bytes(answers.read_bytes())
    build.write_report([path], page, human=human)
    assert not (page.parent / "tables/observer_problems.csv").exists()
