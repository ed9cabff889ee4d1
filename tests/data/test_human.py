import collections
import csv
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_data import CATEGORIES, ConvRNNError, list_stimuli, open_set, reformat, verify
from convrnn_data.human import CONDITIONS, StimulusName, parse_name, scan_stimuli

LEVELS = {"color_gray": ["c", "g"], "noise": ["0", "0.04", "0.16"], "blur": ["0", "3", "9"]}

GRAMMATICAL = st.one_of(
    st.builds(
        StimulusName,
        st.integers(0, 9999).map(str),
        st.just(experiment),
        st.sampled_from(levels),
        st.sampled_from(CATEGORIES),
        st.none() | st.integers(0, 4),
    )
    for experiment, levels in LEVELS.items()
)


@given(GRAMMATICAL)
def test_the_grammar_goes_round(name):
    assert parse_name(str(name)) == name


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("24_color_gray_g_car.JPEG", ("24", "color_gray", "g", "car", None)),
        ("45_color_gray_c_boat.JPEG", ("45", "color_gray", "c", "boat", None)),
        ("41_blur_9_bird.JPEG", ("41", "blur", "9", "bird", None)),
        ("14_noise_0.16_bicycle.JPEG", ("14", "noise", "0.16", "bicycle", None)),
        ("14_noise_0.16_bicycle_exit3.JPEG", ("14", "noise", "0.16", "bicycle", 3)),
    ],
)
def test_published_names_are_read(name, fields):
    assert tuple(parse_name(name)) == fields


@pytest.mark.parametrize(
    "name",
    [
        "24_color_gray_0_car.JPEG",
        "24_blur_c_car.JPEG",
        "24_color_gray_g_lion.JPEG",
        "color_gray_g_car.JPEG",
        "24_color_gray_g_car.png",
        "24_color_gray_g_car_exit5.JPEG",
        "24_sepia_3_car.JPEG",
        "24_color_gray_g_car.JPEG.part",
        "",
    ],
)
def test_other_names_are_none(name):
    assert parse_name(name) is None


def test_the_layout_of_osf_is_listed(stimuli):
    listed = list_stimuli(stimuli)
    assert len(listed) == 3 * 5 * 6
    assert {one.regime for one in listed} == set(CONDITIONS)
    assert all(one.path.parent.name == str(one.block) and one.path.name == one.name for one in listed)
    first = listed[0]
    assert (first.name, first.index, first.level, first.level_value, first.block) == (
        "0_color_gray_c_car.JPEG",
        0,
        "c",
        None,
        0,
    )
    noisy = next(one for one in listed if one.level == "0.16")
    assert (noisy.level_value, noisy.experiment, noisy.label) == (
        0.16,
        "noise",
        CATEGORIES.index(noisy.category),
    )
    assert {str(path.relative_to(stimuli)) for path in scan_stimuli(stimuli).aside} == {
        "BlurSplit_color/train",
        "ColorGraySplit/train",
        "NoiseSplit_gray_contrast0.2/train",
        "jatos_results_1.txt",
    }


def test_one_experiment_alone_is_listed(stimuli):
    assert list_stimuli(stimuli / "BlurSplit_color") == [
        one for one in list_stimuli(stimuli) if one.regime == "blur"
    ]


def test_every_layout_lists_the_same_in_the_same_order(stimuli, tmp_path):
    for layout in ("folders", "shards"):
        reformat(stimuli, tmp_path / layout, layout)
    reformat(tmp_path / "shards", tmp_path / "back")
    lists = [
        list_stimuli(folder)
        for folder in (stimuli, *(tmp_path / name for name in ("folders", "shards", "back")))
    ]
    rows = [
        [(one.name, one.block, one.regime, one.level_value, one.read()) for one in listed] for listed in lists
    ]
    assert rows[0] == rows[1] == rows[2] == rows[3]


def test_folders_are_exactly_as_the_loader_reads_them(stimuli, tmp_path):
    done = reformat(stimuli, tmp_path / "new")
    expected = {
        f"{CONDITIONS[one.regime]}/{one.category}/{one.path.stem}_exit{one.block}.JPEG": one.path.read_bytes()
        for one in list_stimuli(stimuli)
    }
    found = {str(p.relative_to(tmp_path / "new")): p.read_bytes() for p in (tmp_path / "new").rglob("*.JPEG")}
    assert found == expected
    assert done.images == 90
    with open(tmp_path / "new" / "counts.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    stored = {
        (row["condition"], row["level"], int(row["block"]), row["category"]): int(row["images"])
        for row in rows
    }
    assert stored == collections.Counter(
        (CONDITIONS[one.regime], one.level, one.block, one.category) for one in list_stimuli(stimuli)
    )
    assert tuple((*place, images) for place, images in stored.items()) == done.counts


def test_shards_of_stimuli_are_a_prepared_set(stimuli, tmp_path, through_webdataset):
    reformat(stimuli, tmp_path / "new", "shards")
    assert verify(tmp_path / "new").problems == ()
    opened = open_set(tmp_path / "new")
    assert set(opened.splits) == set(CONDITIONS.values())
    table = opened.table("noise_grayscale")
    assert all("." not in key for key in table.keys.tolist())
    assert len(table) == 30
    samples = through_webdataset(tmp_path / "new", "noise_grayscale")
    assert [sample["__key__"] for sample in samples] == table.keys.tolist()
    assert [sample["jpg"] for sample in samples] == table.read(range(30))
    assert [int(sample["cls"]) for sample in samples] == table.labels.tolist()


@pytest.fixture
def own(stimuli, tmp_path):
    return shutil.copytree(stimuli, tmp_path / "old")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("BlurSplit_color/2/holiday.JPEG", "it is not named {index}_"),
        ("BlurSplit_color/2/notes.txt", "it is not named {index}_"),
        ("BlurSplit_color/2/1_blur_3_car_exit2.JPEG", "names block 2 itself"),
        ("BlurSplit_color/1_blur_3_car.JPEG", "beside the blocks"),
    ],
)
def test_files_that_do_not_fit_are_named(own, tmp_path, name, reason):
    (own / name).write_bytes(b"x")
    with pytest.raises(
        ConvRNNError, match=f"1 file.s. among the stimuli do not fit, the first: {own / name}"
    ):
        list_stimuli(own)
    done = reformat(own, tmp_path / "new")
    assert [misfit for misfit, _ in done.misfits] == [name]
    assert reason in done.misfits[0][1]
    with open(tmp_path / "new" / "rejected.csv", newline="") as file:
        assert list(csv.reader(file))[1:] == [list(done.misfits[0])]
    assert done.images == 90


def test_a_cut_stimulus_is_listed(own, tmp_path):
    victim = list_stimuli(own)[5].path
    victim.write_bytes(victim.read_bytes()[:-30])
    for layout in ("folders", "shards"):
        done = reformat(own, tmp_path / layout, layout)
        assert done.images == 89
        assert done.misfits == ((str(victim.relative_to(own)), "the JPEG is cut: it has no end"),)


def test_a_stimulus_in_the_wrong_folder_is_named(stimuli, tmp_path):
    reformat(stimuli, tmp_path / "new")
    path = next((tmp_path / "new" / "color" / "car").iterdir())
    (tmp_path / "new" / "color" / "dog").mkdir(exist_ok=True)
    path.rename(tmp_path / "new" / "color" / "dog" / path.name)
    with pytest.raises(ConvRNNError, match="by its name it belongs to color/car"):
        list_stimuli(tmp_path / "new")


def test_nothing_is_overwritten_by_a_name_clash(own, tmp_path):
    path = next((own / "BlurSplit_color" / "0").glob("*.JPEG"))
    shutil.copytree(own / "BlurSplit_color" / "0", own / "Copy" / "0")
    with pytest.raises(ConvRNNError, match=r"would both become \S+_exit0\.JPEG; rename or remove one"):
        reformat(own, tmp_path / "new")
    assert path.exists()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["old"]


def test_what_is_there_is_not_overwritten(stimuli, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("x")
    with pytest.raises(ConvRNNError, match="is there already"):
        reformat(stimuli, tmp_path / "new")
    assert (tmp_path / "new" / "mine").read_text() == "x"


def test_a_failed_reformat_leaves_nothing(stimuli, tmp_path, monkeypatch):
    def fail(counts):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("convrnn_data.reformatting._format_counts", fail)
    for layout in ("folders", "shards"):
        with pytest.raises(ConvRNNError, match="No space left on device; make room"):
            reformat(stimuli, tmp_path / "deep" / "new", layout)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["empty", "file", "nothing", "other"])
def test_what_is_no_test_set_is_refused(what, tmp_path, class_folders):
    folder = {"empty": tmp_path, "file": tmp_path / "f", "nothing": tmp_path / "n", "other": class_folders}[
        what
    ]
    if what == "file":
        folder.write_text("x")
    with pytest.raises(ConvRNNError, match="looked for"):
        list_stimuli(folder)
