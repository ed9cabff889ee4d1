"""Facts stated in the documentation: links, names of files and tests, options, targets, examples and numbers."""

import ast
import csv
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
from markdown_it import MarkdownIt
from pages import BLOCKS, MEASURED, PAGES, REPOSITORY, Block
from typer.exceptions import TyperException

import convrnn_data.cli
import convrnn_experiments.cli
import convrnn_model.cli
from convrnn_data.categories import shipped_lists
from convrnn_data.shards.splits import assign
from convrnn_experiments.runs.config import Config

COMMANDS = {
    "convrnn-data": convrnn_data.cli.app,
    "convrnn-model": convrnn_model.cli.app,
    "convrnn": convrnn_experiments.cli.app,
}
MAKEFILE = (REPOSITORY / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"\$\(([A-Z_]+)\)|^([A-Z_]+) [:?]?=", MAKEFILE, re.MULTILINE))
FLAGS = {
    "TRAIN_FLAGS": "train",
    "EVALUATE_FLAGS": "evaluate",
    "COMPARE_FLAGS": "compare",
    "REPORT_FLAGS": "report",
}
NEEDED = {
    "train": ["data", "--perturb", "color"],
    "evaluate": ["run", "human"],
    "compare": ["run", "--human", "human"],
    "report": ["run"],
    "prepare": ["imagenet", "data"],
}


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as on GitHub and in the built pages."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return {anchor(inline.content) for token, inline in pairwise(tokens) if token.type == "heading_open"}


def links(page: Path) -> list[str]:
    tokens = MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
    children = [child for token in tokens for child in token.children or []]
    found = [child.attrs.get("href") or child.attrs.get("src") for child in children]
    return [str(link) for link in found if link and not str(link).startswith(("http://", "https://"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_link_targets_exist(page):
    for link in links(page):
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not heading or heading in anchors(target), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_and_tests_exist(page):
    for name in re.findall(
        r"`((?:tests|packages|docs|benchmarks|examples)/[^`\s]*)`", page.read_text(encoding="utf-8")
    ):
        path, _, test = name.partition("::")
        if path.startswith("benchmarks/results"):
            continue  # written by `make bench`
        assert (REPOSITORY / path).exists(), f"{page.name} names {name}"
        if test:
            functions = [
                node.name
                for node in ast.walk(ast.parse((REPOSITORY / path).read_text()))
                if isinstance(node, ast.FunctionDef)
            ]
            assert test in functions, f"{page.name} names {name}"


def test_modules_named_in_the_architecture_exist():
    text = (REPOSITORY / "docs/architecture.md").read_text()
    named = re.findall(r"`(convrnn_(\w+)/[\w/]+\.py)`", text)
    assert len(named) > 20
    for path, package in named:
        assert (REPOSITORY / f"packages/convrnn-{package}/src" / path).is_file(), path


def test_every_defect_has_a_test():
    rows = re.findall(
        r"^\| (\d+) \|.*?\| (`tests/[^|]*) \|$",
        (REPOSITORY / "docs/differences.md").read_text(),
        re.MULTILINE,
    )
    assert [int(number) for number, _ in rows] == list(range(1, 15))


def _commands(block: Block) -> list[list[str]]:
    """Return the commands of a shell block, each as a list of words."""
    text = block.text.replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if word != ";":
                command.append(word)
            elif command:
                found.append(command)
                command = []
    return found


def _parse(name: str, words: list[str]) -> None:
    """Parse options with the parser of the command, which raises the error that a user would see."""
    group = typer.main.get_command(COMMANDS[name])
    if words and words[0].startswith("-"):
        group.make_context(name, words)
        return
    command = group.commands[words[0]]
    if "--help" not in words:
        command.make_context(words[0], words[1:])


def _check(words: list[str], shell: dict[str, str]) -> None:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, value = words.pop(0).partition("=")
        shell[name] = value
    words = [word for word in words if word not in ("do", "done")]
    if not words:
        return
    name = Path(words[0]).name
    if name in COMMANDS:
        _parse(name, words[1:])
    elif name == "make":
        _check_make(words[1:], shell)
    elif name == "sbatch":
        for word in words:
            if word.startswith(".venv/bin/convrnn"):
                _check(shlex.split(word), shell)


def _check_make(words: list[str], shell: dict[str, str]) -> None:
    known = {name for pair in VARIABLES for name in pair if name}
    for word in words:
        name, given, value = word.partition("=")
        if not given:
            assert name in TARGETS, f"make has no {name}"
            continue
        assert name in known, f"the Makefile has no {name}"
        value = shell.get(value.removeprefix("$"), value)
        if name in FLAGS:
            _parse("convrnn", [FLAGS[name], *NEEDED[FLAGS[name]], *shlex.split(value)])
        elif name == "PREPARE_FLAGS":
            _parse("convrnn-data", ["prepare", *NEEDED["prepare"], *shlex.split(value)])


SHELL = [block for block in BLOCKS if block.language == "bash"]


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_every_option_and_target_exists(block):
    shell: dict[str, str] = {}
    try:
        found = _commands(block)
    except ValueError:
        assert block.page.name in MEASURED, f"{block} has a quotation over several lines"
        return
    for words in found:
        try:
            _check(words, shell)
        except TyperException as error:
            pytest.fail(f"{block}: {shlex.join(words)}: {error.format_message()}")


def test_named_options_exist():
    known = {
        option
        for app in COMMANDS.values()
        for command in typer.main.get_command(app).commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for script in (p for d in ("benchmarks", "tests/fuzz") for p in (REPOSITORY / d).glob("*.py")):
        known |= set(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', script.read_text(encoding="utf-8")))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if page.name == "differences.md":  # its left column has the published scripts' options
            text = "\n".join(
                re.sub(r"^\| [^|]*\|", "|", line.replace("\\|", "")) for line in text.splitlines()
            )
            text = text.replace("--pretrained", "")
        for option in re.findall(
            r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        ):
            assert option in known | {"--help", "--flag", "--no-flag"}, f"{page.name} names {option}"


def test_blocks_that_are_not_run_have_a_reason():
    for page in PAGES:
        for comment in re.findall(r"<!-- test:.*?-->", page.read_text(encoding="utf-8"), re.DOTALL):
            assert re.fullmatch(r"<!-- test: options only, .{15,} -->", comment), f"{page.name}: {comment}"


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"], ids=str)
def test_json_examples_are_valid(block):
    json.loads(block.text)


def test_the_example_configuration_is_valid():
    examples = [json.loads(block.text) for block in BLOCKS if block.language == "json"]
    (values,) = [example for example in examples if "perturb" in example]
    assert Config.from_json(values, Path("formats.md")).to_json() == values | {"levels": None, "devices": ()}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=str)
def test_python_examples_compile(block):
    compile(block.text, str(block), "exec")


def test_the_page_of_commands_is_up_to_date():
    page = REPOSITORY / "docs/commands.md"
    spec = importlib.util.spec_from_file_location("write_commands", REPOSITORY / "docs/write_commands.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert page.read_text(encoding="utf-8") == writer.page(), "run .venv/bin/python docs/write_commands.py"


def test_numbers_of_the_full_set():
    lists = shipped_lists()
    keys = np.concatenate(
        [np.array([name[:-5] for name in lists.names(synset)], dtype=bytes) for synset in lists.categories]
    )
    labels = np.concatenate(
        [np.full(len(numbers), lists.label(synset)) for synset, numbers in lists.numbers.items()]
    )
    counts = np.bincount(assign(keys, labels, val=0.1, test=0, seed=0))
    passes = 4 * counts[0] + counts[1]
    text = (REPOSITORY / "docs/tutorial.md").read_text()
    shards = sum(-(-int(count) // 1000) for count in counts)
    assert (
        f"data: {len(keys):,} images ({counts[0]:,} train, {counts[1]:,} val); {shards} shards written"
        in text
    )
    assert f"{counts[0]:,} x 4 + {counts[1]:,} = {passes:,} passes" in text
    gigabytes = f"{passes * 4 * 8 * 2048 / 1e9:.0f} GB"
    assert f"{gigabytes} in all" in text
    assert f"so {gigabytes} for the listed" in (REPOSITORY / "docs/faq.md").read_text()


def test_formats_lists_every_column():
    from convrnn_data.human import trial_csv
    from convrnn_data.observers import long_table, trial_sessions
    from convrnn_data.observers import table as observer_table
    from convrnn_experiments.comparison import joint_table
    from convrnn_experiments.comparison.columns import MEASURES
    from convrnn_experiments.report import comparison_tables

    text = (REPOSITORY / "docs/formats.md").read_text()
    documented = set(re.findall(r"`(\w+)`", text))
    for columns in (
        *(observer_table.COLUMNS, observer_table.FURTHER_COLUMNS),
        *(trial_csv.COLUMNS, trial_sessions.FURTHER, long_table.COLUMNS, joint_table.COLUMNS),
    ):
        assert set(columns) <= documented
    assert {measure.key for measure in MEASURES} <= documented
    source = Path(comparison_tables.__file__).read_text()
    comparison = source[source.index("def comparison(") : source.index("def comparison_wide")]
    assert set(re.findall(r'^            "(\w+)":', comparison, re.MULTILINE)) <= documented


def test_formats_lists_the_columns_of_the_stimuli():
    text = (REPOSITORY / "docs/formats.md").read_text()
    for package, file in (
        ("convrnn-data", "convrnn_data/human/reformatting.py"),
        ("convrnn-experiments", "convrnn_experiments/stimuli/make.py"),
    ):
        source = (REPOSITORY / "packages" / package / "src" / file).read_text()
        (header,) = re.findall(r"writerow\(\((\"[^)]*)\)\)", source)
        assert ",".join(next(csv.reader([header.replace(" ", "")]))) in text


def test_packages_for_building_the_pages_are_installed():
    done = subprocess.run(
        [sys.executable, "-c", "import furo, latex2mathml, myst_nb, sphinx, sphinx_copybutton"], check=False
    )
    assert done.returncode == 0
