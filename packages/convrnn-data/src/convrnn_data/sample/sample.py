"""Synthetic sample: a tiny ImageNet, human stimuli and simulated observers, to try everything without a download.

Images are drawn (`drawing.py`) and observers simulated (`simulated_observers.py`). Only the layout, the grammar of file
names and the synset ids are real.
"""

import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from convrnn_data.base.atomic import atomic_folder
from convrnn_data.base.console import Report, silent
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.process_pool import available_cores, map_in_processes
from convrnn_data.base.random_streams import Stream
from convrnn_data.base.reading import require_posix
from convrnn_data.categories import shipped_lists
from convrnn_data.human.experiment import BLOCKS
from convrnn_data.sample.drawing import OBJECTS, draw
from convrnn_data.sample.simulated_observers import CURVES, simulate_observer

SYNSETS: dict[str, tuple[str, ...]] = {
    "airplane": ("n02690373",),
    "bear": ("n02132136", "n02133161", "n02134084"),
    "bicycle": ("n02835271", "n03792782"),
    "bird": ("n01514859", "n01582220", "n01820546"),
    "boat": ("n02951358", "n03344393", "n04612504"),
    "bottle": ("n02823428", "n03983396", "n04591713"),
    "car": ("n02814533", "n03100240", "n04285008"),
    "cat": ("n02123045", "n02123159", "n02123394"),
    "chair": ("n02791124", "n03376595", "n04099969"),
    "clock": ("n02708093", "n03196217", "n04548280"),
    "dog": ("n02088364", "n02097658", "n02113023"),
    "elephant": ("n02504013", "n02504458"),
    "keyboard": ("n03085013", "n04505470"),
    "knife": ("n03041632",),
    "oven": ("n04111531",),
    "truck": ("n03417042", "n03796401", "n04467665"),
}
"""Category -> at most three synsets of ImageNet, from Geirhos' lists (CC BY 4.0)."""

OTHER_SYNSETS = ("n01440764", "n01443537", "n03445777", "n07747607")
"""Synsets outside the 16 categories, which `prepare` leaves out: tench, goldfish, golf ball, orange."""

FOLDERS = {"color_gray": "ColorGraySplit", "noise": "NoiseSplit_gray_contrast0.2", "blur": "BlurSplit_color"}
"""Experiment -> folder of stimuli, as on OSF."""

STIMULUS_SIZE = 224
CONTRAST = 0.2
_LUMA = (0.2989, 0.587, 0.114)
_GRAYSCALE_SHARE = 0.04
_BATCH = 24
_README = """This folder is a sample made by `convrnn-data sample` (seed {seed}).

Its images are DRAWN by a program and its observers are SIMULATED: it has no photographs and no human data.
It has the layout of ImageNet (imagenet/train/<synset>/<synset>_<number>.JPEG) and of SATBench's
human stimuli and answers (human/), to try everything without a download.
Figures made from it say nothing about humans or about networks trained on photographs.
"""


@dataclass(frozen=True)
class ImageSpec:
    """Specification of an image to draw, which determines every pixel.

    Attributes:
        path: Path relative to the sample.
        stream: Seed of the random generator: (seed, stream, index, ...).
        category: Category of the object; None for none of the 16.
        experiment: Experiment of a stimulus; empty for a training image.
        level: Level of the experiment, as in the file name.
    """

    path: str
    stream: tuple[int, ...]
    category: str | None
    experiment: str = ""
    level: str = ""


def draw_sample(
    out: Path,
    *,
    seed: int = 0,
    images_per_category: int = 100,
    trials: int = 210,
    observers: int = 8,
    workers: int | None = None,
    report: Report = silent,
) -> None:
    """Write a drawn ImageNet, drawn human stimuli and simulated observers into the folder `out`.

    The same arguments give the same bytes, whatever the number of workers. The folder is written atomically.

    Args:
        out: A new or empty folder.
        seed: Seed of all random numbers.
        images_per_category: Training images of each category.
        trials: Stimuli in each response-time block of each experiment; 210 in the real experiments.
        observers: Simulated observers of each experiment.
        workers: Number of processes; one per core by default.
        report: Progress callback.

    Raises:
        ConvRNNError: A number is out of range, or `out` is not a new or empty folder, or cannot be written.
    """
    require_posix("convrnn-data")
    smallest = {"seed": 0, "images_per_category": 1, "trials": 1, "observers": 0}
    given = {
        "seed": seed,
        "images_per_category": images_per_category,
        "trials": trials,
        "observers": observers,
    }
    for name, least in smallest.items():
        if given[name] < least:
            raise ConvRNNError(f"{name} must be at least {least}, got {given[name]}")
    out = Path(out)
    stimuli = plan_stimuli(trials, seed=seed)
    specs = [*plan_training(images_per_category, seed=seed), *stimuli]
    with atomic_folder(out) as folder:
        (folder / "README.txt").write_text(_README.format(seed=seed), encoding="utf-8")
        for done, (path, data) in enumerate(_drawn(specs, workers), start=1):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            if done % _BATCH == 0 or done == len(specs):
                report("drawing", done, len(specs))
        _write_answers(folder / "human", stimuli, observers, seed, report)


def plan_training(images_per_category: int, *, seed: int) -> list[ImageSpec]:
    """Specify training images of each category, distributed over the synsets, and some of no category."""
    specs = []
    for number, (category, synsets) in enumerate(SYNSETS.items()):
        for i, path in enumerate(_training_paths(synsets, images_per_category)):
            specs.append(ImageSpec(path, (seed, Stream.TRAINING_IMAGE, number, i), category))
    others = max(len(OTHER_SYNSETS), images_per_category // 4)
    for i, path in enumerate(_training_paths(OTHER_SYNSETS, others)):
        specs.append(ImageSpec(path, (seed, Stream.OTHER_IMAGE, i), None))
    return specs


def _training_paths(synsets: Sequence[str], count: int) -> list[str]:
    """Return `count` file names for synsets in turn; listed names first, since `prepare` selects those."""
    listed = shipped_lists().numbers
    numbers = {synset: listed[synset].tolist() if synset in listed else [] for synset in synsets}
    paths = []
    for i in range(count):
        synset = synsets[i % len(synsets)]
        known, turn = numbers[synset], i // len(synsets)
        if turn == len(known):
            known.append(known[-1] + 1 if known else 1)
        paths.append(f"imagenet/train/{synset}/{synset}_{known[turn]}.JPEG")
    return paths


def plan_stimuli(trials: int, *, seed: int) -> list[ImageSpec]:
    """Specify the human stimuli, with categories and levels balanced in every block of every experiment."""
    specs = []
    for number, (experiment, curves) in enumerate(CURVES.items()):
        levels = list(curves)
        for block in range(BLOCKS):
            rng = np.random.default_rng([seed, Stream.STIMULUS_IMAGE, number, block])
            for i, (category, level) in enumerate(_balanced(rng, list(OBJECTS), levels, trials)):
                name = f"{i}_{experiment}_{level}_{category}.JPEG"
                path = f"human/{FOLDERS[experiment]}/{block}/{name}"
                stream = (seed, Stream.STIMULUS_IMAGE, number, block, i)
                specs.append(ImageSpec(path, stream, category, experiment, level))
    return specs


def _balanced(rng: Generator, categories: list[str], levels: list[str], count: int) -> list[tuple[str, str]]:
    """Return `count` pairs in random order; counts of categories, and of levels, differ by at most one."""
    categories = [categories[i] for i in rng.permutation(len(categories))]
    levels = [levels[i] for i in rng.permutation(len(levels))]
    # Both lists are cycled in parallel; after a full period, one is shifted so that every pair occurs.
    period = math.lcm(len(categories), len(levels))
    pairs = [(categories[i % len(categories)], levels[(i + i // period) % len(levels)]) for i in range(count)]
    return [pairs[i] for i in rng.permutation(count)]


def render(spec: ImageSpec) -> bytes:
    """Draw an image and encode it as JPEG."""
    rng = np.random.default_rng(spec.stream)
    if spec.experiment:
        image = draw(rng, spec.category, (STIMULUS_SIZE, STIMULUS_SIZE))
        image = perturb_stimulus(rng, image, spec.experiment, spec.level)
        return _jpeg(image, quality=92)
    short, aspect = int(rng.integers(100, 161)), rng.uniform(1, 1.4)
    size = (short, round(short * aspect))
    image = draw(rng, spec.category, size if rng.random() < 0.4 else size[::-1])
    if rng.random() < _GRAYSCALE_SHARE:
        image = image.convert("L")
    return _jpeg(image, quality=int(rng.integers(75, 96)))


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def perturb_stimulus(rng: Generator, image: Image.Image, experiment: str, level: str) -> Image.Image:
    """Perturb an RGB image as in the human experiments.

    Color and gray: level `c` is unchanged, `g` is luma on three channels. Blur: Gaussian; the level is the SD in
    pixels. Noise: gray, mean 0.5, contrast 0.2 about it, and Gaussian noise whose SD is the level, truncated at 2 SD by
    redrawing.
    """
    if experiment == "blur":
        return image.filter(ImageFilter.GaussianBlur(float(level))) if float(level) else image
    if level == "c":
        return image
    gray = np.asarray(image, dtype=np.float64) @ np.array(_LUMA) / 255
    if experiment == "noise":
        gray = 0.5 + CONTRAST * (gray - gray.mean()) + float(level) * _truncated_normal(rng, gray.shape)
    pixels = np.clip(np.rint(255 * gray), 0, 255).astype(np.uint8)
    return Image.fromarray(np.repeat(pixels[:, :, None], 3, axis=2))


def _truncated_normal(rng: Generator, shape: tuple[int, ...]) -> np.ndarray:
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(int(outside.sum()))
    return values


def _render_all(specs: Sequence[ImageSpec]) -> list[tuple[str, bytes]]:
    return [(spec.path, render(spec)) for spec in specs]


def _drawn(specs: Sequence[ImageSpec], workers: int | None) -> Iterator[tuple[str, bytes]]:
    """Draw in several processes; the caller writes the files, so that nothing is written after an error."""
    batches = [specs[i : i + _BATCH] for i in range(0, len(specs), _BATCH)]
    # Starting processes takes as long as drawing several hundred images.
    jobs = workers or (1 if len(specs) < 400 else available_cores())
    if jobs == 1:
        for batch in batches:
            yield from _render_all(batch)
        return
    with contextlib.closing(map_in_processes(_render_all, batches, jobs, ordered=True)) as rendered:
        for drawn in rendered:
            yield from drawn


def _write_answers(
    human: Path, stimuli: Sequence[ImageSpec], observers: int, seed: int, report: Report
) -> None:
    """Write one `jatos_results_simulated_*.txt` for each experiment."""
    total = observers * len(CURVES)
    for number, experiment in enumerate(CURVES):
        blocks: list[list[tuple[str, str, str]]] = [[] for _ in range(BLOCKS)]
        for spec in stimuli:
            if spec.experiment == experiment and spec.category is not None:
                path = Path(spec.path)
                blocks[int(path.parent.name)].append((path.name, spec.level, spec.category))
        with (human / f"jatos_results_simulated_{experiment}.txt").open(
            "w", encoding="utf-8", newline="\n"
        ) as file:
            for observer in range(observers):
                file.write(simulate_observer(experiment, observer, blocks, seed=seed) + "\n")
                report("simulating observers", number * observers + observer + 1, total)
