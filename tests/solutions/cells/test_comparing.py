"""From tables of counts of two groups of animals to the regions that differ, as a job."""

import io
from collections.abc import Callable

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.atlases.toy import VOXEL_UM, labels
from tests.ingest.toy_packed import packed
from tests.solutions.cells.test_counting import an_asset
from tests.solutions.stored import catalogued

from pulvinar.atlases.installed import Installed, grids_in, open_atlas
from pulvinar.catalogue import get_version
from pulvinar.compute.jobs import get_job, read_log
from pulvinar.errors import Invalid
from pulvinar.ingest.atlas_install import install_atlas
from pulvinar.ingest.canonical import parquet
from pulvinar.ingest.request import Means as IngestMeans
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.atlas import PartKind
from pulvinar.model.dataset import AssetKind
from pulvinar.model.identity import new_id
from pulvinar.model.job import JobState
from pulvinar.model.space import Points
from pulvinar.solutions.cells.comparing import CellGroups, compared_regions
from pulvinar.solutions.cells.regions import count_cells
from pulvinar.solutions.solution import Asked, Desk, Places
from pulvinar.solutions.solution_contract import SolutionContract
from pulvinar.solutions.submission import Means, Request, prepare, submit
from pulvinar.storage.database import Database
from pulvinar.storage.external import S3Access
from pulvinar.storage.store import Store

CELLS, MORE = 4000, 3


@pytest.fixture
def atlas(database: Database, folder_store: Store, tmp_path) -> Installed:
    return install_atlas(IngestMeans(database, folder_store, tmp_path / "ingest", Limits()), packed(), surfaces=False)


@pytest.fixture
def animals(database: Database, folder_store: Store, tmp_path, atlas: Installed) -> list:
    """Tables of eight animals with cells all over the tissue; in the last four one label has three times as many."""
    opened = open_atlas(database, folder_store, LOCAL_OWNER, atlas.atlas.name, cache=grids_in(tmp_path / "grids"))
    rng, tissue = np.random.default_rng(3), np.argwhere(labels() > 0)
    label = labels()[tuple(tissue.T)]
    made = []
    for number in range(8):
        weight = np.where((label == label.max()) & (number >= 4), MORE, 1.0) * rng.uniform(0.9, 1.1)
        voxels = tissue[rng.choice(len(tissue), rng.integers(CELLS, CELLS + 200), p=weight / weight.sum())]
        places = (voxels + rng.uniform(0, 1, voxels.shape)) * VOXEL_UM
        counted = count_cells(Points(opened.atlas.space, places), opened.annotation).to_table()
        asset_id = new_id()
        desk = Desk("job", Asked({}, {}), {"counts": asset_id}, Places(folder_store.url, S3Access()))
        columns = {name: counted[name].combine_chunks() for name in counted.column_names}
        stored = desk.put("counts", "table.parquet", parquet(columns))
        details = {"columns": counted.column_names, "count": counted.num_rows, "findings": []}
        made.append(an_asset(AssetKind.TABLE, asset_id, [stored], details))
    return made


@pytest.fixture
def asked(animals: list, atlas: Installed) -> Request:
    ids = [asset.id for asset, _ in animals]
    inputs = {f"a.{at}": one for at, one in enumerate(ids[:4], 1)} | {
        f"b.{at}": one for at, one in enumerate(ids[4:], 1)
    }
    return Request("cell_groups", {**inputs, "template": atlas.atlas.name})


class TestCellGroups(SolutionContract):
    """The shipped contract."""

    @pytest.fixture
    def solution(self) -> CellGroups:
        return CellGroups()

    @pytest.fixture
    def desk(self, animals: list, atlas: Installed, database: Database, folder_store: Store) -> Desk:
        template = next(
            one
            for one in get_version(database, LOCAL_OWNER, atlas.dataset_id).assets
            if one.id == atlas.atlas.part(PartKind.TEMPLATE).asset_id
        )
        inputs = {f"{'ab'[at // 4]}.{at % 4 + 1}": asset for at, (asset, _) in enumerate(animals)}
        asked = Asked({**inputs, "template": template}, {"depth": 0, "side": "both"}, {"template": atlas})
        return Desk("job", asked, {"comparison": new_id()}, Places(folder_store.url, S3Access()))


def test_the_region_that_differs_is_told_from_those_that_do_not(
    means: Means, work: Callable, animals, asked, folder_store
):
    for one in animals:
        catalogued(means.database, one)
    job = submit(means, asked)
    work(means)
    done = get_job(means.database, means.actor, job.id)
    assert done.state is JobState.DONE, (done.reason, read_log(means.database, means.actor, job.id))
    (made,) = get_version(means.database, means.actor, done.dataset_id).assets
    table = pq.read_table(io.BytesIO(folder_store.read(f"{made.prefix}/table.parquet"))).to_pydict()
    assert len(table["region"]) == len(np.unique(labels())) - 1
    changed = table["region"].index(int(labels().max()))
    assert table["q"][changed] < 0.01
    assert table["effect_low"][changed] > 0
    assert max(table["mean_b"][at] / table["mean_a"][at] for at in range(len(table["q"])) if at != changed) < 1.1
    assert table["name"][changed]
    drawn = folder_store.read(f"{made.prefix}/{made.details['pictures'][0]['path']}")
    assert drawn.startswith(b"\x89PNG")


def test_regions_of_a_depth_are_not_in_one_another(atlas, database, folder_store, tmp_path):
    ontology = open_atlas(
        database, folder_store, LOCAL_OWNER, atlas.atlas.name, cache=grids_in(tmp_path / "g")
    ).ontology
    every = {one.id: 1.0 for one in ontology.regions}
    for depth in range(6):
        regions = compared_regions([every, every], ontology, depth)
        within = {below.id for one in regions for below in ontology.descendants(one)}
        assert not within & set(regions)
        # together they hold all that ends
        ends = {one.id for one in ontology.regions if not ontology.children(one.id)}
        assert ends <= within | set(regions)


def test_groups_that_can_not_be_compared_are_refused(means: Means, animals, asked):
    for one in animals:
        catalogued(means.database, one)
    given = dict(asked.inputs)
    refused = {
        "group a has 1 animals": {name: one for name, one in given.items() if name not in ("a.2", "a.3", "a.4")},
        "more than once": {**given, "b.1": given["a.1"]},
        "no input 'c.1'": {**given, "c.1": given["a.1"]},
    }
    for reason, inputs in refused.items():
        with pytest.raises(Invalid, match=reason):
            prepare(means, Request("cell_groups", inputs))
    with pytest.raises(Invalid, match="no input 'a'"):
        prepare(means, Request("cell_groups", {"a": given["a.1"]}))
