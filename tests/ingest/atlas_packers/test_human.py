"""The human atlases, out of the packages that bring them; nibabel is what their voxels are compared with."""

from importlib.util import find_spec

import nibabel as nib
import numpy as np
import pytest
from tests.ingest.atlas_packers.folder_sources import folder_sources

from pulvinar.errors import NotFound, UnreadableFile
from pulvinar.ingest.atlas_packers.human import (
    MNI152,
    Aal2Packer,
    Aal3Packer,
    DesikanKillianyPacker,
    HarvardOxfordPacker,
    HcpexPacker,
    JuelichPacker,
)
from pulvinar.ingest.atlas_packers.package_files import PackageFile, copy_package_files
from pulvinar.model.ontology import Ontology
from pulvinar.model.space import Window

# labels, the least share of the annotation that lies in the template's brain, and a place (z, y, x, mm) that textbooks
# put into a region: the putamen, or the primary visual cortex
ATLASES = [
    (Aal2Packer, 120, 0.95, "Putamen_L", (2, 6, -26)),
    (Aal3Packer, 166, 0.95, "Putamen_R", (2, 6, 26)),
    (HcpexPacker, 426, 0.99, "Putamen_L", (2, 6, -26)),
    (HarvardOxfordPacker, 113, 0.99, "Right_Putamen", (2, 6, 26)),
    (JuelichPacker, 121, 0.98, "GM_Visual_cortex_V1_BA17_R", (4, -84, 10)),
    (DesikanKillianyPacker, 112, 0.99, "Left-Putamen", (2, 6, -26)),
]


@pytest.fixture(scope="module", params=ATLASES, ids=lambda one: one[0].name)
def packed(request, tmp_path_factory):
    packer, *expected = request.param
    for package in (packer.labels.package, "nilearn"):
        if find_spec(package) is None:
            pytest.skip(f"package {package} is not installed")
    folder = tmp_path_factory.mktemp(packer.name)
    packer().fetch(folder)
    with folder_sources(folder) as sources:
        yield packer().pack(sources), folder, expected


def whole(volume):
    shape = volume.source.shape
    voxels = volume.source.read(Window.whole(shape))
    copy = voxels[0, 0].copy()
    volume.source.release(voxels)
    return copy


def test_every_label_has_a_region_a_side_and_a_place_in_the_brain(packed):
    atlas, _, (count, least_inside, name, place_mm) = packed
    tree = Ontology(atlas.name, atlas.version, atlas.regions)
    labels = whole(atlas.annotation)
    used = set(np.unique(labels).tolist()) - {0}
    leaves = {region.id for region in tree.regions if not tree.children(region.id)}
    assert used == leaves
    assert len(leaves) == count
    assert atlas.space == MNI152

    to_space = np.array(atlas.annotation.voxel_to_space_um)
    places = np.argwhere(labels)
    zyx_um = places @ to_space[:3, :3].T + to_space[:3, 3]
    found = labels[tuple(places.T)]
    wrong, sided = 0, 0
    for region in tree.regions:
        if region.side and region.id in used:
            x_um = zyx_um[found == region.id, 2]
            assert (x_um.mean() < 0) == (region.side == "left"), region.name
            wrong += np.count_nonzero((x_um > atlas.midline_um) == (region.side == "left"))
            sided += len(x_um)
    assert wrong / sided < 0.01

    template = atlas.templates[0]
    voxel = (zyx_um - np.array(template.voxel_to_space_um)[:3, 3]) @ np.linalg.inv(
        np.array(template.voxel_to_space_um)[:3, :3]
    ).T
    at = np.rint(voxel).astype(int)
    brain = whole(template) > 0
    inside = ((at >= 0) & (at < brain.shape)).all(axis=1)
    inside[inside] = brain[tuple(at[inside].T)]
    assert inside.mean() > least_inside

    place = np.linalg.inv(to_space) @ [*np.multiply(place_mm, 1000.0), 1]
    assert tree.region(int(labels[tuple(np.rint(place[:3]).astype(int))])) == tree.find(name)


def test_voxels_and_their_places_are_those_of_the_file(packed):
    atlas, folder, _ = packed
    image = nib.load(next(folder.glob("a*nii.gz"), None) or next(folder.glob("[AH]*.nii")))
    # of five hundred million probabilities some planes
    low, high = 55, 70
    voxels = np.asanyarray(image.dataobj[:, :, low:high])
    if voxels.ndim == 4:
        # 25 %, the threshold of the maximum probability maps that FSL itself uses first
        voxels = np.where(voxels.max(axis=3) >= 25, voxels.argmax(axis=3) + 1, 0)
    *_, y, x = atlas.annotation.source.shape
    found = atlas.annotation.source.read(Window((0, 0, low, 0, 0), (1, 1, high, y, x)))
    assert voxels.any()
    np.testing.assert_array_equal(found[0, 0], voxels.T)
    atlas.annotation.source.release(found)
    turned = np.array(atlas.annotation.voxel_to_space_um)
    ijk = np.array([3, 5, 7, 1.0])
    expected = (image.affine @ ijk)[:3][::-1] * 1000
    np.testing.assert_allclose((turned @ [*ijk[:3][::-1], 1])[:3], expected)


def test_none_of_them_may_be_passed_on_and_each_says_under_what_terms():
    for packer, *_ in ATLASES:
        assert not packer.redistributable
        assert packer.licence
        assert packer.citation
        assert packer.where.startswith("Python packages")


def test_a_missing_package_is_named(tmp_path):
    with pytest.raises(NotFound, match="no-such-package is not installed") as error:
        copy_package_files([PackageFile("no_such_package", "atlas.nii", "no-such-package")], tmp_path)
    assert "pip install no-such-package" in error.value.hint


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path):
    (tmp_path / "labels_aal.csv").write_text("index,name\n1,Elsewhere_L\n")
    with folder_sources(tmp_path) as sources, pytest.raises(UnreadableFile, match="Elsewhere_L"):
        Aal2Packer().pack(sources)


def test_a_missing_file_is_named(tmp_path):
    (tmp_path / "other.csv").write_text("index,name\n")
    with folder_sources(tmp_path) as sources, pytest.raises(NotFound, match=r"labels_aal\.csv"):
        Aal2Packer().pack(sources)
