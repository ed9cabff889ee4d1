"""Choice of the engine: the fastest one that computes what was asked for, by a fixed rule."""

from collections.abc import Callable
from dataclasses import dataclass

from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.engine import MODULES, Name, Precision, missing
from convrnn_model.inference.processor import BFLOAT16, VARIABLE

FASTER_IN_FLOAT32 = ("avx512-bf16",)
"""Kinds whose bfloat16 is at most twice as fast as float32, less than what tiles save; see docs/performance.md."""


@dataclass(frozen=True)
class Choice:
    """Engine and the reason for it.

    Args:
        engine: The engine.
        why: The reason, a clause.
    """

    engine: Name
    why: str


def choose(
    wanted: Name | None,
    precision: Precision,
    processor: str,
    *,
    gpu: bool = False,
    foreign: str | None = None,
    top_down: bool = False,
    install: Callable[[Name], str | None] = missing,
) -> Choice:
    """Choose an engine.

    Args:
        wanted: The engine that was asked for by name, or None.
        precision: Precision of the computation.
        processor: Kind of processor, from `processor.processor`.
        gpu: Keras' backend has an accelerator.
        foreign: Error of a model that only Keras computes, or None.
        top_down: The outputs need transposed convolutions, which tiles do not compute.
        install: Function that returns the command that installs an engine, or None if it is installed.

    Raises:
        ConvRNNError: No engine computes what was asked for.
    """
    if wanted:
        _require(wanted, precision, processor, foreign, install)
        if top_down and wanted == "tiles":
            raise ConvRNNError(
                "engine 'tiles' computes networks without top-down connections, got one with them. Pass "
                "engine='openvino' or 'keras'."
            )
        return Choice(wanted, "asked for")
    if foreign:
        return Choice("keras", "the model is not a network of convrnn_model")
    if gpu:
        return Choice("keras", "the backend has an accelerator")
    if precision == "bfloat16":
        _require("openvino", precision, processor, foreign, install)
        slower = "; float32 by tiles is faster here" if processor in FASTER_IN_FLOAT32 else ""
        return Choice("openvino", f"the engine for bfloat16{slower}")
    # By estimate at least 1.7 times as fast as direct convolution, for every network and processor (see the tests). If
    # the choice depended on the image, the bits of results would depend on what is installed.
    if not top_down and not install("tiles"):
        return Choice("tiles", "the fastest engine for float32")
    if not install("openvino"):
        why = "with top-down connections" if top_down else "for float32"
        return Choice("openvino", f"the fastest installed engine {why}")
    why = (
        "the only installed engine that computes top-down connections"
        if top_down
        else "the only installed engine"
    )
    return Choice("keras", why)


def _require(
    engine: Name,
    precision: Precision,
    processor: str,
    foreign: str | None,
    install: Callable[[Name], str | None],
) -> None:
    if foreign and engine != "keras":
        raise ConvRNNError(foreign)
    if command := install(engine):
        raise ConvRNNError(
            f"cannot compute with {engine}: {MODULES[engine][0]} is not installed. Install it with {command}."
        )
    if precision == "float32" or engine == "keras":
        return
    if engine == "tiles":
        raise ConvRNNError(
            "engine 'tiles' computes in float32, got precision='bfloat16'. Pass engine='openvino', or "
            "precision='float32'."
        )
    if processor not in BFLOAT16:
        raise ConvRNNError(
            f"bfloat16 needs a processor with AVX512_BF16 or AMX, one of {', '.join(BFLOAT16)}, got {processor}. Pass "
            f"precision='float32', use another machine, or check {VARIABLE}."
        )
