"""The snippets of the page on other libraries run, each in a process of its own, on a small set."""

import os
import shutil
import subprocess
import sys

import pyarrow.parquet
import pytest
from pages import BLOCKS
from PIL import Image

from convrnn_data import CATEGORIES, open_set, prepare
from convrnn_data.sample.sample import draw_sample

PAGE = [block for block in BLOCKS if block.page.name == "reading-shards.md" and block.language == "python"]


def snippet(*words):
    """The one snippet of the page that has all of these words."""
    (found,) = [block.text for block in PAGE if all(word in block.text for word in words)]
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a set in `data`, and what it was made of in `imagenet`."""
    place = tmp_path_factory.mktemp("shards")
    draw_sample(place / "sample", images_per_category=4, trials=1, observers=1, workers=1)
    prepare(place / "sample" / "imagenet", place / "data", images="all", val=0.25, shard_size=20, workers=1)
    return place


def run(code, place, **environment):
    (place / "snippet.py").write_text(code)  # PyTorch's workers import it where they are not forked
    settings = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(place / "hf"), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "snippet.py"],
        cwd=place,
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_snippet_is_run_or_said_not_to_be():
    assert len(PAGE) == 7
    assert [block for block in PAGE if "nvidia.dali" in block.text and "does not install" in block.why]


def test_this_package(place):
    words = run(snippet("table.read([0, -1])"), place).split()
    table = open_set(place / "data").table("train")
    assert words[0] == str(len(table)) == "48"
    assert words[-1] == str(len(table.read([0])[0]))


def test_webdataset(place):
    lines = run(snippet("import webdataset"), place).splitlines()
    table = open_set(place / "data").table("train")
    assert [int(line.rpartition(")")[2].split()[0]) for line in lines] == table.labels.tolist()
    height, width = table.heights[0], table.widths[0]
    assert lines[0].startswith(f"({height}, {width}, 3)")


def test_pytorch(place):
    pytest.importorskip("torch")
    lines = run(snippet("import torch"), place).splitlines()
    assert lines == ["torch.Size([16, 3, 128, 128]) torch.uint8 torch.Size([16])"] * 3


def test_hugging_face_takes_the_shards_for_the_data(place):
    (line,) = run(snippet('load_dataset("data")'), place).splitlines()
    table = open_set(place / "data").table("train")
    assert line.endswith(table.keys[0].partition("_")[0])
    code = (
        "from datasets import load_dataset\n"
        "for streaming in (False, True):\n"
        "    data = load_dataset('data', streaming=streaming)\n"
        "    print({split: [row['__key__'] for row in data[split]] for split in data})\n"
    )
    keys = {split: open_set(place / "data").table(split).keys.tolist() for split in ("train", "val")}
    assert run(code, place).splitlines() == [str(keys)] * 2


def test_a_set_without_a_card_is_read_as_the_page_says(place, tmp_path):
    shutil.copytree(place / "data", tmp_path / "data")
    (tmp_path / "data" / "README.md").unlink()
    (line,) = run(snippet('load_dataset("webdataset"'), tmp_path).splitlines()
    table = open_set(tmp_path / "data").table("train")
    assert line == CATEGORIES[table.labels[0]]


def test_samples_that_note_a_change_are_read_wherever_they_stand(place, tmp_path):
    """`datasets` infers fields from the first samples, unless the card names them."""
    table = open_set(place / "data").table("train")
    key = str(table.keys[-1])
    shutil.copytree(place / "sample" / "imagenet", tmp_path / "imagenet")
    (path,) = (tmp_path / "imagenet").rglob(f"{key}.JPEG")
    Image.open(path).save(path.with_suffix(".png"))
    path.unlink()
    prepare(tmp_path / "imagenet", tmp_path / "data", images="all", val=0.25, shard_size=20, workers=1)
    code = (
        "from datasets import load_dataset\n"
        "data = load_dataset('data', split='train')\n"
        "print({row['__key__']: row['json']['change'] for row in data if row['json']['change']})\n"
    )
    assert run(code, tmp_path).strip() == str({key: "PNG to JPEG, quality 95"})


def test_images_of_parquet_files_are_exported_as_they_are(place, tmp_path):
    """As Hugging Face's copy has them, the class at the end of every name."""
    shutil.copytree(place / "sample" / "imagenet", tmp_path / "original")
    originals = {path.name: path for path in (tmp_path / "original").rglob("*.JPEG")}
    rows = [
        {"bytes": path.read_bytes(), "path": f"{path.stem}_{path.parent.name}.JPEG"}
        for path in originals.values()
    ]
    (tmp_path / "parquet").mkdir()
    table = pyarrow.table({"image": rows, "label": list(range(len(rows)))})
    pyarrow.parquet.write_table(table, tmp_path / "parquet" / "train-00000-of-00001.parquet")
    run(snippet('load_dataset("parquet"'), tmp_path)
    exported = {
        path.name.replace(f"_{path.parent.name}.", "."): path
        for path in (tmp_path / "imagenet").rglob("*.JPEG")
    }
    assert exported.keys() == originals.keys()
    assert all(exported[name].read_bytes() == path.read_bytes() for name, path in originals.items())
    prepared = prepare(
        tmp_path / "imagenet", tmp_path / "data", images="all", val=0.25, shard_size=20, workers=1
    )
    assert prepared.counts == open_set(place / "data").manifest["counts"]
