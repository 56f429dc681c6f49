import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from starlette.testclient import TestClient

from pulvinar.catalogue.datasets import list_datasets
from pulvinar.catalogue.stored_objects import objects_of
from pulvinar.catalogue.versions import get_version
from pulvinar.cli.show import describe_finding, version_to_json
from pulvinar.errors import Conflict, Corrupt, Invalid, MetadataMissing, NotFound, UnreadableFile
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.progress import Silent, TerminalProgress
from pulvinar.ingest.reader import Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Means, Originals, Request
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import AssetKind, VersionState
from pulvinar.model.volume import VolumeKind, volume_from_json
from pulvinar.operations.scrub import verify
from pulvinar.operations.sweep import sweep
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.storage.volumes import open_volume
from pulvinar.web.app import create_app

ANSWERS = RecordAnswers(title="A brain", species="mouse", licence="CC0-1.0")
TWO_UM = Options(voxel_size_um=(2.0, 2.0, 2.0), axes="zyx")


@pytest.fixture
def means(database, store, tmp_path):
    return Means(database=database, store=store, scratch=tmp_path / "scratch", limits=Limits(), threads=2)


@pytest.fixture
def stack(tmp_path):
    """Forty TIFF planes of 70 x 90 voxels: structure, a saturated patch, a dropped plane."""
    folder = tmp_path / "stack"
    folder.mkdir()
    array = voxels()
    for z, plane in enumerate(array):
        tifffile.imwrite(folder / f"p{z:03d}.tif", plane)
    return folder


def voxels():
    array = np.random.default_rng(3).integers(0, 3000, (40, 70, 90)).astype(np.uint16)
    array[:, :10, :10] = 65535
    array[20] = 0
    return array


def test_a_stack_becomes_a_draft_whose_voxels_are_the_files(means, stack):
    done = ingest(means, Request(stack, TWO_UM, ANSWERS))
    version = done.version
    assert (version.number, version.state) == (1, VersionState.DRAFT)
    (asset,) = version.assets
    assert asset.kind is AssetKind.VOLUME
    volume = volume_from_json(asset.details["volume"])
    assert volume.voxel_size_um == (2.0, 2.0, 2.0)
    stored = open_volume(means.store, asset.prefix)
    whole = np.asarray(stored.level(0).read().result())[0, 0]
    assert np.array_equal(whole, voxels())
    quality = asset.details["quality"]["channels"][0]
    assert quality["maximum"] == 65535
    assert quality["saturated"] == pytest.approx(np.mean(voxels() == 65535))
    assert quality["empty_planes_inside"] == [[0, 20]]
    said = {item.message for item in done.findings}
    assert any(message.endswith("recording: z 20") for message in said)
    assert any("as bright as the detector" in message for message in said)
    assert said == {item["message"] for item in asset.details["findings"]}
    assert volume.channels[0].window == tuple(quality["window"])
    files = {entry["name"] for entry in asset.details["source"]["files"]}
    assert {Path(name).name for name in files} == {path.name for path in stack.iterdir()}
    assert all(len(entry["sha256"]) == 64 for entry in asset.details["source"]["files"])
    assert verify(means.database, means.store, LOCAL_OWNER, version.dataset_id).damages == ()


@pytest.mark.parametrize("empty", [False, True])
def test_voxels_that_are_no_finite_numbers_end_in_a_dataset_with_a_page(database, tmp_path, empty):
    """Both databases take the figures, `--json` is JSON, and every page shows them."""
    voxels = np.random.default_rng(0).normal(0, 1e30, (20, 40, 50)).astype(np.float32)
    voxels[3, 5:9], voxels[4, 1, :2] = np.nan, (np.inf, -np.inf)
    if empty:
        voxels[:] = np.nan
    tifffile.imwrite(tmp_path / "brain.tif", voxels, photometric="minisblack")
    settings = load_settings(environment={}, home=tmp_path, database_url=database.url)
    with open_platform(settings) as platform:
        given = Means(platform.database, platform.store, tmp_path / "scratch", Limits(), threads=2)
        version = ingest(given, Request(tmp_path / "brain.tif", TWO_UM, ANSWERS)).version
        json.dumps(version_to_json(version), allow_nan=False)
        quality = version.assets[0].details["quality"]["channels"][0]
        finite = voxels[np.isfinite(voxels)]
        assert quality["maximum"] == (None if empty else pytest.approx(finite.max()))
        assert (quality["not_a_number"], quality["infinite"]) == ((voxels.size, 0) if empty else (200, 2))
        client = TestClient(create_app(platform))
        pages = ("/datasets/{}", "/api/v1/datasets/{}", "/api/v1/scenes/{}")
        for page in pages:
            assert client.get(page.format(version.dataset_id)).status_code == 200, page


def test_pictures_are_objects_of_the_asset(means, stack):
    version = ingest(means, Request(stack, TWO_UM, ANSWERS)).version
    (asset,) = version.assets
    paths = {item.path for item in objects_of(means.database, LOCAL_OWNER, asset.id)}
    for name in ("thumbnail", "section-z", "section-y", "section-x"):
        assert f"quality/{name}.webp" in paths
        picture = Image.open(io.BytesIO(means.store.read(f"{asset.prefix}/quality/{name}.webp")))
        assert picture.format == "WEBP"
    section = Image.open(io.BytesIO(means.store.read(f"{asset.prefix}/quality/section-z.webp")))
    assert section.size[0] / section.size[1] == pytest.approx(90 / 70, rel=0.01)


def test_everything_that_is_not_known_is_asked_for_at_once(means, stack):
    with pytest.raises(MetadataMissing) as caught:
        ingest(means, Request(stack))
    for flag in ("--title", "--species", "--licence", "--voxel-size"):
        assert flag in caught.value.hint
    assert list_datasets(means.database, LOCAL_OWNER).items == ()
    assert list(means.store.list("assets")) == []


def test_what_no_file_could_answer_is_asked_for_before_an_archive_is_unpacked(means, stack, monkeypatch):
    archive = shutil.make_archive(str(stack), "zip", stack)
    unpacked = []
    monkeypatch.setattr(ReaderHost, "unpack", lambda host, *_: unpacked.append(host) or pytest.fail("it was unpacked"))
    with pytest.raises(MetadataMissing) as caught:
        ingest(means, Request(Path(archive), TWO_UM, RecordAnswers(species="mouse")))
    assert ("--title" in caught.value.hint, "--licence" in caught.value.hint) == (True, True)
    assert "--species" not in caught.value.hint
    with pytest.raises(NotFound):
        ingest(means, Request(Path(archive), TWO_UM, dataset_id="local-01jzzzzzzzzzzzzzzzzzzzzzzz"))
    assert not unpacked


def test_a_title_may_come_from_within_an_archive(means, tmp_path):
    (tmp_path / "in").mkdir()
    described = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0" Name="From within">'
    described += (
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="90" SizeY="70" SizeZ="40" SizeC="1" '
    )
    described += 'SizeT="1"><TiffData/></Pixels></Image></OME>'
    tifffile.imwrite(tmp_path / "in" / "a.ome.tif", voxels(), description=described, metadata=None)
    archive = shutil.make_archive(str(tmp_path / "brain"), "zip", tmp_path / "in")
    version = ingest(means, Request(Path(archive), TWO_UM, replace(ANSWERS, title=""))).version
    assert version.record.title == "From within"


def test_what_was_noticed_is_said_after_an_interruption_too(means, stack, monkeypatch):
    request = Request(stack, TWO_UM, ANSWERS)
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr("pulvinar.ingest.intake._make_visible", interrupted)
        ingest(means, request)
    told = [describe_finding(one) for one in ingest(means, request).findings]
    assert told == [describe_finding(one) for one in ingest(means, replace(request, again=True)).findings]
    assert told


def interrupted(*_):
    raise KeyboardInterrupt


def test_the_same_request_again_brings_nothing_in_twice(means, stack):
    request = Request(stack, TWO_UM, ANSWERS)
    first = ingest(means, request)
    second = ingest(means, request)
    assert (first.before, second.before) == (False, True)
    assert second.version == first.version
    assert len(list_datasets(means.database, LOCAL_OWNER).items) == 1
    published = ingest(means, replace(request, publish=True))
    assert published.version.id == first.version.id
    assert published.version.state is VersionState.PUBLISHED
    third = ingest(means, replace(request, again=True))
    assert third.version.dataset_id != first.version.dataset_id
    assert third.version.digest == first.version.digest


def test_into_a_published_dataset_a_draft_is_opened(means, stack, tmp_path):
    first = ingest(means, Request(stack, TWO_UM, ANSWERS, publish=True)).version
    single = tmp_path / "mask.tif"
    tifffile.imwrite(single, (voxels() > 2000).astype(np.uint8))
    labels = replace(TWO_UM, kind=VolumeKind.LABELS)
    second = ingest(means, Request(single, labels, dataset_id=first.dataset_id, name="Mask")).version
    assert (second.number, second.state) == (2, VersionState.DRAFT)
    assert {asset.name for asset in second.assets} == {first.assets[0].name, "Mask"}
    again = get_version(means.database, LOCAL_OWNER, first.dataset_id, 1)
    assert again.digest == first.digest
    assert len(again.assets) == 1


def test_a_dataset_that_is_not_there_is_not_found_before_any_work(means, stack):
    with pytest.raises(NotFound):
        ingest(means, Request(stack, TWO_UM, dataset_id="local-01jzzzzzzzzzzzzzzzzzzzzzzz"))
    assert list(means.store.list("assets")) == []


def test_a_dataset_has_one_species(means, stack, tmp_path):
    first = ingest(means, Request(stack, TWO_UM, ANSWERS)).version
    single = tmp_path / "other.tif"
    tifffile.imwrite(single, voxels())
    with pytest.raises(Conflict, match="mouse"):
        ingest(means, Request(single, TWO_UM, RecordAnswers(species="human"), dataset_id=first.dataset_id))


def test_nothing_readable_is_refused(means, tmp_path):
    (tmp_path / "note.bin").write_bytes(b"hello")
    with pytest.raises(UnreadableFile):
        ingest(means, Request(tmp_path / "note.bin", TWO_UM, ANSWERS))
    (tmp_path / "plane.tif").touch()
    with pytest.raises(UnreadableFile, match=r"plane\.tif: empty"):
        ingest(means, Request(tmp_path / "plane.tif", TWO_UM, ANSWERS))


def test_originals_can_be_kept_or_forgotten(means, stack):
    kept = ingest(means, Request(stack, TWO_UM, ANSWERS, originals=Originals.KEEP)).version.assets[0]
    originals = {
        item.path: item
        for item in objects_of(means.database, LOCAL_OWNER, kept.id)
        if item.path.startswith("original/")
    }
    assert len(originals) == 40
    path = next(path for path in originals if path.endswith("p007.tif"))
    assert means.store.read(f"{kept.prefix}/{path}") == (stack / "p007.tif").read_bytes()
    assert (stack / "p007.tif").exists()
    gone = ingest(means, Request(stack, TWO_UM, ANSWERS, originals=Originals.DISCARD)).version.assets[0]
    assert all("sha256" not in entry for entry in gone.details["source"]["files"])


def test_a_header_that_lies_about_the_voxel_size_is_doubted(means, tmp_path):
    """A macaque head of 180 mm: half-millimetre data whose header says a millimetre."""
    head = np.zeros((60, 60, 60), np.float32)
    head[10:55, 10:55, 10:55] = np.random.default_rng(0).normal(100, 5, (45, 45, 45))
    path = tmp_path / "head.nii.gz"
    nibabel.save(nibabel.Nifti1Image(head, np.diag([4.0, 4.0, 4.0, 1.0])), path)
    answers = replace(ANSWERS, species="macaque")
    done = ingest(means, Request(path, answers=answers))
    assert any(item.flag == "--voxel-size" for item in done.findings)
    assert any("--voxel-size" in item["flag"] for item in done.version.assets[0].details["findings"])
    settled = ingest(means, Request(path, Options(voxel_size_um=(2000.0, 2000.0, 2000.0)), answers))
    assert not any(item.flag == "--voxel-size" for item in settled.findings)


def test_labels_with_names(means, tmp_path):
    labels = np.zeros((20, 20, 20), np.uint16)
    labels[5:10] = 2001
    path, names = tmp_path / "atlas.tif", tmp_path / "names.csv"
    tifffile.imwrite(path, labels)
    names.write_text("index,name\n2001,海马 Hippocampus\n")
    options = replace(TWO_UM, kind=VolumeKind.LABELS)
    version = ingest(means, Request(path, options, ANSWERS, label_names=names)).version
    (asset,) = version.assets
    info = json.loads(means.store.read(f"{asset.prefix}/segments/info"))
    assert info["inline"]["properties"][0]["values"] == ["海马 Hippocampus"]
    assert asset.details["segments"] == {"path": "segments", "count": 1}


def test_labels_of_a_floating_type_are_refused(means, tmp_path):
    path = tmp_path / "probabilities.tif"
    tifffile.imwrite(path, np.full((4, 20, 20), 0.5, np.float32), photometric="minisblack")
    with pytest.raises(Invalid, match="aren't labels"):
        ingest(means, Request(path, replace(TWO_UM, kind=VolumeKind.LABELS), ANSWERS))


def test_a_neuron_and_a_table_from_one_folder(means, tmp_path):
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "neuron.swc").write_text("# made\n1 1 0 0 0 5 -1\n2 3 10 0 0 1 1\n3 3 20 5 0 1 2\n")
    (folder / "cells.csv").write_text("x,y,z,kind\n1,2,3,a\n4,5,6,b\n")
    version = ingest(means, Request(folder, Options(unit="um"), ANSWERS)).version
    kinds = {asset.kind: asset for asset in version.assets}
    assert set(kinds) == {AssetKind.SKELETON, AssetKind.POINTS}
    skeleton = kinds[AssetKind.SKELETON]
    assert skeleton.details["count"] == 3
    assert skeleton.details["bounds_um"] == [[0.0, 0.0, 0.0], [0.0, 5.0, 20.0]]
    only = ingest(means, Request(folder, Options(unit="um"), ANSWERS, only=("*.swc",))).version
    assert [asset.kind for asset in only.assets] == [AssetKind.SKELETON]


def test_damage_is_named(means, stack):
    version = ingest(means, Request(stack, TWO_UM, ANSWERS)).version
    (asset,) = version.assets
    shard = f"{asset.prefix}/image.ome.zarr/0/c/0/0/0/0/0"
    good = means.store.read(shard)
    means.store.put_bytes(shard, good[:1000] + bytes([good[1000] ^ 1]) + good[1001:])
    means.store.delete(f"{asset.prefix}/quality/thumbnail.webp")
    means.store.put_bytes(f"{asset.prefix}/image.ome.zarr/zarr.json", b"{}")
    found = verify(means.database, means.store, LOCAL_OWNER, version.dataset_id)
    damaged = {damage.key for damage in found.damages}
    assert damaged == {
        shard,
        f"{asset.prefix}/quality/thumbnail.webp",
        f"{asset.prefix}/image.ome.zarr/zarr.json",
    }
    assert any("chunk" in damage.what for damage in found.damages if damage.key == shard)


def test_a_sweep_removes_orphans_and_nothing_else(means, stack):
    version = ingest(means, Request(stack, TWO_UM, ANSWERS)).version
    orphan = "assets/local-01hzzzzzzzzzzzzzzzzzzzzzzz/image.ome.zarr/0/c/0/0/0/0/0"
    means.store.put_bytes(orphan, b"left by nobody")
    means.store.put_bytes("assets/not-an-asset/file", b"somebody's")
    assert sweep(means.database, means.store, dry=True).keys == (orphan,)
    assert sweep(means.database, means.store).keys == (orphan,)
    left = {entry.key for entry in means.store.list("assets")}
    assert orphan not in left
    assert "assets/not-an-asset/file" in left
    assert verify(means.database, means.store, LOCAL_OWNER, version.dataset_id).damages == ()


def test_every_file_that_can_not_be_read_is_named_and_those_that_nobody_knows(means, tmp_path):
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "good.csv").write_text("x,y,z\n1,2,3\n4,5,6\n")
    for name in ("one.csv", "two.csv"):
        (folder / name).write_text("x,y,z\n1,2,3\n4,5\n")
    for number in range(7):
        (folder / f"note{number}.bin").write_bytes(b"\1")
    request = Request(folder, answers=ANSWERS)
    with pytest.raises(UnreadableFile) as caught:
        ingest(means, request)
    assert "one.csv" in caught.value.message
    assert "two.csv" in caught.value.message
    assert "--only" in caught.value.hint
    said = io.StringIO()
    done = ingest(means, replace(request, only=("good*", "note*")), TerminalProgress(said))
    assert [asset.name for asset in done.version.assets] == ["good"]
    (line,) = [line for line in said.getvalue().splitlines() if line.startswith("not recognised")]
    assert line == "not recognised: 7 files: note0.bin, note1.bin, note2.bin, note3.bin, note4.bin ..."


class Titles(Silent):
    """Notes the titles of the tasks, and what each began with."""

    def __init__(self):
        self.begun = {}

    def task(self, title, total, unit, done=0):
        self.begun[title] = (total, unit, done)
        return super().task(title, total, unit, done)


def test_all_that_may_take_long_says_so(means, stack):
    archive = Path(shutil.make_archive(str(stack), "gztar", stack))
    told = Titles()
    ingest(means, Request(archive, TWO_UM, ANSWERS, originals=Originals.KEEP), told)
    size = sum(path.stat().st_size for path in stack.iterdir())
    name = next(title for title, begun in told.begun.items() if begun[1] == "voxels")
    assert told.begun == {
        "finding where in the brain it lies": (0, "", 0),
        "telling the files from others": (1, "files", 0),
        "unpacking stack.tar.gz": (0, "bytes", 0),
        "looking at what is in stack.tar.gz": (0, "files", 0),
        "recognising 40 files": (0, "", 0),
        f"{name}: opening": (voxels().nbytes, "bytes", 0),
        name: (voxels().size, "voxels", 0),
        f"{name}: figures and pictures": (0, "", 0),
        f"{name}: checksums of its files": (size, "bytes", 0),
        f"{name}: keeping its files": (size, "bytes", 0),
    }


def test_a_name_that_the_dataset_has_is_refused_with_what_to_do(means, stack, tmp_path):
    first = ingest(means, Request(stack, TWO_UM, ANSWERS, name="Brain")).version
    single = tmp_path / "other.tif"
    tifffile.imwrite(single, voxels())
    request = Request(single, TWO_UM, dataset_id=first.dataset_id, name="Brain")
    with pytest.raises(Conflict) as caught:
        ingest(means, request)
    assert "--name" in caught.value.hint
    assert f"pulvinar remove {first.dataset_id} Brain" in caught.value.hint
    assert len(ingest(means, replace(request, name="Brain 2")).version.assets) == 2


def test_two_of_one_name_in_a_folder_say_so(means, tmp_path):
    for folder in ("left", "right"):
        (tmp_path / "lab" / folder).mkdir(parents=True)
        (tmp_path / "lab" / folder / "cells.csv").write_text("x,y,z\n1,2,3\n4,5,6\n")
    (tmp_path / "lab" / "other.csv").write_text("x,y,z\n1,2,3\n4,5,6\n")
    version = ingest(means, Request(tmp_path / "lab", answers=ANSWERS)).version
    said = {
        asset.name: any("has this name too" in item["message"] for item in asset.details["findings"])
        for asset in version.assets
    }
    assert said == {"cells": True, "other": False}


def test_a_draft_that_is_not_whole_is_not_published(means, stack):
    request = Request(stack, TWO_UM, ANSWERS)
    version = ingest(means, request).version
    prefix = version.assets[0].prefix
    shard, picture = f"{prefix}/image.ome.zarr/0/c/0/0/0/0/0", f"{prefix}/quality/thumbnail.webp"
    kept = {key: means.store.read(key) for key in (shard, picture)}
    means.store.put_bytes(shard, kept[shard][:-1])
    means.store.delete(picture)
    with pytest.raises(Corrupt) as caught:
        ingest(means, replace(request, publish=True))
    assert f"{shard} has {len(kept[shard]) - 1} bytes" in caught.value.message
    assert f"{picture} is missing" in caught.value.message
    assert get_version(means.database, LOCAL_OWNER, version.dataset_id).state is VersionState.DRAFT
    for key, data in kept.items():
        means.store.put_bytes(key, data)
    assert ingest(means, replace(request, publish=True)).version.state is VersionState.PUBLISHED
