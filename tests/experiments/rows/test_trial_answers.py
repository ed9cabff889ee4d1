"""Answers of networks as trial CSVs of model-vs-human."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.differences import differences
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.report import build
from convrnn_experiments.rows.read import read_rows
from convrnn_experiments.statistics.measures import error_consistency

HEADER = "subj,session,trial,rt,object_response,category,condition,imagename"
CONDITIONS = ("0.4", "inf")


def write(path: Path, who: str, *, person: bool, seed: int) -> Path:
    """Answers to two images of each category in each condition; each image is shown in both conditions."""
    rng, lines = np.random.default_rng(seed), [HEADER]
    images = [(category, k, condition) for category in CATEGORIES for k in (1, 2) for condition in CONDITIONS]
    for trial, index in enumerate(rng.permutation(len(images)) if person else range(len(images)), start=1):
        category, k, condition = images[index]
        right = rng.random() < (0.9 if condition == "inf" else 0.4)
        answer = category if right else CATEGORIES[rng.integers(16)]
        missed = person and rng.random() < 0.05
        tag = "s01" if person else "dnn"
        lines.append(
            f"{who},1,{trial},{rng.uniform(0.4, 1.4) if person and not missed else 'NaN'},{'na' if missed else answer},"
            f"{category},{condition},{trial:04d}_hp_{tag}_{condition}_{category}_10_{category}{k}.png"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("high-pass")
    for number in (1, 2, 3):
        name = f"high-pass_subject-0{number}_session_1.csv"
        write(folder / name, f"subject-0{number}", person=True, seed=number)
    return folder


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    return [
        write(folder / f"high-pass_{name}_session-1.csv", name, person=False, seed=9 + seed)
        for seed, name in enumerate(("resnet50", "bagnet33"))
    ]


def test_a_network_has_the_name_and_conditions_of_its_file(networks):
    row, other = read_rows(networks).evaluations
    assert (row.network, row.name, row.regime, row.human) == ("resnet50", "high-pass", "high-pass", True)
    assert other.network == "bagnet33"
    assert list(row.conditions) == ["high-pass 0.4", "high-pass inf", "high-pass (all levels)"]
    assert row.answers.names[0] == "0.4/airplane1.png"
    assert row.answers.answers.shape == (64, 1)
    table = pd.read_csv(networks[0])
    percent = 100 * (table.object_response == table.category).mean()
    assert row.accuracy.percent == [pytest.approx(percent)]
    assert set(row.unavailable) == {"speed-accuracy curve", "response times"}


def test_kappa_with_people_is_that_of_the_raw_files(people, networks):
    group = read_observer_group(people)
    rows = compare(read_rows(networks).evaluations, group)
    assert [row.condition for row in rows[:3]] == ["high-pass 0.4", "high-pass inf", "high-pass (all levels)"]

    def right(path: Path) -> pd.Series:
        table = pd.read_csv(path, keep_default_na=False)
        correct = (table.object_response == table.category).astype(float)
        image = table.condition.astype(str) + "/" + table.imagename.str.rpartition("_")[2]
        return correct.where(table.object_response != "na").set_axis(image)

    network = right(networks[0])
    for row, condition in zip(rows, CONDITIONS, strict=False):
        kappas = []
        for path in sorted(people.iterdir()):
            both = pd.concat([network, right(path)], axis=1).dropna()
            both = both[both.index.str.startswith(f"{condition}/")]
            kappas.append(error_consistency(both[0], both[1]))
        assert row.estimates["error_consistency"].value == pytest.approx(np.mean(kappas), abs=1e-12)


def test_an_experiment_of_one_condition_has_one_level(tmp_path):
    """People's files have the condition 0 and networks' files NaN, as in texture-vs-shape's edge experiment."""
    person = write(tmp_path / "people/edge_subject-01_session_1.csv", "subject-01", person=True, seed=1)
    network = write(tmp_path / "edge_net_session-1.csv", "net", person=False, seed=2)
    for path, condition in ((person, "0"), (network, "NaN")):
        table = pd.read_csv(path, keep_default_na=False)
        table = table[table.condition.astype(str) == "inf"].assign(condition=condition)
        table.imagename = table.imagename.str.replace("_inf_", f"_{condition}_")
        table.to_csv(path, index=False)
    row = compare(read_rows([network]).evaluations, read_observer_group(person.parent))[0]
    answered = (pd.read_csv(person, keep_default_na=False).object_response != "na").sum()
    assert (row.evaluation.answers.levels == "0").all()
    assert row.image_count == answered
    assert np.isfinite(row.estimates["error_consistency"].value)


def test_what_needs_blocks_is_a_dash(people, networks):
    rows = compare(read_rows(networks).evaluations, read_observer_group(people))
    for row in rows:
        undefined = {name for name, estimate in row.estimates.items() if np.isnan(estimate.value)}
        assert {name for name in row.estimates if name.startswith(("sat_", "steepness"))} <= undefined
        assert np.isfinite(row.human[0].value)
        assert np.isnan(row.human[1].value)
    for pair in differences(rows):
        if pair.measure.startswith(("sat_", "steepness")):
            assert np.isnan(pair.estimate.value)


@pytest.mark.usefixtures("figures_not_drawn")
def test_a_page_of_another_experiment_is_written(people, networks, tmp_path):
    page = build.write_report(networks, tmp_path / "index.html", human=people)
    text = page.read_text()
    assert "no speed-accuracy curve" in text
    assert "the experiment has no response-time blocks" in text


def test_stimuli_of_satbench_are_compared_by_block(tmp_path, human_data, make_run):
    run = make_run(tmp_path / "blur", "blur", human_data, steps=1)
    own = pd.read_csv(run / "evaluation/blur/predictions.csv")
    table = pd.DataFrame(
        {
            "subj": "net",
            "session": own.block + 1,
            "trial": np.arange(len(own)) + 1,
            "rt": "NaN",
            "object_response": [CATEGORIES[answer] for answer in own.predictions_exit0],
            "category": [CATEGORIES[label] for label in own.labels],
            "condition": own.level,
            "imagename": own.file_names,
        }
    )
    table.to_csv(tmp_path / "blur_net_session-1.csv", index=False)
    expected, read = read_rows([run, tmp_path / "blur_net_session-1.csv"]).evaluations
    assert (read.network, read.regime) == ("net", "blur")
    np.testing.assert_array_equal(read.answers.names, expected.answers.names)
    np.testing.assert_array_equal(read.answers.answers, expected.answers.answers)


def lines(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


GOOD = "net,1,1,NaN,dog,dog,inf,0001_hp_dnn_inf_dog_10_a.png"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lines(), "got the header alone"),
        (
            lines(GOOD, GOOD.replace(",1,1,", ",1,2,")),
            "line 3: an image may occur once in a condition, got inf/a.png",
        ),
        (
            lines(GOOD, "net,1,2,NaN,wolf,dog,inf,b.png"),
            "line 3: object_response must be one of the 16 categories",
        ),
        (
            lines(GOOD, "net,1,2,NaN,na,dog,inf,b.png"),
            "line 3: a network must answer every image, got no answer",
        ),
        (lines(GOOD, "other,1,2,NaN,dog,dog,inf,b.png"), "it must have one network, got net, other"),
        (lines(GOOD.replace("NaN", "0.5")), r"got people's\. Give people's files with --human"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, message):
    (tmp_path / "high-pass_net_session-1.csv").write_text(text)
    with pytest.raises(ConvRNNError, match=message):
        read_rows([tmp_path / "high-pass_net_session-1.csv"])


def test_two_files_of_one_network_and_experiment_are_refused(networks, tmp_path):
    twin = tmp_path / networks[0].name
    twin.write_bytes(networks[0].read_bytes())
    with pytest.raises(
        ConvRNNError, match=r"a network may have one file of answers to high-pass, got .* of resnet50"
    ):
        read_rows([networks[0], twin])
