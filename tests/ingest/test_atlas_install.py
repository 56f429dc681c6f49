"""An atlas becomes a published dataset: whole or not at all, once, and sharing what its versions have in common."""

import io
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.atlases.toy import ONTOLOGY, SPACE, VOXEL_UM, corner_affine, labels, region
from tests.ingest.toy_packed import bright, packed, volume

from pulvinar.atlases.installed import OpenAtlas, find_atlas, list_atlases
from pulvinar.atlases.region_meshes import read_surface
from pulvinar.catalogue.datasets import list_datasets
from pulvinar.catalogue.versions import get_version, list_versions
from pulvinar.errors import Invalid, NotFound
from pulvinar.ingest import atlas_install
from pulvinar.ingest.atlas_install import install_atlas
from pulvinar.ingest.request import Means
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.atlas import PartKind
from pulvinar.model.space import Points, Window
from pulvinar.model.volume import VolumeKind
from pulvinar.operations.sweep import sweep
from pulvinar.storage.store import open_store


@pytest.fixture
def means(database, tmp_path):
    store = open_store((tmp_path / "store").as_uri())
    return Means(database=database, store=store, scratch=tmp_path / "scratch", limits=Limits(), threads=2)


@pytest.fixture
def opened(means, tmp_path):
    """Opens a version of the toy for questions."""
    return lambda version=None: OpenAtlas(
        find_atlas(means.database, LOCAL_OWNER, "toy", version), means.store, tmp_path / "grids"
    )


class Killed(Exception):
    """What ends a run where a test wants it ended."""


@pytest.fixture
def killed_at_surfaces(monkeypatch):
    """Ends an install when template, annotation and tree are whole."""

    def die(*_):
        raise Killed

    def install(means, atlas):
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(atlas_install, "surface_files", die)
            install_atlas(means, atlas)

    return install


def keys(means):
    return sorted(entry.key for entry in means.store.list("assets"))


def ids(installed):
    return {part.kind: part.asset_id for part in installed.atlas.parts}


def template_of(atlas):
    stored = atlas.volume(atlas.atlas.part(PartKind.TEMPLATE))
    return stored.read(0, Window.whole(stored.volume.shape))[0, 0]


def test_an_installed_atlas_answers_and_is_a_published_dataset(means, opened):
    installed = install_atlas(means, packed())
    atlas = opened()
    np.testing.assert_array_equal(template_of(atlas), bright(labels()))
    at = (np.array([[7, 30, 50], [25, 20, 50], [0, 0, 0]]) + 0.5) * VOXEL_UM
    assert atlas.annotation.regions_at(Points(SPACE, at)).tolist() == [11, 614454277, 0]
    assert [one.id for one in atlas.ontology.regions] == [one.id for one in ONTOLOGY.regions]

    version = get_version(means.database, LOCAL_OWNER, installed.dataset_id)
    said = version.record
    assert (said.title, said.licence, said.citation, said.source) == ("A toy brain", "CC0-1.0", "nobody", "made up")
    assert {(part.asset_id, part.digest) for part in installed.atlas.parts} == {
        (one.id, one.digest) for one in version.assets
    }
    prefix = f"assets/{ids(installed)[PartKind.TERMINOLOGY]}"
    table = pq.read_table(io.BytesIO(means.store.read(f"{prefix}/table.parquet"))).to_pydict()
    assert dict(zip(table["id"], table["name_zh"], strict=True))[8] == "灰质"
    assert dict(zip(table["id"], table["parent"], strict=True)) == {
        one.id: -1 if one.parent is None else one.parent for one in ONTOLOGY.regions
    }
    corners, _ = read_surface(means.store, f"assets/{ids(installed)[PartKind.MESHES]}", 614454277)
    np.testing.assert_allclose(corners.min(axis=0), np.array([14, 10, 10]) * VOXEL_UM, atol=max(VOXEL_UM))
    np.testing.assert_allclose(corners.max(axis=0), np.array([35, 60, 90]) * VOXEL_UM, atol=max(VOXEL_UM))


def test_the_same_once_more_changes_nothing(means):
    first, before = install_atlas(means, packed()), keys(means)
    again = install_atlas(means, packed())
    assert again == first
    assert keys(means) == before
    assert len(list_versions(means.database, LOCAL_OWNER, first.dataset_id)) == 1
    assert sweep(means.database, means.store, grace_s=0).keys == ()


def test_a_new_version_shares_what_has_not_changed(means, opened):
    first = install_atlas(means, packed())
    voxels = labels()
    voxels[20:24, 30:34, 10:90] = 12
    second = install_atlas(means, packed(voxels, version="2"))
    assert second.dataset_id == first.dataset_id
    changed = {kind for kind, asset_id in ids(second).items() if ids(first)[kind] != asset_id}
    assert changed == {PartKind.ANNOTATION, PartKind.MESHES}
    newest, oldest = list_versions(means.database, LOCAL_OWNER, first.dataset_id)
    assert {one.id for one in oldest.assets} == set(ids(first).values())
    assert {one.id for one in newest.assets} == set(ids(second).values())
    place = Points(SPACE, (np.array([[22, 32, 50]]) + 0.5) * VOXEL_UM)
    assert [opened(version).annotation.regions_at(place).tolist() for version in ("1", "2")] == [[20], [12]]
    assert [one.atlas.version for one in list_atlases(means.database, LOCAL_OWNER)] == ["2"]
    # what the second run has written once more is nobody's
    assert sweep(means.database, means.store, grace_s=0).keys == ()


def test_a_killed_install_shows_nothing_and_the_next_goes_on(means, killed_at_surfaces):
    killed_at_surfaces(means, packed())
    assert list_atlases(means.database, LOCAL_OWNER) == ()
    assert list_datasets(means.database, LOCAL_OWNER).items == ()
    left = {key.split("/")[1] for key in keys(means)}
    # what is still to be gone on with is nobody's to sweep
    assert sweep(means.database, means.store, grace_s=0).keys == ()
    installed = install_atlas(means, packed())
    assert left == set(ids(installed).values()) - {ids(installed)[PartKind.MESHES]}


def test_a_killed_install_that_nobody_goes_on_with_is_swept(means, killed_at_surfaces):
    killed_at_surfaces(means, packed())
    assert keys(means)
    sweep(means.database, means.store, grace_s=0, abandon_after_s=0)
    assert keys(means) == []


@pytest.mark.parametrize("what", ["voxels", "place"])
def test_an_install_goes_on_only_with_what_is_still_the_same(means, opened, killed_at_surfaces, what):
    killed_at_surfaces(means, packed())
    other = bright(labels()) // 2
    lies = corner_affine(VOXEL_UM)
    if what == "place":
        other, lies[0, 3] = bright(labels()), lies[0, 3] + 100
    moved = volume("average", VolumeKind.IMAGE, other, lies)
    install_atlas(means, packed(templates=(moved,)))
    atlas = opened()
    np.testing.assert_array_equal(template_of(atlas), other)
    part = atlas.atlas.part(PartKind.TEMPLATE)
    assert part.voxel_to_space_um == moved.voxel_to_space_um
    # the world is superior, anterior, right: of PIR only the second axis, z of the toy, points backwards
    assert atlas.volume(part).volume.affine_um[1][3] == -lies[0, 3]


def test_regions_that_are_no_tree_are_refused(means):
    circle = (region(1, "one", 2), region(2, "two", 1))
    with pytest.raises(Invalid):
        install_atlas(means, packed(regions=circle))
    with pytest.raises(Invalid, match="labels of toy are float32"):
        install_atlas(means, packed(labels().astype(np.float32)))
    assert list_atlases(means.database, LOCAL_OWNER) == ()
    assert list_datasets(means.database, LOCAL_OWNER).items == ()


def test_templates_alone_are_an_atlas(means, opened):
    bare = replace(packed(), annotation=None, regions=(), midline_um=None)
    installed = install_atlas(means, bare)
    assert set(ids(installed)) == {PartKind.TEMPLATE}
    with pytest.raises(NotFound):
        _ = opened().annotation
