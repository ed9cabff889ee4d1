"""Pydantic's validation errors in the words of this project's messages."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

LONGEST = 60
"""Characters shown of a wrong value."""


def first_problem(error: "ValidationError") -> str:
    """Describe the first problem of a validation error, such as `epochs must be greater than 0, got -1`."""
    problem = error.errors(include_url=False)[0]
    kind, place = problem["type"], _place(problem["loc"])
    if kind == "missing":
        return f"{place} is required, got no value"
    if kind == "extra_forbidden":
        return f"{place} is not a known entry"
    if kind == "json_invalid":
        return f"it must be valid JSON, got a damaged file ({problem['ctx']['error']})"
    return f"{place or 'it'} {rule_and_value(problem)}"


def rule_and_value(problem: Any) -> str:
    """Describe one entry of `ValidationError.errors()` without the name of the value: `must be ..., got ...`."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    rule = re.sub("^Input should ", "must ", re.sub(", (unable|got) .*", "", problem["msg"]))
    return f"{rule}, got {_shown(problem['input'])}"


def _place(parts: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
