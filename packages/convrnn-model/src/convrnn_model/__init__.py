"""BL, B and their family (Spoerer et al. 2020, doi 10.1371/journal.pcbi.1008215) on Keras 3.

The public interface is exported here; `names` has the layer names and `variants` the table of networks. Keras and its
backend, which take seconds to import, are imported at the first use of a name that needs them.
"""

import sys
from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from convrnn_model import names, variants
from convrnn_model.errors import ConvRNNError, MissingBackendError

if TYPE_CHECKING:
    from convrnn_model.categories import category_classes, map_decisions
    from convrnn_model.cost import Cost, multiply_adds
    from convrnn_model.export.exporting import ExportReport, export_network
    from convrnn_model.graph import activations
    from convrnn_model.inference.predictor import Predictor, compile_network
    from convrnn_model.layers import SameConv2D
    from convrnn_model.names import global_pool, pre_softmax, relu, softmax
    from convrnn_model.networks import b_d_net, b_f_net, b_k_net, b_net, b_u_net, bl_net, blt_net, bt_net
    from convrnn_model.preprocessing import preprocess_image
    from convrnn_model.readout import class_names, class_words, decisions, entropy, response_times
    from convrnn_model.streaming import Stepper, StreamState, stream
    from convrnn_model.weights.inspection import WeightsInfo, inspect_weights
    from convrnn_model.weights.load_save import load_weights, save_weights
    from convrnn_model.weights.pretrained import fetch_weights
    from convrnn_model.weights.reading import LoadReport

__version__ = _version("convrnn-model")

__all__ = [
    "ConvRNNError",
    "Cost",
    "ExportReport",
    "LoadReport",
    "MissingBackendError",
    "Predictor",
    "SameConv2D",
    "Stepper",
    "StreamState",
    "WeightsInfo",
    "__version__",
    "activations",
    "b_d_net",
    "b_f_net",
    "b_k_net",
    "b_net",
    "b_u_net",
    "bl_net",
    "blt_net",
    "bt_net",
    "category_classes",
    "class_names",
    "class_words",
    "compile_network",
    "decisions",
    "entropy",
    "export_network",
    "fetch_weights",
    "global_pool",
    "inspect_weights",
    "load_weights",
    "map_decisions",
    "multiply_adds",
    "names",
    "pre_softmax",
    "preprocess_image",
    "relu",
    "response_times",
    "save_weights",
    "softmax",
    "stream",
    "variants",
]

_MODULES = {
    **dict.fromkeys(("b_d_net", "b_f_net", "b_k_net", "b_net"), "networks"),
    **dict.fromkeys(("b_u_net", "bl_net", "blt_net", "bt_net"), "networks"),
    **dict.fromkeys(("category_classes", "map_decisions"), "categories"),
    **dict.fromkeys(("class_names", "class_words", "decisions", "entropy", "response_times"), "readout"),
    **dict.fromkeys(("Cost", "multiply_adds"), "cost"),
    **dict.fromkeys(("ExportReport", "export_network"), "export.exporting"),
    **dict.fromkeys(("WeightsInfo", "inspect_weights"), "weights.inspection"),
    **dict.fromkeys(("load_weights", "save_weights"), "weights.load_save"),
    **dict.fromkeys(("global_pool", "pre_softmax", "relu", "softmax"), "names"),
    **dict.fromkeys(("Predictor", "compile_network"), "inference.predictor"),
    **dict.fromkeys(("StreamState", "Stepper", "stream"), "streaming"),
    "LoadReport": "weights.reading",
    "SameConv2D": "layers",
    "activations": "graph",
    "fetch_weights": "weights.pretrained",
    "preprocess_image": "preprocessing",
}

WITHOUT_KERAS = (
    "categories",
    "export.exporting",
    "inference.predictor",
    "names",
    "preprocessing",
    "readout",
    "weights.inspection",
    "weights.pretrained",
    "weights.reading",
)
"""Modules that need no backend."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _MODULES[name] not in WITHOUT_KERAS:
        import_module(f"{__name__}.backend")  # reports a missing backend before any other import can fail
    module = import_module(f"{__name__}.{_MODULES[name]}")
    return globals().setdefault(name, getattr(module, name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "keras" in sys.modules:
    # Registers SameConv2D, so that `keras.saving.load_model` finds it.
    import_module(f"{__name__}.layers")
