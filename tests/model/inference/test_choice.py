"""Choice of the engine."""

import math

import pytest

from convrnn_model import ConvRNNError
from convrnn_model.inference.choice import choose
from convrnn_model.inference.costs import costs
from convrnn_model.inference.engine import ENGINES, missing
from convrnn_model.inference.frozen import weight_shapes
from convrnn_model.inference.operations import Architecture, operations
from convrnn_model.inference.plan import plan
from convrnn_model.inference.shapes import value_shapes
from convrnn_model.inference.vectors import vector_shape
from convrnn_model.variants import VARIANTS

TILED = [variant for variant in VARIANTS.values() if not variant.top_down]


def choice(wanted=None, precision="float32", processor="avx512-bf16", installed=ENGINES, **options):
    def install(engine):
        return None if engine in installed else f"pip install {engine}"

    return choose(wanted, precision, processor, install=install, **options)


@pytest.mark.parametrize(
    ("options", "engine", "why"),
    [
        ({}, "tiles", "fastest engine"),
        ({"installed": ("openvino", "keras")}, "openvino", "fastest installed"),
        ({"installed": ("keras",)}, "keras", "only installed"),
        ({"precision": "bfloat16"}, "openvino", "for bfloat16; float32 by tiles is faster here"),
        ({"precision": "bfloat16", "processor": "amx"}, "openvino", "for bfloat16"),
        ({"gpu": True}, "keras", "accelerator"),
        ({"gpu": True, "precision": "bfloat16", "processor": "avx2"}, "keras", "accelerator"),
        ({"top_down": True}, "openvino", "fastest installed engine with top-down connections"),
        ({"top_down": True, "installed": ("tiles", "keras")}, "keras", "only"),
        ({"foreign": "not ours"}, "keras", "not a network of convrnn_model"),
    ],
)
def test_automatic_choice(options, engine, why):
    found = choice(**options)
    assert found.engine == engine
    assert why in found.why


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_by_name(engine):
    assert choice(engine, gpu=True) == choice(engine)
    assert choice(engine).engine == engine


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_engines_that_are_not_installed(precision):
    with pytest.raises(
        ConvRNNError, match=r"openvino is not installed. Install it with pip install openvino"
    ):
        choice("openvino", precision, installed=("keras",))


def test_tiles_do_not_compute_top_down_connections():
    with pytest.raises(
        ConvRNNError, match=r"without top-down connections.*Pass engine='openvino' or 'keras'"
    ):
        choice("tiles", top_down=True)
    assert choice("keras", top_down=True).engine == "keras"


def test_bfloat16_needs_openvino():
    with pytest.raises(ConvRNNError, match="openvino is not installed"):
        choice(precision="bfloat16", installed=("tiles", "keras"))
    with pytest.raises(ConvRNNError, match=r"'tiles' computes in float32.*Pass engine='openvino'"):
        choice("tiles", "bfloat16")


@pytest.mark.parametrize("wanted", [None, "openvino"])
@pytest.mark.parametrize("processor", ["generic", "avx2", "avx512", "neon"])
def test_processors_without_bfloat16(processor, wanted):
    with pytest.raises(ConvRNNError, match=rf"AVX512_BF16 or AMX.*got {processor}.*precision='float32'"):
        choice(wanted, "bfloat16", processor)


@pytest.mark.parametrize("processor", ["avx512-bf16", "amx"])
def test_processors_with_bfloat16(processor):
    assert choice("openvino", "bfloat16", processor).engine == "openvino"


@pytest.mark.parametrize("engine", ["tiles", "openvino"])
def test_other_models_are_refused_with_their_difference(engine):
    with pytest.raises(ConvRNNError, match="the epsilon differs"):
        choice(engine, foreign="the epsilon differs")
    assert choice("keras", foreign="the epsilon differs").engine == "keras"


def test_the_default_looks_for_installed_modules():
    expected = next(engine for engine in ENGINES if missing(engine) is None)
    assert choose(None, "float32", "avx2").engine == expected


@pytest.mark.parametrize("side", [128, 224])
@pytest.mark.parametrize("kind", ["avx2", "avx512", "avx512-bf16", "amx"])
@pytest.mark.parametrize("variant", TILED, ids=lambda variant: variant.name)
def test_tiles_are_estimated_to_be_faster_than_direct_convolution(variant, kind, side):
    steps = 8 if variant.recurrent else None
    network = Architecture(
        variant.name, variant.convolutions(), 1000, steps, False, channels=3, image_size=(side, side)
    )
    every = operations(network)
    weights, shapes = weight_shapes(network), value_shapes(network, every, (side, side))
    multiply_adds = sum(
        math.prod(shapes[operation.output][:2]) * math.prod(weights[f"{operation.weights}/kernel"])
        for operation in every
        if operation.kind == "convolution"
    )
    rates = costs(kind)
    direct = 2e-9 * multiply_adds / rates.convolution
    assert direct > 1.7 * plan(network, every, (side, side), 8, rates, vector_shape(kind)).seconds
