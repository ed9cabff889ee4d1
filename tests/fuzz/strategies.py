"""Ways to break things. Every change is drawn from a generator that is given, so an input can be made again."""

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)

STRANGE: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        15,
        16,
        3.5,
        -0.0,
        1e308,
        float("nan"),
        float("inf"),
        2**31,
        2**63,
        -(2**63),
    ),
    *(
        10**30,
        "",
        " ",
        "a",
        "0",
        "-1",
        "nan",
        "../../x",
        "/etc/passwd",
        "\0",
        "\ud800",
        "a\nb",
        "\u0663",
        "\u202e",
    ),
    *(
        "x" * 5000,
        "9" * 4000,
        [],
        {},
        [[]],
        [None],
        [0, "a"],
        {"": None},
        {"sha256": "0"},
        [1e400],
        [-1, 2**63],
    ),
)
"""JSON values that a careless reader does not expect."""


def broken_bytes(rng: random.Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """`data` with one to eight small changes, or cut, or spliced with another input."""
    return _broken(rng, data, others, tokens, _CHANGES)


def broken_text(rng: random.Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """The same for text: what is put in is text too, but for one in ten, so that it is not refused as no text."""
    return _broken(rng, data, others, tokens, _CHANGES if rng.random() < 0.1 else _TEXT_CHANGES)


def _broken(
    rng: random.Random,
    data: bytes,
    others: Sequence[bytes],
    tokens: Sequence[bytes],
    changes: "Sequence[_Change]",
) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(changes)(rng, changed, others, tokens)
    return bytes(changed)


def _place(rng: random.Random, data: bytearray, tokens: Sequence[bytes]) -> int:
    """Anywhere, or near one of the format's own marks, where changes matter most."""
    mark = rng.choice(tokens) if tokens and rng.random() < 0.4 else b""
    at = data.find(mark, rng.randrange(len(data) + 1)) if mark else -1
    return min(at + rng.randrange(64), len(data)) if at >= 0 else rng.randrange(len(data) + 1)


def _flip(rng: random.Random, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    at = _place(rng, data, tokens)
    if at < len(data):
        data[at] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    at = _place(rng, data, tokens)
    data[at : at + 1] = bytes([rng.randrange(256)])


def _number(rng: random.Random, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    at, width = _place(rng, data, tokens), rng.choice((1, 2, 4, 8))
    value = rng.choice(NUMBERS) % 256**width
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))


def _token(rng: random.Random, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    token, at = rng.choice(tokens) if tokens else b"\xff", _place(rng, data, tokens)
    data[at : at + rng.choice((0, len(token)))] = token


def _cut(rng: random.Random, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    del data[_place(rng, data, tokens) :]


def _drop(rng: random.Random, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    at = _place(rng, data, tokens)
    del data[at : at + rng.choice((1, 2, 7, 64, 512))]


def _repeat(rng: random.Random, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    at, length = _place(rng, data, tokens), rng.choice((1, 4, 32, 512))
    data[at:at] = data[at : at + length] * rng.choice((1, 2, 50))


def _splice(rng: random.Random, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    other = rng.choice(others)
    data[_place(rng, data, tokens) :] = other[rng.randrange(len(other) + 1) :]


def _copy(rng: random.Random, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    """Bytes of one place over those of another: a field that is right, but elsewhere."""
    length, start, at = rng.choice((4, 8, 16, 100)), _place(rng, data, tokens), _place(rng, data, tokens)
    piece = data[start : start + length]
    data[at : at + len(piece)] = piece


def _letter(rng: random.Random, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    at = _place(rng, data, tokens)
    data[at : at + rng.randrange(2)] = bytes([rng.choice(_LETTERS)])


_LETTERS = b"0123456789-+.,:;_eEnN\"'{}[]() \t\n"

_Change = Callable[[random.Random, bytearray, Sequence[bytes], Sequence[bytes]], None]
_CHANGES: tuple[_Change, ...] = (
    *(_flip, _flip, _byte, _byte, _number, _number, _token, _cut, _drop, _repeat, _splice, _copy),
)
_TEXT_CHANGES: tuple[_Change, ...] = (
    *(_letter, _letter, _letter, _token, _token, _cut, _drop, _repeat, _splice, _copy),
)


CELLS = (
    *("", " ", "nan", "NaN", "inf", "-inf", "-1", "0", "-0.0", "1", "4", "5", "15", "16", "0.5", "14.999999999999999999"),
    *("1e400", "1e-400", "1_000", "0x10", "\u0663", "\u00b2", "True", "null", "None", "=1+1", "1,5", "1 2", "a", "\0"),
    *('"', "'", '""', '"a\nb"', '"1"', '"a', 'a"b', "\ud800", "\u202e", "9" * 400, "x" * 140_000, "9223372036854775808"),
)  # fmt: skip
"""Cells that a careless reader of tables does not expect."""


def broken_rows(rng: random.Random, data: bytes, cells: Sequence[str] = CELLS, comma: str = ",") -> bytes:
    """A table as text with one to three of its cells, rows, columns or marks changed."""
    rows = [line.split(comma) for line in data.decode().split("\n")]
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(_ROW_CHANGES)(rng, rows, cells)
    line_end = rng.choice(("\n",) * 6 + ("\r\n", "\r", "\n\n", "\x0b", "\u2028"))
    text = line_end.join(comma.join(row) for row in rows).encode("utf-8", "surrogatepass")
    return rng.choice((b"",) * 20 + (b"\xef\xbb\xbf", b"\xff\xfe", b"#", b"\n")) + text


def _cell(rng: random.Random, rows: list[list[str]], cells: Sequence[str]) -> None:
    row = rng.choice(rows)
    if row:
        row[rng.randrange(len(row))] = rng.choice(cells)


def _row(rng: random.Random, rows: list[list[str]], cells: Sequence[str]) -> None:
    """A row gone, twice, elsewhere, or longer or shorter than the others."""
    at, to = rng.randrange(len(rows)), rng.randrange(len(rows))
    match rng.randrange(6):
        case 0 if len(rows) > 1:
            del rows[at]
        case 1:
            rows.insert(to, list(rows[at]))
        case 2:
            rows[at], rows[to] = rows[to], rows[at]
        case 3:
            rows[at] = rows[at] + [rng.choice(cells)] * rng.choice((1, 1, 50))
        case 4:
            rows[at] = rows[at][:-1]
        case _:
            rows[at] = [rng.choice(cells)]


def _column(rng: random.Random, rows: list[list[str]], cells: Sequence[str]) -> None:
    """A column gone, twice, elsewhere, or one more, with or without a name."""
    wide = max(len(row) for row in rows)
    at, to, named = rng.randrange(wide + 1), rng.randrange(wide + 1), rng.random() < 0.5
    change = rng.randrange(4)
    for number, row in enumerate(rows):
        if len(row) < 2:
            continue
        if change == 0:
            del row[at : at + 1]
        elif change == 1:
            row[to:to] = row[at : at + 1]
        elif change == 2:
            piece, row[at : at + 1] = row[at : at + 1], []
            row[to:to] = piece
        elif number or named:
            row.insert(at, rng.choice(cells) if number else rng.choice(("extra", "", row[0])))


_ROW_CHANGES: tuple[Callable[[random.Random, list[list[str]], Sequence[str]], None], ...] = (
    *(_cell, _cell, _cell, _row, _column),
)


def broken_value(rng: random.Random, value: Any) -> Any:
    """A JSON value with one to three of its parts replaced, removed, repeated or moved."""
    value = json.loads(json.dumps(value))  # A copy, several times faster than `copy` makes it.
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        value = _one_change(rng, value)
    return value


def _one_change(rng: random.Random, value: Any) -> Any:
    nodes: list[tuple[Any, Any]] = []
    _collect(value, nodes)
    if not nodes or rng.random() < 0.02:
        return copy.deepcopy(rng.choice(STRANGE))
    parent, key = rng.choice(nodes)
    match rng.randrange(6):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        case 1:
            parent[rng.choice(("", "extra", "../x", "\ud800", "a\nb", "train/000000", "9" * 200))] = parent[
                key
            ]
        case 2:
            other, place = rng.choice(nodes)
            parent[key] = copy.deepcopy(other[place]) if _has(other, place) else None
        case 3:
            parent[key] = _near(rng, parent[key])
        case _:
            parent[key] = copy.deepcopy(rng.choice(STRANGE))
    return value


def _near(rng: random.Random, value: Any) -> Any:
    """Almost the same: a number beside, a text with a letter changed, a container in another one."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return rng.choice((value + 1, value - 1, -value, value * 1000, str(value), float(value)))
    if isinstance(value, str):
        return rng.choice((value + "\0", value[1:], value.upper(), [value], f"../{value}", value + "\u0663"))
    return rng.choice(([value], {"a": value}, json.dumps(value)))


def _has(parent: Any, key: Any) -> bool:
    return key in parent if isinstance(parent, dict) else isinstance(key, int) and key < len(parent)


def _collect(value: Any, nodes: list[tuple[Any, Any]]) -> None:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        nodes.append((value, key))
        _collect(inner, nodes)


def as_json(rng: random.Random, value: Any) -> bytes:
    """The value as text; now and then nested deeper than any reader recurses, or with a key twice."""
    text = json.dumps(value)
    match rng.randrange(120):
        case 0:
            depth = rng.choice((100, 990, 5000, 100_000))
            text = text.replace("]", "[" * depth + "]" * depth + "]", 1)
        case 1:
            text = text.replace("{", '{"a":' * 2000 + "1" + "}" * 2000 + "{", 1)
        case 2:
            text = text.replace("{", '{"format": 7, "keys": 1, "format": 8,', 1)
        case 3:
            text = text.replace("1", "1" * 5000, 1)
    return text.encode()
