"""Activations of any layer at any time step, by name, from the graph of a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convrnn_model import names
from convrnn_model.backend import keras
from convrnn_model.errors import ConvRNNError


@dataclass(frozen=True)
class Application:
    """Application of a layer; shared layers have one per time step.

    Args:
        layer: The layer.
        time: Time step of the output, from 0.
        inputs: Symbolic inputs.
        output: Symbolic output.
        name: Name of the layer, with a time step appended if the name has none.
    """

    layer: keras.layers.Layer
    time: int
    inputs: Sequence[Any]
    output: Any
    name: str


def applications(model: keras.Model, inputs: Sequence[Any] | None = None) -> list[Application]:
    """Apply the layers of a functional model again, and return their applications in order of time.

    Args:
        model: The model, whose layers are shared, not copied.
        inputs: Symbolic inputs, possibly of another image size; the model's own by default.
    """
    # The clone of a compiled model would be compiled, and a Sequential model does not take a `call_function`.
    plain = keras.Model(list(model.inputs), list(model.outputs))
    recurrent = any(names.is_recurrent(layer.name) for layer in plain.layers)
    found: dict[int, Application] = {}

    def apply(operation: Any, *arguments: Any, **options: Any) -> Any:
        outputs = operation(*arguments, **options)
        tensors = keras.tree.flatten((arguments, options))
        sources = [tensor for tensor in tensors if isinstance(tensor, keras.KerasTensor)]
        before = [found[id(source)].time for source in sources if id(source) in found]
        time = _time(operation.name, before)
        has_time = not recurrent or names.split_time(operation.name)[1] is not None
        name = operation.name if has_time else names.at(operation.name, time)
        for output in keras.tree.flatten(outputs):
            found[id(output)] = Application(operation, time, sources, output, name)
        return outputs

    keras.models.clone_model(
        plain,
        input_tensors=plain.input if inputs is None else list(inputs),
        clone_function=lambda layer: layer,
        call_function=apply,
    )
    # Functions of `keras.ops` are operations too, but not layers.
    layers = [one for one in found.values() if isinstance(one.layer, keras.layers.Layer)]
    return sorted(layers, key=lambda application: application.time)


def _time(name: str, before: list[int]) -> int:
    """Return the time step of a layer: that of its name, else of its inputs, plus one for connections over time."""
    own = names.split_time(name)[1]
    if own is not None:
        return own
    return max(before, default=0) + (names.is_lateral(name) or names.is_top_down(name))


def activations(model: keras.Model, layers: str | Sequence[str]) -> keras.Model:
    """Return a model that computes the outputs of some layers, and only what they depend on.

    The functions of `convrnn_model.names` give the names: `names.relu(6, 7)` is layer 6 at time step 7,
    `names.global_pool(t)` the input of the readout, `names.pre_softmax(t)` the readout before softmax. For a layer
    that is shared by all time steps, append the time step: `RCL_2_ConvSum_Time_4`.

    Args:
        model: A network of this package, or a model around its layers.
        layers: One name, or several.

    Returns:
        A model that shares the network's weights and maps images to an array for one name, to a dictionary by name
        for several. Outputs of convolutional layers are (batch, height, width, filters).

    Raises:
        ConvRNNError: The network has no layer of this name.
    """
    wanted = [layers] if isinstance(layers, str) else list(layers)
    if not getattr(model, "outputs", None):
        raise ConvRNNError(
            f"cannot find the layers of {model.name}: it is not a functional model, so Keras does not know its graph. "
            "Give the network itself, as `bl_net` returns it."
        )
    found = applications(model)
    outputs = _outputs(found, wanted)
    unknown = [name for name in wanted if name not in outputs]
    if unknown or not wanted:
        raise names.unknown_outputs(model.name, unknown, _all_names_by_layer(found))
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.inputs
    result = outputs[layers] if isinstance(layers, str) else {name: outputs[name] for name in wanted}
    return keras.Model(inputs, result, name=f"{model.name}_activations")


def _outputs(found: Sequence[Application], wanted: Sequence[str]) -> dict[str, Any]:
    """Return the wanted outputs of applied layers or of models nested in them, by name, as far as they exist."""
    own: dict[str, Any] = {application.name: application.output for application in found}
    for layer, uses in _names_by_layer(found).items():
        # A layer that is applied once is also known by its plain name.
        if len(uses) == 1:
            own[layer] = own[uses[0]]
    outputs = {name: own[name] for name in wanted if name in own}
    for application in found:
        missing = [name for name in wanted if name not in outputs]
        if missing and _is_functional(application.layer):
            inner = _outputs(applications(application.layer), missing)
            if inner:
                part = keras.Model(application.layer.inputs, inner)
                inputs = application.inputs
                outputs |= part(inputs[0] if len(inputs) == 1 else list(inputs))
    return outputs


def _all_names_by_layer(found: Sequence[Application]) -> dict[str, list[str]]:
    """Map each layer, including those of nested models, to the names of its applications."""
    uses = _names_by_layer(found)
    for application in found:
        if _is_functional(application.layer):
            uses |= _all_names_by_layer(applications(application.layer))
    return uses


def _names_by_layer(found: Sequence[Application]) -> dict[str, list[str]]:
    """Map each layer to the names of its applications."""
    uses: dict[str, list[str]] = {}
    for application in found:
        uses.setdefault(application.layer.name, []).append(application.name)
    return uses


def _is_functional(layer: Any) -> bool:
    return isinstance(layer, keras.Model) and bool(getattr(layer, "outputs", None))
