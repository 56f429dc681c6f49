"""Lines, boxes and regions against the slow and obvious way, on real brains of three species."""

from dataclasses import replace

import numpy as np
import pytest
from tests.catalogue.measured_brains import SOURCES, Brain, brain_of, measured

from pulvinar.catalogue.box_statistics import box_statistics, levels_in_box
from pulvinar.catalogue.line_profiles import line_profile
from pulvinar.catalogue.region_statistics import region_statistics
from pulvinar.errors import Invalid, SpaceMismatch, TooLarge
from pulvinar.model.atlas import PartKind
from pulvinar.model.space import Points
from pulvinar.model.transform import affine_rows

TILTED = affine_rows(
    np.array([[40.0, 9.0, 0.0, -70.0], [-9.0, 40.0, 5.0, 300.0], [0.0, -5.0, 40.0, 12.0], [0.0, 0.0, 0.0, 1.0]])
)


@pytest.fixture(scope="module", params=sorted(SOURCES))
def brain(request, sample, tmp_path_factory) -> Brain:
    return brain_of(request.param, sample, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def tilted(brain: Brain):
    """The same voxels, in a world whose axes are not theirs."""
    return measured(brain.atlas, brain.template.asset.id, TILTED)


def centers(affine, shape) -> np.ndarray:
    """The place of every voxel, (z, y, x, 3)."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    rows = np.array(affine)
    return index @ rows[:3, :3].T + rows[:3, 3]


def place(affine, index) -> np.ndarray:
    rows = np.array(affine)
    return rows[:3, :3] @ np.asarray(index, float) + rows[:3, 3]


def interpolated(voxels: np.ndarray, index: np.ndarray) -> float:
    """Eight neighbours and their shares, one at a time; the edge goes on for half a voxel."""
    if any(not -0.5 <= at <= n - 0.5 for at, n in zip(index, voxels.shape, strict=True)):
        return np.nan
    at = np.clip(index, 0, np.array(voxels.shape) - 1)
    base = np.floor(at).astype(int)
    total = 0.0
    for corner in np.ndindex(2, 2, 2):
        share = np.prod([f if side else 1 - f for side, f in zip(corner, at - base, strict=True)])
        if share:
            total += share * float(voxels[tuple(base + corner)])
    return total


@pytest.mark.parametrize("frame", ["own", "tilted"])
def test_a_profile_is_the_interpolation_of_the_voxels(brain: Brain, tilted, frame: str):
    taken = brain.template if frame == "own" else tilted
    affine, shape = taken.volume.affine_um, brain.voxels.shape
    corners = np.array(
        [place(affine, np.array(shape) * share) for share in ([-0.1, 0.2, 0.3], [0.5, 0.5, 0.45], [0.6, 0.4, 0.9])]
    )
    found = line_profile(taken, corners, level=0)
    assert found.level == 0
    steps = np.diff(found.distance_um)
    assert 0 < steps.max() <= min(taken.volume.voxel_size_um) * 1.0001
    assert found.distance_um[-1] == pytest.approx(np.linalg.norm(np.diff(corners, axis=0), axis=1).sum())
    inverse = np.linalg.inv(np.array(affine))
    wanted = [interpolated(brain.voxels, inverse[:3, :3] @ one + inverse[:3, 3]) for one in found.zyx_um]
    assert np.isnan(found.values[0, 0])
    assert np.nanstd(wanted) > 0
    np.testing.assert_allclose(found.values[0], wanted, rtol=1e-9, atol=1e-9 * np.nanmax(wanted))


def test_a_wide_profile_is_the_mean_over_a_disc(brain: Brain):
    affine, shape = brain.template.volume.affine_um, np.array(brain.voxels.shape)
    voxel = min(brain.template.volume.voxel_size_um)
    start, end = place(affine, shape * 0.45), place(affine, shape * [0.45, 0.45, 0.6])
    found = line_profile(brain.template, np.stack([start, end]), width_um=4 * voxel, level=0)
    ahead = (end - start) / np.linalg.norm(end - start)
    across = [axis for axis in np.eye(3) if abs(axis @ ahead) < 0.5]
    inverse = np.linalg.inv(np.array(affine))
    for row, center in enumerate(found.zyx_um[:: max(1, len(found.zyx_um) // 7)]):
        around = [
            center + voxel * (a * across[0] + b * across[1])
            for a in range(-2, 3)
            for b in range(-2, 3)
            if a * a + b * b <= 4
        ]
        assert len(around) == 13
        wanted = np.mean([interpolated(brain.voxels, inverse[:3, :3] @ one + inverse[:3, 3]) for one in around])
        at = row * max(1, len(found.zyx_um) // 7)
        assert found.values[0, at] == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_what_is_no_line_is_refused(brain: Brain):
    one = np.zeros(3)
    for corners in (np.stack([one]), np.stack([one, one]), np.array([[0.0, 0.0, np.nan], [1.0, 1.0, 1.0]])):
        with pytest.raises(Invalid):
            line_profile(brain.template, corners)
    with pytest.raises(Invalid, match="level 99"):
        line_profile(brain.template, np.stack([one, one + 500]), level=99)
    annotation = brain.atlas.atlas.part(PartKind.ANNOTATION)
    with pytest.raises(Invalid, match="labels"):
        line_profile(
            measured(brain.atlas, annotation.asset_id, annotation.voxel_to_space_um), np.stack([one, one + 500])
        )


@pytest.mark.parametrize("frame", ["own", "tilted"])
def test_a_box_is_what_numpy_says_of_its_voxels(brain: Brain, tilted, frame: str):
    taken = brain.template if frame == "own" else tilted
    places = centers(taken.volume.affine_um, brain.voxels.shape)
    middle, reach = np.median(places.reshape(-1, 3), axis=0), np.ptp(places.reshape(-1, 3), axis=0) / 5
    low, high = middle - reach * 1.01, middle + reach * 0.93
    inside = ((places >= low) & (places < high)).all(axis=-1)
    values = brain.voxels[inside].astype(np.float64)
    found = box_statistics(taken, low, high, level=0, bins=32)
    (channel,) = found.channels
    assert (found.level, found.voxels, channel.count) == (0, inside.sum(), len(values))
    assert found.volume_mm3 == pytest.approx(len(values) * abs(np.linalg.det(np.array(taken.volume.affine_um))) / 1e9)
    assert channel.mean == pytest.approx(values.mean(), rel=1e-12)
    assert channel.sd == pytest.approx(values.std(), rel=1e-9)
    assert (channel.minimum, channel.maximum) == (values.min(), values.max())
    assert channel.median == np.median(values)
    assert channel.counts.tolist() == np.histogram(values, channel.edges)[0].tolist()
    assert channel.counts.sum() == len(values)


def test_labels_in_a_box_are_counted(brain: Brain):
    part = brain.atlas.atlas.part(PartKind.ANNOTATION)
    taken = measured(brain.atlas, part.asset_id, part.voxel_to_space_um)
    places = centers(part.voxel_to_space_um, brain.labels.shape)
    middle, reach = np.median(places.reshape(-1, 3), axis=0), np.ptp(places.reshape(-1, 3), axis=0) / 6
    inside = ((places >= middle - reach) & (places < middle + reach)).all(axis=-1)
    found = box_statistics(taken, middle - reach, middle + reach, level=0)
    labels, counts = np.unique(brain.labels[inside], return_counts=True)
    assert {one.label: one.voxels for one in found.labels} == dict(zip(labels.tolist(), counts.tolist(), strict=True))
    assert [one.voxels for one in found.labels] == sorted(counts.tolist(), reverse=True)
    assert found.channels == ()


def test_values_that_are_no_number_are_counted_apart(brain: Brain):
    class Holed:
        volume = replace(brain.template.volume, dtype="float32")

        def read(self, level, window):
            voxels = brain.template.stored.read(level, window).astype(np.float32)
            voxels[..., ::2] = np.nan
            return voxels

    taken = replace(brain.template, volume=Holed.volume, stored=Holed())
    low, high = place(taken.volume.affine_um, [20, 20, 20]), place(taken.volume.affine_um, [28, 28, 28])
    low, high = np.minimum(low, high), np.maximum(low, high)
    channel = box_statistics(taken, low, high, level=0).channels[0]
    assert channel.count == channel.not_finite == 256
    assert channel.counts.sum() == 256


def test_a_box_outside_or_flat_is_refused(brain: Brain):
    far = np.full(3, 1e9)
    for low, high in ((far, far + 1000), (far, far), (np.full(3, np.nan), far)):
        with pytest.raises(Invalid, match="no voxel"):
            box_statistics(brain.template, low, high)
    with pytest.raises(Invalid, match="no voxel"):
        levels_in_box(brain.template, far, far + 1000)


def test_more_than_the_budget_goes_to_a_coarser_level_that_is_told(brain: Brain):
    affine, shape = brain.template.volume.affine_um, brain.voxels.shape
    ends = np.stack([place(affine, [0, 0, 0]), place(affine, shape)])
    low, high = ends.min(axis=0) - 1e4, ends.max(axis=0) + 1e4
    whole = box_statistics(brain.template, low, high)
    assert (whole.level, whole.voxels) == (0, brain.voxels.size)
    chunks = len(brain.template.chunks_over(0, np.zeros(3, int), np.array(shape)))
    short = replace(brain.template, budget_bytes=chunks * brain.template.chunk_bytes(0) - 1)
    with pytest.raises(TooLarge) as refused:
        box_statistics(short, low, high, level=0)
    if len(short.volume.levels) == 1:
        assert "smaller" in refused.value.hint
        return
    found = box_statistics(short, low, high)
    assert found.level > 0
    assert f"level {found.level} fits" in refused.value.hint
    assert found.voxels == np.prod(short.volume.levels[found.level].shape)
    with pytest.raises(TooLarge):
        line_profile(replace(short, budget_bytes=10), ends)


def test_levels_in_a_box_reach_over_it(brain: Brain):
    affine = brain.template.volume.affine_um
    ends = np.stack([place(affine, [10.2, 11, 12]), place(affine, [20, 21.4, 22])])
    found = levels_in_box(brain.template, ends.min(axis=0), ends.max(axis=0))
    assert found[0].level == 0
    assert (found[0].start, found[0].stop) == ((10, 11, 12), (21, 22, 23))
    assert found[0].size_bytes == 11**3 * brain.voxels.dtype.itemsize


def test_regions_are_what_numpy_says_of_labels_and_image(brain: Brain):
    ontology = brain.atlas.ontology
    annotation = brain.atlas.annotation
    largest = sorted(annotation.index.labels, key=lambda one: -annotation.voxel_count(one))
    parents = [one for one in ontology.regions if one.parent is not None and ontology.children(one.id)]
    regions = [ontology.region(int(one)) for one in largest[:6]] + parents[:2] + list(ontology.children(None))
    cells = np.random.default_rng(3).choice(
        centers(annotation.voxel_to_space_um, brain.labels.shape).reshape(-1, 3), 5000
    )
    found = region_statistics(brain.atlas, regions, image=brain.template, level=0, cells_um=cells)
    image = slow_labels(brain)
    at_cells = annotation.regions_at(Points(annotation.space, cells))
    assert found.level == 0
    for row in found.rows:
        below = [one.id for one in ontology.descendants(row.region.id, itself=True)]
        voxels = int(np.isin(brain.labels, below).sum())
        assert row.voxels == voxels
        mm3 = voxels * abs(np.linalg.det(annotation.voxel_to_space_um)) / 1e9
        assert row.volume_mm3 == pytest.approx(mm3)
        values = brain.voxels[np.isin(image, below)].astype(np.float64)
        (signal,) = row.signal
        assert signal.voxels == len(values)
        if len(values):
            assert signal.mean == pytest.approx(values.mean(), rel=1e-9)
            assert signal.sd == pytest.approx(values.std(), rel=1e-6, abs=1e-9)
        assert row.cells == int(np.isin(at_cells, below).sum())
        if voxels:
            assert row.cells_per_mm3 == pytest.approx(row.cells / mm3)


def slow_labels(brain: Brain) -> np.ndarray:
    """The label at the centre of every voxel of the template, looked up in the annotation one axis at a time."""
    part = brain.atlas.atlas.part(PartKind.TEMPLATE)
    places = centers(part.voxel_to_space_um, brain.voxels.shape)
    inverse = np.linalg.inv(brain.atlas.annotation.voxel_to_space_um)
    index = np.floor(places @ inverse[:3, :3].T + inverse[:3, 3] + 0.5).astype(int)
    inside = ((index >= 0) & (index < brain.labels.shape)).all(axis=-1)
    found = np.zeros(brain.voxels.shape, brain.labels.dtype)
    found[inside] = brain.labels[tuple(index[inside].T)]
    return found


def test_a_region_alone_leaves_out_what_is_below_it(brain: Brain):
    parents = [one for one in brain.atlas.ontology.regions if brain.atlas.ontology.children(one.id)]
    alone = region_statistics(brain.atlas, parents[:20], with_children=False)
    for row in alone.rows:
        assert row.voxels == int((brain.labels == row.region.id).sum())
        assert row.signal == ()
        assert row.cells is None


def test_an_image_of_another_space_is_refused(brain: Brain):
    elsewhere = replace(brain.template.asset, id="other", details={"space": {"name": "another"}})
    roots = brain.atlas.ontology.children(None)
    with pytest.raises(SpaceMismatch, match="another"):
        region_statistics(brain.atlas, roots, image=replace(brain.template, asset=elsewhere))
