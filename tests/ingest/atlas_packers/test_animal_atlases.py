"""The mouse, macaque and zebrafish atlases out of their real files; nibabel and tifffile say what is in those."""

import shutil

import nibabel as nib
import numpy as np
import pytest
import tifffile
from tests.ingest.atlas_packers.folder_sources import folder_sources

from pulvinar.atlases.spaces import CCFV3
from pulvinar.errors import NotFound, UnreadableFile
from pulvinar.ingest.atlas_packers import packer, packers
from pulvinar.ingest.atlas_packers.macaque import Inia19, Mebrains, Yerkes19
from pulvinar.ingest.atlas_packers.mouse import AllenMouse, DsurqeMouse
from pulvinar.ingest.atlas_packers.zebrafish import ZBrain
from pulvinar.model.ontology import Ontology
from pulvinar.model.space import Window

ALLEN = "mouse/allen_ccfv3_25um/"
COARSE = ALLEN + "derived_CCFv3_2017_annotation_100um_asr.tif"


@pytest.fixture
def folder(sample, tmp_path):
    """A folder with copies of some samples, which a test may spoil."""

    def make(*names):
        made = tmp_path / "source"
        made.mkdir()
        for name in names:
            shutil.copy(sample(name), made)
        return made

    return make


def whole(volume):
    voxels = volume.source.read(Window.whole(volume.source.shape))
    copy = voxels[0, 0].copy()
    volume.source.release(voxels)
    return copy


def middles(atlas, labels):
    """Where labels lie on average, in micrometres of the space."""
    voxels, matrix = whole(atlas.annotation), np.array(atlas.annotation.voxel_to_space_um)
    return np.array([np.argwhere(voxels == label).mean(axis=0) @ matrix[:3, :3].T + matrix[:3, 3] for label in labels])


class AllenCoarse(AllenMouse):
    """The same atlas at 100 um, whose files are small."""

    annotation = "coarse.tif"
    voxel_um = 100.0


@pytest.mark.parametrize("turn", ["as it is", "front to back", "top to bottom", "other axes first"])
def test_the_allen_atlas_is_laid_by_its_anatomy_however_its_file_is_turned(folder, sample, turn):
    made = folder(ALLEN + "ABA_annotation_last.json")
    voxels = tifffile.imread(sample(COARSE))
    turned = {
        "as it is": voxels,
        "front to back": voxels[::-1],
        "top to bottom": voxels[:, ::-1],
        "other axes first": voxels.transpose(2, 0, 1),
    }[turn]
    tifffile.imwrite(made / "coarse.tif", np.ascontiguousarray(turned), photometric="minisblack")
    with folder_sources(made) as sources:
        atlas = AllenCoarse().pack(sources)
        labels = np.unique(voxels)[[5, 100, 300]]
        found = middles(atlas, labels)
    # the derived copy is called "asr" after where its axes begin: they rise to posterior, inferior, right, as the space
    expected = np.array([(np.argwhere(voxels == label) + 0.5).mean(axis=0) * 100 for label in labels])
    np.testing.assert_allclose(found, expected, atol=1)
    tree = Ontology("allen_mouse", "2017", atlas.regions)
    assert (len(tree), len(tree.children(None)), atlas.space, atlas.midline_um) == (1327, 1, CCFV3, 5700)


def test_the_dsurqe_atlas_lies_in_the_same_space_as_the_allen_atlas(folder, sample):
    names = "DSURQE_CCFv3_labels_200um.mnc", "DSURQE_CCFv3_average_200um.mnc", "DSURQE_tree.json"
    made = folder(*(f"mouse/dsurqe_mri_200um/{one}" for one in (*names, "DSURQE_40micron_R_mapping_long.csv")))
    with folder_sources(made) as sources:
        atlas = DsurqeMouse().pack(sources)
        voxels, matrix = whole(atlas.annotation), np.array(atlas.annotation.voxel_to_space_um)
    tree = Ontology("dsurqe", "2018", atlas.regions)
    assert set(np.unique(voxels).tolist()) - {0} == {one.id for one in tree.regions if not tree.children(one.id)}
    # of the voxels that DSURQE labels, those that the Allen annotation labels at the same place
    allen = tifffile.imread(sample(COARSE))
    at = (np.argwhere(voxels) @ matrix[:3, :3].T + matrix[:3, 3]) // 100
    inside = ((at >= 0) & (at < allen.shape)).all(axis=1)
    hit = allen[tuple(at[inside].astype(int).T)] > 0
    assert hit.sum() / len(at) > 0.95
    sides = {one.id: one.side for one in tree.regions}
    right = np.array([sides[label] == "right" for label in voxels[voxels > 0].tolist()])
    left = np.array([sides[label] == "left" for label in voxels[voxels > 0].tolist()])
    assert (at[right, 2] >= 57).mean() > 0.99
    assert (at[left, 2] < 57).mean() > 0.99


INIA = tuple(f"macaque/inia19/inia19-{one}" for one in ("NeuroMaps.nii.gz", "NeuroMaps.txt", "t1-brain.nii.gz"))


def test_inia19_has_the_labels_and_places_of_its_file(folder):
    made = folder(*INIA)
    with folder_sources(made) as sources:
        atlas = Inia19().pack(sources)
        file = nib.load(made / "inia19-NeuroMaps.nii.gz")
        theirs = np.asarray(file.dataobj).squeeze().astype(int)
        labels = np.unique(theirs)[[1, 200, 600]]
        found = middles(atlas, labels)
    for label, zyx_um in zip(labels, found, strict=True):
        xyz = nib.affines.apply_affine(file.affine, np.argwhere(theirs == label).mean(axis=0))
        np.testing.assert_allclose(zyx_um[::-1] / 1000, xyz, atol=1e-3)
    tree = Ontology("inia19", "2012", atlas.regions)
    assert set(np.unique(theirs).tolist()) - {0} <= {one.id for one in tree.regions}
    assert abs(atlas.midline_um) < 250


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_inia19_with_mirrored_voxels_is_refused(folder, axis):
    made = folder(*INIA)
    path = made / "inia19-NeuroMaps.nii.gz"
    file = nib.load(path)
    mirrored = np.flip(np.asarray(file.dataobj), axis)
    path.unlink()
    nib.save(nib.Nifti1Image(mirrored, file.affine, file.header), path)
    with folder_sources(made) as sources, pytest.raises(UnreadableFile, match="by anatomy"):
        Inia19().pack(sources)


YERKES = ("mri_aseg.mgz", "mri_norm.mgz", "Avgwmparc.nii.gz", "FreeSurferAllLut.txt")


def test_yerkes19_is_half_as_large_as_its_headers_say(folder, sample):
    made = folder(*(f"macaque/yerkes19/{one}" for one in (*YERKES, "MacaqueYerkes19_T1w_0.5mm_brain.nii.gz")))
    with folder_sources(made) as sources:
        atlas = Yerkes19().pack(sources)
        voxels, matrix = whole(atlas.annotation), np.array(atlas.annotation.voxel_to_space_um)
    assert atlas.annotation.voxel_size_um == (500.0, 500.0, 500.0)
    np.testing.assert_allclose(np.linalg.norm(matrix[:3, :3], axis=0), 500)
    brain = np.count_nonzero(voxels) * 0.125
    mask = nib.load(sample("macaque/yerkes19/MacaqueYerkes19_T1w_0.5mm_brain_mask.nii.gz"))
    theirs = np.count_nonzero(np.asarray(mask.dataobj)) * float(np.prod(mask.header.get_zooms()[:3]))
    # the segmentation leaves out what is between the folds; voxels of 1 mm would make it six times the brain
    assert 0.7 < brain / theirs < 1
    # and the labels lie in the brain of the NIfTI files, which say 0.5 mm
    at = (np.argwhere(voxels) @ matrix[:3, :3].T + matrix[:3, 3])[:, ::-1] / 1000
    index = np.rint(nib.affines.apply_affine(np.linalg.inv(mask.affine), at)).astype(int)
    there = ((index >= 0) & (index < mask.shape)).all(axis=1)
    assert (np.asarray(mask.dataobj)[tuple(index[there].T)] > 0).sum() / len(at) > 0.99


@pytest.mark.parametrize(
    ("kind", "name", "count"),
    [(Mebrains, "macaque/mebrains/MEBRAINS_T1_masked.nii.gz", 1), (ZBrain, "zebrafish/zbrain_lightsheet/ZBrains", 2)],
)
def test_templates_come_without_regions(sample, kind, name, count):
    path = sample(name)
    with folder_sources(path if path.is_dir() else path.parent) as sources:
        atlas = kind().pack(sources)
        assert (len(atlas.templates), atlas.annotation, atlas.regions) == (count, None, ())
        assert all(whole(one).max() > 0 for one in atlas.templates)


def test_the_fish_is_mirrored_across_its_narrow_axis_and_nothing_more_is_said_of_it(sample):
    with folder_sources(sample("zebrafish/zbrain_lightsheet/ZBrains")) as sources:
        atlas = ZBrain().pack(sources)
    assert atlas.space.orientation == ""
    assert atlas.midline_um == pytest.approx(atlas.space.extent_um[1] / 2)


@pytest.mark.parametrize("name", ["allen_mouse_25um", "inia19_macaque", "yerkes19_macaque", "zbrain_zebrafish"])
def test_a_folder_without_the_files_is_told(tmp_path, name):
    (tmp_path / "readme.txt").write_text("x")
    with folder_sources(tmp_path) as sources, pytest.raises(NotFound, match="is not there"):
        packer(name).pack(sources)


def test_every_packer_says_its_terms_and_where_its_files_are():
    assert {"allen_mouse_25um", "dsurqe_mouse_200um", "inia19_macaque", "yerkes19_macaque"} <= set(packers())
    for name, kind in packers().items():
        assert kind.name == name
        assert all((kind.title, kind.licence, kind.where))
        assert isinstance(kind.redistributable, bool)
    with pytest.raises(NotFound) as told:
        packer("allen_mouse_1um")
    assert "allen_mouse_25um" in told.value.hint
