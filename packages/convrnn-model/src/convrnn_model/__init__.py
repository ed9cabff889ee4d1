"""BL, B, B-K, B-F and B-D (Spoerer et al. 2020, doi 10.1371/journal.pcbi.1008215) on Keras 3.

Everything public is here; `names` has the layers' names and `variants` the table of networks. Keras and its
backend, which take seconds, are imported when something of the package is first used.
"""

import sys
from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from convrnn_model import names, variants
from convrnn_model.errors import ConvRNNError, MissingBackendError

if TYPE_CHECKING:
    from convrnn_model.cost import Cost, multiply_adds
    from convrnn_model.graph import activations
    from convrnn_model.layers import SameConv2D
    from convrnn_model.names import global_pool, pre_softmax, relu, softmax
    from convrnn_model.networks import b_d_net, b_f_net, b_k_net, b_net, bl_net
    from convrnn_model.preprocessing import preprocess_image
    from convrnn_model.readout import class_names, decisions, entropy, response_times
    from convrnn_model.weights.inspection import WeightsInfo, inspect_weights
    from convrnn_model.weights.load_save import LoadReport, load_weights, save_weights
    from convrnn_model.weights.pretrained import fetch_weights

__version__ = _version("convrnn-model")

__all__ = [
    "ConvRNNError",
    "Cost",
    "LoadReport",
    "MissingBackendError",
    "SameConv2D",
    "WeightsInfo",
    "activations",
    "b_d_net",
    "b_f_net",
    "b_k_net",
    "b_net",
    "bl_net",
    "class_names",
    "decisions",
    "entropy",
    "fetch_weights",
    "global_pool",
    "inspect_weights",
    "load_weights",
    "multiply_adds",
    "names",
    "pre_softmax",
    "preprocess_image",
    "relu",
    "response_times",
    "save_weights",
    "softmax",
    "variants",
]

_HOMES = (
    "layers",
    "names",
    "weights.inspection",
    "networks",
    "preprocessing",
    "readout",
    "weights.load_save",
    "weights.pretrained",
    "graph",
    "cost",
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module(f"{__name__}.backend")
    for home in _HOMES:
        # A name found where it is only imported is the same object.
        found = vars(import_module(f"{__name__}.{home}"))
        if name in found:
            return globals().setdefault(name, found[name])
    raise AssertionError(f"{name} is public and nowhere")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "keras" in sys.modules:
    # Registers the package's layer, so that `keras.saving.load_model` knows it.
    import_module(f"{__name__}.layers")
