import pytest

from convrnn_data import CATEGORIES
from convrnn_data.shards.card import format_card


@pytest.mark.parametrize(("kind", "entry"), [("imagenet", "synset"), ("human", "regime")])
def test_the_card_names_splits_labels_and_entries(kind, entry):
    card = format_card(kind, ["train", "val"]).decode()
    assert card.startswith("---\nconfigs:\n")
    assert "  - split: val\n    path: val/*.tar\n" in card
    assert f"'15': {CATEGORIES[15]}\n" in card
    assert f"    - name: {entry}\n" in card
    assert "in `train/` and the other splits" in card
