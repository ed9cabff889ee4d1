"""Compute BL's answers, entropy and response times for a folder of photographs, and the activations of one layer."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import typer

from convrnn_model import (
    ConvRNNError,
    activations,
    bl_net,
    class_names,
    decisions,
    entropy,
    fetch_weights,
    inspect_weights,
    load_weights,
    preprocess_image,
    relu,
    response_times,
    softmax,
)

SIDE = 128  # px, at which the published networks were trained
BATCH = 32

Weights = Annotated[str, typer.Option(help="bl_imagenet, bl_ecoset, or a file.")]
Width = Annotated[float, typer.Option(help="Factor on the number of filters; 1 for published weights.")]


def photographs(folder: Path) -> list[Path]:
    """Return the photographs of a folder, sorted by name."""
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return found or sys.exit(f"{folder} has no .jpg, .jpeg or .png file. Give a folder of photographs.")


def read(paths: list[Path]) -> np.ndarray:
    """Read the central square of each photograph as (n, 128, 128, 3), float32 in [-1, 1]."""
    images = [keras.utils.load_img(path, target_size=(SIDE, SIDE), keep_aspect_ratio=True) for path in paths]
    return preprocess_image(np.stack([np.asarray(image) for image in images]))


def network_of(weights: str, width: float) -> tuple[keras.Model, list[str]]:
    """Return BL with the weights of a file, or published weights by name, and the names of its categories."""
    path = Path(weights) if Path(weights).exists() else fetch_weights(weights)
    info = inspect_weights(path)
    network = bl_net((SIDE, SIDE, 3), info.classes, info.n_timesteps, width=width)
    load_weights(network, path)
    return network, list(class_names(info.dataset) if info.dataset else map(str, range(info.classes)))


def command_of(main: Callable[..., None]) -> Callable[[], None]:
    """Return a command with the options of `main`, which prints errors of convrnn-model in one line."""

    def command() -> None:
        try:
            typer.run(main)
        except ConvRNNError as error:
            sys.exit(str(error))

    return command


def main(
    folder: Annotated[Path, typer.Argument(help="Photographs, .jpg or .png.")],
    weights: Weights = "bl_imagenet",
    width: Width = 1.0,
    threshold: Annotated[float, typer.Option(help="Entropy at which BL answers, nats.")] = 1.0,
    layer: Annotated[int, typer.Option(help="Layer whose activations are saved, from 0.")] = 6,
    time: Annotated[int, typer.Option(help="Time step of these activations, from 0.")] = 7,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("answers"),
) -> None:
    """Write answers.csv and activations.npy, one row per photograph, sorted by name."""
    paths = photographs(folder)
    network, names = network_of(weights, width)

    # All outputs and the layer in one pass.
    steps, layer_name = [softmax(t) for t in range(len(network.outputs))], relu(layer, time)
    outputs = activations(network, [*steps, layer_name])
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    parts = [outputs.predict_on_batch(read(batch)) for batch in batches]
    answers = np.stack([np.concatenate([part[step] for part in parts]) for step in steps])

    best, entropies = answers.argmax(-1), entropy(answers)  # (time, photographs)
    times, chosen = response_times(answers, threshold), decisions(answers, threshold)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "answers.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        columns = [f"{what}_{t}" for what in ("answer", "entropy") for t in range(len(steps))]
        table.writerow(["photograph", "response_time", "answer", *columns])
        for i, path in enumerate(paths):
            # Empty where BL never decides.
            decided = (int(times[i]), names[chosen[i]]) if chosen[i] >= 0 else ("", "")
            table.writerow([path.name, *decided, *(names[b] for b in best[:, i]), *entropies[:, i].round(6)])
    np.save(out / "activations.npy", np.concatenate([part[layer_name] for part in parts]))
    print(f"{len(paths)} photographs, {np.isfinite(times).sum()} decided at {threshold:g} nats: {out}")


command = command_of(main)

if __name__ == "__main__":
    command()
