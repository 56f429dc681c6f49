"""From cells in a brain that was aligned to their counts by region, where it is known in which region each lies."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.atlases.toy import SPACE, VOXEL_UM, labels
from tests.ingest.toy_packed import packed
from tests.solutions.stored import catalogued

from pulvinar.atlases.installed import Installed, grids_in, open_atlas
from pulvinar.atlases.transform_json import transform_to_json
from pulvinar.catalogue import get_version
from pulvinar.catalogue.anchors import anchors_of
from pulvinar.compute.jobs import get_job, read_log
from pulvinar.errors import Invalid
from pulvinar.ingest.atlas_install import install_atlas
from pulvinar.ingest.request import Means as IngestMeans
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.job import JobState
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import AffineTransform
from pulvinar.solutions.cells.cell_table import Cells, cells_to_table
from pulvinar.solutions.cells.counting import CellCounts
from pulvinar.solutions.cells.points import put_cells
from pulvinar.solutions.solution import Asked, Desk, Places
from pulvinar.solutions.solution_contract import SolutionContract
from pulvinar.solutions.submission import Means, Request, prepare, submit
from pulvinar.storage.database import Database
from pulvinar.storage.external import S3Access
from pulvinar.storage.store import Store

OWN = Space("volume/some", "mouse")
SHIFT = np.array([100.0, -50.0, 25.0])
PARAMETERS = {"least_score": 0.5, "radius_um": 0.0}


@pytest.fixture
def atlas(database: Database, folder_store: Store, tmp_path) -> Installed:
    return install_atlas(IngestMeans(database, folder_store, tmp_path / "ingest", Limits()), packed(), surfaces=False)


@pytest.fixture
def places() -> np.ndarray:
    """In the atlas: of four, three in its tissue and one anywhere."""
    rng = np.random.default_rng(5)
    tissue = np.argwhere(labels() > 0)
    within = tissue[rng.integers(0, len(tissue), 400)] + rng.uniform(0, 1, (400, 3))
    anywhere = rng.uniform((0, 0, 0), labels().shape, (400, 3))
    return np.where(np.arange(400)[:, None] % 4 > 0, within, anywhere) * VOXEL_UM


def an_asset(kind: AssetKind, asset_id: str, objects: list, details: dict) -> tuple[Asset, list]:
    stored = [StoredObject(one.path, one.size_bytes, one.sha256) for one in objects]
    size = sum(one.size_bytes for one in stored)
    made = Asset(asset_id, kind.value, kind, f"assets/{asset_id}", size, len(stored), asset_digest(stored), details)
    return made, stored


@pytest.fixture
def cells(folder_store: Store, places: np.ndarray) -> tuple[Asset, list]:
    asset_id = new_id()
    desk = Desk("job", Asked({}, {}), {"cells": asset_id}, Places(folder_store.url, S3Access()))
    n = len(places)
    score = np.where(np.arange(n) < n // 2, 0.9, 0.2).astype(np.float32)
    ones = np.ones(n, np.float32)
    found = Cells(places + SHIFT, 10 * ones, score, ones, np.ones(n, np.uint8))
    objects, details = put_cells(desk, "cells", cells_to_table(found), None)
    return an_asset(AssetKind.POINTS, asset_id, objects, {**details, "findings": [], "space": {"name": OWN.name}})


@pytest.fixture
def transform(folder_store: Store) -> tuple[Asset, list]:
    """The way of points from the atlas to the brain: it is gone back."""
    asset_id = new_id()
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    document = transform_to_json(AffineTransform(SPACE, OWN, tuple(map(tuple, matrix.tolist())), 12.0))
    desk = Desk("job", Asked({}, {}), {"transform": asset_id}, Places(folder_store.url, S3Access()))
    made = desk.put("transform", "transform.json", b"{}")
    details = {"from": SPACE.name, "to": OWN.name, "transform": document, "findings": []}
    return an_asset(AssetKind.TRANSFORM, asset_id, [made], details)


class TestCellCounts(SolutionContract):
    """The shipped contract."""

    @pytest.fixture
    def solution(self) -> CellCounts:
        return CellCounts()

    @pytest.fixture
    def desk(self, database: Database, atlas: Installed, cells, transform, folder_store: Store) -> Desk:
        template = next(
            one for one in get_version(database, LOCAL_OWNER, atlas.dataset_id).assets if one.name == "average"
        )
        inputs = {"cells": cells[0], "transform": transform[0], "template": template}
        outputs = {one.name: new_id() for one in CellCounts.description.outputs}
        asked = Asked(inputs, PARAMETERS, {"template": atlas})
        return Desk("job", asked, outputs, Places(folder_store.url, S3Access()))


def test_cells_are_counted_where_they_lie_in_the_atlas(
    means: Means, work: Callable, atlas: Installed, cells, transform, places: np.ndarray, folder_store: Store, tmp_path
):
    held = catalogued(means.database, cells, transform)
    inputs = {"cells": f"{held}:points", "transform": f"{held}:transform", "template": "toy"}
    job = submit(means, Request("cell_counts", inputs))
    work(means)
    done = get_job(means.database, means.actor, job.id)
    assert done.state is JobState.DONE, (done.reason, read_log(means.database, means.actor, job.id))
    made = {one.id: one for one in get_version(means.database, means.actor, done.dataset_id).assets}
    assets = {name: made[one] for name, one in done.outputs.items()}
    table = pq.read_table(io.BytesIO(folder_store.read(f"{assets['counts'].prefix}/table.parquet"))).to_pylist()
    counted = {(row["acronym"], row["side"]): row["count"] for row in table}
    opened = open_atlas(means.database, folder_store, means.actor, "toy", cache=grids_in(tmp_path / "scratch"))
    annotation, sure = opened.annotation, places[:200]
    regions = annotation.regions_at(Points(SPACE, sure))
    root = opened.ontology.children(None)[0]
    assert counted[root.acronym, "both"] == np.count_nonzero(regions) > 20
    for region in {int(one) for one in regions if one}:
        inside = np.isin(regions, annotation.labels_of(region))
        assert counted[opened.ontology.region(region).acronym, "both"] == np.count_nonzero(inside)
    assert counted[root.acronym, "left"] + counted[root.acronym, "right"] == counted[root.acronym, "both"]
    placed = pq.read_table(io.BytesIO(folder_store.read(f"{assets['placed'].prefix}/points.parquet")))
    there = np.stack([placed[name].to_numpy() for name in ("z_um", "y_um", "x_um")], axis=1)
    np.testing.assert_allclose(there, sure, atol=1e-6)
    (anchor,) = anchors_of(means.database, means.actor, [assets["placed"].id])[assets["placed"].id]
    assert anchor.error_um == 12.0
    assert sum(anchor.shares["count"].values()) == np.count_nonzero(regions)


def test_a_transform_of_another_volume_is_refused(means: Means, atlas: Installed, cells, transform):
    elsewhere = replace(cells[0], details={**cells[0].details, "space": {"name": "volume/another"}})
    held = catalogued(means.database, (elsewhere, cells[1]), transform)
    inputs = {"cells": f"{held}:points", "transform": f"{held}:transform", "template": "toy"}
    with pytest.raises(Invalid, match="the cells lie in volume/another"):
        prepare(means, Request("cell_counts", inputs))
