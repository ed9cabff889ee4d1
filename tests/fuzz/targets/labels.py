"""Image lists, airplane.txt to truck.txt, and labels of ILSVRC's validation images."""

import io
import re
from pathlib import Path

import numpy as np
import scipy.io

from convrnn_data.categories import CATEGORIES, read_lists
from convrnn_data.imagenet import devkit
from convrnn_data.imagenet.ground_truth import GROUND_TRUTH, read_ground_truth
from fuzz.harness import Target, demand, put
from fuzz.strategies import CELLS, CSV_TOKENS, edited, tables

SYNSETS = [f"n0{number}" for number in range(2690373, 2690389)]
LISTS = {
    category: f"{synset}_1.JPEG\n{synset}_22.JPEG\n".encode()
    for category, synset in zip(CATEGORIES, SYNSETS, strict=True)
}
# fmt: off
LIST_CELLS = (
    "n02690374_1.JPEG", "n02690374_01.JPEG", "n02690374_1.jpeg", "n02690373_3.JPEG", "n02690388_39.JPEG",
    "n99999999_1.JPEG", "n2690374_1.JPEG", "n026903740_1.JPEG", "n02690374_9223372036854775807.JPEG",
    "n02690374_9223372036854775808.JPEG", f"n02690374_{'9' * 30}.JPEG", "n02690374_00.JPEG", "n02690374_-1.JPEG",
    *CELLS[:20],
)
# fmt: on
LABELS = {
    "synsets": b"n02690374\nn02690373\nn02690388\n",
    "table": b"ImageId,PredictionString\nILSVRC2012_val_00000002,n02690373 1 2 3 4 \n"
    b"ILSVRC2012_val_00000001,n02690374 1\n",
    "words": b"ILSVRC2012_val_00000001.JPEG n02690374\nILSVRC2012_val_00000003.JPEG n02690388\n",
}
LABEL_CELLS = ("n02690374", "ILSVRC2012_val_00000001", "1000", "1001", "0", *CELLS[:20])


def _lists(data: bytes, folder: Path) -> None:
    for category, content in LISTS.items():
        put(folder / f"{category}.txt", content)
    found = read_lists(put(folder / "bear.txt", data).parent)
    demand(sum(len(found.names(synset)) for synset in found.categories) == found.total, "another total")
    bears = [synset for synset, category in found.categories.items() if category == "bear"]
    ours = {name for synset in bears for name in found.names(synset)}
    demand(ours == set(data.decode().split()), "names differ from the file's")


def _labels(data: bytes, folder: Path) -> None:
    found = read_ground_truth(put(folder / GROUND_TRUTH, data))
    text = data.decode()
    for number, synset in found.items():
        demand(number >= 0 and bool(re.fullmatch(r"n\d{8}", synset)), f"label {synset!r}")
        demand(
            str(number) in text or number <= len(text.splitlines()), "a label that the file does not state"
        )


def _meta(compressed: bool) -> bytes:
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")]
    rows = [(1, "n02690374", "a"), (2, "n02690373", "b"), (1001, "n00001740", "c")]
    out = io.BytesIO()
    synsets = np.array(rows, dtype=kind).reshape(-1, 1)
    scipy.io.savemat(out, {"synsets": synsets}, do_compression=compressed)
    return out.getvalue()


def _devkit(data: bytes, folder: Path) -> None:
    devkit.SECONDS = 3
    synsets = devkit.read_synsets(data)
    demand(all(number <= devkit.CLASSES for number in synsets), f"{synsets}")


METAS = {"plain": _meta(compressed=False), "compressed": _meta(compressed=True)}
META_TOKENS = (
    b"MATLAB 5.0 MAT-file",
    b"\0\1IM",
    b"\x0e\0\0\0",
    b"\x0f\0\0\0",
    b"\xff\xff\xff\x7f",
    b"\1\0\4\0",
)
LIST_TOKENS = (*CSV_TOKENS, b".JPEG", b"n02690374_", b"\n\n", b"\x0c", b"\x1c")
LABEL_TOKENS = (*CSV_TOKENS, b"n02690374", b"ILSVRC2012_val_", b"\x1f\x8b")
_all_labels = tuple(LABELS.values())

TARGETS = {
    "lists": Target(
        _lists,
        {"bear": LISTS["bear"]},
        tables((LISTS["bear"],), cells=LIST_CELLS, tokens=LIST_TOKENS, separator=" "),
    ),
    "labels": Target(
        _labels,
        LABELS,
        tables(_all_labels, cells=LABEL_CELLS, tokens=LABEL_TOKENS)
        | tables(_all_labels, cells=LABEL_CELLS, tokens=LABEL_TOKENS, separator=" "),
    ),
    "devkit": Target(
        _devkit,
        METAS,
        edited(tuple(METAS.values()), META_TOKENS),
        (devkit.UnreadableError,),
        is_binary=True,
        tokens=META_TOKENS,
        examples=3,
    ),
}
