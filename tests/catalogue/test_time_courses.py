"""An image over time at one place, against its voxels one by one."""

import numpy as np
import pytest

from pulvinar.catalogue.measuring import Measured
from pulvinar.catalogue.time_courses import time_course
from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage.pyramid import plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.store import open_store
from pulvinar.storage.volumes import open_volume

SIZE_UM = (5.0, 2.0, 1.0)
WORLD = ((0.0, 0.0, 1.0, 30.0), (0.0, 2.0, 0.0, -7.0), (-5.0, 0.0, 0.0, 4.0), (0.0, 0.0, 0.0, 1.0))
"""z of the world is x of the voxels, x is z turned over."""


class Forgetful:
    def finished(self):
        return {}

    def record(self, objects): ...


def taken(folder, voxels, *, affine=WORLD, step_s=0.5, kind=VolumeKind.IMAGE, budget=1 << 28) -> Measured:
    levels = plan_levels(voxels.shape, SIZE_UM, voxels.dtype, kind)
    channels = tuple(Channel(f"c{n}") for n in range(voxels.shape[1]))
    volume = Volume(kind, voxels.dtype.name, levels, channels, affine, step_s)
    store = open_store(f"file://{folder / 'store'}")
    source = ArraySource(voxels)
    plan = plan_pyramid(volume, source.block_shape)
    (folder / "scratch").mkdir()
    write_pyramid(source, plan, store, "assets/a", ledger=Forgetful(), scratch=folder / "scratch")
    asset = Asset("a", "movie", AssetKind.VOLUME, "assets/a", 1, 1, "d", {})
    return Measured(asset, volume, open_volume(store, "assets/a", volume), budget)


@pytest.fixture
def voxels():
    return np.random.default_rng(3).integers(0, 60_000, (40, 2, 6, 8, 10), np.uint16)


def test_the_voxel_at_a_place_over_time(tmp_path, voxels):
    movie = taken(tmp_path, voxels)
    z, y, x = 3, 2, 7
    place = np.array([x * 1.0 + 30, y * 2.0 - 7, z * -5.0 + 4])
    found = time_course(movie, place + 0.3, level=0)
    assert (found.level, found.voxels, found.timed, found.channels) == (0, 1, True, ("c0", "c1"))
    np.testing.assert_array_equal(found.values, voxels[:, :, z, y, x].T)
    np.testing.assert_allclose(found.times, np.arange(40) * 0.5)
    np.testing.assert_allclose(found.zyx_um, place)


def test_a_ball_is_the_mean_of_the_voxels_whose_centres_are_in_it(tmp_path, voxels):
    movie = taken(tmp_path, voxels)
    place = np.array([34.2, 0.4, -8.0])
    found = time_course(movie, place, radius_um=4.0, level=0)
    wanted = [
        voxels[:, :, z, y, x]
        for z, y, x in np.ndindex(6, 8, 10)
        if np.linalg.norm(np.array([x + 30, y * 2 - 7, z * -5 + 4]) - place) <= 4.0
    ]
    assert found.voxels == len(wanted) > 5
    np.testing.assert_allclose(found.values, np.mean(wanted, axis=0).T)


def test_without_a_step_times_are_frames(tmp_path, voxels):
    found = time_course(taken(tmp_path, voxels, affine=None, step_s=None), np.array([10.0, 4.0, 3.0]))
    assert not found.timed
    assert found.times.tolist() == list(range(40))


def test_what_has_no_trace_is_refused(tmp_path, voxels):
    movie = taken(tmp_path, voxels)
    with pytest.raises(Invalid, match="outside"):
        time_course(movie, np.array([30.0, -7.0, 400.0]))
    with pytest.raises(Invalid, match="no number"):
        time_course(movie, np.array([30.0, np.nan, 4.0]))
    still = tmp_path / "still"
    still.mkdir()
    with pytest.raises(Invalid, match="does not change"):
        time_course(taken(still, voxels[:1], step_s=None), np.array([30.0, -7.0, 4.0]))
    with pytest.raises(TooLarge):
        time_course(Measured(movie.asset, movie.volume, movie.stored, 1000), np.array([30.0, -7.0, 4.0]), level=0)
