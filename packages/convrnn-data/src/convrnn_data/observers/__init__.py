"""Answers of human observers: JATOS results and trial CSVs, tables, exclusion, trial counts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convrnn_data.observers.table import read_observers

__all__ = ["read_observers"]


def __getattr__(name: str) -> Any:
    """Import `read_observers` at its first use, because pandas is slow to import."""
    if name in __all__:
        from convrnn_data.observers import table

        return getattr(table, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
