"""Estimated seconds of convolutions on one core, by kind of processor.

The table `costs.json` was written by `benchmarks/costs.py`, which measures it. It has one row per kind of processor and
does not depend on the machine at hand, so that machines of one kind choose the same plan and compute the same bits.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Costs:
    """Rates of one core, and the overhead of a stage of a plan.

    Args:
        products: Matrix products of spectra, float32, GFLOP/s.
        transforms: Transforms of tiles in the cache, GFLOP/s.
        memory: Reading and writing, GB/s.
        convolution: Direct convolution by a library, float32, GFLOP/s.
        stage: Seconds to start and join two threads for one stage.
        measured_on: The processor that was measured.
    """

    products: float
    transforms: float
    memory: float
    convolution: float
    stage: float
    measured_on: str

    def seconds(self, *, products: float = 0, transforms: float = 0, moved: float = 0) -> float:
        """Return the time of some work.

        Args:
            products: Floating-point operations of matrix products.
            transforms: Floating-point operations of transforms.
            moved: Bytes read and written.
        """
        return 1e-9 * (products / self.products + transforms / self.transforms + moved / self.memory)


@cache
def costs(kind: str) -> Costs:
    """Return the row of the table for a kind of processor."""
    table = json.loads(files(__package__).joinpath("costs.json").read_text())
    return Costs(**table[kind])
