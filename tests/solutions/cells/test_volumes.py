"""Cells of volumes: made ones, whose truth is known, and a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from pulvinar.errors import Invalid, NotFound
from pulvinar.solutions.cells.blocks import plan_blocks, whole_block
from pulvinar.solutions.cells.candidates import Grid, find_candidates, reduced, strongest
from pulvinar.solutions.cells.cell_table import Cells
from pulvinar.solutions.cells.matching import agreement
from pulvinar.solutions.cells.search import cells_of_block, find_cells
from pulvinar.solutions.cells.simulated import TESTING, Scene, Variety, make_scene
from pulvinar.solutions.cells.volumes import VolumeSearch

SMALL = Variety(
    voxel_size_um=((4.0, 2.0, 2.0),), soma_um=(12.0, 14.0), axial_blur_um=(2.0, 4.0), cells=(8000.0, 9000.0)
)


def found_in(scene: Scene, search: VolumeSearch, inside: tuple[int, int, int] | None = None) -> Cells:
    voxels = np.stack([scene.signal, scene.background])
    return find_cells(
        lambda block: voxels[block.slices],
        scene.signal.shape,
        scene.voxel_size_um,
        search,
        inside or scene.signal.shape,
    )


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(5, SMALL, (60, 120, 110), snr=4.0)


@pytest.fixture(scope="module")
def whole(scene: Scene) -> Cells:
    return found_in(scene, VolumeSearch(scene.diameter_um, background=1))


def test_drawn_cells_are_found(scene: Scene, whole: Cells):
    agreed = agreement(whole.zyx_um / scene.diameter_um, scene.cells_um / scene.diameter_um, 0.5)
    assert len(scene.cells_um) > 40
    assert agreed.f1 > 0.9


@settings(deadline=None, max_examples=examples(12))
@given(inside=st.tuples(st.integers(11, 60), st.integers(17, 120), st.integers(17, 110)))
def test_any_cutting_gives_the_same_cells(scene: Scene, whole: Cells, inside: tuple[int, int, int]):
    cut = found_in(scene, VolumeSearch(scene.diameter_um, background=1), inside)
    assert np.array_equal(cut.zyx_um, whole.zyx_um)
    assert np.array_equal(cut.diameter_um, whole.diameter_um)
    assert np.array_equal(cut.snr, whole.snr)
    assert np.abs(cut.score - whole.score).max() < 1e-5


def test_threads_change_nothing(scene: Scene, whole: Cells):
    voxels = np.stack([scene.signal, scene.background])
    search = VolumeSearch(scene.diameter_um, background=1)
    cells = find_cells(
        lambda block: voxels[block.slices], scene.signal.shape, scene.voxel_size_um, search, (30, 60, 55), threads=2
    )
    assert np.array_equal(cells.zyx_um, whole.zyx_um)


@settings(deadline=None, max_examples=15)
@given(
    voxel=st.tuples(st.floats(1.0, 6.0), st.floats(0.8, 4.0), st.floats(0.8, 4.0)),
    where=st.tuples(*[st.floats(0.3, 0.7)] * 3),
)
def test_a_lone_ball_is_found_at_its_middle_with_its_size(voxel: tuple[float, ...], where: tuple[float, ...]):
    shape = tuple(int(120 / size) for size in voxel)
    middle = np.multiply(where, shape) * voxel
    axes = [np.arange(n) * size for n, size in zip(shape, voxel, strict=True)]
    far = np.sqrt(sum((g - m) ** 2 for g, m in zip(np.meshgrid(*axes, indexing="ij"), middle, strict=True)))
    image = 1000 / (1 + np.exp((far - 8) * 2)) + np.random.default_rng(3).normal(100, 10, shape)
    # where noise ends at the volume's edge it may stand out by 8 itself, which the classifier would judge
    search = VolumeSearch(judged=False, least_snr=12.0)
    cells = search.cells_of(image.clip(0).astype(np.uint16)[None], whole_block(shape), voxel)
    assert len(cells) == 1
    assert np.abs(cells.zyx_um[0] - middle).max() < 3
    assert cells.diameter_um[0] == pytest.approx(16, abs=3.5)


def test_an_empty_volume_and_one_thinner_than_a_cell_have_no_cells():
    for shape in ((30, 40, 50), (1, 40, 50), (3, 3, 3)):
        cells = VolumeSearch().cells_of(np.zeros((1, *shape), np.uint16), whole_block(shape), (5.0, 2.0, 2.0))
        assert len(cells) == 0


def test_cells_seen_in_two_channels_are_one_cell_with_both(scene: Scene, whole: Cells):
    search = VolumeSearch(scene.diameter_um, signal=(0, 1))
    voxels = np.stack([scene.signal, scene.signal])
    cells = find_cells(lambda block: voxels[block.slices], scene.signal.shape, scene.voxel_size_um, search)
    assert set(cells.channels.tolist()) == {3}
    only = find_cells(
        lambda block: voxels[block.slices], scene.signal.shape, scene.voxel_size_um, VolumeSearch(scene.diameter_um)
    )
    assert np.array_equal(cells.zyx_um, only.zyx_um)


def test_what_is_not_the_blocks_is_refused(scene: Scene):
    search, shape = VolumeSearch(scene.diameter_um), scene.signal.shape
    with pytest.raises(Invalid, match="voxels"):
        cells_of_block(scene.signal[None, 1:], whole_block(shape), scene.voxel_size_um, search)
    with pytest.raises(Invalid, match="begins"):
        block = next(b for b in plan_blocks(shape, (30, 60, 60), (0, 1, 1), (1, 1, 1)) if b.read_start[1] == 59)
        cells_of_block(scene.signal[None][block.slices], block, scene.voxel_size_um, search)
    with pytest.raises(Invalid, match="channels"):
        cells_of_block(scene.signal[None], whole_block(shape), scene.voxel_size_um, VolumeSearch(signal=(1,)))
    with pytest.raises(NotFound, match="model"):
        found_in(scene, VolumeSearch(scene.diameter_um, model=Path("nowhere.onnx")))
    with pytest.raises(Invalid, match="takes"):
        section = Path(__file__).parents[3] / "src/pulvinar/solutions/cells/models/section.onnx"
        found_in(scene, VolumeSearch(scene.diameter_um, model=section))
    with pytest.raises(Invalid, match="cells of"):
        Grid((0.0, 1.0, 1.0), (16.0, 16.0, 16.0))


@settings(deadline=None, max_examples=40)
@given(
    shape=st.tuples(*[st.integers(1, 60)] * 3),
    inside=st.tuples(*[st.integers(1, 40)] * 3),
    halo=st.tuples(*[st.integers(0, 20)] * 3),
    grain=st.tuples(*[st.integers(1, 9)] * 3),
)
def test_blocks_cover_every_voxel_once_and_are_read_with_their_halo(shape, inside, halo, grain):
    seen = np.zeros(shape, np.int64)
    for block in plan_blocks(shape, inside, halo, grain):
        seen[tuple(slice(a, b) for a, b in zip(block.start, block.stop, strict=True))] += 1
        for axis in range(3):
            assert block.read_start[axis] % grain[axis] == 0
            assert block.read_start[axis] <= max(0, block.start[axis] - halo[axis])
            assert block.read_stop[axis] >= min(shape[axis], block.stop[axis] + halo[axis])
    assert (seen == 1).all()


def test_a_place_is_told_in_voxels_of_any_shape_alike():
    grid = Grid((5.0, 2.0, 2.0), (16.0, 16.0, 16.0))
    assert grid.factors == (1, 2, 2)
    assert Grid((1.0, 0.5, 0.5), (16.0, 16.0, 16.0)).factors == (4, 8, 8)
    image = np.arange(2 * 5 * 7, dtype=np.uint16).reshape(2, 5, 7)
    expected = [[image[z, y : y + 2, x : x + 2].mean() for x in (0, 2, 4, 6)] for z in (1,) for y in (0, 2, 4)]
    assert np.allclose(reduced(image, grid)[1], np.array(expected).reshape(3, 4))


def test_of_two_close_ones_the_stronger_stays_and_a_third_behind_it_too():
    places = np.array([[0.0, 0, 0], [0.0, 0, 0.5], [0.0, 0, 1.0], [5.0, 5, 5]])
    kept = strongest(places, np.array([3.0, 2.0, 1.0, 0.1]), 0.6, rounds=2)
    assert kept.tolist() == [0, 2, 3]
    assert strongest(places, np.array([3.0, 2.0, 1.0, 0.1]), 0.6, rounds=1).tolist() == [0, 3]


def test_candidates_beyond_the_room_are_not_lost(monkeypatch: pytest.MonkeyPatch):
    from pulvinar.solutions.cells import candidates

    grid = Grid((4.0, 4.0, 4.0), (16.0, 16.0, 16.0))
    image = np.random.default_rng(0).normal(100, 5, (20, 60, 60)).astype(np.float32)
    before = find_candidates(image, grid, 1.0)
    monkeypatch.setattr(candidates, "_ROOM", 3)
    assert np.array_equal(find_candidates(image, grid, 1.0).peak, before.peak)
    assert len(before.snr) > 100


def test_scenes_are_the_same_each_time_and_differ_by_seed():
    first, again, other = (make_scene(seed, TESTING, (12, 60, 60)) for seed in (1, 1, 2))
    assert np.array_equal(first.signal, again.signal)
    assert np.array_equal(first.cells_um, again.cells_um)
    assert not np.array_equal(first.signal, other.signal)
    with pytest.raises(Invalid, match="no cell"):
        make_scene(1, TESTING, (2, 60, 60))
