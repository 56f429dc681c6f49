import pytest

from pulvinar.compute.slots import Slot, bigger_slot, check_fits, parse_slots, slot_for
from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.plan import BlockGrid, Need, Plan, Step, StepKind

GB = 1_000_000_000
SLOTS = parse_slots("gpu:1x8GB+1gpu 4x4GB large:1x16GB+4cpu")


def plan_of(need: Need, parameter: str = "block_side") -> Plan:
    grid = BlockGrid((1, 1, 512, 512, 512), (1, 1, 256, 256, 256))
    return Plan((Step("filter", StepKind.MAP, need, grid, size_parameter=parameter),))


def test_slots_are_read_and_sorted():
    standard, large, gpu = SLOTS
    assert standard == Slot("standard", 4, 4 * GB)
    assert large == Slot("large", 1, 16 * GB, cpus=4)
    assert gpu == Slot("gpu", 1, 8 * GB, gpus=1)
    assert standard.in_words == "4 slots of 4 GB, 1 core"


def test_without_a_setting_the_cores_of_this_machine_are_slots():
    (slot,) = parse_slots("")
    assert slot.count >= 1
    assert slot.memory_bytes > 100_000_000


@pytest.mark.parametrize("text", ["4", "x4GB", "0x4GB", "4x4MB", "a:1x1GB a:1x2GB", "1x4GB+gpu"])
def test_what_is_no_slot_is_refused(text: str):
    with pytest.raises(Invalid):
        parse_slots(text)


def test_the_smallest_slot_is_chosen_and_gpus_are_kept_for_those_who_need_one():
    standard, large, gpu = SLOTS
    assert slot_for(Need(GB), SLOTS) is standard
    assert slot_for(Need(5 * GB), SLOTS) is large
    assert slot_for(Need(GB, cpus=2), SLOTS) is large
    assert slot_for(Need(GB, gpus=1), SLOTS) is gpu
    assert slot_for(Need(17 * GB), SLOTS) is None
    assert bigger_slot(standard, Need(GB), SLOTS) is large
    assert bigger_slot(large, Need(GB), SLOTS) is None


def test_a_plan_that_fits_is_let_through():
    check_fits(plan_of(Need(4 * GB)), SLOTS, "local")


def test_what_does_not_fit_is_told_with_all_that_would_help():
    with pytest.raises(TooLarge) as refused:
        check_fits(plan_of(Need(9 * GB, fixed_bytes=GB)), parse_slots("4x4GB"), "local")
    assert refused.value.message == (
        "step 'filter' takes 9 GB, 1 core for a block, and engine 'local' has no slot for that "
        "(standard: 4 slots of 4 GB, 1 core)"
    )
    # (4 - 1) of (9 - 1) GB vary with the block: its side may be the third root of that
    assert refused.value.hint == (
        "make its blocks smaller: block_side at 72% of what it is, or less, or "
        "have fewer workers with more memory each: standard:1x16GB, or "
        "add a bigger slot to the setting engine_slots: large:1x9.45GB"
    )


def test_a_gpu_that_is_not_there_is_asked_for():
    with pytest.raises(TooLarge) as refused:
        check_fits(plan_of(Need(GB, gpus=1)), parse_slots("4x4GB"), "local")
    assert refused.value.hint == "add a bigger slot to the setting engine_slots: gpu:1x1.05GB+1gpu"


def test_the_worst_step_is_named():
    steps = [Step(name, StepKind.WHOLE, Need(memory)) for name, memory in (("a", 5 * GB), ("b", 50 * GB), ("c", GB))]
    with pytest.raises(TooLarge, match="step 'b' takes 50 GB"):
        check_fits(Plan(tuple(steps)), parse_slots("1x4GB"), "local")
