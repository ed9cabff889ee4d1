"""Commands and snippets of the documentation, run in a folder like a fresh clone.

Only sizes differ: wrappers in `.venv/bin` add options for a tiny network and sample to the commands. Drawn images in
the same layouts replace ImageNet, and randomly initialised files of the same shapes replace the published weights.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from pages import BLOCKS, MEASURED, REPOSITORY
from pages import PAGES as EVERY

from convrnn_data.sample.sample import draw_sample

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

PAGES = [page for page in EVERY if page.name not in MEASURED]
BIN = Path(sys.executable).parent
TINY = {"--width": "0.02", "--image-size": "64", "--epochs": "1", "--batch-size": "16", "--views": "1"}
SHIM = """\
#!{python}
import os, sys
name, words = {name!r}, sys.argv[1:]
if (name, *words[:1]) == ("convrnn", "train"):
    words += {tiny!r}
    if "none" not in words and not any("runs/" in word and word.endswith(".h5") for word in words):
        words += ["--weights", {weights!r}]
elif (name, *words[:1]) == ("convrnn-data", "sample"):
    words += ["--images-per-category", "4", "--trials", "32", "--observers", "2"]
elif (name, *words[:1]) == ("convrnn-data", "prepare"):
    words += ["--images", "all", "--val", "0.25"]
os.execv({real!r}, [{real!r}, *words])
"""
WRITE_WEIGHTS = """
import sys
from convrnn_model import bl_net, save_weights
save_weights(bl_net((128, 128, 3), 1000), sys.argv[1] + "/bl_imagenet.h5")
save_weights(bl_net((128, 128, 3), 565), sys.argv[1] + "/bl_ecoset.h5")
save_weights(bl_net((64, 64, 3), 1000, width=0.02), sys.argv[2])
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory) -> Path:
    """Provide /path/to of the pages: ImageNet as folders and as tars, and the download from OSF."""
    folder = tmp_path_factory.mktemp("outside")
    draw_sample(folder / "sample", images_per_category=4, trials=32, observers=2)
    (folder / "sample/imagenet").rename(folder / "ILSVRC2012")
    (folder / "sample/human").rename(folder / "osf")
    with tarfile.open(folder / "ILSVRC2012_img_train.tar", "w") as outer:
        for synset in sorted((folder / "ILSVRC2012/train").iterdir()):
            inner = folder / f"{synset.name}.tar"
            with tarfile.open(inner, "w") as tar:
                for image in sorted(synset.iterdir()):
                    tar.add(image, image.name)
            outer.add(inner, inner.name)
            inner.unlink()
    labels = []
    with tarfile.open(folder / "ILSVRC2012_img_val.tar", "w") as tar:
        for number, image in enumerate(sorted((folder / "ILSVRC2012/train").glob("*/*.JPEG")), start=1):
            tar.add(image, f"ILSVRC2012_val_{number:08d}.JPEG")
            labels.append(f"ILSVRC2012_val_{number:08d},{image.parent.name} 1 2 3 4 \n")
    (folder / "LOC_val_solution.csv").write_text("".join(["ImageId,PredictionString\n", *labels]))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Provide a cache with randomly initialised files of the published shapes, and a tiny one."""
    folder = tmp_path_factory.mktemp("weights")
    subprocess.run([sys.executable, "-c", WRITE_WEIGHTS, folder, folder / "tiny.h5"], check=True)
    return folder


@pytest.fixture
def clone(tmp_path, weights) -> Path:
    """Provide a folder like a clone after `make setup`."""
    for path in REPOSITORY.iterdir():
        if path.is_file() or path.name == "packages":
            (tmp_path / path.name).symlink_to(path)
    for folder in (".venv/bin", ".tools/bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".tools/bin/uv").symlink_to(BIN / "uv")
    for name in ("convrnn", "convrnn-data", "convrnn-model", "python"):
        shim = tmp_path / ".venv/bin" / name
        tiny = [word for pair in TINY.items() for word in pair]
        real, small = str(BIN / name), str(weights / "tiny.h5")
        shim.write_text(SHIM.format(python=sys.executable, name=name, tiny=tiny, weights=small, real=real))
        shim.chmod(0o755)
    (tmp_path / "bl_imagenet.h5").symlink_to(weights / "bl_imagenet.h5")
    (tmp_path / ".venv/.ready").touch()
    return tmp_path


def _run(words: list[str], folder: Path, weights: Path) -> subprocess.CompletedProcess:
    settings = {"CONVRNN_CACHE": str(weights), "CONVRNN_MIRROR": "http://127.0.0.1:9"}  # no server
    return subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_run_in_order(page, clone, outside, weights):
    blocks = [
        block for block in BLOCKS if block.page == page and block.language == "bash" and not block.not_run
    ]
    if page.name == "faq.md" and blocks:  # the page assumes a prepared set
        assert _run(["make", "data"], clone, weights).returncode == 0
    for block in blocks:
        text = block.text.replace("/path/to/", f"{outside}/")
        if "my_network.csv" in text:  # answers that a reader of the page has
            shutil.copy(clone / "runs/color/evaluation/color/predictions.csv", clone / "my_network.csv")
        done = _run(["bash", "-euo", "pipefail", "-c", text], clone, weights)
        assert done.returncode == 0, f"{block}\n{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_run_in_order(page, clone, weights):
    blocks = [
        block for block in BLOCKS if block.page == page and block.language == "python" and not block.not_run
    ]
    for block in blocks:
        done = _run([sys.executable, "-c", block.text], clone, weights)
        assert done.returncode == 0, f"{block}\n{block.text}\n{done.stderr[-2000:]}"
