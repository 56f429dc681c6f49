"""From a light-sheet crop in the catalogue to a table of its cells, the same whatever the blocks."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.solutions.cells.test_volumes import SMALL
from tests.solutions.stored import SIZE_UM, catalogued, stored_volume

from pulvinar.catalogue import get_version
from pulvinar.compute.jobs import get_job, read_log
from pulvinar.errors import Invalid
from pulvinar.model.identity import new_id
from pulvinar.model.job import JobState
from pulvinar.solutions.cells.cell_table import Cells, cells_from_table
from pulvinar.solutions.cells.sample_data import section_tiles
from pulvinar.solutions.cells.search import find_cells
from pulvinar.solutions.cells.sections import SectionSearch
from pulvinar.solutions.cells.simulated import Scene, make_scene
from pulvinar.solutions.cells.solution import CellSolution
from pulvinar.solutions.cells.volumes import VolumeSearch
from pulvinar.solutions.solution import Asked, Desk, Places
from pulvinar.solutions.solution_contract import SolutionContract
from pulvinar.solutions.submission import Means, Request, submit
from pulvinar.storage.external import S3Access
from pulvinar.storage.store import Store

PARAMETERS = CellSolution.description.checked({"diameter_um": 12.0, "background": 1})


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(5, SMALL, (60, 120, 110), snr=4.0)


@pytest.fixture
def volume(scene: Scene, folder_store: Store, tmp_path: Path):
    voxels = np.stack([scene.signal, scene.background])[None]
    return stored_volume(folder_store, tmp_path / "scratch", voxels)


class TestCells(SolutionContract):
    """The shipped contract."""

    @pytest.fixture
    def solution(self) -> CellSolution:
        return CellSolution()

    @pytest.fixture
    def desk(self, volume, folder_store: Store) -> Desk:
        asked = Asked({"image": volume[0]}, {**PARAMETERS, "block_side": 64})
        return Desk("job", asked, {"cells": new_id()}, Places(folder_store.url, S3Access()))


def test_a_job_finds_the_cells_that_the_verb_finds(means: Means, work: Callable, volume, scene: Scene, folder_store):
    brain = catalogued(means.database, volume)
    job = submit(means, Request("cells", {"image": f"{brain}:brain"}, {**PARAMETERS, "block_side": 50}))
    work(means)
    done = get_job(means.database, means.actor, job.id)
    assert done.state is JobState.DONE, (done.reason, read_log(means.database, means.actor, job.id))
    (made,) = get_version(means.database, means.actor, done.dataset_id).assets
    cells = cells_from_table(pq.read_table(io.BytesIO(folder_store.read(f"{made.prefix}/points.parquet"))))
    voxels = np.stack([scene.signal, scene.background])
    # the volume is stored with voxels of 2 x 1 x 1 um
    search = VolumeSearch((12.0, 12.0, 12.0), background=1)
    expected = find_cells(lambda block: voxels[block.slices], scene.signal.shape, SIZE_UM, search)
    assert len(cells) == len(expected) > 10
    np.testing.assert_array_equal(cells.zyx_um, expected.zyx_um)
    assert made.details["count"] == len(cells)


def test_sections_in_two_colours_are_looked_at_plane_by_plane(
    means: Means, work: Callable, sample, folder_store, tmp_path
):
    tiles = section_tiles(Path(sample("macaque/retrograde_cells")).parents[1])
    unseen = np.flatnonzero(tiles.fold == 0)[:2]
    # two sections of 256 x 256 pixels in two channels: (c, z, y, x)
    voxels = np.stack([tiles.image(int(one)) for one in unseen], axis=1)
    size_um = (40.0, 1.0, 1.0)
    brain = catalogued(means.database, stored_volume(folder_store, tmp_path / "s", voxels[None], size_um=size_um))
    given = {"picture": "sections", "diameter_um": 11.3, "second": 1, "block_side": 128}
    job = submit(means, Request("cells", {"image": f"{brain}:brain"}, given))
    work(means)
    done = get_job(means.database, means.actor, job.id)
    assert done.state is JobState.DONE, (done.reason, read_log(means.database, means.actor, job.id))
    (made,) = get_version(means.database, means.actor, done.dataset_id).assets
    cells = cells_from_table(pq.read_table(io.BytesIO(folder_store.read(f"{made.prefix}/points.parquet"))))
    search = SectionSearch((11.3, 11.3, 11.3))
    expected = find_cells(lambda block: voxels[block.slices], voxels.shape[1:], size_um, search)
    np.testing.assert_array_equal(np.unique(cells.zyx_um[:, 0]), [0.0, 40.0])
    assert len(cells) == len(expected) > 10
    np.testing.assert_allclose(cells.zyx_um, expected.zyx_um)


def test_sections_of_which_nobody_knows_the_white_are_asked_for_it(volume):
    sections = CellSolution.description.checked({"picture": "sections"})
    with pytest.raises(Invalid, match="what is white in channel 0"):
        CellSolution().plan(Asked({"image": volume[0]}, sections))
    CellSolution().plan(Asked({"image": volume[0]}, {**sections, "white": 4000.0}))


def test_a_channel_that_is_not_there_is_refused(volume):
    with pytest.raises(Invalid, match="no channel 5"):
        CellSolution().plan(Asked({"image": volume[0]}, {**PARAMETERS, "signal": 5, "block_side": 64}))


def cells_of(means: Means, work: Callable, store: Store, image: str, given: dict) -> Cells:
    job = submit(means, Request("cells", {"image": image}, given))
    work(means)
    done = get_job(means.database, means.actor, job.id)
    assert done.state is JobState.DONE, (done.reason, read_log(means.database, means.actor, job.id))
    (made,) = get_version(means.database, means.actor, done.dataset_id).assets
    assert made.details["space"]["name"] == f"volume/{done.inputs[0].asset_id}"
    return cells_from_table(pq.read_table(io.BytesIO(store.read(f"{made.prefix}/points.parquet"))))


@pytest.mark.parametrize("block_side", [32, 256])
def test_a_box_gives_the_cells_that_the_whole_has_in_it(
    means: Means, work: Callable, volume, folder_store: Store, block_side: int
):
    image = f"{catalogued(means.database, volume)}:brain"
    whole = cells_of(means, work, folder_store, image, {**PARAMETERS, "block_side": 256})
    low, high = np.array([21.0, 30.5, 0.0]), np.array([90.0, 84.25, 70.0])
    box = ",".join(f"{one:g}" for one in (*low, *high))
    found = cells_of(means, work, folder_store, image, {**PARAMETERS, "block_side": block_side, "box": box})
    inside = ((whole.zyx_um >= low) & (whole.zyx_um < high)).all(axis=1)
    assert 5 < inside.sum() < len(whole)
    np.testing.assert_array_equal(found.zyx_um, whole.zyx_um[inside])
    np.testing.assert_array_equal(found.score, whole.score[inside])


def test_a_box_costs_what_is_in_it_and_one_beside_the_image_is_refused(volume):
    everywhere = CellSolution().plan(Asked({"image": volume[0]}, {**PARAMETERS, "block_side": 32}))
    given = {**PARAMETERS, "block_side": 32, "box": "20,20,20,50,50,50"}
    small = CellSolution().plan(Asked({"image": volume[0]}, given))
    assert small.blocks < everywhere.blocks / 2
    with pytest.raises(Invalid, match="holds no voxel of the image") as refused:
        CellSolution().plan(Asked({"image": volume[0]}, {**given, "box": "500,0,0,600,10,10"}))
    assert refused.value.hint == "it reaches from 0, 0, 0 to 118, 119, 109 um (z, y, x)"
    for wrong in ("1,2,3", "1,2,3,1,5,6", "a,b,c,d,e,f", "0,0,0,1,1,inf"):
        with pytest.raises(Invalid, match="parameter 'box'"):
            CellSolution.description.checked({"box": wrong})
    assert CellSolution.description.checked({"box": " 1 2 3  4.50 5 6"})["box"] == "1,2,3,4.5,5,6"
