"""Dataset card of a prepared set: `README.md`, whose front matter describes the data to Hugging Face's `datasets`.

Without a card, `datasets.load_dataset(SET)` reads the JSON indexes instead of the shards.
"""

from collections.abc import Iterable

from convrnn_data.categories import CATEGORIES

CARD = "README.md"

_FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "imagenet": (
        ("synset", "string"),
        ("category", "string"),
        ("split", "string"),
        ("source", "string"),
        ("change", "string"),
        ("width", "int64"),
        ("height", "int64"),
    ),
    "human": (
        ("regime", "string"),
        ("experiment", "string"),
        ("level", "string"),
        ("block", "int64"),
        ("index", "int64"),
        ("category", "string"),
        ("source", "string"),
        ("change", "string"),
        ("width", "int64"),
        ("height", "int64"),
    ),
}
"""Kind of set -> entries of `{key}.json` and their types."""

_TITLES = {
    "imagenet": "ImageNet, in the 16 categories of Geirhos et al. (2018)",
    "human": "Human test stimuli of SATBench",
}

_TEXT = """
# {title}

A prepared set of `convrnn-data`: webdataset shards in `{first}/` and the other splits, each with a JSON index.
A sample has three members: `.jpg`, `.cls` (the label, 0 to 15) and `.json` (metadata).
`convrnn-data verify` compares every byte with `manifest.json`. The images are subject to their owners' terms.
"""


def format_card(kind: str, splits: Iterable[str]) -> bytes:
    """Return the content of the card.

    Args:
        kind: "imagenet" or "human".
        splits: Names of the splits, in order.
    """
    names = list(splits)
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for name in names:
        lines += [f"  - split: {name}", f"    path: {name}/*.tar"]
    lines += ["dataset_info:", "  features:", *_feature("jpg", "image"), "  - name: cls", "    dtype:"]
    lines += ["      class_label:", "        names:"]
    lines += [f"          '{label}': {category}" for label, category in enumerate(CATEGORIES)]
    # All entries are declared, since `datasets` infers types from the first samples, and few have `change`.
    lines += [
        "  - name: json",
        "    struct:",
        *(line for note in _FIELDS.get(kind, ()) for line in _feature(*note, indent=4)),
    ]
    lines += [*_feature("__key__", "string"), *_feature("__url__", "string"), "---"]
    text = _TEXT.format(title=_TITLES.get(kind, kind), first=names[0] if names else "train")
    return ("\n".join(lines) + "\n" + text).encode("ascii", "backslashreplace")


def _feature(name: str, dtype: str, indent: int = 2) -> list[str]:
    return [f"{' ' * indent}- name: {name}", f"{' ' * indent}  dtype: {dtype}"]
