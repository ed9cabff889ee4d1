"""Helpers that create ImageNet files and listings."""

import io
import tarfile
from pathlib import Path

import numpy as np
import scipy.io

from convrnn_data.imagenet.sources import ClassListing, Container, Listing, Source

WANTED = ("n02690373", "n02132136", "n02085782", "n02085936")
OUTSIDE = "n01440764"
SYNSETS = [(*WANTED, OUTSIDE)[number % 5] for number in range(20)]
LABELS = dict(enumerate(SYNSETS, start=1))


def listing_of(sizes, order=1):
    """Return a listing of two classes of these sizes, in ascending or descending order."""
    classes = []
    for synset, count in zip(("n02690373", "n02085782"), sizes, strict=True):
        numbers = list(range(1, count + 1))[::order]
        names = np.array([f"{synset}_{number}.JPEG" for number in numbers], dtype="S32")
        column = np.array(numbers, dtype=np.int64)
        classes.append(ClassListing(Container(synset, Path(synset)), names, column * 512, column, column))
    return Listing(Source("class folders", Path(), ()), tuple(classes[::order]), sum(sizes))


def named(plan):
    return [(shard.name, [member.key for member in plan.members(shard)]) for shard in plan.shards]


def name_of(number):
    return f"ILSVRC2012_val_{number:08d}.JPEG"


def devkit(folder):
    """Write the devkit's two files, with unordered IDs and ancestors above 1000."""
    ids = {synset: number for number, synset in enumerate(sorted(set(SYNSETS), reverse=True), start=1)}
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")]
    rows = [(number, synset, 0) for synset, number in ids.items()] + [(1001, "n00001740", 2)]
    folder.mkdir(parents=True)
    scipy.io.savemat(folder / "meta.mat", {"synsets": np.array(rows, dtype=kind).reshape(-1, 1)})
    truth = "".join(f"{ids[synset]}\n" for synset in SYNSETS)
    (folder / "ILSVRC2012_validation_ground_truth.txt").write_text(truth)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def kit_of(folder, meta, truth="1\n"):
    write(folder / "meta.mat", meta)
    return write(folder / "ILSVRC2012_validation_ground_truth.txt", truth)


def tar(files, mode="w", **more):
    """Return a tar of (name, bytes) with an additional hidden file and folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, **more) as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), 1
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()
