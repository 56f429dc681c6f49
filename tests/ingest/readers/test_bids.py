import csv
import json

import nibabel as nib
import numpy as np
import pytest
from tests.ingest.readers.bids_tree import haxby_tree, small_tree, write_image, write_json, write_table
from tests.ingest.readers.reading import flags, said

from pulvinar.errors import PulvinarError
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.bids import BidsReader
from pulvinar.ingest.readers.nifti import NiftiReader
from pulvinar.ingest.readers.tables import TableReader
from pulvinar.ingest.recognition import recognise
from pulvinar.model.space import Window

READER = BidsReader()
RUN = "sub-01_task-objects_run-1"


def found(folder, options=None):
    return {asset.name: asset for asset in READER.find(source_files(folder), options or Options())}


def voxels(folder, asset, scratch):
    scratch.mkdir(exist_ok=True)
    opened = READER.open_volume(asset, folder, Options(), scratch)
    out = np.zeros(asset.volume.shape, asset.volume.dtype)
    opened.read_into(Window.whole(out.shape), out)
    opened.close()
    (scratch / "voxels").unlink(missing_ok=True)
    return out


def test_a_tree_is_its_images_and_tables_with_what_is_said_of_them(tmp_path):
    expected = small_tree(tmp_path / "a")
    assets = found(tmp_path / "a")
    tables = {"participants", f"{RUN}_events", "sub-01_task-objects_run-2_events"}
    assert set(assets) == {*expected, *tables}
    for name, values in expected.items():
        assert np.array_equal(voxels(tmp_path / "a", assets[name], tmp_path / "scratch")[:, 0], values)
    run = assets[f"{RUN}_bold"]
    header = run.metadata["header"]
    assert header["sidecar"] == {
        "RepetitionTime": 2.5,
        "TaskName": "objects",
        "EchoTime": 0.04,
        "SliceTiming": [0, 1.25],
    }
    assert header["bids"]["entities"] == {"sub": "01", "task": "objects", "run": "1"}
    assert header["bids"]["events"] == f"sub-01/func/{RUN}_events.tsv"
    assert header["bids"]["participant"]["age"] == "27"
    assert run.volume.time_step_s == 2.5
    assert run.metadata["modality"] == "fMRI"
    assert assets["sub-01_T1w"].metadata["modality"] == "MRI"
    assert (
        "sidecar" not in assets["sub-01_T1w"].metadata["header"]
        or not assets["sub-01_T1w"].metadata["header"]["sidecar"]
    )


def test_the_dataset_speaks_for_itself(tmp_path):
    small_tree(tmp_path)
    assets = found(tmp_path)
    for asset in assets.values():
        assert asset.metadata["title"] == "Faces and objects"
        assert asset.metadata["licence"] == "CC0"
        assert asset.metadata["contributors"] == ["Haxby, J. V.", "Gobbini, M. I."]
        assert asset.metadata["source"] == "doi:10.18112/openneuro.ds000105"
        assert asset.metadata["description"] == "People looked at pictures of faces and of objects."
        assert (asset.metadata["subject"], asset.metadata["age"], asset.metadata["sex"]) == ("sub-01", "27", "F")
    told = [asset for asset in assets.values() if "participants.tsv names no species" in said(asset)]
    assert len(told) == 1
    assert told[0].metadata["species"] == "human"
    claimed = {name for asset in assets.values() for name in asset.files}
    assert claimed == {file.name for file in source_files(tmp_path)}


def test_what_is_not_available_in_a_table_is_missing(tmp_path):
    small_tree(tmp_path)
    data = READER.read_geometry(found(tmp_path)[f"{RUN}_events"], tmp_path, Options())
    assert data.columns["onset"].tolist() == [15, 52.5]
    assert data.columns["trial_type"].tolist() == ["shoe", "house"]
    assert np.array_equal(data.columns["response_time"], [1.5, np.nan], equal_nan=True)


def test_real_runs_are_what_their_sources_are(samples, sample, tmp_path):
    sample("human/haxby2001/haxby2001/sub001/BOLD/task001_run012/bold_25mm.nii.gz")
    sources = haxby_tree(samples, tmp_path / "a")
    assets = found(tmp_path / "a")
    assert set(assets) == {*sources, "participants"}
    for name, source in sources.items():
        asset = assets[name]
        if asset.volume is not None:
            theirs = np.asanyarray(nib.load(source).dataobj)
            assert np.array_equal(voxels(tmp_path / "a", asset, tmp_path / "s")[:, 0], theirs.transpose(3, 2, 1, 0))
            assert asset.volume.time_step_s == 2.5
        else:
            with source.open() as file:
                rows = list(csv.DictReader(file, delimiter="\t"))
            data = READER.read_geometry(asset, tmp_path / "a", Options())
            assert data.columns["onset"].tolist() == [float(row["onset"]) for row in rows]
            assert data.columns["trial_type"].tolist() == [row["trial_type"] for row in rows]
        assert asset.metadata["species"] == "homo sapiens"


def test_a_sidecar_speaks_only_of_what_it_fits(tmp_path):
    small_tree(tmp_path)
    write_json(tmp_path / "task-objects_run-2_bold.json", {"FlipAngle": 90})
    write_json(tmp_path / "task-other_bold.json", {"FlipAngle": 10})
    write_json(tmp_path / "sub-02" / "sub-02_bold.json", {"FlipAngle": 20})
    assets = found(tmp_path)
    assert "FlipAngle" not in assets[f"{RUN}_bold"].metadata["header"]["sidecar"]
    other = assets["sub-01_task-objects_run-2_bold"]
    assert other.metadata["header"]["sidecar"]["FlipAngle"] == 90
    assert "task-objects_bold.json and task-objects_run-2_bold.json in one folder speak of it" in said(other)


def test_derivatives_and_sources_are_marked(tmp_path):
    small_tree(tmp_path)
    derived = tmp_path / "derivatives" / "smooth"
    write_json(derived / "dataset_description.json", {"Name": "smoothed", "BIDSVersion": "1.10.0", "License": "PD"})
    write_image(derived / "sub-01" / "anat" / "sub-01_T1w.nii.gz", (5, 6, 7), seed=9)
    write_image(tmp_path / "sourcedata" / "sub-01" / "sub-01_T1w.nii.gz", (5, 6, 7), seed=8)
    assets = found(tmp_path)
    assert assets["smooth sub-01_T1w"].metadata["header"]["bids"]["part"] == "derivatives/smooth"
    assert assets["sourcedata sub-01_T1w"].metadata["header"]["bids"]["part"] == "sourcedata"
    assert "part" not in assets["sub-01_T1w"].metadata["header"]["bids"]
    assert assets["smooth sub-01_T1w"].metadata["title"] == "Faces and objects"


def test_a_repetition_time_that_differs_from_the_header_is_a_doubt(tmp_path):
    small_tree(tmp_path)
    write_json(tmp_path / "task-objects_bold.json", {"RepetitionTime": 2.0})
    run = found(tmp_path)[f"{RUN}_bold"]
    assert ("doubt", "--time-step") in flags(run)
    assert "its sidecar says that its repetition time is 2 s, its header 2.5 s" in said(run)
    assert run.volume.time_step_s == 2
    assert found(tmp_path, Options(time_step_s=9.0))[f"{RUN}_bold"].volume.time_step_s == 9


def test_what_names_a_person_in_a_sidecar_is_left_out(tmp_path):
    small_tree(tmp_path)
    write_json(tmp_path / "T1w.json", {"PatientName": "Doe^Jane", "PatientBirthDate": "19660101", "EchoTime": 0.002})
    asset = found(tmp_path)["sub-01_T1w"]
    assert asset.metadata["header"]["sidecar"] == {"EchoTime": 0.002}
    assert ("doubt", "--originals") in flags(asset)
    assert "doe" not in json.dumps(asset.metadata).lower()


def test_other_files_are_left_to_their_readers(tmp_path):
    small_tree(tmp_path)
    write_image(tmp_path / "sub-01" / "anat" / "my brain.nii.gz", (2, 2, 2))
    write_table(tmp_path / "code" / "sub-01_x.tsv", ["a", "b"], [1, 2])
    assets, unreadable = recognise([READER, NiftiReader(), TableReader()], source_files(tmp_path), Options())
    assert not unreadable
    assert {asset.reader for asset in assets if asset.name == "my brain"} == {"nifti"}
    assert {asset.reader for asset in assets if asset.name == "sub-01_x"} == {"tables"}


@pytest.mark.parametrize("bad", ["{", "[1]", '{"a": ' + "[" * 100_000, "\xff"])
def test_a_sidecar_that_is_no_json_is_named_and_hides_nothing(tmp_path, bad):
    small_tree(tmp_path)
    (tmp_path / "task-objects_bold.json").write_bytes(bad.encode("latin-1"))
    assets, unreadable = recognise([READER, NiftiReader(), TableReader()], source_files(tmp_path), Options())
    assert [name for name, _ in unreadable] == ["task-objects_bold.json"]
    assert len({asset.name for asset in assets}) == 6


def test_a_damaged_image_is_named_and_hides_no_other(tmp_path):
    small_tree(tmp_path)
    (tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz").unlink()
    path = tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii"
    write_image(path, (5, 6, 7))
    path.write_bytes(path.read_bytes()[:-60])
    assets, unreadable = recognise([READER, NiftiReader(), TableReader()], source_files(tmp_path), Options())
    assert [name for name, _ in unreadable] == ["sub-01/anat/sub-01_T1w.nii"]
    assert f"{RUN}_bold" in {asset.name for asset in assets}
    assert {asset.reader for asset in assets} == {"bids"}


def test_numbers_that_json_does_not_know_are_nothing(tmp_path):
    small_tree(tmp_path)
    (tmp_path / "T1w.json").write_text('{"a": NaN, "b": Infinity, "c": 1e999, "d": [NaN, 1]}')
    sidecar = found(tmp_path)["sub-01_T1w"].metadata["header"]["sidecar"]
    assert sidecar == {"a": None, "b": None, "c": None, "d": [None, 1]}


def test_a_description_without_an_image_is_nothing(tmp_path):
    write_json(tmp_path / "dataset_description.json", {"Name": "empty"})
    assert found(tmp_path) == {}
    (tmp_path / "dataset_description.json").write_text("{")
    with pytest.raises(PulvinarError, match=r"dataset_description\.json is no JSON"):
        found(tmp_path)
