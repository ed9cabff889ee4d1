"""Training and evaluating recurrent networks, and comparing them with people's speed-accuracy curves."""

from importlib.metadata import version as _version

__version__ = _version("convrnn-experiments")
