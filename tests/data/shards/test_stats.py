import pytest
from PIL import Image

from convrnn_data import CATEGORIES, ConvRNNError, open_set, prepare
from convrnn_data.shards.stats import check_png, save_chart, table


@pytest.fixture(scope="module")
def prepared(class_folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("stats") / "set"
    prepare(class_folders, out, images="all", val=0.3, workers=1)
    return open_set(out)


def test_the_table_has_a_row_per_category_and_totals(prepared):
    rows = table(prepared)
    assert rows[0] == ("category", "train", "val", "all")
    assert [row[0] for row in rows[1:-1]] == list(CATEGORIES)
    for column in (1, 2, 3):
        assert sum(int(row[column]) for row in rows[1:-1]) == int(rows[-1][column])


def test_the_chart_is_a_png(prepared, tmp_path):
    save_chart(prepared, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(
    ("name", "expected"), [("x.jpg", "must end in"), ("gone/x.png", "its folder does not exist")]
)
def test_unwritable_charts_are_early_errors(name, expected, tmp_path):
    with pytest.raises(ConvRNNError, match=expected):
        check_png(tmp_path / name)
