from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.atlases.toy import SPACE, VOXEL_UM, corner_affine, labels

from pulvinar.atlases.annotation import Annotation
from pulvinar.errors import Invalid, NotFound, SpaceMismatch
from pulvinar.model.space import Points, Space

TH, CORTEX, L1, L2, TRACTS, ROOT = 614454277, 10, 11, 12, 20, 997


def at(*zyx_um: tuple[float, float, float]) -> Points:
    return Points(SPACE, np.array(zyx_um, np.float64).reshape(-1, 3))


def middle_of(z: int, y: int, x: int) -> tuple[float, float, float]:
    return tuple((i + 0.5) * size for i, size in zip((z, y, x), VOXEL_UM, strict=True))  # type: ignore[return-value]


def test_a_place_is_in_the_region_of_its_voxel(toy: Annotation):
    places = at(middle_of(6, 20, 20), middle_of(12, 20, 20), middle_of(16, 20, 20), middle_of(21, 31, 40))
    assert toy.regions_at(places).tolist() == [L1, L2, TH, TRACTS]


def test_places_out_of_the_tissue_and_out_of_the_volume_are_in_no_region(toy: Annotation):
    places = at(middle_of(0, 0, 0), (-1e9, 0, 0), (1e9, 1e9, 1e9), middle_of(30, 50, 50))
    assert toy.regions_at(places).tolist() == [0, 0, 0, 0]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_many_places_agree_with_indexing_one_by_one(toy: Annotation, seed: int):
    rng = np.random.default_rng(seed)
    places = rng.uniform(-100, 5200, (500, 3))
    voxels, expected = labels(), []
    for z, y, x in places:
        index = tuple(int(c // size) for c, size in zip((z, y, x), VOXEL_UM, strict=True))
        inside = all(0 <= i < n for i, n in zip(index, voxels.shape, strict=True))
        expected.append(int(voxels[index]) if inside else 0)
    assert toy.regions_at(Points(SPACE, places)).tolist() == expected


def test_an_annotation_whose_axes_are_turned_answers_for_its_space(make_annotation):
    turned = corner_affine(VOXEL_UM)
    turned[0, 0], turned[0, 3] = -turned[0, 0], 40 * VOXEL_UM[0] - turned[0, 3]
    annotation = make_annotation(labels()[::-1], turned)
    assert annotation.regions_at(at(middle_of(6, 20, 20), middle_of(16, 20, 20))).tolist() == [L1, TH]


def test_what_is_no_number_is_refused(toy: Annotation):
    with pytest.raises(Invalid, match="no number"):
        toy.regions_at(at((np.nan, 0, 0)))
    with pytest.raises(Invalid, match="no number"):
        toy.regions_at(at((0, np.inf, 0)))


def test_places_of_another_space_are_refused_and_both_are_named(toy: Annotation):
    with pytest.raises(SpaceMismatch, match=r"mni152.*toy"):
        toy.regions_at(Points(Space("mni152", "human", "SAR"), np.zeros((1, 3))))


def test_the_nearest_region_of_places_outside_and_how_far_it_is(toy: Annotation):
    inside, above, beside = middle_of(6, 20, 20), middle_of(0, 20, 20), middle_of(16, 20, 2)
    found = toy.nearest_region(at(inside, above, beside))
    assert found.region.tolist() == [L1, L1, TH]
    assert found.distance_um[0] == 0
    # up to the voxel's face 90 um and 375 um; the answer is within half a voxel of it
    assert found.distance_um[1] == pytest.approx(90, abs=10)
    assert found.distance_um[2] == pytest.approx(375, abs=25)


def test_a_hole_in_the_tissue_has_a_nearest_region_too(toy: Annotation):
    found = toy.nearest_region(at(middle_of(30, 50, 50)))
    assert found.region.tolist() == [TH]
    assert 0 <= found.distance_um[0] <= 25


def test_mirroring_turns_left_into_right_and_back(toy: Annotation):
    places = at(middle_of(6, 20, 20), middle_of(6, 20, 79))
    there = toy.mirror(places)
    assert there.zyx_um[:, 2].tolist() == [5000 - 20.5 * 50, 5000 - 79.5 * 50]
    assert np.array_equal(toy.mirror(there).zyx_um, places.zyx_um)


def test_places_of_another_space_are_not_mirrored(toy: Annotation):
    with pytest.raises(SpaceMismatch, match=r"mni152.*toy"):
        toy.mirror(Points(Space("mni152", "human", "SAR"), np.zeros((1, 3))))


def test_an_atlas_whose_middle_nobody_knows_mirrors_nothing(make_annotation):
    annotation = make_annotation(labels(), corner_affine(VOXEL_UM))
    annotation._atlas = replace(annotation._atlas, midline_um=None)
    with pytest.raises(Invalid, match="middle"):
        annotation.mirror(at((0, 0, 0)))


def test_a_region_counts_what_is_below_it(toy: Annotation):
    voxels = labels()
    expected = {TH: (voxels == TH).sum(), CORTEX: np.isin(voxels, (L1, L2)).sum(), ROOT: (voxels > 0).sum()}
    assert {one: toy.voxel_count(one) for one in expected} == expected
    assert toy.volume_of(CORTEX) == pytest.approx(expected[CORTEX] * 20 * 25 * 50 / 1e9)


@pytest.mark.parametrize("region", [TH, CORTEX, L1, TRACTS, ROOT])
def test_the_mask_of_a_region_is_its_voxels_and_its_box_is_tight(toy: Annotation, region: int):
    mask = toy.mask_of(region)
    below = [one.id for one in toy.ontology.descendants(region, itself=True)]
    expected = np.isin(labels(), below)
    assert mask is not None
    whole = np.zeros_like(expected)
    whole[tuple(slice(a, a + n) for a, n in zip(mask.start, mask.voxels.shape, strict=True))] = mask.voxels
    assert np.array_equal(whole, expected)
    low, high = toy.box_of(region) or (None, None)
    assert tuple(low) == mask.start
    assert tuple(high) == tuple(np.add(mask.start, mask.voxels.shape))
    assert all(mask.voxels.any(axis=tuple({0, 1, 2} - {axis}))[[0, -1]].all() for axis in range(3))


def test_the_mask_at_a_coarser_level_is_that_levels_voxels(toy: Annotation):
    level = 1
    stored = toy.volume.read(level, _whole(toy, level))[0, 0]
    mask = toy.mask_of(CORTEX, level)
    assert mask is not None
    whole = np.zeros(stored.shape, bool)
    whole[tuple(slice(a, a + n) for a, n in zip(mask.start, mask.voxels.shape, strict=True))] = mask.voxels
    assert np.array_equal(whole, np.isin(stored, (L1, L2)))
    assert mask.voxels.any()


def _whole(toy: Annotation, level: int):
    from pulvinar.model.space import Window

    return Window.whole(toy.volume.volume.levels[level].shape)


def test_a_small_region_reads_its_own_chunks_alone(toy: Annotation, monkeypatch: pytest.MonkeyPatch):
    read = []
    whole = type(toy.volume).read
    monkeypatch.setattr(
        type(toy.volume), "read", lambda self, level, window: read.append(window) or whole(self, level, window)
    )
    blocks = list(toy.mask_blocks(TRACTS))
    z, y, x = labels().shape
    assert 0 < len(read) < -(-z // 16) * -(-y // 16) * -(-x // 16) / 3
    assert sum(block.voxels.sum() for block in blocks) == (labels() == TRACTS).sum()


def test_the_centre_of_a_region_lies_in_micrometres_of_the_space(toy: Annotation):
    center = toy.center_of(L1)
    places = np.argwhere(labels() == L1)
    assert center == pytest.approx(tuple((places.mean(axis=0) + 0.5) * VOXEL_UM))


def test_the_place_of_a_region_lies_inside_of_it_where_its_centre_does_not(make_annotation):
    voxels = np.zeros((40, 70, 100), np.uint32)
    # two hollow sides with nothing between them
    voxels[8:24, 20:50, 10:30] = voxels[8:24, 20:50, 70:90] = 11
    voxels[12:20, 26:44, 14:26] = voxels[12:20, 26:44, 74:86] = TH
    annotation = make_annotation(voxels, corner_affine(VOXEL_UM))
    center, place = annotation.center_of(L1), annotation.place_of(L1)
    assert annotation.regions_at(at(center, place)).tolist() == [0, L1]
    assert annotation.place_of(CORTEX) == place
    # well inside: no voxel of another region lies right beside it
    offsets = np.array(list(np.ndindex(3, 3, 3))) - 1
    assert set(annotation.regions_at(Points(SPACE, place + offsets * VOXEL_UM)).tolist()) == {L1}
    assert annotation.place_of(TRACTS) is None


def test_a_region_without_voxels_has_no_mask_no_box_and_no_centre(make_annotation):
    voxels = labels()
    voxels[voxels == 20] = 0
    annotation = make_annotation(voxels, corner_affine(VOXEL_UM))
    assert (annotation.mask_of(20), annotation.box_of(20), annotation.center_of(20)) == (None, None, None)
    assert annotation.volume_of(20) == 0


def test_an_unknown_region_is_named(toy: Annotation):
    with pytest.raises(NotFound, match="7"):
        toy.mask_of(7)


def test_the_grid_is_made_once_and_used_by_the_next(toy: Annotation, tmp_path):
    toy.regions_at(at((0, 0, 0)))
    assert toy._grid_file is not None
    before = toy._grid_file.stat().st_mtime_ns
    again = Annotation.__new__(Annotation)
    again.__dict__.update({k: v for k, v in toy.__dict__.items() if k not in ("_grid", "surface")})
    assert again.regions_at(at(middle_of(6, 20, 20))).tolist() == [L1]
    assert toy._grid_file.stat().st_mtime_ns == before
    assert [path.name for path in toy._grid_file.parent.iterdir()] == [toy._grid_file.name]
