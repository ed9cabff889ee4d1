"""Detection of near-duplicates of the human stimuli, for every level and crop."""

import csv
import io
import shutil

import numpy as np
import pytest
from PIL import Image, ImageFilter
from typer.testing import CliRunner

from convrnn_data import ConvRNNError, list_stimuli, open_set, prepare, reformat
from convrnn_data.cli import app
from convrnn_data.imagenet.near_duplicates import (
    BITS,
    LIMIT,
    NOISY_LIMIT,
    StimulusHashes,
    hash_image,
    hash_views,
)
from convrnn_data.shards.images import decode

ALL = {"images": "all", "workers": 1}
SIDE = 224


def photograph(seed):
    """Return an image with the spectrum of a photograph."""
    rng = np.random.default_rng(seed)
    size = (240, 360)
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in size), indexing="ij")) + 1 / 360
    shape = np.fft.ifft2(np.fft.fft2(rng.standard_normal(size)) / frequency).real
    tint = rng.random((3, 1, 1)) * 0.5 + 0.5
    pixels = 128 + 45 * tint * shape / shape.std() + 5 * rng.standard_normal((3, 1, 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def encoded(image):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92)
    return out.getvalue()


def squashed(image):
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def cropped(image, share=1.0):
    side = min(image.size) * share
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, (left, top, left + side, top + side))


def noisy(image, sd):
    """Return the image in gray, at contrast 0.2, with Gaussian noise."""
    gray = np.asarray(image.convert("L"), float) / 255
    shown = 0.5 + 0.2 * (gray - gray.mean()) + np.random.default_rng(0).normal(0, sd, gray.shape)
    return Image.fromarray(np.rint(255 * shown.clip(0, 1)).astype(np.uint8)).convert("RGB")


LEVELS = {
    "color_gray_c": lambda image: image,
    "color_gray_g": lambda image: image.convert("L").convert("RGB"),
    "noise_0": lambda image: noisy(image, 0),
    "noise_0.04": lambda image: noisy(image, 0.04),
    "noise_0.16": lambda image: noisy(image, 0.16),
    "blur_3": lambda image: image.filter(ImageFilter.GaussianBlur(3)),
    "blur_9": lambda image: image.filter(ImageFilter.GaussianBlur(9)),
}
FOLDERS = {"color": "ColorGraySplit", "noise": "NoiseSplit_gray_contrast0.2", "blur": "BlurSplit_color"}
USED, UNUSED = range(7), range(7, 30)


@pytest.fixture(scope="module")
def photographs():
    return [photograph(seed) for seed in (*USED, *UNUSED)]


@pytest.fixture(scope="module")
def human(photographs, tmp_path_factory):
    """Write stimuli as on OSF, one per level, from the first seven images, alternately squashed and cropped."""
    root = tmp_path_factory.mktemp("human")
    for folder in FOLDERS.values():
        for block in range(5):
            (root / folder / str(block)).mkdir(parents=True)
    for number, (level, change) in enumerate(LEVELS.items()):
        shown = (squashed if number % 2 else cropped)(photographs[number])
        place = root / FOLDERS[level.partition("_")[0]] / str(number % 5)
        (place / f"{number}_{level}_dog.JPEG").write_bytes(encoded(change(shown)))
    return root


@pytest.fixture(scope="module")
def validation(photographs, tmp_path_factory):
    """Provide a class folder of all images."""
    folder = tmp_path_factory.mktemp("validation") / "n02085782"
    folder.mkdir()
    for number, image in enumerate(photographs, start=1):
        (folder / f"ILSVRC2012_val_{number:08d}.JPEG").write_bytes(encoded(image))
    return folder.parent


def test_near_duplicates_of_each_level_are_found_and_no_others(class_folders, validation, human, tmp_path):
    out = tmp_path / "set"
    done = prepare(class_folders, out, validation=validation, exclude_stimuli=human, **ALL)
    assert done.near_duplicates == {"left_out": 7, "stimuli": 7, "matched": 7}
    prepared = open_set(out)
    assert prepared.near_duplicates == done.near_duplicates
    assert sorted(prepared.table("val").keys) == [f"ILSVRC2012_val_{number + 1:08d}" for number in UNUSED]
    with open(out / "rejected.csv", newline="") as file:
        rejected = dict(list(csv.reader(file))[1:])
    assert rejected == {
        f"n02085782/ILSVRC2012_val_{number + 1:08d}.JPEG": "near-duplicate of the human stimulus "
        f"{number}_{level}_dog_exit{number % 5}.JPEG"
        for number, level in enumerate(LEVELS)
    }


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("share", [None, 1.0, 0.96, 0.93, 0.9, 0.875])
def test_near_duplicates_are_found_for_every_crop(level, share, photographs):
    for image in photographs[:5]:
        shown = squashed(image) if share is None else cropped(image, share)
        stimulus = hash_image(decode(encoded(LEVELS[level](shown))))
        distance = (hash_views(image) != stimulus).sum(axis=1).min()
        assert distance <= (NOISY_LIMIT if level == "noise_0.16" else LIMIT)


def test_layout_and_order_of_the_stimuli_do_not_matter(class_folders, validation, human, tmp_path, digests):
    reformat(human, tmp_path / "folders")
    reformat(human, tmp_path / "shards", "shards")
    sets = []
    for name, stimuli in (("a", human), ("b", tmp_path / "folders"), ("c", tmp_path / "shards")):
        prepare(class_folders, tmp_path / name, validation=validation, exclude_stimuli=stimuli, **ALL)
        sets.append(digests(tmp_path / name))
    assert sets[0] == sets[1] == sets[2]


def test_bytes_do_not_depend_on_the_number_of_workers(class_folders, validation, human, tmp_path, digests):
    options = {"validation": validation, "exclude_stimuli": human}
    prepare(class_folders, tmp_path / "one", **options, **ALL)
    prepare(class_folders, tmp_path / "two", **options, **{**ALL, "workers": 2})
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_other_stimuli_change_the_plan(class_folders, validation, human, tmp_path):
    prepare(class_folders, tmp_path / "set", validation=validation, exclude_stimuli=human, **ALL)
    fewer = shutil.copytree(human, tmp_path / "fewer")
    next(fewer.rglob("*_9_*")).unlink()
    for stimuli in (None, fewer):
        with pytest.raises(ConvRNNError, match="another plan: stimuli"):
            prepare(class_folders, tmp_path / "set", validation=validation, exclude_stimuli=stimuli, **ALL)


def test_a_damaged_validation_image_is_not_compared(class_folders, validation, human, tmp_path, photographs):
    broken = shutil.copytree(validation, tmp_path / "validation")
    path = broken / "n02085782/ILSVRC2012_val_00000001.JPEG"
    path.write_bytes(path.read_bytes()[:500])
    done = prepare(class_folders, tmp_path / "set", validation=broken, exclude_stimuli=human, **ALL)
    assert done.near_duplicates == {"left_out": 6, "stimuli": 7, "matched": 6}
    assert "is truncated within its header" in (tmp_path / "set/rejected.csv").read_text()


def test_damaged_and_missing_stimuli_are_errors(class_folders, validation, human, tmp_path):
    broken = shutil.copytree(human, tmp_path / "human")
    path = list_stimuli(broken)[0].path
    path.write_bytes(b"\xff\xd8 cut")
    for stimuli, expected in (
        (broken, "cannot compare the images with stimulus .*: the JPEG's header is damaged"),
        (validation, "is not the human test set"),
    ):
        with pytest.raises(ConvRNNError, match=expected):
            prepare(class_folders, tmp_path / "set", validation=validation, exclude_stimuli=stimuli, **ALL)
        assert not (tmp_path / "set").exists()


def test_the_nearest_stimulus_is_the_one_furthest_within_its_limit():
    rng = np.random.default_rng(0)
    image = rng.random((1, 1, BITS)) < 0.5
    bits = np.repeat(image[0], 3, axis=0)
    for row, differing in enumerate((60, 70, 70)):
        bits[row, :differing] ^= True
    stimuli = StimulusHashes(["a", "b", "c"], bits, np.array([64, 64, 84]), "")
    nearest, matched = stimuli.match(image)
    assert nearest.tolist() == [2]
    assert matched.tolist() == [True, False, True]
    stimuli = StimulusHashes(["a", "b", "c"], bits, np.array([59, 69, 69]), "")
    nearest, matched = stimuli.match(image)
    assert nearest.tolist() == [-1]
    assert not matched.any()


def test_the_command_counts_near_duplicates(class_folders, validation, human, tmp_path):
    command = ["prepare", str(class_folders), str(tmp_path / "set"), "--images", "all", "--workers", "1"]
    command += ["--validation", str(validation), "--exclude-stimuli", str(human)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "30 images, 30 of the 16 categories" in done.output
    assert "7 near-duplicates of the human stimuli are left out; 7 of 7 stimuli have one." in done.output
