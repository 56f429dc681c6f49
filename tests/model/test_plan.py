import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.errors import Invalid
from pulvinar.model.plan import BlockGrid, Need, Plan, Step, StepKind, plan_from_json, plan_to_json, smaller_by

sizes = st.tuples(*[st.integers(1, 9)] * 5)


@given(sizes, sizes, st.tuples(*[st.integers(0, 3)] * 5))
def test_blocks_cover_a_volume_once_and_reach_no_further(shape, block_shape, halo):
    grid = BlockGrid(shape, block_shape, halo)
    seen = np.zeros(shape, int)
    for index in range(len(grid)):
        block = grid.block(index)
        seen[block.core.slices] += 1
        for axis in range(5):
            assert block.reach.start[axis] == max(block.core.start[axis] - halo[axis], 0)
            assert block.reach.stop[axis] == min(block.core.stop[axis] + halo[axis], shape[axis])
    assert (seen == 1).all()


def test_a_block_that_there_is_not_is_refused():
    with pytest.raises(Invalid, match="no block 8"):
        BlockGrid((1, 1, 4, 4, 4), (1, 1, 2, 2, 2)).block(8)
    with pytest.raises(Invalid):
        BlockGrid((1, 1, 4, 4, 4), (1, 1, 0, 2, 2))


def test_a_plan_adds_up():
    grid = BlockGrid((1, 1, 4, 4, 4), (1, 1, 2, 2, 2))
    plan = Plan(
        (
            Step("map", StepKind.MAP, Need(100, cpus=2, gpus=1, cpu_s=3.0), grid),
            Step("add", StepKind.REDUCE, Need(500, cpu_s=1.0)),
        )
    )
    assert (plan.blocks, plan.memory_bytes, plan.cpu_s, plan.gpu_s) == (9, 500, 25.0, 12.0)
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_steps_that_make_no_plan_are_refused():
    whole, reduce = Step("a", StepKind.WHOLE, Need(1)), Step("a", StepKind.REDUCE, Need(1))
    for steps in ((), (whole, reduce), (reduce,)):
        with pytest.raises(Invalid):
            Plan(steps)
    with pytest.raises(Invalid, match="has a grid"):
        Step("a", StepKind.MAP, Need(1))


def test_how_much_smaller_a_block_must_be():
    assert smaller_by(Need(1000, fixed_bytes=200), 300) == pytest.approx(0.5)
    assert smaller_by(Need(1000, fixed_bytes=400), 300) is None
