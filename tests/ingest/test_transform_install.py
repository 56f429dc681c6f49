"""Transforms of other programs become published datasets, and lead points from space to space."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.atlases.toy import SPACE, VOXEL_UM, corner_affine, labels
from tests.ingest.test_anchoring import install_toy

from pulvinar.access.visibility import EVERYONE, hide
from pulvinar.atlases.transform_formats import Ends, read_niftyreg_affine, read_transform
from pulvinar.atlases.transforms import apply
from pulvinar.catalogue.stored_objects import objects_of
from pulvinar.catalogue.transforms import find_route, kind_of, list_transforms, transform_points
from pulvinar.catalogue.versions import get_version, list_versions
from pulvinar.errors import Invalid, NotFound, UnreadableFile
from pulvinar.ingest.request import Means
from pulvinar.ingest.transform_install import End, TransformFiles, TransformFormat, add_transform
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.model.dataset import AssetKind, asset_digest
from pulvinar.model.space import Points, Space

WRITTEN = Path(__file__).parents[1] / "atlases" / "transform_formats" / "niftyreg"
REFERENCE, FLOATING = Space("reference", "mouse", "SAR"), Space("floating", "mouse", "SAR")
HANDED = TransformFiles(
    files=(WRITTEN / "affine.txt",),
    format=TransformFormat.NIFTYREG,
    source=End("reference", "SAR"),
    target=End("floating", "SAR"),
    licence="CC-BY-4.0",
    expected_error_um=40.0,
    citation="Somebody 2026",
    obtained="reg_aladin of two brains",
    species="mouse",
)
FIELD = replace(HANDED, files=(WRITTEN / "deformation.nii.gz",), name="warp", expected_error_um=15.0)


def listed(means: Means, actor=LOCAL_OWNER):
    return list_transforms(means.database, means.store, actor)


def places(space: Space = REFERENCE) -> Points:
    """Places inside the reference image."""
    image = nibabel.load(WRITTEN / "by_field.nii.gz")
    index = np.random.default_rng(0).uniform(0.3, 0.7, (500, 3)) * (np.array(image.shape[:3]) - 1)
    return Points(space, ((index @ image.affine[:3, :3].T + image.affine[:3, 3]) * 1000)[:, ::-1].copy())


def test_an_affine_becomes_a_published_dataset_that_says_what_it_is(means: Means):
    added = add_transform(means, HANDED)
    (found,) = listed(means, ANONYMOUS)
    assert (found.name, kind_of(found.transform)) == ("reference to floating", "affine")
    assert (found.transform.source, found.transform.target) == (REFERENCE, FLOATING)
    assert found.transform.expected_error_um == 40.0
    assert found.transform.provenance == "reg_aladin of two brains; niftyreg: affine.txt"
    version = get_version(means.database, ANONYMOUS, added.dataset_id)
    assert (version.digest, version.number) == (found.digest, 1)
    assert (version.record.licence, version.record.citation) == ("CC-BY-4.0", "Somebody 2026")
    assert [one.kind for one in version.assets] == [AssetKind.TRANSFORM]
    expected = apply(read_niftyreg_affine(WRITTEN / "affine.txt", Ends(REFERENCE, FLOATING)), places())
    brought = transform_points(find_route([found], "reference", "floating"), places())
    np.testing.assert_allclose(brought.zyx_um, expected.zyx_um, rtol=1e-12)


def test_a_field_is_stored_in_chunks_with_its_way_back(means: Means, tmp_path):
    added = add_transform(means, FIELD)
    objects = objects_of(means.database, ANONYMOUS, added.asset.id)
    assert asset_digest(objects) == added.asset.digest
    assert all(len(means.store.read(f"{added.asset.prefix}/{one.path}")) == one.size_bytes for one in objects)
    (found,) = listed(means)
    there = transform_points(find_route([found], "reference", "floating"), places())
    expected = apply(read_transform(FIELD.files[0], Ends(REFERENCE, FLOATING), tmp_path), places())
    np.testing.assert_allclose(there.zyx_um, expected.zyx_um, atol=1e-3)
    back = find_route([found], "floating", "reference")
    assert [leg.inverted for leg in back.legs] == [True]
    assert back.expected_error_um >= 15.0
    off = np.linalg.norm(transform_points(back, there).zyx_um - places().zyx_um, axis=1)
    assert np.percentile(off, 90) < 60


def test_without_its_inverse_a_field_leads_one_way(means: Means):
    add_transform(means, replace(FIELD, inverses=False))
    with pytest.raises(NotFound, match="no transform leads from floating to reference") as caught:
        find_route(listed(means), "floating", "reference")
    assert "pulvinar transform add" in caught.value.hint


def test_the_same_once_more_changes_nothing_and_a_better_one_is_the_next_version(means: Means):
    first = add_transform(means, FIELD)
    objects = sorted(one.key for one in means.store.list(""))
    assert add_transform(means, FIELD).asset.id == first.asset.id
    assert sorted(one.key for one in means.store.list("")) == objects
    better = add_transform(means, replace(FIELD, expected_error_um=10.0))
    assert (better.dataset_id, better.version) == (first.dataset_id, 2)
    assert [one.transform.expected_error_um for one in listed(means)] == [10.0]
    assert len(list_versions(means.database, ANONYMOUS, first.dataset_id)) == 2


def test_a_route_takes_the_smallest_error_and_adds_errors_up(means: Means):
    add_transform(means, HANDED)
    warp = add_transform(means, FIELD)
    add_transform(means, replace(HANDED, source=End("floating"), target=End("third", "SAR"), expected_error_um=20.0))
    route = find_route(listed(means), "reference", "third")
    assert [leg.stored.name for leg in route.legs] == ["warp", "floating to third"]
    assert route.legs[0].stored.asset.id == warp.asset.id
    assert route.expected_error_um == pytest.approx(25.0)
    assert find_route(listed(means), "third", "third").legs == ()


def test_what_an_actor_may_not_read_leads_nowhere(means: Means):
    added = add_transform(means, HANDED)
    with means.database.writing() as session:
        hide(session, added.dataset_id, EVERYONE)
    assert listed(means, ANONYMOUS) == ()
    with pytest.raises(NotFound, match="no transform is from or to reference"):
        find_route(listed(means, ANONYMOUS), "reference", "floating")
    assert len(listed(means, LOCAL_OWNER)) == 1


def test_a_matrix_of_flirt_needs_both_images(means: Means, tmp_path):
    matrix = tmp_path / "flirt.mat"
    matrix.write_text("1 0 0 2.5\n0 1 0 -1.5\n0 0 1 3\n0 0 0 1\n")
    handed = replace(HANDED, files=(matrix,), format=TransformFormat.FLIRT)
    with pytest.raises(Invalid, match="without the image of reference") as caught:
        add_transform(means, handed)
    assert "--from-image" in caught.value.hint
    path = tmp_path / "image.nii"
    nibabel.Nifti1Image(np.zeros((5, 6, 7), np.float32), np.diag([-1.0, 1, 1, 1])).to_filename(path)
    images = {"source": replace(handed.source, image=path), "target": replace(handed.target, image=path)}
    added = add_transform(means, replace(handed, **images))
    # x of FLIRT rises to the left in an image whose header says so: 2.5 mm to the left
    brought = apply(added.transform, Points(REFERENCE, np.zeros((1, 3))))
    np.testing.assert_allclose(brought.zyx_um, [[3000, -1500, -2500]])


def test_the_header_of_an_atlas_image_says_where_the_space_lies(means: Means, tmp_path):
    """The toy's space begins at the corner of its voxels; the image that was aligned had its origin elsewhere."""
    means.scratch.mkdir(exist_ok=True)
    install_toy(means)
    z, y, x = VOXEL_UM
    # columns are the voxel axes (x, y, z) of the toy: right, inferior, posterior, in RAS millimetres
    ras_mm = np.array([[x, 0, 0, 7000], [0, 0, -z, 8000], [0, -y, 0, 9000], [0, 0, 0, 1000]]) / 1000
    path = tmp_path / "average.nii"
    nibabel.Nifti1Image(np.zeros(labels().shape[::-1], np.uint8), ras_mm).to_filename(path)
    moved = tmp_path / "still.txt"
    moved.write_text("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    added = add_transform(
        means, replace(HANDED, files=(moved,), source=End("toy", image=path), target=End("scan", "SAR"), species="")
    )
    assert added.transform.source == SPACE
    index = np.array([[3.0, 5.0, 7.0, 1.0]])
    brought = apply(added.transform, Points(SPACE, (index @ corner_affine(VOXEL_UM).T)[:, :3]))
    expected_mm = (ras_mm @ [7, 5, 3, 1])[:3]
    np.testing.assert_allclose(brought.zyx_um[0, ::-1] / 1000, expected_mm)
    other = tmp_path / "other.nii"
    nibabel.Nifti1Image(np.zeros((4, 5, 6), np.uint8), ras_mm).to_filename(other)
    with pytest.raises(Invalid, match="no volume of toy has"):
        add_transform(means, replace(HANDED, source=End("toy", image=other)))
    turned = tmp_path / "turned.nii"
    nibabel.Nifti1Image(np.zeros(labels().shape[::-1], np.uint8), np.diag([1.0, 1, 1, 1])).to_filename(turned)
    with pytest.raises(Invalid, match="rise elsewhere than those of toy"):
        add_transform(means, replace(HANDED, source=End("toy", image=turned)))


@pytest.mark.parametrize(
    ("said", "error", "match"),
    [
        ({"licence": " "}, Invalid, "without a licence"),
        ({"source": End("reference")}, Invalid, "nothing is known of the space 'reference'"),
        ({"species": ""}, Invalid, "of which species"),
        ({"target": End("reference", "SAR")}, Invalid, "both ends are in reference"),
        ({"files": (WRITTEN / "affine.txt",) * 2}, Invalid, "2 files of niftyreg"),
        ({"format": TransformFormat.ITK}, UnreadableFile, "is no transform of ITK"),
        ({"expected_error_um": -1.0}, Invalid, "is no error"),
    ],
)
def test_what_cannot_be_right_is_refused_and_nothing_is_stored(means: Means, said, error, match):
    with pytest.raises(error, match=match):
        add_transform(means, replace(HANDED, **said))
    assert listed(means) == ()


def test_a_known_space_keeps_its_orientation(means: Means):
    add_transform(means, HANDED)
    with pytest.raises(Invalid, match="reference has the orientation 'SAR'"):
        add_transform(means, replace(HANDED, source=End("reference", "PIR")))
