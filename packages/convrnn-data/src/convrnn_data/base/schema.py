"""Schemas of the files that the packages write: Pydantic models with strict types."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, lt=2**63)]
"""Number of things, or of bytes."""


class Document(BaseModel):
    """Base of the models of files.

    Types are strict, so that "1", 1.0 and true are not counts. Entries that the model does not name are ignored: later
    versions may add some.
    """

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, populate_by_name=True)


COUNT = range(2**63)
"""A number of things, or of bytes."""


def misfit(value: Any, form: Any, where: str = "") -> str | None:
    """What keeps a value from having a form, in words; None if nothing does.

    Args:
        value: as `json.loads` gives it.
        form: a type; a range, for integers in it; a pattern, for text that it matches in full; a tuple of forms, one
            of which has to fit; `[form]` for a list; `{"name": form}` for an object with at least these entries, or
            `{pattern: form}` for one whose every name matches.
        where: the way from the file's top to the value, for the words.
    """
    if isinstance(form, tuple):
        return (
            None
            if any(misfit(value, one) is None for one in form)
            else f"{where or 'it'} has none of the allowed types"
        )
    if isinstance(form, list):
        return (
            _first(misfit(one, form[0], f"{where}[{at}]") for at, one in enumerate(value))
            if isinstance(value, list)
            else f"{where or 'it'} is not a list"
        )
    if isinstance(form, Mapping):
        return (
            _entries(value, form, where) if isinstance(value, dict) else f"{where or 'it'} is not an object"
        )
    if isinstance(form, range):
        right = type(value) is int and value in form
    elif isinstance(form, re.Pattern):
        right = isinstance(value, str) and form.fullmatch(value) is not None
    else:
        # JSON writes 1.0 as 1 at will, and true is no number.
        whole = form is float and type(value) is int and abs(value) < 2**63
        right = whole or (type(value) is form and (form is not float or math.isfinite(value)))
    return None if right else f"{where or 'it'} is {_shown(value)}"


def _entries(value: dict[str, Any], form: Mapping[Any, Any], where: str) -> str | None:
    path = f"{where}." if where else ""
    for name, inner in form.items():
        if isinstance(name, re.Pattern):
            if wrong := [key for key in value if not name.fullmatch(key)]:
                return f"{where or 'it'} has an unexpected entry {_shown(wrong[0])}"
            return _first(misfit(one, inner, path + key) for key, one in value.items())
        if name not in value:
            return f"{path}{name} is missing"
    return _first(misfit(value[name], inner, path + name) for name, inner in form.items())


def _first(found: Any) -> str | None:
    return next((one for one in found if one is not None), None)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}…"
