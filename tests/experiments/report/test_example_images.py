"""Example images: their selection and their files."""

from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report.example_images import examples, read_image


def test_examples_change_over_time_and_cover_categories(tmp_path, human_data, make_run):
    (one,) = read_evaluations([make_run(tmp_path / "color", "color", human_data)])
    chosen = examples(one)
    assert len({example.label for example in chosen}) == len(chosen) == 6
    ways = {(bool(e.answers[0] == e.label), bool(e.answers[-1] == e.label)) for e in chosen}
    assert {(False, True), (True, False)} <= ways
    assert all(len(set(example.answers.tolist())) > 1 for example in chosen)


def test_images_are_found_in_files_and_in_tars(tmp_path, prepared):
    table = prepared.table("val")
    image = read_image(f"{table.shards[0]}#{table.keys[0]}.jpg")
    assert image is not None
    assert image.size == (table.widths[0], table.heights[0])
    assert read_image(f"{table.shards[0]}#nothing.jpg") is None
    assert read_image(str(tmp_path / "nothing.JPEG")) is None
