import io
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.categories import CATEGORIES, shipped_lists
from convrnn_data.sample import sample
from convrnn_data.sample.drawing import OBJECTS
from convrnn_data.sample.sample import FOLDERS, ImageSpec, draw_sample, plan_stimuli, plan_training, render

SMALL = {"images_per_category": 2, "trials": 16, "observers": 2}


GRAMMAR = re.compile(r"(\d+)_(color_gray|noise|blur)_(c|g|0|0\.04|0\.16|3|9)_([a-z]+)\.JPEG")


LEVELS = {"color_gray": {"c", "g"}, "noise": {"0", "0.04", "0.16"}, "blur": {"0", "3", "9"}}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    out = tmp_path_factory.mktemp("drawn") / "new" / "sample"
    draw_sample(out, seed=3, **SMALL)
    return out


def test_bytes_depend_on_the_seed_and_not_on_workers(drawn, tmp_path):
    draw_sample(tmp_path / "again", seed=3, workers=2, **SMALL)
    assert contents(tmp_path / "again") == contents(drawn)


def test_another_seed_changes_bytes_but_not_the_layout(drawn, tmp_path):
    draw_sample(tmp_path / "other", seed=4, **SMALL)
    mine, others = contents(drawn), contents(tmp_path / "other")
    training = [name for name in mine if name.startswith("imagenet")]
    assert training == [name for name in others if name.startswith("imagenet")]
    assert all(mine[name] != others[name] for name in training)
    answers = [name for name in mine if "jatos" in name]
    assert len(answers) == 3
    assert all(mine[name] != others[name] for name in answers)


def test_all_images_differ():
    specs = [*plan_training(2, seed=0), *plan_stimuli(16, seed=0)]
    assert len({p.stream for p in specs}) == len({p.path for p in specs}) == len(specs)


def test_training_images_have_the_layout_of_imagenet(drawn):
    lists = shipped_lists()
    seen: Counter[str] = Counter()
    for path in (drawn / "imagenet" / "train").rglob("*"):
        if path.is_dir():
            continue
        synset = path.parent.name
        assert re.fullmatch(rf"{synset}_\d+\.JPEG", path.name)
        seen[lists.categories.get(synset, "none")] += 1
        if synset in lists.categories:
            assert path.name in lists.names(synset)
        with Image.open(path) as image:
            image.load()
            assert (image.format, image.mode in ("RGB", "L")) == ("JPEG", True)
            assert 100 <= min(image.size) <= max(image.size) <= 224
    assert seen == {**dict.fromkeys(CATEGORIES, 2), "none": len(sample.OTHER_SYNSETS)}


def test_the_synsets_are_on_the_lists():
    categories = shipped_lists().categories
    assert list(sample.SYNSETS) == list(OBJECTS) == list(CATEGORIES)
    for category, synsets in sample.SYNSETS.items():
        assert {categories[synset] for synset in synsets} == {category}
        assert len(synsets) >= min(2, list(categories.values()).count(category))
    assert not set(sample.OTHER_SYNSETS) & set(categories)


def test_images_beyond_the_lists_get_new_names():
    paths = [p.path for p in plan_training(600, seed=0) if p.category == "knife"]
    assert len(set(paths)) == 600


def test_some_training_images_are_gray_and_sizes_vary():
    images = [Image.open(io.BytesIO(render(p))) for p in plan_training(10, seed=0)[:160]]
    assert 0 < sum(image.mode == "L" for image in images) < 30
    assert len({image.size for image in images}) > 100


def test_stimuli_follow_the_grammar_and_are_balanced(drawn):
    for experiment, folder in FOLDERS.items():
        assert sorted(p.name for p in (drawn / "human" / folder).iterdir()) == list("01234")
        for block in (drawn / "human" / folder).iterdir():
            parts = [GRAMMAR.fullmatch(path.name).groups() for path in block.iterdir()]
            assert sorted(int(index) for index, *_ in parts) == list(range(16))
            assert {name for _, name, _, _ in parts} == {experiment}
            assert Counter(category for *_, category in parts) == dict.fromkeys(CATEGORIES, 1)


@pytest.mark.parametrize("trials", [1, 17, 100, 210])
def test_levels_and_categories_are_balanced_in_every_block(trials):
    for folder, experiment in zip(FOLDERS.values(), FOLDERS, strict=True):
        for block in range(5):
            where = f"human/{folder}/{block}/"
            specs = [p for p in plan_stimuli(trials, seed=1) if p.path.startswith(where)]
            levels = Counter(p.level for p in specs)
            categories = Counter(p.category for p in specs)
            assert set(levels) <= LEVELS[experiment]
            assert len(specs) == trials
            for counts, kinds in ((levels, len(LEVELS[experiment])), (categories, 16)):
                assert max(counts.values()) <= -(-trials // kinds)
                assert len(counts) == min(kinds, trials)
            pairs = Counter((p.level, p.category) for p in specs)
            assert max(pairs.values()) <= -(-trials // (16 * len(levels)))


def stimulus(experiment, level, index=0):
    spec = ImageSpec("x", (0, 9, index), "elephant", experiment, level)
    return np.asarray(Image.open(io.BytesIO(render(spec)))) / 255


@pytest.mark.parametrize("experiment", FOLDERS)
def test_stimuli_are_224_pixels_square_in_three_channels(experiment):
    for level in LEVELS[experiment]:
        assert stimulus(experiment, level).shape == (224, 224, 3)


@pytest.mark.parametrize("index", range(4))
def test_noise_stimuli_have_the_mean_and_spread_of_their_level(index):
    clean = stimulus("noise", "0", index)
    assert clean.mean() == pytest.approx(0.5, abs=2e-3)  # rounding to bytes
    assert np.ptp(clean) <= 0.2 + 0.06  # contrast 0.2, and JPEG ringing
    for level in (0.04, 0.16):
        noisy = stimulus("noise", str(level), index)
        added = (noisy - clean)[:, :, 0]
        assert np.ptp(noisy, axis=2).max() <= 2 / 255  # gray, up to the rounding of JPEG's colors
        assert added.mean() == pytest.approx(0, abs=4e-3)
        # Truncation at 2 SD reduces the SD to 0.8796; JPEG at quality 92 removes up to a tenth of fine noise.
        assert added.std() == pytest.approx(0.8796 * level, rel=0.1)
        assert np.abs(added).max() < 2 * level + 0.15


def test_truncated_noise_is_redrawn_not_clipped():
    values = sample._truncated_normal(np.random.default_rng(0), (200_000,))
    assert np.abs(values).max() <= 2
    assert (np.abs(values) > 1.999).mean() < 0.001
    assert values.std() == pytest.approx(0.8796, abs=0.005)


def test_blur_removes_detail_and_gray_removes_color():
    sharp, soft, softer = (
        np.abs(np.diff(stimulus("blur", level), axis=0)).mean() for level in ("0", "3", "9")
    )
    assert sharp > soft > softer
    color, gray = stimulus("color_gray", "c"), stimulus("color_gray", "g")
    assert np.ptp(color, axis=2).mean() > 0.02 > np.ptp(gray, axis=2).max()
    assert gray[..., 0].mean() == pytest.approx((color @ [0.2989, 0.587, 0.114]).mean(), abs=0.01)


def test_a_folder_with_files_is_not_changed(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConvRNNError, match="got a folder with files"):
        draw_sample(tmp_path, **SMALL)
    with pytest.raises(ConvRNNError, match="got a file"):
        draw_sample(tmp_path / "mine.txt", **SMALL)
    with pytest.raises(ConvRNNError, match="cannot write "):
        draw_sample(tmp_path / "mine.txt" / "below", **SMALL)
    assert contents(tmp_path) == {"mine.txt": b"mine"}


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    draw_sample(tmp_path / "empty", images_per_category=1, trials=1, observers=1)
    assert sorted(p.name for p in (tmp_path / "empty").iterdir()) == ["README.txt", "human", "imagenet"]
    assert "SIMULATED" in (tmp_path / "empty" / "README.txt").read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_no_files(tmp_path, error):
    def report(what, done, total):
        raise error

    with pytest.raises(error):
        draw_sample(tmp_path / "a" / "b", report=report, **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"trials": 0}, {"images_per_category": 0}, {"observers": -1}]
)
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ConvRNNError, match=next(iter(wrong))):
        draw_sample(tmp_path / "out", **{**SMALL, **wrong})
    assert list(tmp_path.iterdir()) == []


def test_progress_is_reported_to_the_end(tmp_path):
    reports = []
    draw_sample(
        tmp_path / "out",
        report=lambda *message: reports.append(message),
        images_per_category=1,
        trials=2,
        observers=1,
    )
    drawing = [message for message in reports if message[0] == "drawing"]
    assert drawing[-1][1] == drawing[-1][2] == 16 + 4 + 3 * 5 * 2
    assert reports[-1] == ("simulating observers", 3, 3)
