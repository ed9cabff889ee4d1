"""Kind of processor, by the vector instructions that decide which code is fastest."""

import os
import platform
from collections.abc import Iterable
from functools import cache

from convrnn_model.errors import ConvRNNError

VARIABLE = "CONVRNN_PROCESSOR"
"""Environment variable that selects a lesser kind, so that the machines of a mixed cluster compute alike."""

INSTRUCTIONS: dict[str, frozenset[str]] = {
    "avx2": frozenset({"avx2", "fma"}),
    "avx512": frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl"}),
    "avx512-bf16": frozenset({"avx512bf16"}),
    "amx": frozenset({"amx-tile", "amx-bf16"}),
}
"""Instructions that each kind of x86-64 processor adds to the one before, as LLVM calls them."""

GENERIC, NEON = "generic", "neon"
KINDS = (GENERIC, *INSTRUCTIONS, NEON)
BFLOAT16 = ("avx512-bf16", "amx")
"""Kinds that multiply bfloat16 numbers in hardware."""


def processor() -> str:
    """Return the kind of this machine's processor, one of `KINDS`, or the lesser one that `CONVRNN_PROCESSOR` selects.

    Raises:
        ConvRNNError: The variable names an unknown kind, or one with instructions that this processor lacks.
    """
    able = supported(platform.machine(), _features())
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return able[-1]
    if wanted not in able:
        raise ConvRNNError(
            f"{VARIABLE} must be one of {', '.join(able)}, which this processor supports, got {wanted!r}. Correct or "
            "unset the variable."
        )
    return wanted


def supported(machine: str, features: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds whose instructions a processor has, the best one last.

    Args:
        machine: Architecture, as `platform.machine` names it.
        features: Instructions of the processor, as LLVM names them.
    """
    kinds = [GENERIC]
    if machine.lower() in ("aarch64", "arm64"):
        return (*kinds, NEON)
    available = set(features)
    for kind, instructions in INSTRUCTIONS.items():
        if not instructions <= available:
            break
        kinds.append(kind)
    return tuple(kinds)


@cache
def _features() -> frozenset[str]:
    from llvmlite.binding import get_host_cpu_features

    return frozenset(name for name, available in get_host_cpu_features().items() if available)


def default_threads() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
