"""A dry look at samples and at hostile things: what is there, what is missing, and what a person reads of it."""

import gzip
import io
import json
import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.ingest.hostile import hostile_file, hostile_python

from pulvinar.cli.errors import tell
from pulvinar.cli.verbs import show_inspection
from pulvinar.errors import PulvinarError, UnreadableFile
from pulvinar.extensions import Registry
from pulvinar.ingest.inspection import inspect
from pulvinar.ingest.reader import Options, Severity
from pulvinar.ingest.record import orientation_of
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import VolumeKind

LIMITS = Limits(memory_bytes=2 << 30, cpu_s=120)


@pytest.fixture
def look(tmp_path):
    """Inspects a path, and proves that nothing is left in the scratch folder."""

    def inspected(path, options=None, limits=LIMITS, only=()):
        try:
            return inspect(path, options or Options(), scratch=tmp_path / "scratch", limits=limits, only=only)
        finally:
            assert list((tmp_path / "scratch").iterdir()) == []

    return inspected


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """What `pulvinar inspect PATH` prints: both streams, one after the other."""
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "home"))

    def show(path, **how):
        try:
            show_inspection(path, Options(), as_json=how.get("as_json", False))
        except PulvinarError as error:
            tell(error)
        out, err = capsys.readouterr()
        return out + err

    return show


def flags(asset, severity):
    return {finding.flag for finding in asset.findings if finding.severity is severity}


def test_a_volume_says_shape_size_orientation_and_what_is_doubtful(look, sample):
    found = look(sample("human/t1_1mm/t1_crop.nii.gz"))
    (asset,) = found.assets
    assert (asset.reader, asset.kind, asset.files) == ("nifti", AssetKind.VOLUME, ("t1_crop.nii.gz",))
    assert asset.volume.shape == (1, 1, 256, 256, 256)
    assert asset.volume.dtype == "uint8"
    assert asset.volume.voxel_size_um == (1000, 1000, 1000)
    assert orientation_of(asset.volume.affine_um) == "AIL"
    assert flags(asset, Severity.DOUBT) == {"--voxel-size"}
    assert found.unrecognised == found.skipped == found.protection == ()


def test_a_series_says_its_time_step(look, sample):
    (asset,) = look(sample("human/haxby2001/bold.nii.gz")).assets
    assert asset.volume.shape == (1452, 1, 1, 20, 40)
    assert asset.volume.time_step_s == 2.5
    assert orientation_of(asset.volume.affine_um) == "SAL"


def test_a_stack_of_planes_says_its_channels_and_asks_for_the_voxel_size(look, sample):
    planes = sample("mouse/cells_lightsheet")
    (asset,) = look(planes).assets
    assert asset.volume.shape == (1, 2, 30, 510, 667)
    assert len(asset.volume.channels) == 2
    assert asset.volume.voxel_size_um is None
    assert "--voxel-size" in flags(asset, Severity.QUESTION)
    (answered,) = look(planes, Options(voxel_size_um=(5.0, 2.0, 2.0))).assets
    assert answered.volume.voxel_size_um == (5.0, 2.0, 2.0)
    assert flags(answered, Severity.QUESTION) == set()


@pytest.mark.parametrize(
    ("name", "reader", "kind", "shape"),
    [
        ("zebrafish/zbrain_lightsheet/ZBrains/zbrain-tERK-8bit_xyz5um.nrrd", "nrrd", "volume", (1, 1, 55, 99, 225)),
        ("mouse/dsurqe_mri_200um/DSURQE_CCFv3_labels_200um.mnc", "minc", "volume", (1, 1, 41, 67, 58)),
        ("zebrafish/ZfKunst2019.obj", "obj", "mesh", None),
        ("mouse/mouselight_dendrites/demo-trees/AA0001.swc", "swc", "skeleton", None),
        ("mouse/starmap_cells/well11_spatial.csv.gz", "tables", "points", None),
    ],
)
def test_a_sample_of_each_format_is_described(look, sample, name, reader, kind, shape):
    (asset,) = look(sample(name)).assets
    assert (asset.reader, asset.kind) == (reader, kind)
    assert (asset.volume.shape if asset.volume else None) == shape
    assert asset.findings, "no format says all"


def test_macaque_volumes_in_one_folder_are_found_each_by_itself(look, sample, tmp_path):
    (tmp_path / "given").mkdir()
    for name in ("MacaqueYerkes19_T1w_0.5mm_brain.nii.gz", "Avgwmparc.nii.gz"):
        shutil.copy(sample(f"macaque/yerkes19/{name}"), tmp_path / "given")
    found = look(tmp_path / "given")
    assert [asset.name for asset in found.assets] == ["Avgwmparc", "MacaqueYerkes19_T1w_0.5mm_brain"]
    assert {asset.volume.voxel_size_um for asset in found.assets} == {(500, 500, 500)}
    assert all(asset.volume.kind is not VolumeKind.LABELS for asset in found.assets), "nobody has said so yet"


def test_an_archive_is_looked_into(look, sample):
    found = look(sample("human/surgical_neurons/80_human_neurons_swc.tar.gz"), Options(unit="um"))
    assert len(found.assets) == 80
    assert {asset.kind for asset in found.assets} == {AssetKind.SKELETON}
    assert all("left by an operating system" in line for line in found.skipped)


def test_what_no_reader_knows_is_named(look, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    (given / "noise.bin").write_bytes(os.urandom(10_000))
    (given / "empty.nii").touch()
    (given / "report.pdf").write_bytes(b"%PDF-1.7\n")
    (given / ".DS_Store").touch()
    (given / "link").symlink_to("/etc/passwd")
    with zipfile.ZipFile(given / "inner.zip", "w") as archive:
        archive.writestr("a", "b")
    found = look(given)
    assert found.assets == ()
    assert found.unrecognised == ("inner.zip/a", "noise.bin", "report.pdf")
    assert found.skipped == (
        ".DS_Store: left by an operating system",
        "link: a link or a device, which is never followed",
        "empty.nii: empty",
    )


def test_a_person_reads_what_was_found(printed, sample):
    assert printed(sample("human/haxby2001/bold.nii.gz")).splitlines()[:4] == [
        "bold  [volume, read by nifti, bold.nii.gz]",
        "  shape t=1452  c=1  z=1  y=20  x=40  int16",
        "  voxel size z=3750 y=3750 x=3100 um",
        "  orientation SAL (rising z, y, x)",
    ]


def test_a_person_reads_that_nothing_was_found(printed, tmp_path):
    (tmp_path / "notes.bin").write_bytes(b"\1\2\3")
    lines = printed(tmp_path / "notes.bin").splitlines()
    assert lines[0] == "not recognised: 1 file: notes.bin"
    assert lines[1] == "nothing here is of a format that Pulvinar reads: " + ", ".join(Registry("reader"))
    (tmp_path / "empty").mkdir()
    assert printed(tmp_path / "empty") == f"there is no file in {tmp_path / 'empty'}\n"
    (tmp_path / "empty" / "plane.tif").touch()
    (tmp_path / "empty" / "packed.tif.gz").write_bytes(gzip.compress(b"II*\0" + bytes(100))[:-4])
    assert printed(tmp_path / "empty") == (
        "passed over: packed.tif.gz: packed, and damaged, too deep in others or too large for the disk; "
        "unpack it yourself\npassed over: plane.tif: empty\n"
    )


def test_names_can_not_steer_the_terminal(printed, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    (given / "a\x1b[2J\x1b]0;owned\x07\nb.bin").write_bytes(b"1")
    (given / "x\x1b[31m.swc").write_text("1 1 0 0 0 1 -1\n")
    (given / "y\x1b[31m").symlink_to("z")
    text = printed(given)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert r"a\x1b[2J\x1b]0;owned\x07\nb.bin" in text
    assert len(text.splitlines()) >= 3
    value = json.loads(printed(given, as_json=True))
    assert value["unrecognised"] == ["a\x1b[2J\x1b]0;owned\x07\nb.bin"], "a script gets the name itself"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: os.mkfifo(path), "is neither a file nor a folder"),
        (lambda path: path.symlink_to(path), "can't be read"),
        (lambda path: None, "there is nothing at"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + os.urandom(1000)), "is damaged"),
        (lambda path: slip(path), "leads out of the archive"),
        (lambda path: path.write_bytes(gzip.compress(nifti((32_767,) * 3))), "declares 35181150962015 bytes"),
        (lambda path: path.write_bytes(nifti(shape=(-5, 4, 4))), "declares the dimensions (-5, 4, 4"),
        (lambda path: path.write_bytes(nifti(offset=float("nan"))), "voxels"),
        (lambda path: path.write_bytes(nifti()[:348]), "is truncated"),
        (lambda path: path.write_bytes(gzip.compress(nifti())[:60]), ""),
        (lambda path: path.write_text("NRRD0004\ntype: uint8\ndimension: 99\n\n"), "its header has no sizes"),
        (lambda path: path.write_text("1 1 x 0 0 1 -1\n2 1 0 0 0 1 1\n"), ""),
    ],
)
def test_a_person_reads_why_something_hostile_is_refused(printed, tmp_path, make, said):
    path = tmp_path / "given.nii"
    make(path)
    text = printed(path)
    assert said in text
    assert "Traceback" not in text
    assert "given.nii" in text
    assert len(text) < 1000


def slip(path):
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("../../x"), io.BytesIO())


def nifti(shape=(4, 4, 4), offset=352.0):
    import struct

    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into(f"<h{len(shape)}h", header, 40, len(shape), *shape)
    struct.pack_into("<hh", header, 70, 2, 8)
    struct.pack_into("<8f", header, 76, 1, *[1.0] * 7)
    struct.pack_into("<f", header, 108, offset)
    header[344:348] = b"n+1\0"
    return bytes(header) + bytes(64)


def test_a_hostile_reader_leaves_no_trace_however_deep(monkeypatch, tmp_path, look):
    monkeypatch.setattr(sys, "executable", hostile_python(tmp_path / "environment"))
    given = tmp_path / "given"
    given.mkdir()
    dig = (
        "import os\nfor _ in range(1200): os.mkdir('deep'); os.chdir('deep')\nopen('x', 'w')\nraise ValueError('done')"
    )
    hostile_file(given, dig)
    with pytest.raises(UnreadableFile, match=r"brain\.bad: it can't be read: ValueError: done"):
        look(given)


def test_the_scratch_folder_is_not_readable_from_one_look_to_the_next(monkeypatch, tmp_path, look):
    monkeypatch.setattr(sys, "executable", hostile_python(tmp_path / "environment"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "given").mkdir()
    try_it = (
        f"import os\ntry: os.listdir({str(scratch)!r})\nexcept PermissionError: asset = reader.asset(file, name='no')\n"
    )
    hostile_file(tmp_path / "given", try_it)
    assert [asset.name for asset in look(tmp_path / "given").assets] == ["no"]


def test_an_unpacked_archive_can_not_be_changed_by_its_readers(monkeypatch, tmp_path, look):
    monkeypatch.setattr(sys, "executable", hostile_python(tmp_path / "environment"))
    (tmp_path / "given").mkdir()
    write = "try: open(file.path, 'a')\nexcept PermissionError: asset = reader.asset(file, name='no')\n"
    hostile_file(tmp_path / "given", write)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "given" / "brain.bad", "brain.bad")
    assert [asset.name for asset in look(Path(tmp_path / "a.zip")).assets] == ["no"]


def test_a_damaged_file_in_a_folder_hides_no_other(look, printed, tmp_path):
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "good.csv").write_text("x,y,z\n1,2,3\n4,5,6\n")
    (folder / "ragged.csv").write_text("x,y,z\n1,2,3\n4,5\n")
    (folder / "cut.nii").write_bytes(cut_nifti())
    (folder / "note.bin").write_bytes(b"\1")
    found = look(folder)
    assert [asset.name for asset in found.assets] == ["good"]
    assert {item.name for item in found.unreadable} == {"ragged.csv", "cut.nii"}
    assert all(item.name in item.error.message for item in found.unreadable)
    assert found.unrecognised == ("note.bin",)
    said = printed(folder)
    assert "unreadable: ragged.csv, row 3" in said
    assert "good  [points" in said
    assert "2 files of" in said
    assert "--only" in said
    shown = json.loads(printed(folder, as_json=True).partition("pulvinar:")[0])
    assert {item["file"] for item in shown["unreadable"]} == {"ragged.csv", "cut.nii"}
    with pytest.raises(UnreadableFile, match="ragged"):
        look(folder / "ragged.csv")
    assert look(folder, only=("good*",)).unreadable == ()


def cut_nifti():
    head = nibabel.Nifti1Image(np.zeros((9, 9, 9), np.uint8), np.eye(4)).to_bytes()
    return head[:400]
