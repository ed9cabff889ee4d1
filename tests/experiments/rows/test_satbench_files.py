"""Files of SATBench's other networks: accuracies by level and block."""

import json

import numpy as np
import pandas as pd
import pytest

from convrnn_experiments.rows import satbench_files
from convrnn_experiments.rows.csv_lines import column_names
from convrnn_experiments.rows.read import Rows, read_rows

NOISE = {"0": [20, 40, 60, 70, 72.5], "0.04": [10, 20, 30, 40, 50], "0.16": [5, 6, 7, 8, 9]}
FLOPS = [1e6, 2e6, 3e6, 4e6, 5e6, 6e6, 7e6]


@pytest.fixture
def results(tmp_path):
    def write(content) -> list:
        folder = tmp_path / "msdnet"
        folder.mkdir(exist_ok=True)
        (folder / "results.json").write_text(json.dumps(content))
        return satbench_files.read_results(folder / "results.json", "msdnet")

    return write


def test_accuracies_of_scan_and_msdnet_are_read(results):
    rows = results(NOISE | {"flops": FLOPS})
    assert [(row.regime, row.level, row.condition) for row in rows] == [
        ("noise", "0", "noise 0"),
        ("noise", "0.04", "noise 0.04"),
        ("noise", "0.16", "noise 0.16"),
    ]
    assert rows[0].percent.tolist() == NOISE["0"]
    assert rows[0].multiply_adds.tolist() == FLOPS[:5]
    assert np.isnan(rows[0].images).all()
    assert rows[0].source.facts["form"] == "accuracies of SCAN or MSDNet"


def test_color_and_grayscale_share_a_file(results):
    rows = results({"c": NOISE["0"], "g": NOISE["0.04"]})
    assert [(row.regime, row.level, row.condition) for row in rows] == [
        ("color", "c", "color"),
        ("grayscale", "g", "grayscale"),
    ]
    assert np.isnan(rows[0].multiply_adds).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "must be an object of levels and accuracies, got list"),
        ({"flops": FLOPS}, "its levels must be one of: .*; got none"),
        ({"0": NOISE["0"]}, "its levels must be one of: .*; got 0"),
        (NOISE | {"0": [1, 2]}, r"level 0 must have 5 accuracies from 0 to 100, .* got \[1, 2\]"),
        (NOISE | {"0": [1, 2, 3, 4, True]}, "level 0 must have 5 accuracies"),
        (NOISE | {"0": [1, 2, 3, 4, 101]}, "level 0 must have 5 accuracies"),
        (NOISE | {"0": "none"}, "level 0 must have 5 accuracies"),
        ({"c": [0.1] * 5, "g": [1.0] * 5}, "accuracies must be in percent, got none above 1"),
    ],
)
def test_other_content_is_refused(results, content, message):
    with pytest.raises(ValueError, match=message):
        results(content)


def test_damaged_json_is_refused(tmp_path):
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(ValueError, match="must be valid JSON, got a damaged file"):
        satbench_files.read_results(tmp_path / "results.json", "net")


def cnet_rows(model: str) -> pd.DataFrame:
    """Answers as CNet's script writes them: 20 images an exit, of which exit 2 e has 4 e + 2 right."""
    parts = []
    experiments = [
        ("color", None),
        ("grayscale", None),
        ("random_gauss_blur", 0.0),
        ("random_gauss_blur", 3.0),
    ]
    for experiment, std in experiments:
        for block, exit in enumerate((0, 2, 4, 6, 8)):
            targets = np.arange(20) % 16
            right = np.arange(20) < 4 * block + 2
            part = {"model": model, "experiment": experiment, "exit": exit, "targets": targets}
            part["predictions"] = np.where(right, targets, (targets + 1) % 16)
            parts.append(pd.DataFrame(part | ({} if std is None else {"std": std})))
    return pd.concat(parts)


def test_accuracies_of_cnet_are_counted(tmp_path):
    path = tmp_path / "targets_predictions_by_exp.csv"
    cnet_rows("(1.0),parallel").to_csv(path, index=False)
    assert satbench_files.is_cnet(column_names(path))
    rows = satbench_files.read_cnet(path, "cnet")
    assert [(row.network, row.condition) for row in rows] == [
        ("cnet", "color"),
        ("cnet", "grayscale"),
        ("cnet", "blur 0"),
        ("cnet", "blur 3"),
    ]
    for row in rows:
        assert row.percent.tolist() == [10, 30, 50, 70, 90]
        assert row.images.tolist() == [20] * 5
        assert np.isnan(row.multiply_adds).all()


def test_models_of_a_file_are_networks(tmp_path):
    path = tmp_path / "targets_predictions_by_exp.csv"
    pd.concat([cnet_rows("(1.0),parallel"), cnet_rows("(0.0),serial")]).to_csv(path, index=False)
    rows = satbench_files.read_cnet(path, "cnet")
    assert {row.network for row in rows} == {"cnet (1.0),parallel", "cnet (0.0),serial"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"experiment": "sepia"}, "line 2: experiment must be one of color; .* got 'sepia'"),
        ({"experiment": "random_gauss_blur"}, "line 2: std must be the level of random_gauss_blur"),
        ({"exit": 3}, "must have 5 exits, .* got 0, 2, 3, 4, 6, 8"),
        ({"targets": "x"}, "line 2: targets must be a number, got 'x'"),
    ],
)
def test_wrong_lines_of_cnet_are_named(tmp_path, change, message):
    table = cnet_rows("m").astype(object).reset_index(drop=True)
    for name, value in change.items():
        table.loc[0, name] = value
    path = tmp_path / "targets_predictions_by_exp.csv"
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=message):
        satbench_files.read_cnet(path, "cnet")


def test_files_with_the_name_of_their_program_are_named_after_the_folder(
    tmp_path, make_run, human_data, results
):
    results(NOISE)
    run = make_run(tmp_path / "noise", "noise", human_data, steps=1)
    rows = read_rows([tmp_path / "msdnet/results.json", run])
    assert isinstance(rows, Rows)
    assert {row.network for row in rows.accuracies} == {"msdnet"}
