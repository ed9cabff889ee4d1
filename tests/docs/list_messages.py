"""List all error messages of the packages: python tests/docs/list_messages.py [PACKAGE ...]

A message is the text of a raised or returned error, with placeholders as `{expression}`, and its file and line.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGES = Path(__file__).parents[2] / "packages"
ERRORS = ("Error", "BadImage", "failed", "BadParameter")
"""Suffixes of the names of functions and classes that create errors."""


class Message(NamedTuple):
    """Error message.

    Attributes:
        location: `convrnn_data/imagenet/plan.py:12`.
        kind: class of the error, or function that creates it.
        text: text with placeholders.
    """

    location: str
    kind: str
    text: str


def messages(package: str = "*") -> Iterator[Message]:
    """Yield the messages of packages whose names match, by file and line."""
    for path in sorted(PACKAGES.glob(f"{package}/src/*/**/*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
        for call in sorted(calls, key=lambda node: node.lineno):
            kind = _name(call.func)
            text = _text(call.args[0]) if kind.endswith(ERRORS) else ""
            if text:
                yield Message(f"{path.parent.name}/{path.name}:{call.lineno}", kind, text)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _text(node: ast.expr) -> str:
    """Return the text of a string expression; empty if it has none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        parts = (
            _text(part) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
            for part in node.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        )
        return "".join(parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + (_text(node.right) or f"{{{ast.unparse(node.right)}}}")
    return ""


if __name__ == "__main__":
    for package in sys.argv[1:] or ["*"]:
        for message in messages(package):
            print(f"{message.location}: {message.kind}: {message.text}")
