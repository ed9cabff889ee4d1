"""The report's HTML: one file that holds all that it shows, for screens light and dark, wide and narrow, and print."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

from convrnn_experiments.report.canvas import Picture
from convrnn_experiments.report.tables import Table, as_html

FIGURES, TABLES = "figures", "tables"
"""Folders beside the page."""


@dataclass(frozen=True)
class Figure:
    """A picture with what has to be said of it.

    Attributes:
        picture: shown panel by panel.
        caption: HTML is escaped.
        alternatives: of the panels, for those who do not see them.
        tables: names of the tables that hold its numbers.
        photographs: whether its colours have to stay on a dark page.
    """

    picture: Picture
    caption: str
    alternatives: Sequence[str]
    tables: Sequence[str] = ()
    photographs: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page: words, figures, tables, then further HTML."""

    title: str
    words: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[tuple[Table, int, str]] = ()
    further: str = ""


@dataclass
class Numbering:
    """Counts figures through the page."""

    figures: int = field(default=0)

    def next(self) -> int:
        """The next figure's number."""
        self.figures += 1
        return self.figures


def render(title: str, lead: Sequence[str], warning: str, sections: Sequence[Section]) -> str:
    """The whole page.

    Args:
        title: of the page.
        lead: paragraphs at its top.
        warning: shown where it cannot be missed; empty for none.
        sections: in order.
    """
    style = resources.files("convrnn_experiments").joinpath("page.css").read_text(encoding="utf-8")
    numbers = Numbering()
    links = " ".join(
        f"<a href='#s{place}'>{html.escape(section.title)}</a>" for place, section in enumerate(sections)
    )
    body = "\n".join(_section(place, section, numbers) for place, section in enumerate(sections))
    warned = f"<p class='warning' role='note'>{html.escape(warning)}</p>" if warning else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><link rel="icon" href="data:,"><style>{style}</style></head><body>
<header><h1>{html.escape(title)}</h1>{warned}{_paragraphs(lead)}<nav>{links}</nav></header>
<main>
{body}
</main></body></html>
"""


def _section(place: int, section: Section, numbers: Numbering) -> str:
    tables = "\n".join(
        as_html(table, text=text) + _files([(name, f"{TABLES}/{name}.csv", "CSV")])
        for table, text, name in section.tables
    )
    figures = "\n".join(_figure(figure, numbers.next()) for figure in section.figures)
    title = f"<h2 id='s{place}'>{html.escape(section.title)}</h2>"
    return f"<section>{title}{_paragraphs(section.words)}{figures}{tables}{section.further}</section>"


def _paragraphs(words: Sequence[str]) -> str:
    return "".join(f"<p>{html.escape(one)}</p>" for one in words)


def _figure(figure: Figure, number: int) -> str:
    picture = figure.picture
    form = "jpeg" if figure.photographs else "png"
    images = "".join(
        f"<img src='data:image/{form};base64,{base64.b64encode(panel).decode()}' alt='{html.escape(said, quote=True)}' "
        f"width='{picture.width}' height='{picture.height}'>"
        for panel, said in zip(picture.panels, figure.alternatives, strict=True)
    )
    kind = "photo" if figure.photographs else "chart"
    files = [
        (picture.name, f"{FIGURES}/{picture.name}.{ending}", ending.upper()) for ending in ("png", "pdf")
    ]
    files += [(name, f"{TABLES}/{name}.csv", f"{name}.csv") for name in figure.tables]
    return (
        f"<figure class='{kind}' style='--cell: {picture.width}px'><div class='panels'>{images}</div>"
        f"<figcaption><b>Figure {number}.</b> {html.escape(figure.caption)} {_files(files)}</figcaption></figure>"
    )


def _files(files: Sequence[tuple[str, str, str]]) -> str:
    links = " · ".join(
        f"<a href='{html.escape(path, quote=True)}' download>{html.escape(label)}</a>"
        for _, path, label in files
    )
    return f"<span class='files'>{links}</span>"
