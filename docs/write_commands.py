"""Writes commands.md from the commands themselves, by Typer's own generator."""

import html
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("commands.md")
COMMANDS = {
    "convrnn-data": "convrnn_data.cli",
    "convrnn-model": "convrnn_model.cli",
    "convrnn": "convrnn_experiments.cli",
}
HEAD = """\
# Commands

This page is written by `docs/write_commands.py` from what `--help` says; a test holds the two together. Each command
exits with 0 when it is done, 1 after an error, which is one line on stderr that says the way out, 2 when it was called
wrongly, 130 when it was interrupted, and 143 when it was ended (SIGTERM). Progress is drawn on a terminal and said
in plain lines elsewhere.

`make help` lists the targets that call these commands in their usual order;
[the tutorial](tutorial.md) goes through them.
"""


def page() -> str:
    """The text of commands.md."""
    return "\n".join([HEAD, *(_described(name, module) for name, module in COMMANDS.items())])


def _described(name: str, module: str) -> str:
    asked = [sys.executable, "-m", "typer", module, "utils", "docs", "--name", name]
    text = html.unescape(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    text = re.sub(r"\*\*Commands\*\*:\n\n(\* .*\n)+\n", "", text)  # the sections that follow say the same
    text = re.sub(r"\* `(-h, )?--help`: .*\n", "", text)
    text = re.sub(r"\*\*Options\*\*:\n\n(?!\*)", "", text)
    text = re.sub(r"^\$ ", "", text, flags=re.MULTILINE).replace("```console", "```text")
    text = re.sub(r"(?<=: )(.*)\[(.*)\]$", _plain_default, text, flags=re.MULTILINE)
    text = re.sub(r"\{(\w+)\}", r"\1", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return re.sub(r"^#", "##", text, flags=re.MULTILINE).strip() + "\n"


def _plain_default(found: re.Match[str]) -> str:
    """`[default: 1.0; x>=0.001]` as `(default: 1.0; x >= 0.001)`: brackets would be links in Markdown."""
    words = re.sub(r"\s*(>=|<=)\s*", r" \1 ", found[2]).replace("(", "").replace(")", "")
    return f"{found[1]}({words})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
