"""Code blocks of the documentation pages, with comments on how they are tested."""

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
    # Generated; compared with the output of the generator.
    if path.name != "commands.md"
)
# Their commands take many minutes; the benchmarks that they run have separate tests.
MEASURED = {"performance.md", "scaling.md"}
COMMENT = re.compile(r"<!-- test: options only, (.+?) -->")


@dataclass(frozen=True)
class Block:
    """Fenced block of a page.

    Attributes:
        page: path of the page.
        line: first line, from 1.
        language: bash, python, json, text ...
        text: content.
        not_run: reason why only the options are checked; empty if the block is run.
    """

    page: Path
    line: int
    language: str
    text: str
    not_run: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield every fenced block, in order."""
    html = ""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            html = token.content
        elif token.type == "fence":
            comment = COMMENT.search(html)
            yield Block(
                page, token.map[0] + 1, token.info.strip(), token.content, comment[1] if comment else ""
            )
            html = ""
        elif token.type not in ("paragraph_open", "paragraph_close"):
            html = ""


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
