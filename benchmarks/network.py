"""Time and memory of BL's predictions: our engines beside what else computes the same network.

    tiles, openvino, keras    `convrnn_model.compile_network(..., engine=...)`
    OpenVINO from ONNX        `openvino.Core().compile_model` of an ONNX file of the network
    ONNX Runtime              an inference session of the same file
    PyTorch                   a module written by hand, channels last; autocast in bfloat16
    convrnn_model.torch       our module, in the same way; "compiled" by `torch.compile`

Each competitor has a process of its own, and they are called in turn, so that other load affects all of them. Results
are medians and spreads over rounds, with the largest difference of softmax from direct convolution in float32. Those
that are not installed are left out (`pip install onnx onnxruntime openvino torch`).

    python benchmarks/network.py --image-size 128 224 --batch-size 1 8
    python benchmarks/network.py --precision bfloat16
    python benchmarks/network.py --calls 200 --only tiles     # the longest of many calls
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from common import bars, in_turn, ratio, show, spread, write

REFERENCE = "keras"
CLASSES = 1000
REST = 0.2
"""Seconds; threads of some competitors wait actively for some time."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image-size", type=int, nargs="+", default=[128])
    parser.add_argument("--batch-size", type=int, nargs="+", default=[8], help="one or more, such as 1 8 32")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument(
        "--width", type=float, default=1.0, help="factor on the filters; 1 is the real network"
    )
    parser.add_argument("--timesteps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=0, help="also report the longest of so many calls")
    parser.add_argument("--only", nargs="+", choices=COMPETITORS, default=list(COMPETITORS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/network.json"))
    parser.add_argument("--picture", type=Path, default=None, help="also draw the seconds into this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(options, Path(folder))


def report(options: argparse.Namespace, folder: Path) -> None:
    weights = folder / "weights.h5"
    in_process(write_weights, weights, options.width, options.timesteps)
    results: dict[str, Any] = {
        "precision": options.precision,
        "width": options.width,
        "threads": options.threads,
    }
    drawn = {}
    for side in options.image_size:
        for batch in options.batch_size:
            name = f"{side} px, batch {batch}"
            results[name], drawn[name] = measure(options, weights, side, batch)
            show({name: results[name]})
    write(options.out, results)
    if options.picture:
        title = f"BL, {options.timesteps} steps, {options.precision}"
        bars(options.picture, drawn, unit="seconds per image", title=title)


def measure(
    options: argparse.Namespace, weights: Path, side: int, batch: int
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Measure seconds per image, how many times faster "tiles" is, the difference of the answers, and peak memory."""
    competitors = {}
    for name in options.only:
        if not find_spec(COMPETITORS[name][1]) or (options.precision == "bfloat16" and name in FLOAT32_ONLY):
            continue
        settings = (weights, side, batch, options.precision, options.threads)
        competitors[name] = Competitor(name, settings)
    expected = in_process(reference, weights, side, batch)
    try:
        seconds = in_turn(
            {name: other.run for name, other in competitors.items()}, options.rounds, warm=2, rest=REST
        )
        measured: dict[str, Any] = {"machine_reference": REFERENCE}
        for name, other in competitors.items():
            each = [value / batch for value in seconds[name]]
            measured[name] = {
                "seconds_per_image": spread(each),
                "seconds_to_prepare": round(other.prepared, 2),
                "peak_memory_mib": other.peak(),
                "largest_difference": float(np.abs(other.answers() - expected).max()),
                "same_answers": float((other.answers().argmax(-1) == expected.argmax(-1)).mean()),
            }
            first = "tiles" if "tiles" in seconds else next(iter(seconds))
            measured[name][f"times_the_time_of_{first}"] = ratio(seconds[name], seconds[first])
            if options.calls:
                measured[name]["longest_call_per_median"] = longest(other, options.calls)
        return measured, {name: [value / batch for value in values] for name, values in seconds.items()}
    finally:
        for other in competitors.values():
            other.close()


def longest(other: "Competitor", calls: int) -> float:
    seconds = [timed_call(other) for _ in range(calls)]
    return round(max(seconds) / float(np.median(seconds)), 3)


def timed_call(other: "Competitor") -> float:
    began = time.perf_counter()
    other.run()
    return time.perf_counter() - began


class Competitor:
    """Process that predicts one batch when asked."""

    def __init__(self, name: str, settings: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, name, settings), daemon=True)
        self._process.start()
        theirs.close()
        self.prepared = float(self._receive())

    def run(self) -> None:
        self._ask("run")

    def answers(self) -> np.ndarray:
        return np.asarray(self._ask("answers"))

    def peak(self) -> float:
        return float(self._ask("peak"))

    def close(self) -> None:
        self._pipe.close()
        self._process.join(timeout=30)

    def _ask(self, what: str) -> Any:
        self._pipe.send(what)
        return self._receive()

    def _receive(self) -> Any:
        if not self._pipe.poll(600):
            raise TimeoutError(f"no answer from {self._process.name} within 600 s")
        return self._pipe.recv()


def serve(pipe: Any, name: str, settings: tuple[Any, ...]) -> None:
    """Prepare a competitor and predict whenever the other process asks, until it hangs up."""
    from common import peak_memory_mib

    began = time.perf_counter()
    weights, side, batch, precision, threads = settings
    predict = COMPETITORS[name][0](weights, side, batch, precision, threads)
    images = pictures(side, batch)
    answers = np.asarray(predict(images))
    pipe.send(time.perf_counter() - began)
    while True:
        try:
            asked = pipe.recv()
        except EOFError:
            return
        if asked == "run":
            predict(images)
            pipe.send(None)
        else:
            pipe.send(answers if asked == "answers" else peak_memory_mib())


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def pictures(side: int, batch: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (batch, side, side, 3)).astype(np.float32)


def write_weights(path: Path, width: float, timesteps: int) -> None:
    """Write random weights whose activations neither vanish nor explode over time."""
    import keras

    from convrnn_model import bl_net, save_weights

    keras.utils.set_random_seed(0)
    network = bl_net((128, 128, 3), CLASSES, timesteps, width=width)
    for layer in network.layers:
        if layer.name.endswith("LConv"):
            layer.kernel.assign(layer.kernel * 0.5)
        elif layer.name == "ReadoutDense":
            layer.kernel.assign(layer.kernel * 20)
    save_weights(network, path)


def reference(weights: Path, side: int, batch: int) -> np.ndarray:
    from convrnn_model import compile_network

    return np.asarray(compile_network(weights, engine=REFERENCE).predict(pictures(side, batch), batch))


def ours(engine: str) -> Callable[..., Callable[[np.ndarray], np.ndarray]]:
    def prepare(
        weights: Path, side: int, batch: int, precision: Any, threads: int
    ) -> Callable[[np.ndarray], np.ndarray]:
        from convrnn_model import compile_network

        predictor = compile_network(weights, engine=engine, precision=precision, threads=threads)  # type: ignore[arg-type]
        return lambda images: np.asarray(predictor.predict(images, batch))

    return prepare


def openvino_from_onnx(
    weights: Path, side: int, batch: int, precision: str, threads: int
) -> Callable[[np.ndarray], np.ndarray]:
    from convrnn_model.inference.openvino_engine import import_openvino

    ov = import_openvino()
    hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
    settings = {
        "INFERENCE_PRECISION_HINT": hint,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
    }
    model = ov.Core().compile_model(str(write_onnx(weights, side, batch)), "CPU", settings)
    request = model.create_infer_request()

    def predict(images: np.ndarray) -> np.ndarray:
        found = request.infer([np.ascontiguousarray(images.transpose(0, 3, 1, 2))])
        return np.stack([found[i] for i in range(len(model.outputs))], axis=1)

    return predict


def onnx_runtime(
    weights: Path, side: int, batch: int, precision: str, threads: int
) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        write_onnx(weights, side, batch), settings, providers=["CPUExecutionProvider"]
    )

    def predict(images: np.ndarray) -> np.ndarray:
        found = session.run(None, {"image": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})
        return np.stack(found, axis=1)

    return predict


def write_onnx(weights: Path, side: int, batch: int) -> Path:
    """Write the network as ONNX, channels first."""
    from convrnn_model.export import onnx_file
    from convrnn_model.export.graph import Graph
    from convrnn_model.inference.frozen import from_file
    from convrnn_model.inference.operations import group, operations

    network = from_file(weights)
    graph = Graph(weights, network, operations(network), group(network, "softmax"), (side, side), batch)
    path = weights.with_name(f"{os.getpid()}.onnx")
    onnx_file.write(path, graph, {})
    return path


def pytorch(
    weights: Path, side: int, batch: int, precision: str, threads: int
) -> Callable[[np.ndarray], np.ndarray]:
    import torch
    from torch.nn import functional

    from convrnn_model.inference.frozen import from_file
    from convrnn_model.names import READOUT, batch_norm, bottom_up, lateral

    torch.set_num_threads(threads)
    network = from_file(weights)
    kernels = {
        name: torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))).to(
            memory_format=torch.channels_last
        )
        for name, kernel in network.kernels.items()
    }
    statistics = {
        name: [torch.from_numpy(values).reshape(1, -1, 1, 1) for values in pair]
        for name, pair in network.normalizations.items()
    }
    kernel, bias = (torch.from_numpy(values) for values in network.readouts[READOUT])

    def convolve(x: Any, name: str) -> Any:
        return functional.conv2d(x, kernels[name], padding="same")

    def predict(images: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(images).permute(0, 3, 1, 2)
        before: dict[int, Any] = {}
        answers = []
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            first = convolve(x, bottom_up(0))
            for time_step in network.times:
                value = first
                for n in range(len(network.layers)):
                    if n:
                        value = convolve(functional.max_pool2d(value, 2), bottom_up(n))
                    if time_step:
                        value = value + convolve(before[n], lateral(n))
                    scale, shift = statistics[batch_norm(n, time_step)]
                    value = before[n] = functional.relu(value * scale + shift)
                answers.append(torch.softmax(value.mean((2, 3)) @ kernel + bias, -1).float())
        return torch.stack(answers, 1).numpy()

    return predict


def module(*, compiled: bool) -> Callable[..., Callable[[np.ndarray], np.ndarray]]:
    def prepare(
        weights: Path, side: int, batch: int, precision: str, threads: int
    ) -> Callable[[np.ndarray], np.ndarray]:
        import torch

        from convrnn_model import inspect_weights
        from convrnn_model.torch import Network, load_weights
        from convrnn_model.variants import VARIANTS

        torch.set_num_threads(threads)
        info = inspect_weights(weights)
        width = info.filters[-1] / VARIANTS[info.variant].filters[-1]
        network = Network(info.variant, info.classes, info.n_timesteps, width=width)
        load_weights(network, weights)
        network = network.eval().to(memory_format=torch.channels_last)
        call = torch.compile(network) if compiled else network

        def predict(images: np.ndarray) -> np.ndarray:
            x = torch.from_numpy(images).permute(0, 3, 1, 2)
            with (
                torch.inference_mode(),
                torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"),
            ):
                return np.asarray(call(x).softmax(-1).float())

        return predict

    return prepare


COMPETITORS: dict[str, tuple[Callable[..., Callable[[np.ndarray], np.ndarray]], str]] = {
    "tiles": (ours("tiles"), "numba"),
    "openvino": (ours("openvino"), "openvino"),
    "keras": (ours("keras"), "keras"),
    "OpenVINO from ONNX": (openvino_from_onnx, "openvino"),
    "ONNX Runtime": (onnx_runtime, "onnxruntime"),
    "PyTorch": (pytorch, "torch"),
    "convrnn_model.torch": (module(compiled=False), "torch"),
    "convrnn_model.torch, compiled": (module(compiled=True), "torch"),
}
"""Name -> function that prepares it, and the module that it needs."""
FLOAT32_ONLY = ("tiles", "ONNX Runtime")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    main()
