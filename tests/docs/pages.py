"""The project's pages as data: blocks of code with what is said about how they are tested."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in (
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        *(REPOSITORY / "docs").glob("*.md"),
    )
    # Written by other means, and compared with what writes it.
    if path.name != "commands.md"
)
# Their commands take many minutes, and other machines; the scripts that they call have tests and checks of their own.
MEASURED = {"performance.md", "scaling.md"}
COMMENT = re.compile(r"<!-- test: options only, (.+?) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: where it is.
        line: its first, from 1.
        language: bash, python, json, text ...
        text: its content.
        why: the reason why it is not run, but its options checked alone; empty if it is run.
    """

    page: Path
    line: int
    language: str
    text: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Every fenced block, in order."""
    before = ""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            before = token.content
        elif token.type == "fence":
            said = COMMENT.search(before)
            yield Block(page, token.map[0] + 1, token.info.strip(), token.content, said[1] if said else "")
            before = ""
        elif token.type not in ("paragraph_open", "paragraph_close"):
            before = ""


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
