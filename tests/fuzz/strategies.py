"""Hypothesis strategies: seeds with edited bytes, JSON values or table cells."""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

EDITS = st.integers(0, 3)
"""Edits of one input."""

# fmt: off
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 15, 16, 3.5, -0.0, 1e308, float("nan"), float("inf"), 2**31, 2**63, -(2**63), 10**30,
    "", " ", "a", "0", "-1", "nan", "../../x", "/etc/passwd", "\0", "\ud800", "a\nb", "\u0663", "\u202e", "x" * 5000,
    "9" * 4000, [], {}, [[]], [None], [0, "a"], {"": None}, {"sha256": "0"}, [1e400], [-1, 2**63],
)
"""JSON values that a careless reader does not expect."""

KEYS = ("", "extra", "../x", "\ud800", "a\nb", "train/000000", "9" * 200)

JSON_TOKENS = (
    b'"', b"[", b"]", b"{", b"}", b",", b":", b"null", b"NaN", b"-1", b"1e999", b'"train"', b'"sha256"', b"\\ud800",
    b"\0", b"\xff", b"\n", b"\xef\xbb\xbf", b"[" * 100_000, b"[" * 990 + b"]" * 990, b'{"a":' * 5000, b"1" * 5000,
    b'{"format": 7, "keys": 1, "format": 8,',
)

CELLS = (
    "", " ", "nan", "NaN", "inf", "-inf", "-1", "0", "-0.0", "1", "4", "5", "15", "16", "0.5", "14.999999999999999999",
    "1e400", "1e-400", "1_000", "0x10", "\u0663", "\u00b2", "True", "null", "None", "=1+1", "1,5", "1 2", "a", "\0",
    '"', "'", '""', '"a\nb"', '"1"', '"a', 'a"b', "\ud800", "\u202e", "9" * 400, "x" * 140_000, "9223372036854775808",
)
"""Table cells that a careless reader does not expect."""

CSV_TOKENS = (
    b",", b"\n", b'"', b"\r", b"\0", b"nan", b"inf", b"-1", b"16", b"1e400", b"9223372036854775808", b"0.5", b"\xff",
    b"predictions_exit0", b"predictions_exit1", b"predictions_exit99999", b"labels", b"level", b"block",
    b"\xef\xbb\xbf",
)
LINE_ENDS = ("\n",) * 15 + ("\r\n", "\r", "\n\n", "\x0b", "\u2028")
PREFIXES = (b"",) * 16 + (b"\xef\xbb\xbf", b"\xff\xfe", b"#", b"\n")
# fmt: on


@st.composite
def edited(draw: st.DrawFn, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """Replace, insert, delete and splice pieces of a seed."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(EDITS)):
        start = draw(st.integers(0, len(data)))
        stop = start + draw(st.sampled_from((0, 1, 2, 4, 8, 64, 512, len(data))))
        other = draw(st.sampled_from(seeds))
        at = draw(st.integers(0, len(other)))
        spliced = st.sampled_from((other[at : at + 8], other[at : at + 100], other[at:]))
        data = data[:start] + draw(st.binary(max_size=8) | st.sampled_from(tokens) | spliced) + data[stop:]
    return data


def json_files(
    values: Sequence[Any], finish: Callable[[bytes], bytes] = bytes
) -> tuple[dict[str, bytes], st.SearchStrategy[bytes]]:
    """Return seeds and a strategy: values edited as values, as text, or as the file that `finish` makes of the text."""
    texts = [json.dumps(value).encode() for value in values]
    seeds = {str(number): finish(text) for number, text in enumerate(texts)}
    changed = [_documents(values).map(finish) for _ in range(4)]
    as_text = edited(texts, JSON_TOKENS).map(finish)
    return seeds, st.one_of(*changed, as_text, edited(tuple(seeds.values()), JSON_TOKENS))


@st.composite
def _documents(draw: st.DrawFn, values: Sequence[Any]) -> bytes:
    root = {"root": copy.deepcopy(draw(st.sampled_from(values)))}
    for _ in range(draw(EDITS)):
        places = list(_places(root))
        parent, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(("delete", "repeat", "copy", "near", "replace", "replace"))):
            case "delete" if parent is not root:
                del parent[key]
            case "repeat" if isinstance(parent, list):
                parent.insert(key, copy.deepcopy(parent[key]))
            case "repeat":
                parent[draw(st.sampled_from(KEYS))] = copy.deepcopy(parent[key])
            case "copy":
                other, place = draw(st.sampled_from(places))
                parent[key] = copy.deepcopy(other[place])
            case "near":
                parent[key] = draw(st.sampled_from(_near(parent[key])))
            case _:
                parent[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return json.dumps(root["root"]).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _near(value: Any) -> tuple[Any, ...]:
    """Return values that differ slightly: a neighbouring number, a changed letter, another container."""
    if isinstance(value, bool) or value is None:
        return (not value,)
    if isinstance(value, int | float):
        return (value + 1, value - 1, -value, value * 1000, str(value), float(value))
    if isinstance(value, str):
        return (value + "\0", value[1:], value.upper(), [value], f"../{value}", value + "\u0663")
    return ([value], {"a": value}, json.dumps(value))


def tables(
    seeds: Sequence[bytes],
    *,
    cells: Sequence[str] = CELLS,
    tokens: Sequence[bytes] = CSV_TOKENS,
    separator: str = ",",
) -> st.SearchStrategy[bytes]:
    """Edit cells, rows and columns of a table, or its text."""
    return st.one_of(*(_tables(seeds, cells, separator) for _ in range(3)), edited(seeds, tokens))


@st.composite
def _tables(draw: st.DrawFn, seeds: Sequence[bytes], cells: Sequence[str], separator: str) -> bytes:
    rows = [line.split(separator) for line in draw(st.sampled_from(seeds)).decode().rstrip("\n").split("\n")]
    for _ in range(draw(EDITS)):
        at, to = (draw(st.integers(0, len(rows) - 1)) for _ in range(2))
        cell = draw(st.sampled_from(cells))
        column = draw(st.integers(0, len(rows[at])))
        match draw(
            st.sampled_from(("cell", "cell", "cell", "repeat", "swap", "lengthen", "shorten", "column"))
        ):
            case "cell":
                rows[at][column : column + 1] = [cell]
            case "repeat":
                rows.insert(to, list(rows[at]))
            case "swap":
                rows[at], rows[to] = rows[to], rows[at]
            case "lengthen":
                rows[at] += [cell] * draw(st.sampled_from((1, 50)))
            case "shorten":
                del rows[at][-1:]
            case _:
                _edit_column(rows, column, draw(st.sampled_from(("delete", "repeat", "insert"))), cell)
    line_end = draw(st.sampled_from(LINE_ENDS))
    text = "".join(separator.join(row) + line_end for row in rows)
    return draw(st.sampled_from(PREFIXES)) + text.encode("utf-8", "surrogatepass")


def _edit_column(rows: list[list[str]], column: int, edit: str, cell: str) -> None:
    for row in rows:
        if len(row) > 1:
            new = {
                "delete": [],
                "repeat": row[column : column + 1] * 2,
                "insert": [cell, *row[column : column + 1]],
            }
            row[column : column + 1] = new[edit]
