"""Whatever identifies a person in what is handed in is in no row and no object afterwards, and in no cleaned copy."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text
from tests.ingest.people import planted

from pulvinar.errors import Conflict, Corrupt, Invalid
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.people.cleaning import check_clean
from pulvinar.ingest.people.deidentify import deidentify
from pulvinar.ingest.people.identifiers import Identifier
from pulvinar.ingest.people.pseudonyms import Pseudonyms, load_pseudonyms
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Means, Originals, Request
from pulvinar.ingest.sandbox import Limits
from pulvinar.storage.database import metadata
from pulvinar.storage.store import open_store

ANSWERS = RecordAnswers(title="a head", species="human", licence="CC0-1.0", subject="sub-01")
KEY = Pseudonyms(b"k" * 32)


@pytest.fixture
def means(database, tmp_path):
    """As the other tests of ingest, on each kind of database."""
    store = open_store((tmp_path / "store").as_uri())
    return Means(database=database, store=store, scratch=tmp_path / "scratch", limits=Limits(), threads=2)


def everything(means):
    """All rows of all tables, and all bytes of all objects as they are and unpacked, in small letters."""
    parts = []
    with means.database.session() as session:
        tables = [*metadata.tables, "dataset_words", "asset_words"]
        parts += [str(row) for table in tables for row in session.execute(text(f'select * from "{table}"'))]
    for entry in means.store.list(""):
        data = means.store.read(entry.key)
        parts += [entry.key, data.decode("latin-1")]
        if data[:2] == b"\x1f\x8b":
            parts.append(gzip.decompress(data).decode("latin-1"))
    return "\n".join(parts).lower()


def planted_in(told):
    """The planted words that are in `told`, which has small letters."""
    return [word for word in planted.words() if word in told]


def test_nothing_of_dicom_is_stored(means, tmp_path):
    folder = tmp_path / "zqplantsurname_given" / "study"
    planted.dicom_series(folder)
    done = ingest(means, Request(folder, answers=ANSWERS))
    assert done.version.assets[0].name == "t1"
    assert planted_in(everything(means)) == []


def test_nothing_of_nifti_is_stored(means, tmp_path):
    path = planted.nifti(tmp_path / "in" / "T1w.nii.gz")
    ingest(means, Request(path.parent, answers=ANSWERS))
    assert planted_in(everything(means)) == []


@pytest.mark.parametrize("name", ["Zqsidecarname_T1w.nii.gz", "scan-ZQSIDE0008.nii.gz"])
def test_a_name_that_tells_is_refused_with_the_remedy(means, tmp_path, name):
    path = planted.nifti(tmp_path / "in" / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    told = path.rename(path.with_name(name))
    path.with_name("sub-01_T1w.json").rename(path.with_name(name.replace(".nii.gz", ".json")))
    with pytest.raises(Invalid, match="the name of") as caught:
        ingest(means, Request(told.parent, answers=ANSWERS))
    assert "pulvinar deidentify" in caught.value.hint
    assert planted_in(everything(means)) == []


def test_a_record_that_tells_is_refused(means, tmp_path):
    planted.dicom_series(tmp_path / "study")
    with pytest.raises(Invalid, match="the record holds what PatientName says"):
        ingest(means, Request(tmp_path / "study", answers=replace(ANSWERS, description="of Zqplantgiven's head")))


def test_files_that_tell_are_not_kept(means, tmp_path):
    path = planted.nifti(tmp_path / "in" / "T1w.nii.gz")
    with pytest.raises(Invalid, match="not to be kept"):
        ingest(means, Request(path, answers=ANSWERS, originals=Originals.KEEP))


def test_who_made_the_data_is_no_secret(means, tmp_path):
    planted.dicom_series(tmp_path / "study")
    made = replace(ANSWERS, contributors=("Bob Zqperformer",), lab="Zqhospital of Zqcity")
    assert ingest(means, Request(tmp_path / "study", answers=made)).version.record.lab == "Zqhospital of Zqcity"


def cleaned(tmp_path, source, **changes):
    return deidentify(source, tmp_path / "out", KEY, scratch=tmp_path / "scratch", limits=Limits(), **changes)


def test_copies_of_dicom_hold_nothing_and_the_same_voxels(means, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    planes = planted.dicom_series(tmp_path / "in" / "zqplantsurname")
    made = cleaned(tmp_path, tmp_path / "in")
    assert made.files == len(planes)
    assert made.identifiers > 20
    (subject,) = made.subjects
    files = sorted((tmp_path / "out" / subject).iterdir())
    read = [pydicom.dcmread(file) for file in files]
    assert [np.array_equal(one.pixel_array, plane) for one, plane in zip(read, planes, strict=True)] == [True] * len(
        planes
    )
    whole = "".join(file.read_bytes().decode("latin-1") + str(file) for file in files).lower()
    assert planted_in(whole.replace(str(tmp_path).lower(), "")) == []
    first = read[0]
    assert first.PatientIdentityRemoved == "YES"
    assert first.SeriesDescription == "t1 mprage"
    assert first.StudyDate != "20190417"
    assert len({one.SeriesInstanceUID for one in read}) == 1
    assert first.SeriesInstanceUID.startswith("2.25.")
    assert first.SOPClassUID == pydicom.uid.MRImageStorage
    # what is clean may be handed in, and kept
    done = ingest(means, Request(tmp_path / "out", answers=ANSWERS, originals=Originals.KEEP))
    assert done.version.assets[0].details["source"]["policy"] == "keep"
    assert planted_in(everything(means)) == []


def test_copies_of_nifti_and_sidecar_hold_nothing_and_the_same_voxels(tmp_path):
    import nibabel

    path = planted.nifti(tmp_path / "in" / "Zqsidecarname_T1w.nii.gz")
    made = cleaned(tmp_path, path.parent)
    assert made.files == 2
    files = sorted((tmp_path / "out").iterdir())
    assert "zq" not in " ".join(file.name for file in files)
    packed = next(file for file in files if file.name.endswith(".nii.gz"))
    assert np.array_equal(np.asanyarray(nibabel.load(packed).dataobj), np.asanyarray(nibabel.load(path).dataobj))
    assert np.array_equal(nibabel.load(packed).affine, nibabel.load(path).affine)
    assert b"zq" not in gzip.decompress(packed.read_bytes())[:400].lower()
    said = json.loads(next(file for file in files if file.name.endswith(".json")).read_text())
    assert said == {"RepetitionTime": 2.0, "Manufacturer": "Siemens"}


def test_other_formats_are_cleaned_or_left_out(tmp_path):
    h5py, tifffile = pytest.importorskip("h5py"), pytest.importorskip("tifffile")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "n.swc").write_text("# Patient: Zqswcname\n1 1 0 0 0 1 -1 zqtail\n2 3 1 0 0 1 1\n")
    pixels = np.arange(600, dtype=np.uint8).reshape(20, 30)
    tifffile.imwrite(
        folder / "n.tif", pixels, description="patient: Zqtiffname", extratags=[(315, "s", 0, "Zqartist", True)]
    )
    with h5py.File(folder / "n.nwb", "w") as made:
        made["general/subject/date_of_birth"] = "19511231"
        made["general/subject/description"] = "zqnwbperson"
        made["general/experimenter"] = "zqexperimenter"
        made["acquisition/data"] = np.arange(5)
    (folder / "n.doc").write_text("Zqdoc")
    told = cleaned(tmp_path, folder)
    assert told.files == 3
    assert len(told.left_out) == 1
    assert "n.doc" in told.left_out[0]
    for file in (tmp_path / "out").iterdir():
        assert b"zq" not in file.read_bytes().lower()
        assert b"19511231" not in file.read_bytes()
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "n.tif"), pixels)
    assert (tmp_path / "out" / "n.swc").read_text() == "1 1 0 0 0 1 -1\n2 3 1 0 0 1 1\n"


def test_the_check_fails_closed(tmp_path, monkeypatch):
    """A copy that still holds something is not kept, and nor is any other."""
    from pulvinar.ingest.people import in_sandbox

    planted.dicom_series(tmp_path / "in")
    monkeypatch.setattr(
        "pulvinar.ingest.people.deidentify.cleaned_file",
        lambda *given: (in_sandbox.cleaned_file(*given)[0], ("it still holds what PatientName says",)),
    )
    with pytest.raises(Corrupt, match="the copy is not clean"):
        cleaned(tmp_path, tmp_path / "in")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["private", "preamble", "name", "overlay"])
def test_the_check_finds_what_a_recipe_has_left(tmp_path, where):
    from tests.ingest.readers.dicom_files import image, save

    dataset = image(1, PatientName="sub-01")
    if where == "private":
        dataset.private_block(0x0029, "SOMEBODY", create=True).add_new(0x10, "LO", "x")
    elif where == "overlay":
        dataset.add_new(0x60000022, "LO", "x")
    elif where == "name":
        dataset.ImageComments = "seen by DOE"
    path = save(tmp_path / "one", dataset)
    if where == "preamble":
        path.write_bytes(b"a name" + path.read_bytes()[6:])
    assert check_clean(path, [Identifier("seen by", "PatientName")] if where == "name" else [])


def test_a_folder_that_is_there_is_not_written_into(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(Conflict):
        cleaned(tmp_path, tmp_path)


def test_pseudonyms_hold_for_a_node(tmp_path):
    one, again = load_pseudonyms(tmp_path / "keys"), load_pseudonyms(tmp_path / "keys")
    assert one.subject("PatientID 7") == again.subject("PatientID 7") != KEY.subject("PatientID 7")
    assert (tmp_path / "keys" / "pseudonyms.key").stat().st_mode & 0o077 == 0
