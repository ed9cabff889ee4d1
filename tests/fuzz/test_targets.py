"""Every target on its seeds and a few drawn inputs; `make fuzz` draws many more."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fuzz.harness import check, limited_memory
from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_give_a_correct_answer_or_one_clear_error(name, tmp_path):
    with limited_memory():
        for data in TARGETS[name].seeds.values():
            check(TARGETS[name], data, tmp_path / "input")


@pytest.mark.parametrize("name", TARGETS)
def test_drawn_inputs_give_a_correct_answer_or_one_clear_error(name, tmp_path):
    @settings(
        max_examples=TARGETS[name].examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(TARGETS[name].inputs)
    def run(data):
        check(TARGETS[name], data, tmp_path / "input")

    with limited_memory():
        run()
