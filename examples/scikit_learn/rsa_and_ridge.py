"""Representational similarity analysis and ridge regression on BL's layers at every time step."""

import csv
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from convrnn_model import (
    ConvRNNError,
    compile_network,
    fetch_weights,
    inspect_weights,
    preprocess_image,
    relu,
)

try:
    from PIL import Image, ImageOps
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold, cross_val_predict
except ImportError as error:
    sys.exit(f"cannot import {error.name}. Install what the example needs: pip install scikit-learn pillow")

SIDE = 128  # px, at which the published networks were trained


def read(paths: list[Path]) -> np.ndarray:
    """Read the central square of each photograph as (n, 128, 128, 3), float32 in [-1, 1]."""
    images = [ImageOps.fit(Image.open(path).convert("RGB"), (SIDE, SIDE)) for path in paths]
    return preprocess_image(np.stack([np.asarray(image) for image in images]))


def rsa(features: np.ndarray, model: np.ndarray) -> float:
    """Correlate the dissimilarities of features, 1 - Pearson's r, with those of a model.

    Args:
        features: (images, ...).
        model: Dissimilarity of each pair of images, in the order of `scipy.spatial.distance.pdist`.

    Returns:
        Spearman's rho.
    """
    return float(spearmanr(pdist(features.reshape(len(features), -1), "correlation"), model).statistic)


def ridge(features: np.ndarray, targets: np.ndarray, folds: int = 5) -> float:
    """Predict each fold of the images from the others, which also choose the penalty of each measurement.

    Args:
        features: (images, ...).
        targets: (images, measurements).
        folds: Number of folds, drawn with a fixed seed.

    Returns:
        R² of the predictions, averaged over measurements.
    """
    # Features are not standardised: many are almost always 0, and would be divided by almost 0.
    model = RidgeCV(np.logspace(-2, 8, 11), alpha_per_target=True)
    split = KFold(folds, shuffle=True, random_state=0)
    predictions = cross_val_predict(model, features.reshape(len(features), -1), targets, cv=split)
    return float(r2_score(targets, predictions))


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with one folder of photographs per category.")],
    weights: Annotated[str, typer.Option(help="Published weights by name, or a file.")] = "bl_imagenet",
    layer: Annotated[list[int], typer.Option(help="Layer, from 0; several are possible.")] = [2, 4, 6],  # noqa: B006
    targets: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns image and one or more measurements; else the categories."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Output file.")] = Path("scores.csv"),
) -> None:
    """Write RSA with a model of the categories, and R² of ridge regression, per layer and time step."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    categories, labels = np.unique([path.parent.name for path in paths], return_inverse=True)
    if len(categories) < 2:
        sys.exit(f"{folder} must have at least two folders of photographs, got {len(categories)}.")
    measured = np.eye(len(categories))[labels]
    if targets:
        with targets.open(newline="", encoding="utf-8") as file:
            rows = {row.pop("image"): list(map(float, row.values())) for row in csv.DictReader(file)}
        missing = [path.name for path in paths if path.name not in rows]
        if missing:
            sys.exit(f"{targets} lacks {', '.join(missing[:3])}. Add a row for each photograph.")
        measured = np.array([rows[path.name] for path in paths])
    path = Path(weights) if Path(weights).exists() else fetch_weights(weights)
    names = {(n, t): relu(n, t) for n in layer for t in range(inspect_weights(path).n_timesteps)}
    features = compile_network(path, outputs=list(names.values())).predict(read(paths))
    same = pdist(labels[:, None]) > 0  # the model: images of different categories are dissimilar

    with out.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["layer", "time", "rsa", "ridge"])
        for (n, t), name in names.items():
            table.writerow(
                [n, t, f"{rsa(features[name], same):.4f}", f"{ridge(features[name], measured):.4f}"]
            )
    print(
        f"{len(paths)} photographs, {len(categories)} categories, {len(names)} layers and time steps: {out}"
    )


if __name__ == "__main__":
    try:
        typer.run(main)
    except ConvRNNError as error:
        sys.exit(str(error))
