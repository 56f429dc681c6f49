"""Each check of an atlas passes for a whole one, and fails for one that has just that fault."""

from dataclasses import replace

import numpy as np
import pytest
from tests.atlases.toy import ONTOLOGY, VOXEL_UM, corner_affine, labels, region
from tests.ingest.toy_packed import MIDLINE_UM, bright, packed, volume

from pulvinar.atlases.installed import OpenAtlas
from pulvinar.atlases.region_meshes import regions_with_voxels
from pulvinar.ingest import atlas_checks as checks
from pulvinar.ingest.atlas_install import install_atlas
from pulvinar.model.volume import VolumeKind

SIDED = (
    region(997, "root", acronym="root"),
    region(1, "left half", 997, side="left"),
    region(2, "right half", 997, side="right"),
)


@pytest.fixture
def opened(means, tmp_path):
    """Installs what a packer has made, and opens it."""

    def install(atlas):
        return OpenAtlas(install_atlas(means, atlas, surfaces=False), means.store, tmp_path / "grids")

    return install


def halves(left=1, right=2):
    """The toy's tissue as two sides: x rises to the right."""
    voxels = np.where(labels() > 0, left, 0).astype(np.uint32)
    voxels[:, :, 50:][voxels[:, :, 50:] > 0] = right
    return voxels


def wedge():
    """Tissue that is larger at the back and below than in front and above: no mirror image of it fits it."""
    z, y, x = np.indices((40, 70, 100))
    return ((y - 35) ** 2 / 25**2 + (x - 49.5) ** 2 / 40**2 < (z - 2) / 36 * (0.4 + y / 70)).astype(np.uint32) * 11


def test_a_whole_atlas_passes_every_check(means, tmp_path):
    tissue = wedge()
    tissue[tissue > 0] = np.broadcast_to(np.where(np.arange(100) < 50, 1, 2), tissue.shape)[tissue > 0]
    atlas = OpenAtlas(
        install_atlas(means, packed(tissue, bright(tissue), regions=SIDED)), means.store, tmp_path / "grids"
    )
    found = checks.check_atlas(atlas, lambda one: frozenset(regions_with_voxels(one.annotation)))
    assert {one.name: one.passed for one in found} == {one.name: True for one in found}
    assert len(found) == 9


def test_what_an_atlas_does_not_have_is_not_checked(opened):
    bare = replace(packed(), annotation=None, regions=(), midline_um=None)
    found = {one.name: one.passed for one in checks.check_atlas(opened(bare))}
    assert found.pop("licence, citation and source are stated") is True
    assert set(found.values()) == {None}


def test_a_tree_has_one_root(opened):
    two = (*ONTOLOGY.regions, region(5, "another brain"))
    found = checks.tree_is_a_tree(opened(packed(regions=two)))
    assert (found.passed, found.found) == (False, "8 regions, 2 roots")


def test_a_label_without_a_region_is_told(opened):
    voxels = labels()
    voxels[20, 20, 20] = 4711
    found = checks.labels_have_regions(opened(packed(voxels)))
    assert found.passed is False
    assert "[4711]" in found.found


@pytest.mark.parametrize(
    "twin", [region(5, "Thalamus", 997, acronym="TH2"), region(5, "other", 8, acronym="O", name_zh="丘脑")]
)
def test_a_name_that_two_regions_have_is_told(opened, twin):
    found = checks.names_are_unique(opened(packed(regions=(*ONTOLOGY.regions, twin))))
    assert found.passed is False
    assert found.found.startswith("twice: ")


@pytest.mark.parametrize("what", ["licence", "citation", "source"])
def test_terms_that_nobody_states_are_told(opened, what):
    found = checks.terms_are_stated(opened(packed(**{what: ""})))
    assert found.passed is False
    assert what in found.found


def test_sides_that_are_changed_are_told(opened):
    assert checks.sides_are_right(opened(packed(halves(), regions=SIDED))).passed is True
    assert checks.sides_are_right(opened(packed(halves(2, 1), regions=SIDED, version="2"))).passed is False


@pytest.mark.parametrize("moved_voxels", [12, 25, 40])
def test_an_annotation_that_lies_beside_its_template_is_told(opened, moved_voxels):
    lies = corner_affine(VOXEL_UM)
    lies[1, 3] += moved_voxels * VOXEL_UM[1]
    moved = volume("annotation", VolumeKind.LABELS, labels(), lies)
    found = checks.template_overlaps(opened(packed(annotation=moved)))
    assert found.passed is False, found.found


@pytest.mark.parametrize("axis", [0, 1])
def test_an_annotation_that_is_turned_against_its_template_is_told(opened, axis):
    tissue = wedge()
    whole = opened(packed(tissue, bright(tissue)))
    assert checks.template_overlaps(whole).passed is True
    assert checks.no_mirror_image_fits_better(whole).passed is True
    turned = opened(packed(np.ascontiguousarray(np.flip(tissue, axis)), bright(tissue), version="2"))
    for check in (checks.template_overlaps, checks.no_mirror_image_fits_better):
        found = check(turned)
        assert found.passed is False, found.found


def test_an_annotation_of_a_part_of_the_brain_overlaps_as_far_as_it_goes(opened):
    part = labels()
    part[14:] = 0
    found = checks.template_overlaps(opened(packed(part)))
    assert found.passed is True
    assert "a part of the brain" in found.found


@pytest.mark.parametrize("sided", [False, True])
def test_a_midline_beside_the_middle_is_told(opened, sided):
    said = {"regions": SIDED} if sided else {}
    voxels = halves() if sided else labels()
    assert checks.midline_is_the_middle(opened(packed(voxels, **said))).passed is True
    beside = packed(voxels, midline_um=MIDLINE_UM + 300, version="2", **said)
    assert checks.midline_is_the_middle(opened(beside)).passed is False


def test_a_region_without_a_surface_is_told(means, tmp_path):
    atlas = OpenAtlas(install_atlas(means, packed()), means.store, tmp_path / "grids")
    every = frozenset(regions_with_voxels(atlas.annotation))
    assert checks.regions_have_surfaces(atlas, lambda _: every).passed is True
    found = checks.regions_have_surfaces(atlas, lambda _: every - {20})
    assert found.passed is False
    assert "[20]" in found.found
