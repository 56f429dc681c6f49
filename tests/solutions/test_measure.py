"""The whole path, from a request to a dataset that says where it comes from, on a small volume."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.solutions.stored import catalogued, stored_volume

from pulvinar.access.visibility import EVERYONE, audience_of, hide
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import get_version, publish
from pulvinar.catalogue.sharing import set_tier, share, who_may
from pulvinar.compute.jobs import get_job, read_log
from pulvinar.compute.slots import Slot
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from pulvinar.model.access import LOCAL_OWNER, Actor, Right, Tier
from pulvinar.model.dataset import Asset
from pulvinar.model.identity import new_id
from pulvinar.model.job import Job, JobState
from pulvinar.solutions.measure import Measure
from pulvinar.solutions.solution import Asked, Desk, Places
from pulvinar.solutions.solution_contract import SolutionContract
from pulvinar.solutions.submission import Means, Request, prepare, rerun, submit
from pulvinar.storage.external import S3Access
from pulvinar.storage.store import Store


class TestMeasure(SolutionContract):
    """The shipped contract."""

    @pytest.fixture
    def solution(self) -> Measure:
        return Measure()

    @pytest.fixture
    def desk(self, folder_store: Store, tmp_path: Path, voxels: np.ndarray) -> Desk:
        labels = (np.arange(voxels[0, 0].size).reshape((1, 1, *voxels.shape[2:])) // 50_000).astype(np.uint32)
        image, _ = stored_volume(folder_store, tmp_path / "scratch", voxels)
        regions, _ = stored_volume(folder_store, tmp_path / "scratch", labels)
        asked = Asked({"image": image, "labels": regions}, {"level": 0, "block_side": 40})
        return Desk("job", asked, {"statistics": new_id()}, Places(folder_store.url, S3Access()))


def table_of(means: Means, store: Store, job_id: str) -> tuple[Asset, dict[str, list]]:
    job = get_job(means.database, means.actor, job_id)
    assert job.state is JobState.DONE, (job.reason, read_log(means.database, means.actor, job_id))
    version = get_version(means.database, means.actor, job.dataset_id)
    (made,) = version.assets
    return made, pq.read_table(io.BytesIO(store.read(f"{made.prefix}/table.parquet"))).to_pydict()


def small_blocks(image: str, **more: object) -> Request:
    return Request("measure", {"image": image, **more}, {"block_side": 32})


def test_a_volume_is_measured_whole(means: Means, work: Callable, brain: str, voxels: np.ndarray, folder_store: Store):
    job = submit(means, small_blocks(f"{brain}:brain"))
    assert (job.state, job.progress.blocks) == (JobState.QUEUED, 2 * 3 * 3 * 3 + 1)
    work(means)
    made, rows = table_of(means, folder_store, job.id)
    for channel in (0, 1):
        one = voxels[0, channel].astype(np.float64)
        assert rows["channel"][channel] == f"channel {channel}"
        assert rows["voxels"][channel] == one.size
        assert rows["mean"][channel] == pytest.approx(one.mean(), rel=1e-12)
        assert rows["standard_deviation"][channel] == pytest.approx(one.std(), rel=1e-12)
        assert (rows["lowest"][channel], rows["highest"][channel]) == (one.min(), one.max())
    assert made.details["columns"] == list(rows)
    assert not list(folder_store.list("jobs"))


def test_labels_are_measured_each(means: Means, work: Callable, image, voxels, folder_store: Store, tmp_path: Path):
    labels = (np.arange(voxels[0, 0].size).reshape((1, 1, *voxels.shape[2:])) // 50_000).astype(np.uint32)
    brain = catalogued(means.database, image, stored_volume(folder_store, tmp_path / "scratch", labels, "regions"))
    job = submit(means, small_blocks(f"{brain}:brain", labels=f"{brain}:regions"))
    work(means)
    _, rows = table_of(means, folder_store, job.id)
    assert rows["label"] == [*range(labels.max() + 1)] * 2
    for row, (label, channel) in enumerate(zip(rows["label"], rows["channel"], strict=True)):
        inside = voxels[0, int(channel[-1])][labels[0, 0] == label].astype(np.float64)
        assert rows["voxels"][row] == inside.size
        assert rows["mean"][row] == pytest.approx(inside.mean(), rel=1e-12)
        assert rows["standard_deviation"][row] == pytest.approx(inside.std(), rel=1e-9)


def test_what_is_made_says_where_it_comes_from(means: Means, work: Callable, brain: str, folder_store: Store):
    first = submit(means, small_blocks(f"{brain}:brain"))
    work(means)
    made, _ = table_of(means, folder_store, first.id)
    told = made.details["derivation"]
    source = get_version(means.database, LOCAL_OWNER, brain)
    assert told["inputs"] == [
        {"name": "image", "dataset_id": brain, "version": 1, "digest": source.digest, "asset_id": source.assets[0].id}
    ]
    assert told["parameters"] == {"level": 0, "block_side": 32}
    assert (told["solution"], told["solution_version"], told["engine"]) == ("measure", "1", "here")
    assert told["libraries"]["numpy"] == np.__version__
    again = rerun(means, made.id)
    work(means)
    remade, _ = table_of(means, folder_store, again.id)
    assert remade.id != made.id
    assert remade.digest == made.digest


def test_what_was_brought_in_can_not_be_made_again(means: Means, brain: str, image):
    with pytest.raises(Invalid, match="was brought in"):
        rerun(means, image[0].id)
    with pytest.raises(NotFound):
        rerun(means, "local-01hzzzzzzzzzzzzzzzzzzzzzzz")


def test_a_plan_that_fits_no_slot_is_refused_with_what_would_help(means: Means, brain: str):
    small = replace(means, engine=replace(means.engine, slots=(Slot("standard", 2, 405_000_000),)))
    with pytest.raises(TooLarge, match=r"step 'add' takes 0\.8 GB") as refused:
        prepare(small, Request("measure", {"image": f"{brain}:brain"}))
    assert "fewer workers with more memory each: standard:1x0.81GB" in refused.value.hint
    wide = replace(means, engine=replace(means.engine, slots=(Slot("standard", 1, 810_000_000),)))
    assert prepare(wide, Request("measure", {"image": f"{brain}:brain"})).plan.blocks == 3


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request("measure", {}), "needs the input 'image'"),
        (Request("measure", {"picture": "x"}), "no input 'picture'"),
        (Request("measure", {"image": "BRAIN"}, {"sigma": 1}), "no parameter 'sigma'"),
        (Request("measure", {"image": "BRAIN"}, {"block_side": 3}), "from 16 to 1024 voxels"),
        (Request("measure", {"image": "BRAIN"}, {"level": 9}), "no level 9"),
        (Request("measure", {"image": "BRAIN", "labels": "BRAIN"}), "is an image"),
    ],
)
def test_what_can_not_be_is_refused(means: Means, brain: str, request_: Request, said: str):
    inputs = {name: value.replace("BRAIN", f"{brain}:brain") for name, value in request_.inputs.items()}
    with pytest.raises(Invalid) as refused:
        prepare(means, replace(request_, inputs=inputs))
    assert said in f"{refused.value.message} {refused.value.hint}"


class TestRights:
    """A job has the rights of its actor, no more and not for longer."""

    guest = Actor("guest", "Guest")

    def test_nobody_computes_on_what_is_hidden(self, means: Means, image):
        hidden = catalogued(means.database, image, published=False)
        with pytest.raises(NotFound):
            submit(replace(means, actor=self.guest), small_blocks(f"{hidden}:brain"))
        with pytest.raises(NotFound):
            submit(replace(means, actor=self.guest), small_blocks(image[0].id))

    def test_nobody_makes_what_they_may_not(self, means: Means, brain: str):
        with pytest.raises(Forbidden, match="may not write on this node"):
            submit(replace(means, actor=self.guest), small_blocks(f"{brain}:brain"))

    def test_a_right_that_is_gone_ends_the_job(self, means: Means, work: Callable, brain: str, image):
        with UnitOfWork(means.database, LOCAL_OWNER) as unit:
            share(unit, brain, audience_of(self.guest.id), Right.WRITE)
        job = submit(replace(means, actor=self.guest), replace(small_blocks(image[0].id), into=brain))
        with UnitOfWork(means.database, LOCAL_OWNER) as unit:
            share(unit, brain, audience_of(self.guest.id), Right.SEE)
            hide(unit.session, brain, EVERYONE)
        work(means)
        ended = get_job(means.database, LOCAL_OWNER, job.id)
        assert ended.state is JobState.FAILED
        assert "may not read dataset" in ended.reason

    def test_what_is_made_of_hidden_data_is_not_published(self, means: Means, work: Callable, image, folder_store):
        hidden = catalogued(means.database, image, published=False, licence="CC-BY-NC-4.0")
        job = submit(means, small_blocks(f"{hidden}:brain"))
        work(means)
        ended: Job = get_job(means.database, LOCAL_OWNER, job.id)
        version = get_version(means.database, LOCAL_OWNER, ended.dataset_id)
        assert version.record.licence == "CC-BY-NC-4.0"
        with pytest.raises(Conflict, match="which fewer may see"), UnitOfWork(means.database, LOCAL_OWNER) as unit:
            publish(unit, version.id)

    def test_outputs_are_of_the_strictest_tier(self, means: Means, work: Callable, image, folder_store: Store):
        brain = catalogued(means.database, image)
        with UnitOfWork(means.database, LOCAL_OWNER) as unit:
            set_tier(unit, brain, Tier.CONTROLLED)
        job = submit(means, small_blocks(f"{brain}:brain"))
        work(means)
        made = get_job(means.database, LOCAL_OWNER, job.id).dataset_id
        access, _ = who_may(means.database, LOCAL_OWNER, made)
        assert access.tier is Tier.CONTROLLED
        with pytest.raises(Conflict, match="which fewer may see"), UnitOfWork(means.database, LOCAL_OWNER) as unit:
            set_tier(unit, made, Tier.PUBLIC)
