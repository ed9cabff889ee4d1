"""BL, B, B-K, B-F and B-D (Spoerer et al. 2020, doi 10.1371/journal.pcbi.1008215) on Keras 3.

Everything public is here; `names` has the layers' names and `variants` the table of networks.
"""

try:
    import keras as _keras  # noqa: F401
except ModuleNotFoundError as _error:  # Keras itself fails so, with its backend's name alone.
    raise ImportError(
        f"Keras found no {_error.name}: it computes through TensorFlow, JAX or PyTorch, and takes the first "
        'unless told. Install one: pip install "convrnn-model[tensorflow]", or [jax] or [torch] and set '
        "KERAS_BACKEND=jax or torch before Python starts."
    ) from _error

from convrnn_model import names, variants
from convrnn_model.errors import ConvRNNError
from convrnn_model.networks import b_d_net, b_f_net, b_k_net, b_net, bl_net
from convrnn_model.preprocessing import preprocess_image
from convrnn_model.readout import class_names, decisions, entropy, response_times
from convrnn_model.weights import LoadReport, WeightsInfo, inspect_weights, load_weights, save_weights

__version__ = "0.1.0"

__all__ = [
    "ConvRNNError",
    "LoadReport",
    "WeightsInfo",
    "b_d_net",
    "b_f_net",
    "b_k_net",
    "b_net",
    "bl_net",
    "class_names",
    "decisions",
    "entropy",
    "inspect_weights",
    "load_weights",
    "names",
    "preprocess_image",
    "response_times",
    "save_weights",
    "variants",
]
