"""HTML of the report: one self-contained file, for light and dark screens of any width, and for print."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

from convrnn_experiments.report.canvas import Drawing
from convrnn_experiments.report.formats import Table, as_html

FIGURES, TABLES = "figures", "tables"
"""Folders of the files that the page links to."""


@dataclass(frozen=True)
class Figure:
    """Drawing with a caption.

    Attributes:
        drawing: Shown panel by panel.
        caption: Text, escaped when rendered.
        alt_texts: Descriptions of the panels, for screen readers.
        tables: Names of the tables with its numbers.
        photographs: Keep the colours on a dark page.
    """

    drawing: Drawing
    caption: str
    alt_texts: Sequence[str]
    tables: Sequence[str] = ()
    photographs: bool = False


@dataclass(frozen=True)
class Section:
    """Section of the page.

    Attributes:
        title: Heading.
        paragraphs: Text, escaped when rendered.
        figures: Figures, shown after the paragraphs.
        tables: Tables, shown after the figures, each with its number of text columns and the name of its CSV file.
        html: HTML at the end of the section, not escaped.
        headline: Sentence in large type before the paragraphs.
        items: Short texts after the headline, side by side on a wide page.
    """

    title: str
    paragraphs: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[tuple[Table, int, str]] = ()
    html: str = ""
    headline: str = ""
    items: Sequence[str] = ()


@dataclass
class Numbering:
    """Counter of the figures of a page."""

    figures: int = field(default=0)

    def next(self) -> int:
        """Return the number of the next figure."""
        self.figures += 1
        return self.figures


def render(
    title: str, lead: Sequence[str], warning: str, sections: Sequence[Section], scripts: str = ""
) -> str:
    """Render the whole page.

    Args:
        title: Title of the page.
        lead: Paragraphs at the top.
        warning: Text shown prominently above the lead; empty for none.
        sections: Sections in order.
        scripts: HTML at the end of the page, not escaped.
    """
    style = resources.files("convrnn_experiments.report").joinpath("page.css").read_text(encoding="utf-8")
    numbers = Numbering()
    links = " ".join(
        f"<a href='#s{index}'>{html.escape(section.title)}</a>" for index, section in enumerate(sections)
    )
    body = "\n".join(_section(index, section, numbers) for index, section in enumerate(sections))
    banner = f"<p class='warning' role='note'>{html.escape(warning)}</p>" if warning else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><link rel="icon" href="data:,"><style>{style}</style></head><body>
<header><h1>{html.escape(title)}</h1>{banner}<div class='lead'>{_paragraphs(lead)}</div><nav>{links}</nav></header>
<main>
{body}
</main>{scripts}</body></html>
"""


def _section(index: int, section: Section, numbers: Numbering) -> str:
    tables = "\n".join(
        as_html(table, text=text) + _files([(name, f"{TABLES}/{name}.csv", "CSV")])
        for table, text, name in section.tables
    )
    figures = "\n".join(_figure(figure, numbers.next()) for figure in section.figures)
    title = f"<h2 id='s{index}'>{html.escape(section.title)}</h2>"
    headline = f"<p class='headline'>{html.escape(section.headline)}</p>" if section.headline else ""
    items = f"<div class='items'>{_paragraphs(section.items)}</div>" if section.items else ""
    text = f"{headline}{items}{_paragraphs(section.paragraphs)}"
    return f"<section>{title}{text}{figures}{tables}{section.html}</section>"


def _paragraphs(texts: Sequence[str]) -> str:
    return "".join(f"<p>{html.escape(text)}</p>" for text in texts)


def _figure(figure: Figure, number: int) -> str:
    drawing = figure.drawing
    images = "".join(
        f"<img src='data:image/webp;base64,{base64.b64encode(panel).decode()}' "
        f"alt='{html.escape(alt, quote=True)}' width='{drawing.width}' height='{drawing.height}'>"
        for panel, alt in zip(drawing.panels, figure.alt_texts, strict=True)
    )
    kind = "photo" if figure.photographs else "chart"
    files = [
        (drawing.name, f"{FIGURES}/{drawing.name}.{ending}", ending.upper()) for ending in ("png", "pdf")
    ]
    files += [(name, f"{TABLES}/{name}.csv", f"{name}.csv") for name in figure.tables]
    return (
        f"<figure class='{kind}' style='--cell: {drawing.width}px'><div class='panels'>{images}</div>"
        f"<figcaption><b>Figure {number}.</b> {html.escape(figure.caption)} {_files(files)}</figcaption></figure>"
    )


def _files(files: Sequence[tuple[str, str, str]]) -> str:
    links = " · ".join(
        f"<a href='{html.escape(path, quote=True)}' download>{html.escape(label)}</a>"
        for _, path, label in files
    )
    return f"<span class='files'>{links}</span>"
