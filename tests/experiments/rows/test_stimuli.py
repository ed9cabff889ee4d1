"""Answers to stimuli in files of other programs: categories, blocks, regimes and order."""

from pathlib import Path

import numpy as np
import pytest

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.rows.stimuli import ImageRow, ImportedAnswers, block_number, category


def answers(path: Path, names: list[str], *, blocks: list[int | None] | None = None) -> ImportedAnswers:
    path.write_text("data")
    rows = [
        ImageRow(line, name, None, block)
        for line, (name, block) in enumerate(zip(names, blocks or [None] * len(names), strict=True), start=2)
    ]
    given = np.arange(2 * len(names)).reshape(-1, 2) % 16
    unknown = np.full(given.shape, np.nan)
    return ImportedAnswers(path, "a form", rows, given, unknown, unknown, unknown, np.array([1.0, 2.0]))


def test_categories_are_read_by_name_and_number():
    assert [category(name) for name in CATEGORIES] == list(range(16))
    assert [category(str(number)) for number in range(16)] == list(range(16))
    assert category(" Dog ") == CATEGORIES.index("dog")
    for wrong in ("", "16", "-1", "1.0", "wolf", "٣٣"):
        with pytest.raises(ValueError, match="a category must be one of"):
            category(wrong)


def test_blocks_are_read():
    assert [block_number(text) for text in ("0", " 4 ", "", " ")] == [0, 4, None, None]
    for wrong in ("5", "-1", "1.0", "²"):
        with pytest.raises(ValueError, match="block must be 0 to 4"):
            block_number(wrong)


def test_rows_are_sorted_by_category_and_name_with_their_answers(tmp_path):
    names = ["x/3/2_blur_9_dog.JPEG", "1_blur_3_dog_exit1.JPEG", r"C:\x\2\5_blur_0_cat.JPEG"]
    (row,) = answers(tmp_path / "a.csv", names).evaluations("net")
    assert row.answers.names.tolist() == [
        "5_blur_0_cat_exit2.JPEG",
        "1_blur_3_dog_exit1.JPEG",
        "2_blur_9_dog_exit3.JPEG",
    ]
    assert row.answers.answers.tolist() == [[4, 5], [2, 3], [0, 1]]
    assert row.answers.levels.tolist() == ["0", "3", "9"]
    assert row.source.facts["form"] == "a form"
    assert list(row.unavailable) == ["response times"]


def test_an_image_occurs_once(tmp_path):
    names = ["0/1_blur_3_dog.JPEG", "other/0/1_blur_3_dog.JPEG"]
    with pytest.raises(
        ValueError, match=r"line 3: an image may occur once, got 1_blur_3_dog_exit0.JPEG in line 2"
    ):
        answers(tmp_path / "a.csv", names).evaluations("net")
    same_name = ["0/1_blur_3_dog.JPEG", "1/1_blur_3_dog.JPEG"]
    assert len(answers(tmp_path / "a.csv", same_name).evaluations("net")[0].answers.labels) == 2


def test_regimes_are_separate_evaluations(tmp_path):
    names = ["1_noise_0.16_dog.JPEG", "1_color_gray_g_dog.JPEG", "1_color_gray_c_dog.JPEG"]
    found = answers(tmp_path / "a.csv", names, blocks=[0, 1, 2]).evaluations("net")
    assert [(row.regime, row.name, row.network) for row in found] == [
        ("color", "color", "net"),
        ("grayscale", "grayscale", "net"),
        ("noise", "noise", "net"),
    ]
