import pytest

from convrnn_model import names
from convrnn_model.inference.costs import costs
from convrnn_model.inference.operations import IMAGE, Architecture, Operation, operations
from convrnn_model.inference.plan import Step, plan
from convrnn_model.inference.shapes import value_shapes
from convrnn_model.inference.vectors import vector_shape
from convrnn_model.variants import VARIANTS

SHAPE = vector_shape("avx2")
SIZE = (64, 64)


def network(name="bl_net", timesteps=3):
    variant = VARIANTS[name]
    steps = timesteps if variant.recurrent else None
    return Architecture(name, variant.convolutions(), 10, steps, False, 3, (None, None))


def planned(wanted=None, *, name="bl_net", batch=2):
    found = network(name)
    return plan(found, operations(found, wanted), SIZE, batch, costs("avx2"), SHAPE)


def steps(found):
    return {step.output: step for step in found.steps if isinstance(step, Step)}


def test_a_layer_is_one_step():
    found = steps(planned())
    step = found[names.relu(2, 1)]
    assert step.inputs == (names.max_pool(2, 1), names.relu(2, 0))
    assert step.kernels == (names.bottom_up(2), names.lateral(2))
    assert step.normalization == names.batch_norm(2, 1)
    assert step.rectifies
    assert step.pooled == names.max_pool(3, 1)
    assert step.added is None


def test_the_convolution_of_the_image_is_computed_once():
    found = steps(planned())
    assert [name for name, step in found.items() if IMAGE in step.inputs] == [names.at(names.bottom_up(0), 0)]
    assert found[names.relu(0, 0)].inputs == ()
    assert {found[names.relu(0, time)].added for time in range(3)} == {names.at(names.bottom_up(0), 0)}


def test_the_first_time_step_shares_the_spectrum_of_later_ones():
    found = steps(planned())
    first, later = found[names.relu(3, 0)], found[names.relu(3, 2)]
    assert first.kernels == (names.bottom_up(3),)
    assert first.shared == later.shared == later.kernels
    assert first.tiling == later.tiling


def test_wanted_values_are_not_fused():
    wanted = [names.at(names.conv_sum(1), 2), names.at(names.lateral(1), 1), names.batch_norm(1, 1)]
    found = planned(wanted)
    assert steps(found)[wanted[0]].normalization is None
    assert steps(found)[wanted[1]].kernels == (names.lateral(1),)
    assert steps(found)[names.batch_norm(1, 1)].added == wanted[1]
    assert not steps(found)[names.batch_norm(1, 1)].rectifies
    assert any(isinstance(step, Operation) and step.kind == "relu" for step in found.steps)


def test_only_what_is_wanted_is_computed():
    found = planned([names.relu(1, 1)])
    assert {names.split_time(name)[1] for name in steps(found)} == {0, 1}
    assert names.relu(2, 0) not in steps(found)
    assert steps(found)[names.relu(1, 1)].pooled is None


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if not variant.top_down])
@pytest.mark.parametrize("batch", [1, 8])
def test_a_buffer_holds_one_value_until_its_last_use(name, batch):
    found = planned(name=name, batch=batch)
    architecture = network(name)
    shapes = value_shapes(architecture, operations(architecture), SIZE)
    held = {}
    for i, step in enumerate(found.steps):
        if not isinstance(step, Step):
            continue
        for value in (step.output, step.pooled):
            if value is None:
                continue
            buffer = found.buffers[value]
            height, width, _ = shapes[value]
            assert found.sizes[buffer] >= batch * height * width * step.filters
            previous = held.get(buffer)
            # Inputs may be overwritten, since they are transformed before; what is added may not.
            assert previous is None or found.last_use.get(previous, -1) <= i
            assert previous is None or previous != step.added
            held[buffer] = value
        assert len({found.buffers[value] for value in (step.output, step.pooled) if value}) == 1 + bool(
            step.pooled
        )


def test_tiles_are_for_sizes_and_batches():
    alone, together = planned(batch=1), planned(batch=8)
    assert alone.seconds > together.seconds > 0
    assert together.left > alone.left
