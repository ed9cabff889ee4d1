"""Write commands.md from the commands' help, by Typer's generator."""

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

This page is generated from `--help` by `docs/write_commands.py`. Exit codes: 0 success; 1 an error, reported in one
line on stderr; 2 wrong usage; 130 interrupted; 143 terminated (SIGTERM). Progress is a bar on a terminal and plain
lines elsewhere.

`make help` lists the targets that call these commands; [the tutorial](tutorial.md) explains them.
"""


def page() -> str:
    """Return the text of commands.md."""
    return "\n".join([HEAD, *(_section(name, module) for name, module in COMMANDS.items())])


def _section(name: str, module: str) -> str:
    command = [sys.executable, "-m", "typer", module, "utils", "docs", "--name", name]
    text = html.unescape(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    text = re.sub(r"\*\*Commands\*\*:\n\n(\* .*\n)+\n", "", text)  # the sections repeat this list
    text = re.sub(r"\* `(-h, )?--help`: .*\n", "", text)
    text = re.sub(r"\*\*Options\*\*:\n\n(?!\*)", "", text)
    text = re.sub(r"^\$ ", "", text, flags=re.MULTILINE).replace("```console", "```text")
    text = re.sub(r"(?<=: )(.*)\[(.*)\]$", _plain_default, text, flags=re.MULTILINE)
    text = re.sub(r"\{(\w+)\}", r"\1", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return re.sub(r"^#", "##", text, flags=re.MULTILINE).strip() + "\n"


def _plain_default(match: re.Match[str]) -> str:
    """Convert `[default: 1.0; x>=0.001]` to `(default: 1.0; x >= 0.001)`, since brackets are links in Markdown."""
    words = re.sub(r"\s*(>=|<=)\s*", r" \1 ", match[2]).replace("(", "").replace(")", "")
    return f"{match[1]}({words})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
