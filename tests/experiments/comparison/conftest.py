"""An evaluation on blurred stimuli, compared with the simulated observers."""

import pytest

from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.evaluation.results import read_evaluations


@pytest.fixture(scope="session")
def blur(tmp_path_factory, seen, make_run):
    return make_run(tmp_path_factory.mktemp("runs") / "blur", "blur", seen)


@pytest.fixture(scope="session")
def rows(blur, seen):
    return compare(read_evaluations([blur]), read_observer_group(seen))
