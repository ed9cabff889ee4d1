"""The 16 categories are the same in every package."""

from convrnn_data import CATEGORIES
from convrnn_data.categories import shipped_lists
from convrnn_model import category_classes


def test_tables_of_the_networks_have_the_categories_in_label_order():
    for source in ("imagenet", "ecoset"):
        assert tuple(category_classes(source)) == CATEGORIES


def test_synsets_are_those_of_the_image_lists():
    synsets = {
        synset: category for category, classes in category_classes("imagenet").items() for synset in classes
    }
    assert synsets == shipped_lists().categories
