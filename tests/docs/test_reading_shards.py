"""Snippets of docs/reading-shards.md, each run in a separate process on a small set."""

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
    """Return the only snippet of the page that contains all of these words."""
    (found,) = [block.text for block in PAGE if all(word in block.text for word in words)]
    return found


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Provide a folder with a prepared set in `data`, and its source in `sample/imagenet`."""
    workspace = tmp_path_factory.mktemp("shards")
    draw_sample(workspace / "sample", images_per_category=4, trials=1, observers=1, workers=1)
    prepare(
        workspace / "sample" / "imagenet",
        workspace / "data",
        images="all",
        val=0.25,
        shard_size=20,
        workers=1,
    )
    return workspace


def run(code, workspace, **environment):
    (workspace / "snippet.py").write_text(code)  # a file, because spawned PyTorch workers import it
    settings = {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(workspace / "hf"),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    done = subprocess.run(
        [sys.executable, "snippet.py"],
        cwd=workspace,
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_snippet_is_tested_or_marked_as_untested():
    assert len(PAGE) == 7
    assert [block for block in PAGE if "nvidia.dali" in block.text and "does not install" in block.not_run]


def test_this_package(workspace):
    words = run(snippet("table.read([0, -1])"), workspace).split()
    table = open_set(workspace / "data").table("train")
    assert words[0] == str(len(table)) == "48"
    assert words[-1] == str(len(table.read([0])[0]))


def test_webdataset(workspace):
    lines = run(snippet("import webdataset"), workspace).splitlines()
    table = open_set(workspace / "data").table("train")
    assert [int(line.rpartition(")")[2].split()[0]) for line in lines] == table.labels.tolist()
    height, width = table.heights[0], table.widths[0]
    assert lines[0].startswith(f"({height}, {width}, 3)")


def test_pytorch(workspace):
    pytest.importorskip("torch")
    lines = run(snippet("import torch"), workspace).splitlines()
    assert lines == ["torch.Size([16, 3, 128, 128]) torch.uint8 torch.Size([16])"] * 3


def test_hugging_face_reads_the_shards_as_data(workspace):
    (line,) = run(snippet('load_dataset("data")'), workspace).splitlines()
    table = open_set(workspace / "data").table("train")
    assert line.endswith(table.keys[0].partition("_")[0])
    code = (
        "from datasets import load_dataset\n"
        "for streaming in (False, True):\n"
        "    data = load_dataset('data', streaming=streaming)\n"
        "    print({split: [row['__key__'] for row in data[split]] for split in data})\n"
    )
    keys = {split: open_set(workspace / "data").table(split).keys.tolist() for split in ("train", "val")}
    assert run(code, workspace).splitlines() == [str(keys)] * 2


def test_a_set_without_a_card(workspace, tmp_path):
    shutil.copytree(workspace / "data", tmp_path / "data")
    (tmp_path / "data" / "README.md").unlink()
    (line,) = run(snippet('load_dataset("webdataset"'), tmp_path).splitlines()
    table = open_set(tmp_path / "data").table("train")
    assert line == CATEGORIES[table.labels[0]]


def test_a_changed_image_may_be_at_any_position(workspace, tmp_path):
    """`datasets` infers fields from the first samples, unless the card names them."""
    table = open_set(workspace / "data").table("train")
    key = str(table.keys[-1])
    shutil.copytree(workspace / "sample" / "imagenet", tmp_path / "imagenet")
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


def test_images_are_exported_from_parquet_unchanged(workspace, tmp_path):
    """In Hugging Face's copy, every name ends with the class."""
    shutil.copytree(workspace / "sample" / "imagenet", tmp_path / "original")
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
    assert prepared.counts == open_set(workspace / "data").manifest["counts"]
