"""`align` on real templates at coarse levels: under warps that are known, whole, halved, and turned."""

import numpy as np
import pytest
from tests.solutions.align.small_mouse import small_mouse

from pulvinar.atlases.transforms import apply, invert
from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.space import Points, Space
from pulvinar.solutions.align import BrainImage, align, checkerboard, contours
from pulvinar.solutions.align import reference_brains as brains
from pulvinar.solutions.align.alignment import fitting_edge_um
from pulvinar.solutions.align.known_warps import known_brain
from pulvinar.solutions.align.measure import known_warp, labels_on
from pulvinar.solutions.align.orientation import TURNS, LeftRight
from pulvinar.solutions.align.quality import region_dice

VOXEL_UM = 300.0
EYE = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


@pytest.fixture(scope="module")
def mouse(samples):
    pytest.importorskip("picsl_greedy")
    if not (samples / "mouse").is_dir():
        pytest.skip("sample mouse is not there")
    return small_mouse(samples)


@pytest.fixture(scope="module")
def aligned(mouse):
    brain = known_brain(mouse.template, mouse.labels, VOXEL_UM, 7)
    return brain, align(mouse.template, brain.image, voxel_um=VOXEL_UM)


def test_a_known_warp_is_found_to_a_voxel(mouse, aligned):
    brain, found = aligned
    at = np.argwhere(brain.labels > 0)[::5]
    far = np.linalg.norm(apply(found.transform, brain.points(at)).zyx_um - brain.truth(at), axis=1)
    assert np.median(far) < 0.7 * VOXEL_UM
    seen = labels_on(brain.image, mouse.labels, mouse.template, found)
    before = np.mean(list(region_dice(brain.labels, brain.start_labels, 200).values()))
    after = np.mean(list(region_dice(brain.labels, seen, 200).values()))
    assert before < 0.5
    assert after > 0.75


def test_the_orientation_is_found_and_the_outlines_meet(aligned):
    brain, found = aligned
    assert found.orientation.letters == brain.letters
    assert found.orientation.left_right is LeftRight.STATED
    rough, affine, field = found.quality.stages
    assert field.tissue_dice > 0.95
    assert rough.mutual_information < field.mutual_information
    assert affine.mutual_information < field.mutual_information
    assert found.quality.folded_share == 0


def test_points_go_both_ways(aligned):
    brain, found = aligned
    there = brain.points(np.argwhere(brain.labels > 0)[::20])
    back = apply(invert(found.transform), apply(found.transform, there))
    far = np.linalg.norm(back.zyx_um - there.zyx_um, axis=1)
    assert np.percentile(far, 95) < 0.1 * VOXEL_UM
    assert found.inversion.p95_um < 0.1 * VOXEL_UM


def test_what_was_stated_is_not_believed_but_for_left_and_right(mouse):
    turn = TURNS[0]
    brain = known_brain(mouse.template, mouse.labels, VOXEL_UM, 3, turn=turn)
    # up and down, and front and back, are both said the wrong way round
    wrong = Space("said wrongly", "mouse", "ASR")
    image = BrainImage(wrong, brain.image.voxels, brain.image.voxel_to_space_um)
    found = align(mouse.template, image, voxel_um=VOXEL_UM)
    assert found.orientation.letters == "PIR"
    assert found.orientation.stated == "ASR"
    assert "orientation-differs" in [doubt.name for doubt in found.doubts]
    assert all(doubt.text for doubt in found.doubts)


def test_half_a_brain_is_not_blown_up(mouse):
    known = known_warp(brains.Reference(mouse.template, mouse.labels, VOXEL_UM, ""), 101, slab=True)
    assert known.orientation_found
    assert known.landmark_median < 1.2


def test_where_nothing_was_imaged_the_uncertainty_is_larger(mouse):
    brain = known_brain(mouse.template, mouse.labels, VOXEL_UM, 102, slab=True)
    found = align(mouse.template, brain.image, voxel_um=VOXEL_UM)
    assert 0.2 < found.quality.covered < 0.85
    assert "partial" in [doubt.name for doubt in found.doubts]
    tissue = found.template > 0.2
    within, beyond = found.uncertainty_um[tissue & found.compared], found.uncertainty_um[tissue & ~found.compared]
    assert np.median(beyond) > 1.5 * np.median(within)


def test_the_pictures_are_pictures(aligned):
    _, found = aligned
    for picture in (checkerboard(found), contours(found), contours(found, (found.template > 0.5).astype(np.int64))):
        assert picture.startswith(b"\x89PNG")


def test_a_real_brain_finds_its_place_in_the_ccf(samples, mouse):
    found = align(brains.ccf_template(samples), brains.mouse_brain(samples), voxel_um=VOXEL_UM)
    assert found.orientation.letters == "AIR"
    assert found.quality.stages[-1].tissue_dice > 0.95


@pytest.mark.parametrize(
    ("own_um", "shape", "edge_um"),
    [
        (500.0, (128, 206, 168), 500.0),  # INIA19: its own voxels
        (1000.0, (189, 233, 197), 1245.0),  # MNI152: more than 4.5 million
        (200.0, (67, 41, 58), 108.0),  # CCFv3 at 200 um: far fewer than a million
        (200.0, (20, 20, 20), 100.0),  # but never finer than twice
    ],
)
def test_a_template_is_aligned_on_its_own_voxels_unless_they_are_too_many_or_few(own_um, shape, edge_um):
    assert fitting_edge_um((own_um,) * 3, shape) == pytest.approx(edge_um, rel=0.005)


def test_the_affine_map_of_a_coarse_level_is_that_of_the_fine_one(mouse, monkeypatch):
    brain = known_brain(mouse.template, mouse.labels, VOXEL_UM, 7)
    at = np.argwhere(brain.labels > 0)[::50]
    monkeypatch.setattr("pulvinar.solutions.align.alignment._ROUGH_VOXELS", 15_000)
    found = align(mouse.template, brain.image, voxel_um=VOXEL_UM)
    far = np.linalg.norm(apply(found.transform, brain.points(at)).zyx_um - brain.truth(at), axis=1)
    assert found.orientation.letters == brain.letters
    assert np.median(far) < 0.7 * VOXEL_UM


def test_layers_are_told_from_areas(mouse):
    # layer 5 of the secondary motor area, "Anterior cingulate area, ventral part, 6a"; CA1 is no layer
    assert (mouse.areas[767], mouse.areas[810]) == (993, 48)
    assert 382 not in mouse.areas
    known = known_warp(brains.Reference(mouse.template, mouse.labels, VOXEL_UM, "", mouse.areas), 7)
    assert known.area_dice is not None
    assert known.area_dice > 0.75


def test_what_can_not_be_aligned_is_refused():
    flat = BrainImage(Space("flat", "mouse", "SAR"), np.ones((20, 20, 20), np.float32), EYE)
    nowhere = BrainImage(Space("nowhere", "mouse"), np.ones((20, 20, 20), np.float32), EYE)
    with pytest.raises(Invalid, match="same everywhere"):
        align(flat, flat, voxel_um=1.0)
    with pytest.raises(Invalid, match="how the template"):
        align(nowhere, flat, voxel_um=1.0)
    with pytest.raises(TooLarge, match="too large"):
        align(flat, flat, voxel_um=0.01)
    with pytest.raises(Invalid, match="no brain volume"):
        BrainImage(flat.space, np.ones((20, 20), np.float32), EYE)


def test_points_of_another_space_are_refused(aligned):
    _, found = aligned
    with pytest.raises(Invalid):
        apply(found.transform, Points(Space("elsewhere", "mouse"), np.zeros((1, 3))))
