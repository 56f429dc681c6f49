"""What every solution must do, as a test class: its author subclasses it and gives fixtures `solution` and `desk`.

The desk's `asked` holds small inputs in a store that is a folder, and parameters that cut them into several blocks; its
`outputs` name an asset identifier for each output. Nothing here imports pytest.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from dataclasses import replace

from pulvinar.compute.engine import BlockResult, result_from_json, result_to_json
from pulvinar.model.plan import Plan, Step, StepKind, plan_from_json, plan_to_json
from pulvinar.model.solution import Words, description_to_json
from pulvinar.solutions.solution import Desk, Solution, output_prefix

_RESULTS = "jobs/contract"


class SolutionContract:
    """The promises of `Solution`."""

    def test_it_is_described_in_both_languages(self, solution: Solution) -> None:
        """And every default is a value that may be given."""
        one = solution.description
        assert one.name
        assert one.version
        assert one.outputs
        titles = [one.title, one.summary, *(item.title for item in one.inputs), *(item.title for item in one.outputs)]
        titles += [item.title for item in one.parameters]
        assert all(_is_said(words) for words in titles)
        helps = [*(item.help for item in one.inputs), *(item.help for item in one.parameters)]
        assert all(bool(words.en) == bool(words.zh) for words in helps)
        assert one.checked({}) == {item.name: item.checked(item.default) for item in one.parameters}
        json.dumps(description_to_json(one))

    def test_a_plan_is_the_same_each_time(self, solution: Solution, desk: Desk) -> None:
        """And survives being stored."""
        plan = solution.plan(desk.asked)
        assert plan == solution.plan(desk.asked) == plan_from_json(json.loads(json.dumps(plan_to_json(plan))))
        assert all(step.need.memory_bytes > 0 and step.need.cpu_s >= 0 for step in plan.steps)
        assert all(step.size_parameter in desk.asked.parameters for step in plan.steps if step.size_parameter)

    def test_blocks_of_a_map_answer_for_everything_once(self, solution: Solution, desk: Desk) -> None:
        """Cores fill the grid and don't overlap."""
        for step in solution.plan(desk.asked).steps:
            if step.grid is None:
                continue
            cores = [step.block(index).core for index in range(step.blocks)]
            assert len(set(cores)) == step.blocks
            voxels = sum(_voxels(core.shape) for core in cores if core is not None)
            assert voxels == _voxels(step.grid.shape)

    def test_a_block_that_runs_again_stores_the_same(self, solution: Solution, desk: Desk) -> None:
        """In any order, and in a process that gets everything as it is pickled."""
        plan = solution.plan(desk.asked)
        first = _run(solution, plan, desk, reverse=False)
        stored = {entry.key: desk.store.read(entry.key) for entry in desk.store.list("assets")}
        again = _run(solution, plan, pickle.loads(pickle.dumps(desk)), reverse=True)
        assert again == first
        assert {entry.key: desk.store.read(entry.key) for entry in desk.store.list("assets")} == stored

    def test_results_can_be_stored(self, solution: Solution, desk: Desk) -> None:
        """As JSON, and as what they were."""
        for results in _run(solution, solution.plan(desk.asked), desk, reverse=False):
            for result in results:
                assert result_from_json(json.loads(json.dumps(result_to_json(result), allow_nan=False))) == result

    def test_every_output_is_made_whole(self, solution: Solution, desk: Desk) -> None:
        """Of objects that are in the store, each told by one block."""
        results = [one for step in _run(solution, solution.plan(desk.asked), desk, reverse=False) for one in step]
        made = [item for one in results for item in one.objects]
        needed = {one.name for one in solution.description.outputs if not one.optional}
        assert needed <= {item.output for item in made} <= {one.name for one in solution.description.outputs}
        assert len({(item.output, item.path) for item in made}) == len(made)
        for item in made:
            assert desk.store.size(f"{output_prefix(desk.outputs[item.output])}/{item.path}") == item.size_bytes


def _is_said(words: Words) -> bool:
    return bool(words.en and words.zh)


def _voxels(shape: Iterable[int]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def _run(solution: Solution, plan: Plan, desk: Desk, *, reverse: bool) -> list[list[BlockResult]]:
    """Run every block of every step; the results of each step in the order of blocks."""
    done: list[list[BlockResult]] = []
    keys: dict[str, str] = {}
    for step in plan.steps:
        results = _run_step(solution, step, replace(desk, result_keys=dict(keys)), reverse=reverse)
        assert step.kind is not StepKind.REDUCE or len(results) == 1
        keys[step.name] = f"{_RESULTS}/{step.name}.jsonl"
        lines = (json.dumps([index, result_to_json(one)]) for index, one in enumerate(results))
        desk.store.put_bytes(keys[step.name], "\n".join(lines).encode())
        done.append(results)
    return done


def _run_step(solution: Solution, step: Step, desk: Desk, *, reverse: bool) -> list[BlockResult]:
    order = range(step.blocks)
    results = {index: solution.run(step, step.block(index), desk) for index in (reversed(order) if reverse else order)}
    return [results[index] for index in order]
