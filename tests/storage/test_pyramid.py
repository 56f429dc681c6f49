"""Whole pyramids: every level against numpy, read back by tensorstore and by zarr-python; kills, failures, memory."""

import random
import tracemalloc
from math import prod

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage import block_writer, pyramid_plan
from pulvinar.storage.downsample import downsample
from pulvinar.storage.pyramid import finished_voxels, plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.pyramid_plan import factors_between
from pulvinar.storage.shards import shard_path
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.store import open_store
from pulvinar.storage.volumes import open_volume

IMAGE, LABELS = VolumeKind.IMAGE, VolumeKind.LABELS
CUBE = (1.0, 1.0, 1.0)


class Ledger:
    """In memory; can stop a run as a kill would: after the note is made, nothing else happens."""

    def __init__(self, stop_after=None):
        self.objects = {}
        self.left = stop_after

    def finished(self):
        return dict(self.objects)

    def record(self, objects):
        assert not {item.path for item in objects} & set(self.objects)
        self.objects.update((item.path, item) for item in objects)
        if self.left is not None:
            self.left -= len(objects)
            if self.left <= 0:
                raise Stopped


class Stopped(Exception):
    pass


class CountingSource(ArraySource):
    """Fails at a read, where asked to; knows what was read and what was not given back."""

    def __init__(self, array, block_shape=None, fail_at=None):
        super().__init__(array, block_shape)
        self.windows, self.held, self.most_held, self.fail_at = [], 0, 0, fail_at

    def read(self, window):
        if self.fail_at is not None and len(self.windows) >= self.fail_at:
            raise UnreadableFile("plane 7 is damaged")
        self.windows.append(window)
        self.held += 1
        self.most_held = max(self.most_held, self.held)
        return super().read(window).copy()

    def release(self, voxels):
        self.held -= 1


def volume_of(array, kind=IMAGE, voxel_size_um=CUBE):
    levels = plan_levels(array.shape, voxel_size_um, array.dtype, kind)
    return Volume(kind, array.dtype.name, levels, tuple(Channel(str(i)) for i in range(array.shape[1])))


def write(array, store, scratch, *, kind=IMAGE, voxel_size_um=CUBE, decoded=None, ledger=None, source=None, **options):
    volume = volume_of(array, kind, voxel_size_um)
    source = source or ArraySource(array, decoded)
    plan = plan_pyramid(volume, source.block_shape)
    ledger = ledger or Ledger()
    return volume, write_pyramid(source, plan, store, "assets/a", ledger=ledger, scratch=scratch, **options)


def expected_levels(array, volume):
    levels = [array]
    for finer, coarser in zip(volume.levels, volume.levels[1:], strict=False):
        levels.append(downsample(levels[-1], factors_between(finer, coarser), volume.kind))
    return levels


def assert_stored(store, array, volume):
    """Every level, by tensorstore and by zarr-python, bit for bit."""
    stored = open_volume(store, "assets/a")
    assert stored.volume == volume
    group = zarr.open_group(store.local_path("assets/a/image.ome.zarr/zarr.json").parent, mode="r")
    for number, expected in enumerate(expected_levels(array, volume)):
        for found in (stored.read(number, Window.whole(expected.shape)), group[str(number)][...]):
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected, err_msg=f"level {number}")


def staged(store, volume_objects):
    """What lies in the store besides the given objects."""
    return {entry.key for entry in store.list("assets")} - {f"assets/a/{item.path}" for item in volume_objects}


@pytest.fixture
def small(monkeypatch):
    """Chunks of 8 and shards of 32, so that a small array has many of each, in several stages of blocks."""
    monkeypatch.setattr(pyramid_plan, "CHUNK", 8)
    monkeypatch.setattr(pyramid_plan, "SHARD", 32)
    monkeypatch.setattr(pyramid_plan, "_READ_BYTES", 8 * 8 * 64)
    monkeypatch.setattr(pyramid_plan, "_READ_LIMIT_BYTES", 3 * 8 * 8 * 64)


@pytest.mark.parametrize(
    ("shape", "dtype", "kind"),
    [
        ((1, 1, 130, 200, 170), "uint16", IMAGE),
        ((2, 3, 5, 70, 65), "float32", IMAGE),
        ((1452, 1, 1, 20, 40), "int16", IMAGE),
        ((1, 1, 70, 300, 129), "uint64", LABELS),
        ((1, 1, 1, 1, 1), "uint8", IMAGE),
        ((3, 1, 40, 600, 7), "int32", LABELS),
    ],
)
def test_every_level_reads_back_bit_for_bit(folder, tmp_path, shape, dtype, kind):
    array = (np.random.default_rng(1).random(shape) * 5000).astype(dtype)
    if kind is LABELS:
        array = array // 900 * np.array(2**20 + 1, dtype)
    volume, objects = write(array, folder, tmp_path, kind=kind)
    assert_stored(folder, array, volume)
    assert not staged(folder, objects)
    assert all(folder.size(f"assets/a/{item.path}") == item.size_bytes for item in objects)


@given(st.data())
@settings(max_examples=examples(15), deadline=None)
def test_any_shape_type_and_cut_gives_the_same_levels_as_numpy(tmp_path_factory, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyramid_plan, "CHUNK", 8)
        patch.setattr(pyramid_plan, "SHARD", data.draw(st.sampled_from((8, 16, 32))))
        patch.setattr(pyramid_plan, "_READ_BYTES", data.draw(st.sampled_from((600, 5000, 50_000))))
        patch.setattr(pyramid_plan, "_READ_LIMIT_BYTES", data.draw(st.sampled_from((5000, 100_000))))
        patch.setattr(block_writer, "_PENDING_BYTES", data.draw(st.sampled_from((0, 4000, 10**6))))
        shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 2), *[st.integers(1, 75)] * 3))
        dtype = data.draw(st.sampled_from(("uint8", "uint16", "int16", "uint64", "float32")))
        kind = data.draw(st.sampled_from((IMAGE, LABELS))) if dtype != "float32" else IMAGE
        sizes = data.draw(st.tuples(*[st.sampled_from((0.5, 1.0, 3.0))] * 3))
        decoded = tuple(data.draw(st.integers(1, n)) for n in shape)
        generator = np.random.default_rng(data.draw(st.integers(0, 99)))
        array = (generator.random(shape) * (5 if kind is LABELS else 250)).astype(dtype)
        array[generator.random(shape) < data.draw(st.sampled_from((0.0, 0.7, 1.0)))] = 0
        root = tmp_path_factory.mktemp("any")
        store = open_store(f"file://{root / 'store'}")
        volume, _ = write(array, store, root, kind=kind, voxel_size_um=sizes, decoded=decoded, threads=3)
        assert_stored(store, array, volume)


def test_the_same_voxels_give_the_same_bytes_whatever_the_threads(small, tmp_path):
    array = np.random.default_rng(2).integers(0, 900, (1, 2, 70, 90, 100)).astype(np.uint16)
    results = []
    for threads in (1, 2, 7):
        store = open_store(f"file://{tmp_path / str(threads)}")
        results.append(write(array, store, tmp_path, threads=threads)[1])
    assert results[0] == results[1] == results[2]
    assert len(results[0]) > 50


@pytest.mark.parametrize("decoded", [(1, 1, 1, 1, 1), (1, 1, 1, 50, 70), (1, 1, 40, 40, 40)])
def test_a_stopped_run_goes_on_to_the_same_bytes_without_redoing_finished_shards(small, tmp_path, decoded):
    array = np.random.default_rng(3).integers(0, 900, (1, 1, 140, 50, 70)).astype(np.uint16)
    array[:, :, :32, :32, :32] = 0
    whole = write(array, open_store(f"file://{tmp_path / 'whole'}"), tmp_path, decoded=decoded)[1]
    for seed in range(6):
        store = open_store(f"file://{tmp_path / f'stopped{seed}'}")
        ledger, chance = Ledger(), random.Random(seed)
        if seed % 2:  # any set of finished shards is a state that a kill may leave: shards become durable in any order
            write(array, store, tmp_path, decoded=decoded, ledger=ledger)
            kept = chance.sample(sorted(ledger.objects), chance.randrange(len(whole)))
            ledger.objects = {path: ledger.objects[path] for path in kept}
        for _ in range(3):
            ledger.left = chance.randrange(1, len(whole))
            try:
                write(array, store, tmp_path, decoded=decoded, ledger=ledger)
            except Stopped:
                continue
        ledger.left = None
        volume, objects = write(array, store, tmp_path, decoded=decoded, ledger=ledger)
        assert objects == whole
        assert not staged(store, objects)
    assert_stored(store, array, volume)


def test_a_finished_shard_is_not_read_from_the_source_again(small, folder, tmp_path):
    array = np.random.default_rng(4).integers(1, 900, (1, 1, 64, 64, 64)).astype(np.uint16)
    ledger = Ledger()
    _, whole = write(array, folder, tmp_path, ledger=ledger)
    ledger.objects.pop("image.ome.zarr/0/c/0/0/1/1/1")
    ledger.objects.pop("image.ome.zarr/1/c/0/0/0/0/0")
    source = CountingSource(array, (1, 1, 1, 1, 1))
    assert write(array, folder, tmp_path, ledger=ledger, source=source)[1] == whole
    assert source.windows
    assert all(min(window.stop[2:]) > 32 for window in source.windows)
    finished = CountingSource(array, (1, 1, 1, 1, 1))
    assert write(array, folder, tmp_path, ledger=ledger, source=finished)[1] == whole
    assert finished.windows == []


@pytest.mark.parametrize("fail_at", [0, 1, 5, 30])
def test_a_source_that_fails_leaves_only_whole_and_recorded_objects(small, folder, tmp_path, fail_at):
    array = np.random.default_rng(5).integers(0, 900, (1, 1, 70, 90, 100)).astype(np.uint16)
    source, ledger = CountingSource(array, (1, 1, 1, 1, 1), fail_at), Ledger()
    with pytest.raises(UnreadableFile, match="plane 7"):
        write(array, folder, tmp_path, source=source, ledger=ledger)
    assert source.held == 0
    assert not staged(folder, ledger.objects.values())
    assert all(folder.size(f"assets/a/{item.path}") == item.size_bytes for item in ledger.objects.values())
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "assets/a/" not in str(path)]


def test_the_source_is_read_once_and_at_most_three_pieces_are_held(small, folder, tmp_path):
    array = np.random.default_rng(6).integers(0, 900, (2, 1, 70, 90, 100)).astype(np.uint16)
    source, seen, told = CountingSource(array, (1, 1, 1, 1, 1)), [], []
    write(
        array,
        folder,
        tmp_path,
        source=source,
        observe=lambda window, voxels: seen.append((window, voxels.copy())),
        progress=lambda done, total: told.append((done, total)),
    )
    assert sum(prod(window.shape) for window in source.windows) == array.size
    assert source.held == 0
    assert source.most_held <= 3
    assert [window for window, _ in seen] == source.windows
    assert all((array[window.slices] == voxels).all() for window, voxels in seen)
    assert told[-1] == (array.size, array.size)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_empty_parts_take_no_room(folder, tmp_path):
    array = np.zeros((1, 1, 100, 600, 100), np.uint16)
    array[0, 0, 50, 599, 50] = 7
    volume, objects = write(array, folder, tmp_path)
    assert [item.path for item in objects if "/0/c/" in item.path] == ["image.ome.zarr/0/c/0/0/0/1/0"]
    assert sum(item.size_bytes for item in objects) < 30_000
    assert_stored(folder, array, volume)


class Plane:
    """Voxels that are made when asked for: no memory of its own."""

    dtype = np.dtype("uint8")

    def __init__(self, shape, block_shape):
        self.shape, self.block_shape = shape, block_shape

    def read(self, window):
        row = np.arange(window.start[4], window.stop[4], dtype=np.uint64).astype(np.uint8)
        return np.broadcast_to(row, window.shape).copy()

    def release(self, voxels):
        pass


@pytest.mark.parametrize("decoded", [(1, 1, 1, 1, 1), (1, 1, 1, 2**20, 2**20)], ids=["rows", "planes"])
def test_memory_is_bounded_by_the_block_and_not_by_the_volume_or_its_plane(monkeypatch, tmp_path, decoded):
    monkeypatch.setattr(pyramid_plan, "CHUNK", 32)
    monkeypatch.setattr(pyramid_plan, "SHARD", 128)
    monkeypatch.setattr(pyramid_plan, "_READ_BYTES", 2**19)
    monkeypatch.setattr(pyramid_plan, "_WHOLE_ROWS_BYTES", 2**19)
    monkeypatch.setattr(pyramid_plan, "_READ_LIMIT_BYTES", 2**20)
    monkeypatch.setattr(block_writer, "_PENDING_BYTES", 2**20)
    monkeypatch.setattr(block_writer, "_IN_FLIGHT_BYTES", 2**20)
    peaks = []
    # the first is small, and has the modules and kernels loaded that are loaded at their first use
    for side in (128, 512, 1024):
        shape = (1, 1, 128, side, side)
        source = Plane(shape, tuple(min(a, b) for a, b in zip(decoded, shape, strict=True)))
        volume = Volume(IMAGE, "uint8", plan_levels(shape, CUBE, "uint8", IMAGE), (Channel("c"),))
        plan = plan_pyramid(volume, source.block_shape)
        tracemalloc.start()
        store = open_store(f"file://{tmp_path / str(side)}")
        write_pyramid(source, plan, store, "assets/a", ledger=Ledger(), scratch=tmp_path, threads=2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    _, small, large = peaks
    assert small < 12 * 2**20
    # what grows is the plane that the source itself decodes, and the list of shards
    assert large < 1.25 * small + prod(source.block_shape)


def test_a_source_that_is_not_what_was_planned_is_refused(folder, tmp_path):
    array = np.zeros((1, 1, 4, 4, 4), np.uint8)
    plan = plan_pyramid(volume_of(array), array.shape)
    with pytest.raises(Invalid, match="uint16"):
        write_pyramid(ArraySource(array.astype(np.uint16)), plan, folder, "assets/a", ledger=Ledger(), scratch=tmp_path)


def test_what_is_finished_is_counted_in_voxels_of_the_finest_level():
    shape = (1, 2, 70, 3000, 90)
    levels = plan_levels(shape, (1.0, 1.0, 1.0), "uint8", VolumeKind.IMAGE)
    volume = Volume(VolumeKind.IMAGE, "uint8", levels, (Channel("a"), Channel("b")))
    grid = [-(-size // step) for size, step in zip(shape, levels[0].shard_shape, strict=True)]
    paths = {shard_path(0, place) for place in np.ndindex(*grid)}
    assert len(paths) > 2
    assert finished_voxels(volume, paths) == prod(shape)
    assert finished_voxels(volume, {shard_path(1, (0, 0, 0, 0, 0))}) == 0
    first = shard_path(0, (0, 0, 0, 0, 0))
    corner = [min(size, step) for size, step in zip(shape, levels[0].shard_shape, strict=True)]
    assert finished_voxels(volume, {first}) == prod(corner)
