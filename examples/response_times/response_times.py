"""From a folder of photographs to BL's answers, entropy and response times, and one layer's activations."""

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
Width = Annotated[float, typer.Option(help="Factor on the filters; 1 for published weights.")]


def photographs(folder: Path) -> list[Path]:
    """The photographs of a folder, in the order of their names."""
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return found or sys.exit(f"{folder} holds no .jpg, .jpeg or .png; give a folder of photographs.")


def read(paths: list[Path]) -> np.ndarray:
    """The middle square of each, as the network takes it: (n, 128, 128, 3), float32 in [-1, 1]."""
    images = [keras.utils.load_img(path, target_size=(SIDE, SIDE), keep_aspect_ratio=True) for path in paths]
    return preprocess_image(np.stack([np.asarray(image) for image in images]))


def network_of(weights: str, width: float) -> tuple[keras.Model, list[str]]:
    """BL with the weights of a file, or published ones by name, and the names of its categories."""
    path = Path(weights) if Path(weights).exists() else fetch_weights(weights)
    info = inspect_weights(path)
    network = bl_net((SIDE, SIDE, 3), info.classes, info.n_timesteps, width=width)
    load_weights(network, path)
    return network, list(class_names(info.dataset) if info.dataset else map(str, range(info.classes)))


def command_of(main: Callable[..., None]) -> Callable[[], None]:
    """A command of a function's options; errors of convrnn-model are one line."""

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
    layer: Annotated[int, typer.Option(help="The layer whose activations are kept, from 0.")] = 6,
    time: Annotated[int, typer.Option(help="The time step at which they are, from 0.")] = 7,
    out: Annotated[Path, typer.Option(help="A folder for what is found.")] = Path("answers"),
) -> None:
    """Write answers.csv and activations.npy, a row for each photograph in the order of their names."""
    paths = photographs(folder)
    network, names = network_of(weights, width)

    # The answers at all time steps and the layer, in one pass.
    steps, kept = [softmax(t) for t in range(len(network.outputs))], relu(layer, time)
    seen = activations(network, [*steps, kept])
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    parts = [seen.predict_on_batch(read(batch)) for batch in batches]
    answers = np.stack([np.concatenate([part[step] for part in parts]) for step in steps])

    best, doubt = answers.argmax(-1), entropy(answers)  # (time, photographs)
    times, chosen = response_times(answers, threshold), decisions(answers, threshold)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "answers.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        of_time = [f"{what}_{t}" for what in ("answer", "entropy") for t in range(len(steps))]
        table.writerow(["photograph", "response_time", "answer", *of_time])
        for i, path in enumerate(paths):
            # Empty where BL stays undecided to the end.
            decided = (int(times[i]), names[chosen[i]]) if chosen[i] >= 0 else ("", "")
            table.writerow([path.name, *decided, *(names[b] for b in best[:, i]), *doubt[:, i].round(6)])
    np.save(out / "activations.npy", np.concatenate([part[kept] for part in parts]))
    print(f"{len(paths)} photographs, {np.isfinite(times).sum()} decided at {threshold:g} nats: {out}")


command = command_of(main)

if __name__ == "__main__":
    command()
