"""Evaluation on blurred stimuli, compared with simulated observers."""

import pytest

from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.evaluation.results import read_evaluations


@pytest.fixture(scope="session")
def blur(tmp_path_factory, human_data, make_run):
    return make_run(tmp_path_factory.mktemp("runs") / "blur", "blur", human_data)


@pytest.fixture(scope="session")
def rows(blur, human_data):
    return compare(read_evaluations([blur]), read_observer_group(human_data))
