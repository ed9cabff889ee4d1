import csv
import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_data import CATEGORIES, ConvRNNError, list_stimuli, reformat
from convrnn_data.human.stimuli import CONDITIONS, StimulusName, incomplete_blocks, parse_name, scan_stimuli

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
def test_formatted_names_are_parsed(name):
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
def test_published_names_are_parsed(name, fields):
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
def test_other_names_are_not_parsed(name):
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


@pytest.fixture
def own(stimuli, tmp_path):
    return shutil.copytree(stimuli, tmp_path / "old")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("BlurSplit_color/2/holiday.JPEG", "its name must be {index}_"),
        ("BlurSplit_color/2/notes.txt", "its name must be {index}_"),
        ("BlurSplit_color/2/1_blur_3_car_exit2.JPEG", "must not give a block in a block folder, got _exit2"),
        ("BlurSplit_color/1_blur_3_car.JPEG", "must be in one of the block folders 0 to 4"),
    ],
)
def test_misfits_are_named(own, tmp_path, name, reason):
    (own / name).write_bytes(b"x")
    with pytest.raises(ConvRNNError, match=f"1 file.s. in {own} are not stimuli, the first: {own / name}"):
        list_stimuli(own)
    done = reformat(own, tmp_path / "new")
    assert [misfit for misfit, _ in done.misfits] == [name]
    assert reason in done.misfits[0][1]
    with open(tmp_path / "new" / "rejected.csv", newline="") as file:
        assert list(csv.reader(file))[1:] == [list(done.misfits[0])]
    assert done.images == 90


def test_a_truncated_stimulus_is_listed(own, tmp_path):
    victim = list_stimuli(own)[5].path
    victim.write_bytes(victim.read_bytes()[:-30])
    for layout in ("folders", "shards"):
        done = reformat(own, tmp_path / layout, layout)
        assert done.images == 89
        assert done.misfits == (
            (str(victim.relative_to(own)), "the JPEG is truncated: it has no end marker"),
        )


def test_a_stimulus_in_the_wrong_folder_is_named(stimuli, tmp_path):
    reformat(stimuli, tmp_path / "new")
    path = next((tmp_path / "new" / "color" / "car").iterdir())
    (tmp_path / "new" / "color" / "dog").mkdir(exist_ok=True)
    path.rename(tmp_path / "new" / "color" / "dog" / path.name)
    with pytest.raises(ConvRNNError, match="by its name, it must be in color/car"):
        list_stimuli(tmp_path / "new")


@pytest.mark.parametrize("copy", ["experiment", "block", "other ending", "link"])
def test_a_name_that_occurs_twice_in_a_block_is_an_error(own, tmp_path, copy):
    """A copied folder would count images twice in evaluation and comparison."""
    first = next((own / "BlurSplit_color" / "0").glob("*.JPEG"))
    second = {
        "experiment": own / "BlurSplit_color 2" / "0" / first.name,
        "block": own / "Copy" / "0" / first.name,
        "other ending": first.with_suffix(".jpg"),
        "link": own / "Linked" / "0" / first.name,
    }[copy]
    if copy == "experiment":
        shutil.copytree(own / "BlurSplit_color", own / "BlurSplit_color 2")
    elif copy == "link":
        (own / "Linked").symlink_to(own / "BlurSplit_color")
    else:
        second.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(first, second)
    for refused in (list_stimuli, lambda folder: reformat(folder, tmp_path / "new")):
        with pytest.raises(
            ConvRNNError, match="a name may occur once in a response-time block, got "
        ) as error:
            refused(own)
        for path in (first, second) if copy != "experiment" and copy != "link" else (second.parents[1],):
            assert str(path) in str(error.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["old"]


def test_the_same_name_in_another_block_is_another_stimulus(own):
    """In the real set, every block has an image 0."""
    path = next((own / "BlurSplit_color" / "0").glob("*.JPEG"))
    target = own / "BlurSplit_color" / "1" / path.name
    before = len(list_stimuli(own))
    more = not target.exists()
    shutil.copy(path, target)
    assert len(list_stimuli(own)) == before + more


HIDDEN = ["._1_blur_3_car.JPEG", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/1_blur_3_car.JPEG"]


@pytest.mark.parametrize("layout", ["osf", "folders"])
def test_hidden_files_are_left_out_everywhere(own, tmp_path, layout):
    folder = own
    if layout == "folders":
        reformat(own, tmp_path / "folders")
        folder = tmp_path / "folders"
    before = list_stimuli(folder)
    for place in [path for path in folder.rglob("*") if path.is_dir()] + [folder]:
        for name in HIDDEN:
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_bytes(b"\0\5\26\7")
    scan = scan_stimuli(folder)
    assert list(scan.stimuli) == before
    assert scan.misfits == ()
    assert not [path for path in scan.aside if path.name in HIDDEN or path.name == "@eaDir"]


@pytest.mark.parametrize("place", ["lost+found", "BlurSplit_color/3", "NoiseSplit_gray_contrast0.2"])
def test_a_folder_that_cannot_be_listed_is_an_error(own, tmp_path, place, monkeypatch):
    """Root may list every folder, so the error is simulated."""
    (own / place).mkdir(exist_ok=True)
    listdir = os.listdir

    def refuse(path):
        if str(path) == str(own / place):
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(ConvRNNError, match=r"cannot list .*Permission denied") as error:
        list_stimuli(own)
    assert str(own / place) in str(error.value)
    with pytest.raises(ConvRNNError, match="cannot list "):
        reformat(own, tmp_path / "new")


@pytest.mark.parametrize("place", ["Missing", "BlurSplit_color/4", "BlurSplit_color/2/9_blur_3_car.JPEG"])
def test_a_dead_link_is_named(own, place):
    if (own / place).is_dir():
        shutil.rmtree(own / place)
    (own / place).symlink_to("/nowhere")
    with pytest.raises(
        ConvRNNError, match=r"are not stimuli, the first: \S+: it is a link to a file that does not exist"
    ):
        list_stimuli(own)


def test_a_complete_set_has_complete_blocks(stimuli, tmp_path):
    for layout in ("folders", "shards"):
        assert reformat(stimuli, tmp_path / layout, layout).incomplete == ()
        assert incomplete_blocks(list_stimuli(tmp_path / layout)) == []


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        (
            lambda one: one.experiment == "blur" and one.block == 2 and one.index < 2,
            ["blur, block 2: 4 of 6 images"],
        ),
        (lambda one: one.experiment == "noise" and one.block == 4, ["noise, block 4: 0 of 6 images"]),
        # Half of each block is missing, as the numbers show.
        (
            lambda one: one.experiment == "blur" and one.index % 2 == 0,
            [f"blur, block {block}: 3 of 6 images" for block in range(5)],
        ),
        # One condition alone is complete; the gaps in its numbers belong to the other condition.
        (lambda one: one.regime == "grayscale", []),
        (lambda one: one.experiment == "blur", []),
    ],
)
def test_incomplete_blocks_are_named(own, tmp_path, lost, named):
    for one in list_stimuli(own):
        if lost(one):
            one.path.unlink()
    assert incomplete_blocks(list_stimuli(own)) == named
    assert reformat(own, tmp_path / "new").incomplete == tuple(named)


@pytest.mark.parametrize("what", ["empty", "file", "nothing", "other"])
def test_other_folders_are_refused(what, tmp_path, class_folders):
    folder = {"empty": tmp_path, "file": tmp_path / "f", "nothing": tmp_path / "n", "other": class_folders}[
        what
    ]
    if what == "file":
        folder.write_text("x")
    expected = {"file": "is not a directory: .*Check the path", "nothing": "does not exist: .*Check the path"}
    otherwise = "is not the human test set: it must hold .* Give the folder of the stimuli"
    with pytest.raises(ConvRNNError, match=expected.get(what, otherwise)):
        list_stimuli(folder)
