"""The lists of images, airplane.txt to truck.txt, and the labels of ILSVRC's validation images."""

import atexit
import random
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from convrnn_data.categories import CATEGORIES, read_lists
from convrnn_data.imagenet.ground_truth import GROUND_TRUTH, META, read_ground_truth
from fuzz import mutations
from fuzz.runner import Target, fast_folder
from fuzz.targets.making import CSV_TOKENS, REFUSALS, Parse, demand, put

LISTS = {name: f"{synset}_1.JPEG\n{synset}_22.JPEG\n".encode() for name, synset in
         zip(CATEGORIES, (f"n0{number}" for number in range(2690373, 2690389)), strict=True)}  # fmt: skip


def _listing() -> Parse:
    """With a folder of lists, made once, in which one is replaced again and again."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-lists-", dir=fast_folder()))
    atexit.register(shutil.rmtree, folder)
    for name, content in LISTS.items():
        put(folder / f"{name}.txt", content)
    return lambda data, scratch: _lists(data, folder)


def _lists(data: bytes, folder: Path) -> None:
    found = read_lists(put(folder / "bear.txt", data).parent)
    demand(sum(len(found.names(synset)) for synset in found.categories) == found.total, "another total")
    ours = {
        name
        for synset in found.categories
        if found.categories[synset] == "bear"
        for name in found.names(synset)
    }
    demand(ours == set(data.decode().split()), "other names than the file's")


def _break_lists(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Lines changed, names changed within the form or just beyond it, or text broken."""
    lines = [f"n{rng.choice(SYNSETS)}_{rng.choice(NUMBERS)}.JPEG" for _ in range(rng.choice((1, 2, 3, 9)))]
    data = "\n".join([*lines, ""]).encode()
    if rng.random() < 0.5:
        return mutations.broken_text(
            rng, data, seeds, (*CSV_TOKENS, b".JPEG", b"n02690374_", b"\n\n", b"\x0c", b"\x1c")
        )
    return mutations.broken_rows(
        rng, data, (*mutations.CELLS[:20], "n02690374_1.JPEG", "n02690374_01.JPEG", "n02690374_1.jpeg"), " "
    )


SYNSETS = (*("02690374",) * 6, "02690373", "02690388", "99999999", "2690374", "026903740")
NUMBERS = (
    *(str(number) for number in range(40)),
    "9223372036854775807",
    "9223372036854775808",
    "9" * 30,
    "00",
    "-1",
)


LABELS = {
    "synsets": b"n02690374\nn02690373\nn02690388\n",
    "table": b"ImageId,PredictionString\nILSVRC2012_val_00000002,n02690373 1 2 3 4 \nILSVRC2012_val_00000001,n02690374 1\n",
    "words": b"ILSVRC2012_val_00000001.JPEG n02690374\nILSVRC2012_val_00000003.JPEG n02690388\n",
}


def _labels(data: bytes, folder: Path) -> None:
    (folder / META).unlink(missing_ok=True)
    found = read_ground_truth(put(folder / GROUND_TRUTH, data))
    demand(
        all(number >= 0 and re.fullmatch(r"n\d{8}", synset) for number, synset in found.items()), "no label"
    )
    demand(
        all(str(number) in data.decode() or number <= len(data.decode().splitlines()) for number in found),
        "more labels",
    )


def _break_labels(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Cells changed, or text broken."""
    data = rng.choice(list(LABELS.values()))
    if rng.random() < 0.5:
        return mutations.broken_text(
            rng, data, seeds, (*CSV_TOKENS, b"n02690374", b"ILSVRC2012_val_", b"\x1f\x8b")
        )
    cells = (*mutations.CELLS[:20], "n02690374", "ILSVRC2012_val_00000001", "1000", "1001", "0")
    return mutations.broken_rows(rng, data, cells, rng.choice(", "))


TARGETS = (
    Target("lists", lambda: {"sound": LISTS["bear"]}, _break_lists, _listing, REFUSALS),
    Target("labels", lambda: dict(LABELS), _break_labels, lambda: _labels, REFUSALS),
)
