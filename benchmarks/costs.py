"""Measure the rates of one core that choose the plans of the engine "tiles", and write them into its table.

The table has one row per kind of processor; this writes the row of the processor at hand, or of a lesser kind that
CONVRNN_PROCESSOR selects. It is part of the package, so that machines of one kind compute alike: run this on a quiet
machine, look at the plans with `str(predictor.plan(...))`, and commit the change.

    python benchmarks/costs.py            # only print
    python benchmarks/costs.py --write
    CONVRNN_PROCESSOR=avx2 NUMBA_CPU_NAME=znver3 python benchmarks/costs.py
"""

import argparse
import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

import numpy as np

from common import machine, timed
from convrnn_model.inference import processor, products, transforms
from convrnn_model.inference.costs import Costs
from convrnn_model.inference.openvino_engine import import_openvino
from convrnn_model.inference.threads import Threads
from convrnn_model.inference.tiling import Tiling, transform_operations
from convrnn_model.inference.vectors import vector_shape

TABLE = Path(str(files("convrnn_model.inference").joinpath("costs.json")))
FEW, MANY = 4, 200
"""Tiles whose spectra stay in the cache, and that do not."""
CHANNELS, SIDE, PIXELS = 96, 7, 128
TILING = Tiling("fourier", PIXELS, PIXELS, SIDE, 32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="change the table of the package")
    options = parser.parse_args()
    kind, row = processor.processor(), measure(options.rounds)
    print(json.dumps({kind: asdict(row)}, indent=2))
    if options.write:
        table = json.loads(TABLE.read_text()) | {kind: asdict(row)}
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in table.items())
        TABLE.write_text(f"{{\n{rows}\n}}\n")


def measure(rounds: int) -> Costs:
    few, many = (min(timed(forward(count)) for _ in range(rounds)) for count in (FEW, MANY))
    operations = transform_operations(TILING.kind, TILING.points, TILING.step)[0] * CHANNELS
    # A spectrum is written after it was read into the cache, and the image is read.
    moved = 4 * CHANNELS * (2 * TILING.products * TILING.parts + TILING.points**2)
    return Costs(
        products=rounded(product_rate(rounds)),
        transforms=rounded(FEW * operations / few / 1e9),
        memory=rounded(moved / (many / MANY - few / FEW) / 1e9),
        convolution=rounded(convolution_rate(rounds)),
        stage=rounded(stage_seconds(rounds)),
        measured_on=str(machine()["processor"]),
    )


def forward(count: int):
    """Return a function that transforms tiles of BL's first layer on one core."""
    images = np.zeros(8 * PIXELS**2 * CHANNELS, np.float32)
    spectrum = np.zeros(count * TILING.products * TILING.parts * CHANNELS, np.float32)
    transform = transforms.fourier_forward(TILING.points, vector_shape(processor.processor()).lanes)
    layout = (TILING.rows, TILING.columns, TILING.step, TILING.before)

    def run() -> None:
        transform(images, PIXELS, PIXELS, CHANNELS, spectrum, 0, CHANNELS, 0, count, *layout)

    run()
    return run


def product_rate(rounds: int) -> float:
    """Measure GFLOP/s of the complex products of BL's first layer on one core."""
    shape = vector_shape(processor.processor())
    columns, points, rows = shape.lanes * shape.vectors, 32, MANY
    left = np.zeros(rows * points * 2 * CHANNELS, np.float32)
    right = np.zeros(points * 2 * CHANNELS * CHANNELS, np.float32)
    multiply = products.complex_products(shape.rows, shape.vectors, shape.lanes)
    panels = CHANNELS // columns
    arguments = (left, right, np.empty_like(left), points, CHANNELS, CHANNELS, panels)
    run = lambda: multiply(*arguments, 0, points, 0, panels, 0, rows)  # noqa: E731
    run()
    return 6 * points * rows * CHANNELS**2 / min(timed(run) for _ in range(rounds)) / 1e9


def convolution_rate(rounds: int) -> float:
    """Measure GFLOP/s of OpenVINO's direct convolution of BL's first layer on one core."""
    ov = import_openvino()
    from openvino import opset13

    image = opset13.parameter([1, CHANNELS, PIXELS, PIXELS], np.float32)
    kernel = opset13.constant(np.ones((CHANNELS, CHANNELS, SIDE, SIDE), np.float32))
    margin = [SIDE // 2] * 2
    model = ov.Model([opset13.convolution(image, kernel, [1, 1], margin, margin, [1, 1])], [image])
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
    pixels = np.zeros((1, CHANNELS, PIXELS, PIXELS), np.float32)
    run = lambda: request.infer([pixels])  # noqa: E731
    run()
    return 2 * PIXELS**2 * SIDE**2 * CHANNELS**2 / min(timed(run) for _ in range(rounds)) / 1e9


def stage_seconds(rounds: int) -> float:
    """Measure the time of starting and joining two threads."""
    threads = Threads(2)
    parts = [lambda: None] * threads.parts(1)
    return min(timed(lambda: threads.run(parts)) for _ in range(20 * rounds))


def rounded(value: float) -> float:
    return float(f"{value:.2g}")


if __name__ == "__main__":
    main()
