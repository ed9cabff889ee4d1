"""What the targets are made with: checks of an answer, JSON that is broken as values, and the errors that are answers."""

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import convrnn_data
import convrnn_experiments.errors
import convrnn_model
from fuzz import mutations
from fuzz.runner import Target, WrongAnswer

Parse = Callable[[bytes, Path], None]
Breaks = Callable[[random.Random, Sequence[bytes]], bytes]

REFUSALS = (convrnn_data.ConvRNNError, convrnn_model.ConvRNNError, convrnn_experiments.errors.ConvRNNError)


def demand(holds: bool, what: str) -> None:
    if not holds:
        raise WrongAnswer(what)


def choice(data: bytes, count: int) -> int:
    """One of several ways to parse an input, by its bytes alone."""
    return hashlib.blake2b(data, digest_size=2).digest()[0] % count


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


TEXT_TOKENS = (
    *(
        b'"',
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b"null",
        b"NaN",
        b"-1",
        b"1e999",
        b'"train"',
        b'"sha256"',
        b"\\ud800",
    ),
    *(b"\0", b"\xff", b"\n", b"\xef\xbb\xbf"),
)


def break_json(values: Sequence[Any], finish: Callable[[bytes], bytes] = bytes) -> Breaks:
    """Values broken as values, and now and then as text; `finish` makes the file of the text."""

    def breaks(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
        value = rng.choice(values)
        kind = rng.random()
        text = mutations.as_json(rng, mutations.broken_value(rng, value) if kind < 0.9 else value)
        if kind > 0.85:
            text = mutations.broken_text(rng, text, seeds, TEXT_TOKENS)
        data = finish(text)
        return mutations.broken_bytes(rng, data, seeds, TEXT_TOKENS) if rng.random() < 0.03 else data

    return breaks


def sealed(text: bytes) -> bytes:
    body = text[:-1].rstrip()
    return body + b',\n"sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def _json_seeds(
    values: Sequence[Any], finish: Callable[[bytes], bytes] = bytes
) -> Callable[[], dict[str, bytes]]:
    return lambda: {str(number): finish(json.dumps(value).encode()) for number, value in enumerate(values)}


CSV_TOKENS = (
    *(
        b",",
        b"\n",
        b'"',
        b"\r",
        b"\0",
        b"nan",
        b"inf",
        b"-1",
        b"16",
        b"1e400",
        b"9223372036854775808",
        b"0.5",
        b"\xff",
    ),
    *(
        b"predictions_exit0",
        b"predictions_exit1",
        b"predictions_exit99999",
        b"labels",
        b"level",
        b"block",
        b"\xef\xbb\xbf",
    ),
)


def target(
    name: str,
    seeds: Callable[[], dict[str, bytes]],
    breaks: Breaks,
    parse: Parse,
    *refusals: type[Exception],
) -> Target:
    return Target(name, seeds, breaks, lambda: parse, refusals or REFUSALS)


def of_json(
    name: str,
    values: Sequence[Any],
    parse: Parse,
    finish: Callable[[bytes], bytes] = bytes,
    *refusals: type[Exception],
) -> Target:
    return target(name, _json_seeds(values, finish), break_json(values, finish), parse, *refusals)
