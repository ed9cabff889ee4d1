"""Report page: its content and self-containment; `test_browser.py` opens it."""

import base64
import csv
import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from convrnn_experiments.cli import app
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.report import build, output, summary


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_the_page_is_self_contained(page):
    text = text_of(page)
    sources = re.findall(r"src='([^']*)'", text)
    assert len(sources) > 20
    for source in sources:
        encoded = re.fullmatch(r"data:image/webp;base64,(.*)", source)[1]
        assert re.match(rb"RIFF....WEBP", base64.b64decode(encoded), re.DOTALL)
    parts = re.split(r"(<script.*?</script>)", text, flags=re.DOTALL)
    assert not re.search(r"https?://|@import|url\(", "".join(parts[::2]))
    assert not [part[:80] for part in parts[1::2] if re.match(r"<script[^>]*src", part)]


def test_every_link_leads_to_a_file_of_the_report(page):
    links = re.findall(r"href='([^'#][^']*)'", text_of(page))
    assert len(links) > 20
    for link in links:
        assert (page.parent / html.unescape(link)).stat().st_size > 0
    figures = {path.stem for path in page.parent.glob("figures/*.png")}
    assert figures == {path.stem for path in page.parent.glob("figures/*.pdf")}
    assert {"curves_steps", "curves_multiply_adds", "categories", "consistency", "response_times"} < figures


def test_the_page_has_sections_figures_and_names(page):
    text = text_of(page)
    for title in ("Accuracy over time", "Categories", "Error consistency", "Response times", "Provenance"):
        assert f">{title}</h2>" in text
    numbers = [int(number) for number in re.findall(r"<b>Figure (\d+)\.</b>", text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "digitised" in text
    assert "±2" in text
    assert "blur &lt;b&gt;" in text
    assert "blur <b>" not in text
    assert "convrnn train data --perturb color" in text
    assert "keras 3.0" in text


def test_simulated_observers_are_labelled(page):
    text = text_of(page)
    assert "SIMULATED" in text[: text.index("<nav>")]
    assert "<title>Networks and simulated observers</title>" in text
    for name in ("comparison", "curves", "categories", "confusion_people", "response_times_people"):
        with (page.parent / f"tables/{name}.csv").open(newline="") as file:
            assert {row["simulated_observers"] for row in csv.DictReader(file)} == {"True"}


@pytest.mark.usefixtures("figures_not_drawn")
def test_real_observers_are_called_humans(tmp_path, runs, human_data):
    answers = tmp_path / "answers"
    answers.mkdir()
    for path in human_data.glob("*.txt"):
        (answers / path.name).write_text(path.read_text().replace("simulated-0", "31"))
    text = text_of(build.write_report(runs[:1], tmp_path / "index.html", human=answers))
    assert "imulated" not in text.partition("</style>")[2].replace("observers simulated", "")
    assert "<title>Networks and humans</title>" in text


def test_the_same_results_give_the_same_bytes(tmp_path, page, runs, human_data):
    repeated = build.write_report(runs, tmp_path / "index.html", human=human_data)
    files = sorted(path.relative_to(page.parent) for path in page.parent.rglob("*") if path.is_file())
    assert [p.relative_to(tmp_path) for p in sorted(tmp_path.rglob("*")) if p.is_file()] == files
    for name in files:
        assert (page.parent / name).read_bytes() == (repeated.parent / name).read_bytes(), name


@pytest.mark.usefixtures("figures_not_drawn")
def test_without_human_data_the_page_is_about_networks(tmp_path, runs):
    done = CliRunner().invoke(app, ["report", str(runs[1]), "--out", str(tmp_path / "index.html")])
    assert done.exit_code == 0, done.output
    text = text_of(tmp_path / "index.html")
    assert "<title>Networks over time</title>" in text
    assert "Error consistency" not in text
    assert "observer" not in text.partition("</style>")[2]
    assert not (tmp_path / "tables/comparison.csv").exists()


@pytest.mark.usefixtures("figures_not_drawn")
def test_missing_images_are_reported(tmp_path, human_data, make_run):
    stimuli = tmp_path / "stimuli"
    shutil.copytree(human_data, stimuli)
    run = make_run(tmp_path / "color", "color", stimuli)
    shutil.rmtree(stimuli)
    text = text_of(build.write_report([run], tmp_path / "index.html"))
    assert f"The images of color are no longer at {stimuli}." in text


@pytest.mark.parametrize("wrong", ["unevaluated", "folder", "list", "summary", "answers"])
def test_errors_leave_no_files(tmp_path, runs, human_data, wrong):
    out = tmp_path / "report/index.html"
    given, human = runs, human_data
    if wrong == "unevaluated":
        (tmp_path / "run").mkdir()
        given = [tmp_path / "run"]
    elif wrong == "folder":
        out.mkdir(parents=True)
    elif wrong == "list":
        out = out.with_name(output.LIST)
    elif wrong == "summary":
        out = out.with_name(summary.NAME)
    else:
        human = tmp_path / "nobody"
    with pytest.raises(ConvRNNError):
        build.write_report(given, out, human=human)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_no_backend_is_imported():
    # A report takes seconds, so it must not wait for TensorFlow.
    code = "import sys, convrnn_experiments.report.build; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
