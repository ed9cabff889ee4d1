"""Trial CSVs in the forms of model-vs-human and texture-vs-shape; the trials are invented."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.categories import CATEGORIES
from convrnn_data.human.trial_csv import (
    Trial,
    experiment_of,
    file_name_of,
    format_trial_csv,
    is_trial_header,
    milliseconds,
    parse_trials,
    read_trial_csv,
    source_image,
)

HEADER = "subj,Session,trial,rt,object_response,category,condition,imagename"
PEOPLE = f"""{HEADER}
subject-01,1,1,1.33161187171936,clock,boat,0.7,0001_hp_s01_0.7_boat_10_n03662601_10.png
subject-01,1,2,NaN,na,knife,inf,0002_hp_s01_inf_knife_10_n03041632_11.png
"""
NETWORK = """subj,session,trial,rt,object_response,category,condition,imagename
resnet50,1,1,NaN,oven,truck,NaN,truck3-oven2.png
"""
FILE = Path("high-pass_subject-01_session_1.csv")
GOOD = "s,1,1,0.5,cat,dog,0,a.png"


def test_people():
    file = parse_trials(FILE, PEOPLE)
    assert file.experiment == "high-pass"
    assert (file.bad, file.more, file.is_network) == ([], (), False)
    assert file.trials == [
        Trial(
            2, "subject-01", 1, 1, 1331.61187171936, "clock", "boat", "0.7", PEOPLE.split(",")[14].split()[0]
        ),
        Trial(3, "subject-01", 1, 2, None, None, "knife", "inf", PEOPLE.split(",")[21].split()[0]),
    ]


def test_network():
    file = parse_trials(Path("cue-conflict_resnet50_session-1.csv"), NETWORK)
    assert file.experiment == "cue-conflict"
    assert file.is_network
    assert file.trials == [Trial(2, "resnet50", 1, 1, None, "oven", "truck", "NaN", "truck3-oven2.png")]


def test_people_without_times_are_not_a_network():
    assert not parse_trials(FILE, NETWORK.replace("resnet50", "Subject-3")).is_network
    assert not parse_trials(FILE, NETWORK.replace("oven,truck", "na,truck")).is_network


@pytest.mark.parametrize(
    "change",
    [
        lambda data: codecs.BOM_UTF8 + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: codecs.BOM_UTF16_LE + data.decode().encode("utf-16-le"),
        lambda data: data.rstrip(b"\n"),
        lambda data: data.replace(b"\n", b"\n\n"),
        lambda data: data.replace(b"clock", b'" Clock "').replace(b"Session", b"SESSION"),
    ],
)
def test_forms_of_text(tmp_path, change):
    path = tmp_path / FILE
    path.write_bytes(change(PEOPLE.encode()))
    trials = [trial._replace(line=0) for trial in read_trial_csv(path).trials]
    assert trials == [trial._replace(line=0) for trial in parse_trials(FILE, PEOPLE).trials]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("s,1,1,0.5,cat,dog,0", "it must have 8 cells as the header has, got 7"),
        ('s,1,1,0.5,"cat,dog,0,a.png', "it must be comma-separated, got invalid CSV"),
        (",1,1,0.5,cat,dog,0,a.png", "subj must be printable text, got ''"),
        ("s\x07,1,1,0.5,cat,dog,0,a.png", "subj must be printable text, got 's\\x07'"),
        ("s\ufffd,1,1,0.5,cat,dog,0,a.png", "subj must be printable text"),
        ("s,1,1,0.5,cat,dog,,a.png", "condition must be printable text, got ''"),
        ("s,1,1,0.5,cat,dog,0,folder/", "imagename must be printable text, got ''"),
        ("s,0,1,0.5,cat,dog,0,a.png", "session must be a whole number from 1, got '0'"),
        ("s,1,1.5,0.5,cat,dog,0,a.png", "trial must be a whole number from 1, got '1.5'"),
        ("s,1,1,0.5,cow,dog,0,a.png", "object_response must be one of the 16 categories, got 'cow'"),
        ("s,1,1,0.5,cat,na,0,a.png", "category must be one of the 16 categories, got 'na'"),
        ("s,1,1,-0.1,cat,dog,0,a.png", "rt must be from 0 to 60 s, got -0.1"),
        ("s,1,1,634,cat,dog,0,a.png", "rt must be from 0 to 60 s, got 634; it may be in milliseconds"),
        ("s,1,1,inf,cat,dog,0,a.png", "rt must be a number of seconds, got 'inf'"),
        ("s,1,1,fast,cat,dog,0,a.png", "rt must be a number of seconds, got 'fast'"),
    ],
)
def test_invalid_lines_are_named(line, what):
    file = parse_trials(FILE, f"{HEADER}\ns,1,7,0.5,cat,dog,0,a.png\n{line}\n")
    assert [trial.line for trial in file.trials] == [2]
    (bad,) = file.bad
    assert bad.line == 3
    assert what in bad.what


def test_repeated_trials_are_named():
    file = parse_trials(FILE, f"{HEADER}\n{GOOD}\n\n{GOOD}\n{GOOD.replace('s,1', 's,2')}\n")
    assert [trial.line for trial in file.trials] == [2, 5]
    assert file.bad == [(4, "a trial of a session must be listed once, got trial 1 on line 2 too")]


def test_last_line_cut_short():
    file = parse_trials(FILE, PEOPLE[: PEOPLE.index("ng", -4)])
    assert [trial.line for trial in file.trials] == [2]
    assert file.bad == [
        (3, "the last line must be complete, got imagename '0002_hp_s01_inf_knife_10_n03041632_11.p'")
    ]


@pytest.mark.parametrize(
    ("header", "got"),
    [
        ("", "none named subj"),
        (HEADER.replace("rt,", ""), "none named rt"),
        (HEADER.replace(",", ";"), "none named subj"),
        (f"{HEADER},RT", "rt twice"),
    ],
)
def test_header_is_required(header, got):
    assert not is_trial_header(header) or "twice" in got
    with pytest.raises(ConvRNNError, match=f"must have the columns subj, .* each once, got {got}"):
        parse_trials(FILE, f"{header}\n{GOOD}\n")


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(ConvRNNError, match=r"cannot read .*a\.csv: No such file"):
        read_trial_csv(tmp_path / "a.csv")
    monkeypatch.setattr("convrnn_data.human.trial_csv.LARGEST", 100)
    (tmp_path / "a.csv").write_text(PEOPLE)
    with pytest.raises(ConvRNNError, match="must be at most 100 bytes"):
        read_trial_csv(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "observer", "experiment"),
    [
        ("high-pass_subject-01_session_1", "subject-01", "high-pass"),
        ("high-pass_resnet50_session-12", "resnet50", "high-pass"),
        ("my_own_study_subject-01_session_1", "subject-01", "my_own_study"),
        ("contrast_resnet50_train_60_epochs_session-2", "resnet50", "contrast"),
        ("contrast_resnet50_train_60_epochs_session-2", "other", "contrast"),
        ("subject-01_session_1", "subject-01", "subject-01"),
        ("my_study", "subject-01", "my_study"),
    ],
)
def test_experiment_by_file_name(name, observer, experiment):
    for extension in (".csv", ".CSV", ".csv.gz"):
        assert experiment_of(Path(f"folder/{name}{extension}"), observer) == experiment


@pytest.mark.parametrize("observer", ["subject-01", "a_b", "5/é ü", "session_1", "_"])
def test_file_name(observer):
    name = file_name_of("my_own", observer, 3)
    assert "/" not in name
    assert experiment_of(Path(name), observer) == "my_own"


@pytest.mark.parametrize(
    ("image", "source"),
    [
        ("0001_hp_s01_0.7_boat_10_n03662601_10.png", "n03662601_10.png"),
        ("0001_hp_dnn_0.7_boat_10_n03662601_10.png", "n03662601_10.png"),
        ("1180_eid_s02_128-10-10_bird_10_n01582220_3.png", "n01582220_3.png"),
        ("0617_ske_s05_0_car_00_car-0114-sketch-19.png", "car-0114-sketch-19.png"),
        ("truck3-oven2.png", "truck3-oven2.png"),
        ("24_color_gray_g_car.JPEG", "24_color_gray_g_car.JPEG"),
    ],
)
def test_source_image(image, source):
    assert source_image(image) == source


def test_further_columns(tmp_path):
    text = f"{HEADER},Duration,note\n{GOOD},1e9,x\n{GOOD.replace('0.5', '-3').replace('1,1', '1,2')},-3000,\n"
    file = parse_trials(FILE, text)
    assert file.more == ("duration", "note")
    assert [(trial.time, trial.more) for trial in file.trials] == [
        (500, ("1e9", "x")),
        (-3000, ("-3000", "")),
    ]
    assert parse_trials(FILE, format_trial_csv(file.trials, file.more)) == file


def test_corrupt_times_beside_a_duration_are_named():
    file = parse_trials(FILE, f"{HEADER},duration\n{GOOD.replace('0.5', '1e400')},1\n")
    assert file.bad == [(2, "rt must be from -1e+06 to 1e+06 s, got 1e400")]


def test_published_text_is_restored():
    assert format_trial_csv(parse_trials(FILE, PEOPLE).trials) == PEOPLE.replace("Session", "session")


def test_seconds_to_milliseconds():
    assert milliseconds("1.33161187171936") == 1331.61187171936
    assert milliseconds("1e-1") == 100
    # Multiplication rounds twice.
    assert milliseconds("1.005") == 1005 != 1.005 * 1000


@pytest.mark.parametrize("time", [0.015308212055334627, 1.2345678901234567e-3, 59999.99999999999, 5e-324])
def test_times_of_all_digits_are_read_as_written(time):
    trial = Trial(None, "1", 1, 1, time, "cat", "cat", "0", "0.png", ())
    file = parse_trials(FILE, format_trial_csv([trial]))
    assert (file.bad, [found.time for found in file.trials]) == ([], [time])


names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=20).filter(
    lambda text: not {"/", "\\"} & set(text)
)


@given(
    st.lists(
        st.builds(
            Trial,
            line=st.none(),
            observer=names,
            session=st.integers(1, 99),
            trial=st.integers(1, 999),
            time=st.none() | st.floats(0, 60_000),
            response=st.none() | st.sampled_from(CATEGORIES),
            category=st.sampled_from(CATEGORIES),
            condition=names,
            image=names.map("{}.png".format),
            more=st.just(()),
        ),
        unique_by=lambda trial: (trial.observer, trial.session, trial.trial),
    )
)
def test_written_trials_are_read_without_loss(trials):
    file = parse_trials(FILE, format_trial_csv(trials))
    assert file.bad == []
    assert [trial._replace(line=None) for trial in file.trials] == trials
