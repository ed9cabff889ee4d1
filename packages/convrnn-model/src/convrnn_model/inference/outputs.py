"""Outputs that predictions return: a group over time, one layer, or several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.operations import (
    GROUPS,
    Architecture,
    Operation,
    group,
    operations,
    value_names,
)

Form = Literal["group", "single", "several"]


@dataclass(frozen=True)
class Outputs:
    """Outputs of a network.

    Args:
        form: "group" is returned as one array over time, "single" as an array, "several" as a dictionary.
        named: Requested name -> name of the value.
        operations: Operations that compute them; none for models that only Keras computes.
    """

    form: Form
    named: Mapping[str, str]
    operations: tuple[Operation, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the values, each once."""
        return tuple(dict.fromkeys(self.named.values()))


def requested(network: Architecture | None, wanted: str | Sequence[str] | None, name: str) -> Outputs:
    """Return the outputs for a group, a name, or several names.

    Args:
        network: The network; None for a model that only Keras computes.
        wanted: As for `compile_network`.
        name: Name of the network.

    Raises:
        ConvRNNError: The network has no output of a name.
    """
    if wanted is None or (isinstance(wanted, str) and wanted in GROUPS):
        if network is None:
            raise ConvRNNError(
                f"groups of outputs belong to networks of convrnn_model, and {name} is another model. Pass the names "
                "of layers as outputs."
            )
        form: Form = "group"
        given = group(network, wanted or "softmax")
    else:
        form = "single" if isinstance(wanted, str) else "several"
        given = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    if network is None:
        # Keras finds unknown names.
        return Outputs(form, {output: output for output in given}, ())
    return Outputs(form, value_names(network, given), operations(network, given))
