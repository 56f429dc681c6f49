"""Volumes that others own: indexed where they are, read voxel by voxel, told when they change, and never removed."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numcodecs
import numpy as np
import pytest
import zarr
from tests.file_server import served
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.drafts import open_draft, remove_asset
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.version_manifest import manifest
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Conflict, Corrupt, Forbidden, MetadataMissing, NotFound, PulvinarError, UnreadableFile
from pulvinar.ingest.indexing import IndexRequest, index
from pulvinar.ingest.reader import Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Means
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import Ownership
from pulvinar.model.space import Window
from pulvinar.model.volume import VolumeKind
from pulvinar.operations.scrub import verify
from pulvinar.operations.sweep import sweep
from pulvinar.storage.external import ExternalSources, S3Access
from pulvinar.storage.external_volume import ExternalVolume, open_external
from pulvinar.storage.store import open_store

VOXELS = np.random.default_rng(1).integers(0, 60_000, (1, 2, 40, 50, 70)).astype(np.uint16)
ANSWERS = RecordAnswers(title="A petabyte", species="mouse", licence="CC-BY-4.0")
AXES = {
    "t": {"name": "t", "type": "time", "unit": "second"}, "c": {"name": "c", "type": "channel"},
    **{axis: {"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"},
}  # fmt: skip
SIZES = {"t": 1.0, "c": 1.0, "z": 2.0, "y": 0.5, "x": 0.4}


def halved(voxels):
    return voxels[..., ::2, ::2, ::2]


def write(folder, voxels=VOXELS, *, axes="tczyx", version="0.5", more=None, chunks=16, **array):
    """An OME-Zarr of two levels by zarr-python."""
    group = zarr.open_group(folder, mode="w", zarr_format=3 if version == "0.5" else 2)
    datasets = []
    for number, values in enumerate((voxels, halved(voxels))):
        sides = {"chunks": tuple(chunks if chunks > 16 else min(n, chunks) for n in values.shape)}
        group.create_array(
            str(number), data=values, **(sides | {k: v(values) if callable(v) else v for k, v in array.items()})
        )
        factor = [1.0 if axis in "tc" else 1.0 + number for axis in axes]
        scale = [SIZES[axis] * times for axis, times in zip(axes, factor, strict=True)]
        shift = [0.0 if axis in "tc" else SIZES[axis] * number / 2 for axis in axes]
        moves = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]
        datasets.append({"path": str(number), "coordinateTransformations": moves})
    about = {"multiscales": [{"axes": [AXES[axis] for axis in axes], "datasets": datasets, "version": version}]}
    about |= more or {}
    group.attrs.update({"ome": {"version": "0.5", **about}} if version == "0.5" else about)
    return folder


def as_five(voxels, axes):
    return voxels.reshape([dict(zip(axes, voxels.shape, strict=True)).get(axis, 1) for axis in "tczyx"])


@pytest.fixture
def means(database, tmp_path):
    (tmp_path / "scratch").mkdir()
    store = open_store((tmp_path / "store").as_uri())
    return Means(database=database, store=store, scratch=tmp_path / "scratch", limits=Limits())


@pytest.fixture
def lite(tmp_path, migrated, request):
    """The same on one kind of database, for what has nothing to do with it."""
    from pulvinar.storage.database import Database

    database = Database(migrated(request, "sqlite"))
    (tmp_path / "scratch").mkdir()
    yield Means(database, open_store((tmp_path / "store").as_uri()), tmp_path / "scratch", Limits())
    database.close()


def indexed(means, tmp_path, url=None, sources=None, **more):
    sources = sources or ExternalSources(tmp_path.as_uri())
    request = IndexRequest(url or (tmp_path / "theirs").as_uri(), "The Other Institute", answers=ANSWERS, **more)
    done = index(means, sources, request)
    (asset,) = done.version.assets
    return SimpleNamespace(version=done.version, asset=asset, sources=sources, findings=done.findings)


def read(found, level=0):
    volume = open_external(found.sources, found.asset)
    return volume.read(level, Window.whole(volume.volume.levels[level].shape))


FORMATS = {
    "0.5": {},
    "0.5 zyx": {"axes": "zyx", "voxels": VOXELS[0, 0]},
    "0.5 czyx": {"axes": "czyx", "voxels": VOXELS[0]},
    "0.5 gzip": {"compressors": GzipCodec()},
    "0.5 blosc": {"compressors": BloscCodec(cname="lz4")},
    "0.5 plain, other names": {"compressors": None, "chunk_key_encoding": {"name": "default", "separator": "."}},
    "0.5 names of v2": {"chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "0.5 big endian": {"serializer": BytesCodec(endian="big")},
    "0.5 transposed": {
        "axes": "czyx", "voxels": VOXELS[0], "filters": TransposeCodec(order=(3, 1, 0, 2)), "compressors": ZstdCodec(),
    },
    "0.5 shards": {"shards": lambda values: tuple(min(-(-n // 16) * 16, 32) if n > 2 else n for n in values.shape)},
    "0.5 shards, index first": {
        "axes": "zyx", "voxels": VOXELS[0, 0], "chunks": 32, "compressors": None,
        "serializer": ShardingCodec(chunk_shape=(16, 16, 16), index_location="start"),
    },
    "0.4": {"version": "0.4"},
    "0.4 zyx, raw": {"version": "0.4", "axes": "zyx", "voxels": VOXELS[0, 0], "compressors": None},
    "0.4 gzip": {"version": "0.4", "compressors": numcodecs.GZip()},
    "0.4 zstd": {"version": "0.4", "compressors": numcodecs.Zstd()},
    "0.4 blosc": {"version": "0.4", "compressors": numcodecs.Blosc(cname="zstd", shuffle=-1)},
    "0.4 folders": {"version": "0.4", "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "0.4 columns first": {"version": "0.4", "order": "F"},
    "0.4 big endian": {"version": "0.4", "voxels": VOXELS.astype(">u2")},
    "floats": {"voxels": VOXELS.astype(np.float32) / 3},
}  # fmt: skip


@pytest.mark.parametrize("case", FORMATS)
def test_every_level_is_read_voxel_by_voxel_where_it_is(lite, tmp_path, case):
    told = dict(FORMATS[case])
    voxels, axes = told.pop("voxels", VOXELS), told.get("axes", "tczyx")
    write(tmp_path / "theirs", voxels, **told)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "theirs").rglob("*")}
    found = indexed(lite, tmp_path)
    volume = found.asset.details["volume"]
    assert [level["voxel_size_um"] for level in volume["levels"]] == [[2.0, 0.5, 0.4], [4.0, 1.0, 0.8]]
    assert [level["translation_um"] for level in volume["levels"]] == [[0, 0, 0], [1.0, 0.25, 0.2]]
    for number, values in enumerate((voxels, halved(voxels))):
        got = read(found, number)
        assert got.dtype == values.dtype.newbyteorder("=")
        np.testing.assert_array_equal(got, as_five(values, axes))
    window = Window((0, 0, 5, 17, 30), (1, 1, 33, 50, 41))
    np.testing.assert_array_equal(
        open_external(found.sources, found.asset).read(0, window), as_five(voxels, axes)[window.slices]
    )
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "theirs").rglob("*")}
    assert after == before, "nothing of theirs is written"


@pytest.fixture(params=["folder", "s3", "http"])
def place(request, tmp_path):
    """One OME-Zarr in each kind of place: its address, the sources that allow it, its files as a folder or store."""
    write(tmp_path / "theirs", shards=lambda values: tuple(32 if n > 2 else n for n in values.shape))
    if request.param == "folder":
        yield (tmp_path / "theirs").as_uri(), ExternalSources(tmp_path.as_uri()), tmp_path / "theirs"
    elif request.param == "http":
        with served(tmp_path) as (address, _):
            yield f"{address}/theirs", ExternalSources(address, private=True), tmp_path / "theirs"
    else:
        server = request.getfixturevalue("s3_server")
        store = server.store(f"indexed-{tmp_path.name}")
        for path in (tmp_path / "theirs").rglob("*"):
            if path.is_file():
                store.put_bytes(path.relative_to(tmp_path / "theirs").as_posix(), path.read_bytes())
        access = S3Access(server.endpoint, server.access_key, server.secret_key)
        yield store.url, ExternalSources("s3://tests", s3=access), store


def change(files, name, data):
    """Write `data` to one of their objects; None removes it."""
    if isinstance(files, Path):
        (files / name).write_bytes(data) if data is not None else (files / name).unlink()
    elif data is None:
        files.delete(name)
    else:
        files.put_bytes(name, data)


def content(files, name):
    return (files / name).read_bytes() if isinstance(files, Path) else files.read(name)


def test_in_every_place_it_is_read_verified_and_never_removed(means, tmp_path, place):
    url, sources, files = place
    found = indexed(means, tmp_path, url, sources, publish=True)
    location = found.asset.location
    assert (location.ownership, location.owner) == (Ownership.EXTERNAL, "The Other Institute")
    assert location.url == url
    assert found.asset.size_bytes < 200_000
    assert found.asset.details["external"]["complete"] == (not url.startswith("http"))
    np.testing.assert_array_equal(read(found), VOXELS)
    again = get_version(means.database, LOCAL_OWNER, found.version.dataset_id)
    assert again == found.version
    told = manifest(means.database, LOCAL_OWNER, found.version.id)["assets"][0]["location"]
    assert told["owner"] == "The Other Institute"

    def damages():
        result = verify(means.database, means.store, LOCAL_OWNER, found.version.dataset_id, sources=sources)
        return {damage.key.removeprefix(f"{url}/"): damage.what for damage in result.damages}

    assert damages() == {}
    shard = "0/c/0/0/0/1/1"
    whole = content(files, shard)
    change(files, shard, whole + b"\0")
    assert damages()[shard] == f"has {len(whole) + 1} bytes, {len(whole)} were seen"
    change(files, shard, None)
    assert damages()[shard] == "is gone"
    change(files, shard, whole)
    document = content(files, "zarr.json")
    change(files, "zarr.json", document + b"\n")
    assert damages()["zarr.json"].startswith("has changed")
    change(files, "zarr.json", document)
    # taken out of a new draft, removed by nobody: their bytes stay
    with UnitOfWork(means.database, LOCAL_OWNER) as work:
        draft = open_draft(work, found.version.dataset_id)
        remove_asset(work, draft.id, found.asset.id)
    sweep(means.database, means.store, grace_s=0)
    np.testing.assert_array_equal(read(found), VOXELS)


def test_an_asset_that_nobody_has_any_more_leaves_their_bytes_alone(means, tmp_path):
    write(tmp_path / "theirs")
    before = sorted(path for path in (tmp_path / "theirs").rglob("*"))
    found = indexed(means, tmp_path)
    with UnitOfWork(means.database, LOCAL_OWNER) as work:
        remove_asset(work, found.version.id, found.asset.id)
    assert not get_version(means.database, LOCAL_OWNER, found.version.dataset_id).assets
    swept = sweep(means.database, means.store, grace_s=-1)
    assert swept.keys
    assert not list(means.store.list("assets"))
    assert sorted(path for path in (tmp_path / "theirs").rglob("*")) == before


def test_the_digest_covers_the_metadata_and_the_state_but_not_the_place(lite, tmp_path):
    write(tmp_path / "theirs")
    shutil.copytree(tmp_path / "theirs", tmp_path / "moved")  # times of files stay
    first, second = (indexed(lite, tmp_path, (tmp_path / name).as_uri(), name="brain") for name in ("theirs", "moved"))
    assert first.version.digest == second.version.digest
    chunk = tmp_path / "moved" / "0" / "c" / "0" / "0" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes())
    assert indexed(lite, tmp_path, (tmp_path / "moved").as_uri(), name="brain").version.digest != first.version.digest


def test_a_source_that_is_gone_or_new_is_an_error_and_never_empty(lite, tmp_path):
    write(tmp_path / "theirs")
    found = indexed(lite, tmp_path)
    document = (tmp_path / "theirs" / "0" / "zarr.json").read_text()
    (tmp_path / "theirs" / "0" / "zarr.json").write_text(document.replace("50", "51", 1))
    with pytest.raises(Corrupt, match=r"its source/0/zarr\.json has changed since it was indexed"):
        read(found)
    shutil.rmtree(tmp_path / "theirs" / "0")
    with pytest.raises(Corrupt, match=r"its source/0/zarr\.json is gone"):
        read(found)
    shutil.rmtree(tmp_path / "theirs")
    with pytest.raises(PulvinarError, match="can't be read: there is nothing at it"):
        read(found)
    (damage,) = verify(lite.database, lite.store, LOCAL_OWNER, found.version.dataset_id, sources=found.sources).damages
    assert "can't be verified: there is nothing at" in damage.what


def test_chunks_that_are_not_stored_are_fill(lite, tmp_path):
    write(tmp_path / "theirs", fill_value=7, config={"write_empty_chunks": True})
    for path in ("0/c/0/0/1/1/1", "1/c/0/0/0/0/0"):
        (tmp_path / "theirs" / path).unlink()
    got = read(indexed(lite, tmp_path))
    assert (got[0, :, 16:32, 16:32, 16:32] == 7).all()
    np.testing.assert_array_equal(got[:, :, :16], VOXELS[:, :, :16])


@pytest.mark.parametrize("codec", ["zstd", "gzip", "blosc", "none"])
def test_a_chunk_that_unpacks_to_more_than_it_should_is_refused(lite, tmp_path, codec):
    made = {"zstd": ZstdCodec(), "gzip": GzipCodec(), "blosc": BloscCodec(), "none": None}[codec]
    write(tmp_path / "theirs", compressors=made)
    found = indexed(lite, tmp_path)
    bomb = zarr.create_array(
        tmp_path / "bomb", shape=(1 << 24,), chunks=(1 << 24,), dtype="u2", compressors=made, fill_value=1
    )
    bomb[:] = 0
    (tmp_path / "theirs" / "0" / "c" / "0" / "0" / "0" / "0" / "0").write_bytes(
        (tmp_path / "bomb" / "c" / "0").read_bytes()
    )
    with pytest.raises(PulvinarError, match="expected"):
        read(found)


def test_damaged_chunks_are_an_error(lite, tmp_path):
    write(tmp_path / "theirs", compressors=ZstdCodec(checksum=True))
    found = indexed(lite, tmp_path)
    chunk = tmp_path / "theirs" / "0" / "c" / "0" / "0" / "0" / "0" / "0"
    whole = chunk.read_bytes()
    for damage in (b"", whole[: len(whole) // 2], whole[:20] + bytes(40) + whole[60:]):
        chunk.write_bytes(damage)
        with pytest.raises(Corrupt, match="damaged"):
            read(found)


def test_what_only_a_person_knows_is_asked_for_and_plain_arrays_are_indexed_with_it(lite, tmp_path):
    zarr.create_array(tmp_path / "theirs", data=VOXELS[0, 0], chunks=(16, 16, 16), dimension_names=("z", "y", "x"))
    with pytest.raises(MetadataMissing, match="--voxel-size"):
        indexed(lite, tmp_path)
    options = Options(voxel_size_um=(2, 1, 1), orientation="SAR", kind=VolumeKind.LABELS)
    found = indexed(lite, tmp_path, options=options, name="parcels")
    assert found.asset.name == "parcels"
    assert found.asset.details["volume"]["kind"] == "labels"
    assert found.asset.details["volume"]["affine_um"] is not None
    np.testing.assert_array_equal(read(found), VOXELS[:1, :1])
    with pytest.raises(Conflict, match="has an asset named 'parcels' already"):
        indexed(lite, tmp_path, options=options, name="parcels", dataset_id=found.version.dataset_id)
    more = indexed_into(lite, tmp_path, found, options)
    assert [asset.name for asset in more.assets] == ["parcels", "theirs"]


def indexed_into(means, tmp_path, found, options):
    request = IndexRequest(
        (tmp_path / "theirs").as_uri(), "Somebody", options=options, dataset_id=found.version.dataset_id
    )
    return index(means, found.sources, request).version


def test_an_owner_is_asked_for(lite, tmp_path):
    write(tmp_path / "theirs")
    request = IndexRequest((tmp_path / "theirs").as_uri(), " ", answers=ANSWERS)
    with pytest.raises(MetadataMissing, match="who owns the bytes"):
        index(lite, ExternalSources(tmp_path.as_uri()), request)


def test_nothing_is_indexed_that_the_operator_does_not_allow(lite, tmp_path):
    write(tmp_path / "theirs")
    for sources in (ExternalSources(), ExternalSources((tmp_path / "other").as_uri()), ExternalSources("s3://bucket")):
        with pytest.raises(Forbidden, match="is not among the external sources"):
            indexed(lite, tmp_path, sources=sources)


def test_a_volume_without_a_coarse_level_is_indexed_without_pictures(lite, tmp_path, monkeypatch):
    monkeypatch.setattr("pulvinar.ingest.indexing._LARGEST_DRAWN_VOXELS", 10)
    write(tmp_path / "theirs")
    found = indexed(lite, tmp_path)
    assert found.asset.details["pictured"] is False
    assert "it has no coarse level" in " ".join(finding.message for finding in found.findings)
    np.testing.assert_array_equal(read(found), VOXELS)


def broken(folder, path, value):
    document = json.loads((folder / "0" / "zarr.json").read_text())
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    (folder / "0" / "zarr.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("shape",), [1, 2, 10**15, 50, 70]),
        (("shape",), [1, 2, 0, 50, 70]),
        (("shape",), [2, 50, 70]),
        (("chunk_grid", "configuration", "chunk_shape"), [1, 1, 0, 16, 16]),
        (("chunk_grid", "configuration", "chunk_shape"), [1, 1, 4096, 4096, 4096]),
        (("data_type",), "float16"),
        (("data_type",), "complex64"),
        (("data_type",), "uint8"),
        (("codecs",), [{"name": "bytes"}, {"name": "numcodecs.lz4"}]),
        (("codecs",), [{"name": "bytes", "configuration": {"endian": "sideways"}}]),
        (("codecs",), [{"name": "zstd"}]),
        (("codecs",), "all"),
        (("codecs",), [{"name": "sharding_indexed", "configuration": {"chunk_shape": [1, 1, 8, 8, 8], "codecs": []}}]),
        (("fill_value",), "plenty"),
    ],
)
def test_what_a_document_declares_is_not_believed(lite, tmp_path, path, value):
    write(tmp_path / "theirs")
    broken(tmp_path / "theirs", path, value)
    with pytest.raises(PulvinarError) as refusal:
        indexed(lite, tmp_path)
    assert "zarr.json" in refusal.value.message or refusal.value.message.startswith("0 can't be read as it is")
    assert not list(lite.store.list("assets"))


@pytest.mark.parametrize("where", ["../secret", "/etc", "a/../../b"])
def test_a_level_never_leads_out_of_its_group(lite, tmp_path, where):
    write(tmp_path / "theirs")
    document = json.loads((tmp_path / "theirs" / "zarr.json").read_text())
    document["attributes"]["ome"]["multiscales"][0]["datasets"][1]["path"] = where
    (tmp_path / "theirs" / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(UnreadableFile, match="has the path"):
        indexed(lite, tmp_path)


def test_what_is_no_image_is_named(lite, tmp_path):
    (tmp_path / "theirs").mkdir()
    with pytest.raises(NotFound, match="there is no Zarr at"):
        indexed(lite, tmp_path)
    zarr.open_group(tmp_path / "theirs", mode="w")
    with pytest.raises(UnreadableFile, match="is a Zarr group without an image"):
        indexed(lite, tmp_path)
    zarr.create_array(
        tmp_path / "theirs", data=VOXELS[0, 0], chunks=(16, 16, 16), dimension_names=("x", "y", "z"), overwrite=True
    )
    with pytest.raises(UnreadableFile, match="its axes are in the order xyz"):
        indexed(lite, tmp_path, options=Options(voxel_size_um=(1, 1, 1)))


def test_a_draft_of_it_can_be_published_later(means, tmp_path):
    write(tmp_path / "theirs")
    found = indexed(means, tmp_path)
    with UnitOfWork(means.database, LOCAL_OWNER) as work:
        assert publish(work, found.version.id).digest == found.version.digest


def regions():
    """Labels of 27 blocks, of which nothing says that they are labels."""
    cell = [np.arange(size) * 3 // size for size in (60, 90, 120)]
    ids = 100 + 9 * cell[0][:, None, None] + 3 * cell[1][:, None] + cell[2]
    return ids.astype(np.uint16)


@pytest.mark.parametrize("sharded", [False, True])
def test_labels_are_told_from_images_by_a_few_of_their_chunks(lite, tmp_path, monkeypatch, sharded):
    read_chunks = []
    chunk = ExternalVolume.chunk
    monkeypatch.setattr(ExternalVolume, "chunk", lambda *given: read_chunks.append(given[1:]) or chunk(*given))
    shards = {"shards": lambda values: tuple(16 * -(-n // 16) for n in values.shape)} if sharded else {}
    write(tmp_path / "theirs", regions(), axes="zyx", **shards)
    found = indexed(lite, tmp_path)
    assert found.asset.details["volume"]["kind"] == "labels"
    assert any("taken as labels" in one.message for one in found.findings)
    looking, read_chunks = len(read_chunks), read_chunks.clear() or read_chunks
    indexed(lite, tmp_path, options=Options(kind=VolumeKind.LABELS))
    assert 0 < looking - len(read_chunks) <= 32
    assert np.array_equal(read(found)[0, 0], regions())


@pytest.mark.parametrize("kind", [VolumeKind.IMAGE, None])
def test_what_a_person_says_or_the_chunks_show_is_no_labels(lite, tmp_path, kind):
    write(tmp_path / "theirs", VOXELS[0, 0] if kind is None else regions(), axes="zyx")
    found = indexed(lite, tmp_path, options=Options(kind=kind))
    assert found.asset.details["volume"]["kind"] == "image"
    assert not any("taken as labels" in one.message for one in found.findings)
