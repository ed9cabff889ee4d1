"""Conversion of Pydantic's validation errors to messages of the form "<name> must be ..., got ..."."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

LONGEST = 60
"""Maximum number of characters shown of an invalid value."""


def first_problem(error: "ValidationError") -> str:
    """Return a message for the first problem of an error, such as `epochs must be greater than 0, got -1`."""
    problem = error.errors(include_url=False)[0]
    kind, name = problem["type"], _dotted(problem["loc"])
    if kind == "missing":
        return f"{name} is required, got no value"
    if kind == "extra_forbidden":
        return f"{name} is not a known entry"
    if kind == "json_invalid":
        return f"it must be valid JSON, got a damaged file ({problem['ctx']['error']})"
    return f"{name or 'it'} {rule_and_value(problem)}"


def rule_and_value(problem: Any) -> str:
    """Return the message for an entry of `ValidationError.errors()`, without the name: `must be ..., got ...`."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    rule = re.sub("^Input should ", "must ", re.sub(", (unable|got) .*", "", problem["msg"]))
    return f"{rule}, got {_shown(problem['input'])}"


def _dotted(parts: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
