"""Every real volume goes the whole way, from the files into the store, and level 0 is the source voxel by voxel."""

import gzip
import io
import lzma
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from tests.ingest.sources import ASSETS, PARTS, VOLUMES, assert_same_voxels, format_of, manifest

from pulvinar.errors import MetadataMissing
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import Form, Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Means, Request
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.volume import volume_from_json
from pulvinar.platform import migrate
from pulvinar.storage.database import Database
from pulvinar.storage.store import open_store
from pulvinar.storage.volumes import open_volume

PLANES = ("mouse/cells_lightsheet/", "zebrafish/lightsheet_movie/", "macaque/retrograde_cells/")
"""Folders whose files are planes: they go in together."""
VOLUME_SAMPLES = [name for name in manifest() if format_of(name) in VOLUMES and not name.startswith(PLANES)]
ANSWERS = RecordAnswers(title="A sample", species="mouse", licence="as its source says")


@pytest.fixture(scope="module")
def means(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    database = Database(f"sqlite:///{home / 'catalogue.sqlite'}")
    migrate(database)
    yield Means(database, open_store((home / "store").as_uri()), home / "scratch", Limits(), threads=2)
    database.close()


def bring_in(means, path, options=None, **request):
    """The assets of `path`; what is asked is answered: voxels are of 2 um, and of two maps the sform is right."""
    try:
        return ingest(means, Request(path, options or Options(), ANSWERS, **request)).version.assets
    except MetadataMissing:
        return ingest(
            means, Request(path, Options(voxel_size_um=(2.0, 2.0, 2.0), form=Form.SFORM), ANSWERS, **request)
        ).version.assets


def level_0(means, asset):
    stored = open_volume(means.store, asset.prefix)
    assert stored.volume == volume_from_json(asset.details["volume"])
    return np.asarray(stored.level(0).read().result())


@pytest.mark.parametrize("name", VOLUME_SAMPLES)
def test_a_stored_volume_is_its_source(means, sample, tmp_path, name):
    path = sample(name)
    (asset,) = bring_in(means, path)
    if name.endswith((".tif.gz", ".tif.lzma")):
        path = unpacked(path, tmp_path)
    assert_same_voxels(level_0(means, asset), VOLUMES[format_of(name)](path))


@pytest.mark.parametrize("name", [name for name in manifest() if format_of(name) in PARTS])
def test_each_stored_volume_of_a_file_is_its_source(means, sample, name):
    path = sample(name)
    assets = bring_in(means, path)
    assert len(assets) == ASSETS.get(name, 1)
    expected = [PARTS[format_of(name)](path, f"#{number}") for number in range(len(assets))]
    stored = [level_0(means, asset) for asset in assets]
    for voxels in expected:
        fitting = [one for one in stored if one.shape == voxels.shape]
        assert any(np.array_equal(one, voxels) for one in fitting)


def unpacked(path, folder):
    content = path.read_bytes()
    plain = folder / path.stem
    plain.write_bytes(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else lzma.decompress(content))
    return plain


def planes_of(folder):
    return np.stack([tifffile.imread(path) for path in sorted(folder.glob("*.tif*"))])[None, None]


@pytest.mark.parametrize("channel", ["ch0", "ch1"])
def test_a_folder_of_planes_is_one_volume(means, sample, channel):
    folder = sample(f"mouse/cells_lightsheet/crop_planes/{channel}")
    (asset,) = bring_in(means, folder, Options(voxel_size_um=(5.0, 2.0, 2.0), axes="zyx"))
    assert_same_voxels(level_0(means, asset), planes_of(folder))


@pytest.mark.deep
def test_a_whole_mouse_brain_comes_out_of_its_archive(means, sample, tmp_path):
    archive = sample("mouse/whole_brain_autofluorescence/brain_270slices.tar.xz")
    (asset,) = bring_in(means, archive, Options(voxel_size_um=(50.0, 40.0, 40.0), axes="zyx"))
    with tarfile.open(archive) as opened:
        members = sorted(member.name for member in opened.getmembers() if member.name.endswith((".tif", ".tiff")))
        planes = [tifffile.imread(io.BytesIO(opened.extractfile(name).read())) for name in members]
    assert len(planes) == 270
    assert_same_voxels(level_0(means, asset), np.stack(planes)[None, None])


def test_micro_ct_cubes_of_single_planes_come_out_of_their_archive(means, sample):
    archive = sample("mouse/xbrain_microct_testcubes.tar.gz")
    cubes = {}
    with tarfile.open(archive) as opened:
        for item in sorted(opened.getmembers(), key=lambda item: item.name):
            if item.name.endswith((".tif", ".tiff")) and not Path(item.name).name.startswith("._"):
                plane = tifffile.imread(io.BytesIO(opened.extractfile(item).read()))
                cubes.setdefault(Path(item.name).name.rpartition("_")[0], []).append(plane)
    assert {name: len(planes) for name, planes in cubes.items()} == dict.fromkeys(cubes, 200)
    assets = bring_in(means, archive, Options(voxel_size_um=(0.65, 0.65, 0.65), axes="zyx"))
    assert len(assets) == len(cubes) == 3
    stored = {level_0(means, asset).tobytes() for asset in assets}
    assert stored == {np.stack(planes)[None, None].tobytes() for planes in cubes.values()}


def test_a_stored_neuron_is_its_file(means, sample):
    path = sample("mouse/mouselight_dendrites/demo-trees/AA0001.swc")
    (asset,) = bring_in(means, path)
    rows = np.loadtxt(path, comments="#")
    table = pq.read_table(io.BytesIO(means.store.read(f"{asset.prefix}/skeleton.parquet"))).to_pydict()
    order = {number: row for row, number in enumerate(table["node_id"])}
    mine = [order[int(number)] for number in rows[:, 0]]
    places = np.stack([np.array(table[name])[mine] for name in ("x_um", "y_um", "z_um")], axis=1)
    assert np.allclose(places, rows[:, 2:5], rtol=1e-12)
