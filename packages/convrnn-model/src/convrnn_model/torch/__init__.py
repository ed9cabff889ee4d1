"""The networks as `torch.nn.Module`, without Keras: BL, B and their family, published weights, preprocessing."""

from importlib.util import find_spec

from convrnn_model.errors import MissingBackendError

if find_spec("torch") is None:
    raise MissingBackendError(
        'convrnn_model.torch needs PyTorch, which is not installed. Install it: pip install "convrnn-model[torch]".'
    )

from convrnn_model.torch.builders import b, b_d, b_f, b_k, b_u, bl, blt, bt
from convrnn_model.torch.networks import Network, parameter_groups
from convrnn_model.torch.preprocessing import Preprocess
from convrnn_model.torch.streaming import Stepper, StreamState
from convrnn_model.torch.weights import load_weights, save_weights
from convrnn_model.weights.reading import LoadReport

__all__ = [
    "LoadReport",
    "Network",
    "Preprocess",
    "Stepper",
    "StreamState",
    "b",
    "b_d",
    "b_f",
    "b_k",
    "b_u",
    "bl",
    "blt",
    "bt",
    "load_weights",
    "parameter_groups",
    "save_weights",
]
