"""From a brain in the catalogue to the same brain in an installed atlas, by a job."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from tests.solutions.align.small_mouse import as_microscope, small_atlas, small_mouse
from tests.solutions.stored import catalogued, stored_volume

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import Installed
from pulvinar.catalogue import get_version, publish
from pulvinar.catalogue.anchors import anchors_of
from pulvinar.catalogue.transforms import find_route, list_transforms, transform_points
from pulvinar.compute.jobs import get_job, list_jobs, read_log
from pulvinar.errors import Invalid
from pulvinar.ingest.atlas_install import install_atlas
from pulvinar.ingest.packing import PackedAtlas
from pulvinar.ingest.request import Means as IngestMeans
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import Asset
from pulvinar.model.identity import new_id
from pulvinar.model.job import Job, JobState
from pulvinar.model.record import Species
from pulvinar.model.space import Points, Window
from pulvinar.model.volume import volume_from_json
from pulvinar.solutions.align import reference_brains as brains
from pulvinar.solutions.align.known_warps import KnownBrain, known_brain
from pulvinar.solutions.align.quality import region_dice
from pulvinar.solutions.align.solution import AlignSolution
from pulvinar.solutions.grids import grid_space_name
from pulvinar.solutions.rules import add_rule
from pulvinar.solutions.solution import Asked, Desk, Places
from pulvinar.solutions.solution_contract import SolutionContract
from pulvinar.solutions.submission import Means, Request, prepare, submit
from pulvinar.storage.database import Database
from pulvinar.storage.external import S3Access
from pulvinar.storage.store import Store
from pulvinar.storage.volumes import open_volume

VOXEL_UM = 400.0
PARAMETERS = {"channel": 0, "work_voxel_um": VOXEL_UM, "output_voxel_um": 0.0, "carry_regions": True}


@pytest.fixture(scope="module")
def mouse(samples) -> brains.Reference:
    pytest.importorskip("picsl_greedy")
    if not (samples / "mouse").is_dir():
        pytest.skip("sample mouse is not there")
    return small_mouse(samples)


@pytest.fixture(scope="module")
def packed(mouse) -> PackedAtlas:
    return small_atlas(mouse)


@pytest.fixture(scope="module")
def known(mouse) -> KnownBrain:
    return known_brain(mouse.template, mouse.labels, VOXEL_UM, 7)


@pytest.fixture
def atlas(database: Database, folder_store: Store, tmp_path, packed: PackedAtlas) -> Installed:
    means = IngestMeans(database, folder_store, tmp_path / "ingest", Limits())
    return install_atlas(means, packed, surfaces=False)


@pytest.fixture
def image(folder_store: Store, tmp_path, known: KnownBrain) -> tuple[Asset, list]:
    voxels = as_microscope(known)
    return stored_volume(folder_store, tmp_path / "scratch", voxels, size_um=(VOXEL_UM,) * 3)


@pytest.fixture
def template(database: Database, atlas: Installed) -> Asset:
    assets = get_version(database, LOCAL_OWNER, atlas.dataset_id).assets
    return next(one for one in assets if one.name == "average")


class TestAlign(SolutionContract):
    """The shipped contract."""

    @pytest.fixture
    def solution(self) -> AlignSolution:
        return AlignSolution()

    @pytest.fixture
    def desk(self, image, atlas: Installed, template: Asset, folder_store: Store) -> Desk:
        asked = Asked({"image": image[0], "template": template}, PARAMETERS, {"template": atlas})
        outputs = {one.name: new_id() for one in AlignSolution.description.outputs}
        return Desk("job", asked, outputs, Places(folder_store.url, S3Access()))


@pytest.fixture
def done(means: Means, work: Callable, image, atlas: Installed) -> Job:
    brain = catalogued(means.database, image)
    request = Request("align", {"image": f"{brain}:brain", "template": "small_mouse"}, PARAMETERS)
    job = submit(means, request)
    work(means)
    found = get_job(means.database, means.actor, job.id)
    assert found.state is JobState.DONE, (found.reason, read_log(means.database, means.actor, job.id))
    return found


def test_a_brain_is_seen_in_the_atlas_and_the_regions_on_the_brain(
    means: Means, done: Job, folder_store: Store, mouse: brains.Reference, known: KnownBrain, image
):
    made = {one.id: one for one in get_version(means.database, means.actor, done.dataset_id).assets}
    assets = {name: made[asset_id] for name, asset_id in done.outputs.items()}
    aligned = volume_from_json(assets["aligned"].details["volume"])
    assert prod(aligned.shape) == pytest.approx(prod(mouse.template.voxels.shape) / 8, rel=0.1)
    held = open_volume(folder_store, assets["aligned"].prefix, aligned).read(0, Window.whole(aligned.shape))[0, 0]
    # every second voxel of the template lies nearly where one of the cubes does
    template = np.asarray(mouse.template.voxels, float)[tuple(slice(0, 2 * n, 2) for n in held.shape)]
    shared = tuple(slice(0, min(pair)) for pair in zip(held.shape, template.shape, strict=True))
    assert np.corrcoef(held[shared].ravel(), template[shared].ravel())[0, 1] > 0.85
    regions = open_volume(folder_store, assets["regions"].prefix)
    seen = regions.read(0, Window.whole(regions.volume.shape))[0, 0].astype(np.int64)
    assert seen.shape == known.labels.shape
    assert np.mean(list(region_dice(known.labels, seen, 200).values())) > 0.7
    pictures = assets["transform"].details["pictures"]
    assert [one["path"] for one in pictures] == [f"pictures/{n}.png" for n in ("checkerboard", "outlines", "regions")]
    assert all(folder_store.read(f"{assets['transform'].prefix}/{one['path']}")[:4] == b"\x89PNG" for one in pictures)
    stages = assets["transform"].details["alignment"]["stages"]
    assert stages[-1]["tissue_dice"] > 0.93


def test_what_was_made_is_anchored_and_points_find_their_way(
    means: Means, done: Job, folder_store: Store, known, image
):
    (anchor,) = anchors_of(means.database, means.actor, [done.outputs["aligned"]])[done.outputs["aligned"]]
    assert anchor.atlas == "small_mouse"
    assert anchor.certainty.value == "measured"
    assert 0 < anchor.error_um < 2 * VOXEL_UM
    assert len(anchor.shares["share"]) > 50
    with UnitOfWork(means.database, means.actor) as unit:
        publish(unit, get_version(means.database, means.actor, done.dataset_id).id)
    stored = list_transforms(means.database, folder_store, means.actor)
    own = grid_space_name(image[0])
    route = find_route(stored, own, anchor.space)
    at = np.argwhere(known.labels > 0)[::20]
    there = transform_points(route, Points(route.transform.source, at * VOXEL_UM))
    far = np.linalg.norm(there.zyx_um - known.truth(at), axis=1)
    assert np.median(far) < 0.7 * VOXEL_UM
    back = transform_points(find_route(stored, anchor.space, own), there)
    assert np.percentile(np.linalg.norm(back.zyx_um - at * VOXEL_UM, axis=1), 95) < 0.1 * VOXEL_UM


def test_a_template_is_that_of_an_atlas_of_the_same_species(means: Means, image, atlas: Installed):
    brain = catalogued(means.database, image)
    with pytest.raises(Invalid, match="template of an installed atlas"):
        prepare(means, Request("align", {"image": f"{brain}:brain", "template": f"{brain}:brain"}, PARAMETERS))
    fish = catalogued(means.database, (replace(image[0], id=new_id()), image[1]), species=Species.ZEBRAFISH)
    with pytest.raises(Invalid, match="one species"):
        prepare(means, Request("align", {"image": f"{fish}:brain", "template": "small_mouse"}, PARAMETERS))
    with pytest.raises(Invalid, match="no channel 3"):
        prepare(
            means,
            Request("align", {"image": f"{brain}:brain", "template": "small_mouse"}, {**PARAMETERS, "channel": 3}),
        )


def test_the_only_atlas_of_the_species_is_meant_when_none_is_named(means: Means, work: Callable, image, tmp_path):
    with pytest.raises(Invalid, match="0 of the species mouse have a template"):
        prepare(means, Request("align", {"image": f"{catalogued(means.database, image)}:brain"}, PARAMETERS))


def test_a_rule_aligns_every_new_brain(means: Means, work: Callable, image, atlas: Installed):
    add_rule(
        means, "align every mouse", "align", conditions={"species": "mouse", "kind": "volume"}, parameters=PARAMETERS
    )
    catalogued(means.database, image)
    work(means)
    (done,), _ = list_jobs(means.database, means.actor, state=JobState.DONE)
    assert done.solution == "align"
    assert {one.name for one in done.inputs} == {"image", "template"}
