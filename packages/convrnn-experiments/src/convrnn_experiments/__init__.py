"""Train and evaluate recurrent networks, and compare their speed-accuracy curves with those of humans.

The public interface is exported here. Each name is imported at its first use, since TensorFlow and pandas take seconds.
"""

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convrnn_experiments.conditions import CONDITIONS, Condition, Regime
    from convrnn_experiments.errors import ConvRNNError
    from convrnn_experiments.images.perturbations import perturb
    from convrnn_experiments.observers import read_observers
    from convrnn_experiments.statistics.measures import (
        category_correlation,
        error_consistency,
        sat_rmse,
        steepness,
    )

__version__ = _version("convrnn-experiments")

__all__ = [
    "CONDITIONS",
    "Condition",
    "ConvRNNError",
    "Regime",
    "__version__",
    "category_correlation",
    "error_consistency",
    "perturb",
    "read_observers",
    "sat_rmse",
    "steepness",
]

_MODULES = {
    **dict.fromkeys(("CONDITIONS", "Condition", "Regime"), "conditions"),
    "ConvRNNError": "errors",
    "perturb": "images.perturbations",
    "read_observers": "observers",
    **dict.fromkeys(
        ("category_correlation", "error_consistency", "sat_rmse", "steepness"), "statistics.measures"
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_MODULES[name]}")
    return globals().setdefault(name, getattr(module, name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
