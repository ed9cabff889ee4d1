"""Fixtures: a small generated ImageNet in three layouts, human stimuli, and comparison of folders."""

import gc
import hashlib
import io
import shutil
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset
from PIL import Image

# One synset of every category, several of two of them, and two of other categories.
SYNSETS = (
    *("n02690373", "n02132136", "n02835271"),
    *("n01514859", "n02951358", "n02823428"),
    *("n02814533", "n02123045", "n02791124"),
    *("n02708093", "n02085782", "n02504013"),
    *("n03085013", "n03041632", "n04111531"),
    *("n03417042", "n02085936", "n02086079"),
    *("n01530575", "n02128757", "n01440764"),
)


def jpeg(seed: int, size: tuple[int, int] = (24, 18), mode: str = "RGB", form: str = "JPEG") -> bytes:
    """Return a small image of noise, different for every seed."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0]) if channels == 1 else (size[1], size[0], channels)
    pixels = np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels, mode if mode == "CMYK" else None).save(out, form)
    return out.getvalue()


@pytest.fixture(scope="session")
def make_jpeg() -> Callable[..., bytes]:
    return jpeg


@pytest.fixture(scope="session")
def class_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide `train/<wnid>/*.JPEG`: 21 synsets of 6 images, 19 of the categories. Must not be changed."""
    root = tmp_path_factory.mktemp("folders")
    for number, synset in enumerate(SYNSETS):
        folder = root / "train" / synset
        folder.mkdir(parents=True)
        for image in range(6):
            data = jpeg(100 * number + image, (20 + number, 15 + image))
            (folder / f"{synset}_{image * 7 + 1}.JPEG").write_bytes(data)
    return root


@pytest.fixture(scope="session")
def class_tars(class_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the same images as class tars, written by `tarfile` in another order."""
    root = tmp_path_factory.mktemp("tars")
    for folder in sorted((class_folders / "train").iterdir()):
        with tarfile.open(root / f"{folder.name}.tar", "w", format=tarfile.GNU_FORMAT) as tar:
            for path in sorted(folder.iterdir(), reverse=True):
                tar.add(path, path.name)
    return root


@pytest.fixture(scope="session")
def tar_of_tars(class_tars: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the same images as a tar of tars."""
    path = tmp_path_factory.mktemp("outer") / "ILSVRC2012_img_train.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for inner in sorted(class_tars.iterdir(), reverse=True):
            tar.add(inner, inner.name)
    return path


@pytest.fixture
def own_folders(class_folders: Path, tmp_path: Path) -> Path:
    """Provide a copy of the class folders that a test may change."""
    return Path(shutil.copytree(class_folders, tmp_path / "own"))


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="session", name="digests")
def digests_fixture() -> Callable[[Path], dict[str, str]]:
    return digests


@pytest.fixture(scope="session")
def stimuli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide human stimuli as on OSF: three experiments, five blocks, all levels, all categories, and `train`."""
    root = tmp_path_factory.mktemp("oscar_carlos") / "osf"
    experiments = {
        "ColorGraySplit": ("color_gray", ("c", "g")),
        "BlurSplit_color": ("blur", ("0", "3", "9")),
        "NoiseSplit_gray_contrast0.2": ("noise", ("0", "0.04", "0.16")),
    }
    categories = ("car", "bird", "boat", "dog")
    for folder, (experiment, levels) in experiments.items():
        for block in range(5):
            place = root / folder / str(block)
            place.mkdir(parents=True)
            for index in range(6):
                name = f"{index}_{experiment}_{levels[index % len(levels)]}_{categories[(index + block) % 4]}.JPEG"
                (place / name).write_bytes(jpeg(hash((experiment == "blur", block, index)) % 1000, (28, 28)))
        (root / folder / "train").mkdir()
        (root / folder / "train" / "1.JPEG").write_bytes(b"not test data")
    (root / "jatos_results_1.txt").write_text("[]")
    return root


@pytest.fixture
def through_webdataset() -> Callable[..., list[dict[str, Any]]]:
    """Return a function that reads the samples of a split with webdataset."""

    def read(out: Path, split: str = "train") -> list[dict[str, Any]]:
        shards = sorted(str(path) for path in (out / split).glob("*.tar"))
        with warnings.catch_warnings():
            # webdataset leaves files for the garbage collector to close.
            warnings.simplefilter("ignore", ResourceWarning)
            samples = list(webdataset.WebDataset(shards, shardshuffle=False))
            gc.collect()
        return samples

    return read
