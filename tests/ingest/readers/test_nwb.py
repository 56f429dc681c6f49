"""NWB files written by pynwb, read without it, and compared with what pynwb reads."""

import shutil
from datetime import UTC, datetime

import h5py
import numpy as np
import pytest
from PIL import Image
from pynwb import NWBHDF5IO, TimeSeries
from tests.ingest.readers import nwb_files
from tests.ingest.readers.reading import flags, said

from pulvinar.errors import PulvinarError, UnreadableFile
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.matrices import window_of
from pulvinar.ingest.reader import Options, PointsData, TableData, TimeSeriesData
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers
from pulvinar.ingest.readers.nwb import NwbReader
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Request
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Species
from pulvinar.model.space import Window

READER = NwbReader()
# pynwb warns of its own future
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("nwb")
    nwb_files.write_everything(made / "all.nwb")
    return made


@pytest.fixture(scope="module")
def theirs(folder, tmp_path_factory):
    # HDF5 locks a file in one way at a time
    copy = shutil.copy(folder / "all.nwb", tmp_path_factory.mktemp("theirs"))
    with NWBHDF5IO(str(copy), "r") as opened:
        yield opened.read()


def found(folder, options=None):
    assets = list(READER.find(source_files(folder), options or Options()))
    return {asset.metadata["header"]["path"]: asset for asset in assets}


def read(folder, path, options=None):
    options = options or Options()
    return READER.read_geometry(found(folder, options)[path], folder, options)


def one_series(tmp_path, **more):
    """The one series of a new file."""
    file = nwb_files.new_file()
    file.add_acquisition(TimeSeries(**({"name": "one", "data": np.arange(6.0), "unit": "V", "rate": 10.0} | more)))
    nwb_files.write(file, tmp_path / "one.nwb")
    return tmp_path / "one.nwb"


def test_a_recording_has_its_values_in_their_unit_and_its_electrodes_places(folder, theirs):
    data = read(folder, "acquisition/raw")
    raw = theirs.acquisition["raw"]
    assert isinstance(data, TimeSeriesData)
    assert data.values.dtype == np.float32
    assert np.array_equal(data.values, raw.get_data_in_units().astype("f4"))
    assert np.array_equal(data.times_s, raw.get_timestamps())
    assert data.unit == "volts"
    assert data.columns["name"].tolist() == ["0", "2", "3"]
    # NWB's x rises to the back, y downwards, z to the right; the world's z, y, x rise upwards, to the front, right
    assert data.zyx_um.tolist() == [[-200.0, -100.0, 300.0], [-204.0, -102.0, 300.0], [-206.0, -103.0, 300.0]]
    assert "the electrodes' x, y and z are taken" in said(found(folder)["acquisition/raw"])


def test_traces_lie_where_their_regions_of_interest_do(folder, theirs):
    data = read(folder, "processing/ophys/Fluorescence/traces")
    traces = theirs.processing["ophys"]["Fluorescence"]["traces"]
    assert np.array_equal(data.values, traces.data[:])
    assert np.array_equal(data.times_s, traces.timestamps[:])
    assert data.columns["name"].tolist() == ["2", "0", "1"]
    assert data.columns["iscell"].tolist() == [True, True, False]
    # by hand: the middle of each mask in pixels, times the spacing, from the origin
    middles = np.array([[6.5, 0.75], [1.5, 3.0], [4.0, 1.0]])
    assert np.allclose(data.zyx_um[:, ::-1][:, :2], [10.0, 20.0] + middles * [0.5, 0.25], rtol=1e-6)
    assert data.unit == "dF/F"


def test_traces_that_lie_the_other_way_round_are_doubted(folder, tmp_path):
    copy = shutil.copy(folder / "all.nwb", tmp_path)
    path = "processing/ophys/Fluorescence/traces"
    assert "values at each point in time" not in said(found(tmp_path)[path])
    with h5py.File(copy, "a") as file:
        traces = file[path]
        turned, kept = traces["data"][()].T, dict(traces["data"].attrs)
        del traces["data"], traces["timestamps"]
        traces.create_dataset("data", data=turned).attrs.update(kept)
        traces["starting_time"] = 0.0
        traces["starting_time"].attrs["rate"] = 10.0
    assert "it names 3 rois and has 20 values at each point in time" in said(found(tmp_path)[path])


def test_masks_of_pixels_and_of_images_give_the_same_places(folder, tmp_path):
    file = nwb_files.new_file()
    nwb_files.add_imaging(file, mask="pixel")
    nwb_files.write(file, tmp_path / "pixels.nwb")
    path = "processing/ophys/ImageSegmentation/cells"
    assert np.allclose(read(tmp_path, path).zyx_um, read(folder, path).zyx_um)
    assert isinstance(read(folder, path), PointsData)
    turned = read(folder, path, Options(voxel_size_um=(1.0, 0.5, 1.0)))
    assert np.allclose(turned.zyx_um[0], [0.0, 20 + 3.0 * 0.5, 10 + 1.5])


def test_images_are_a_volume_with_the_axes_that_nwb_says(folder, theirs, tmp_path):
    asset = found(folder)["acquisition/movie"]
    movie = theirs.acquisition["movie"].data[:]
    assert asset.volume.shape == (7, 1, 1, 6, 8)
    assert asset.volume.time_step_s == pytest.approx(1 / 15)
    assert ("question", "--voxel-size") in {(one.severity.value, one.flag) for one in asset.findings}
    out = np.empty(asset.volume.shape, asset.volume.dtype)
    opened = READER.open_volume(asset, folder, Options(), tmp_path)
    opened.read_into(Window.whole(out.shape), out)
    opened.close()
    assert np.array_equal(out[:, 0, 0], movie.transpose(0, 2, 1))
    rows = found(folder, Options(axes="tyx"))["acquisition/movie"]
    assert rows.volume.shape == (7, 1, 1, 8, 6)
    assert found(folder)["processing/ophys/summary/mean"].volume.shape == (1, 1, 1, 6, 8)


def test_a_plane_that_says_all_its_sizes_gives_the_voxel_size(tmp_path):
    file = nwb_files.new_file()
    nwb_files.add_imaging(file, spacing=(0.5, 0.25, 2.0))
    nwb_files.write(file, tmp_path / "plane.nwb")
    assert found(tmp_path)["acquisition/movie"].volume.voxel_size_um == (2.0, 0.25, 0.5)


def test_images_in_other_files_are_named_and_never_opened(folder):
    assert "acquisition/film" not in found(folder)
    everything = " ".join(said(asset) for asset in found(folder).values())
    assert "the images of acquisition/film lie in other files, which are not opened: hand in ../film.avi" in everything


def test_sweeps_of_one_length_and_electrode_are_one_asset(folder, theirs):
    grouped = [asset for path, asset in found(folder).items() if "sweep" in path]
    assert len(grouped) == 4
    names = []
    for asset in grouped:
        data = READER.read_geometry(asset, folder, Options())
        for column, name in enumerate(data.columns["name"].tolist()):
            sweep = theirs.acquisition[name]
            assert np.array_equal(data.values[:, column], sweep.get_data_in_units().astype("f4"))
            assert data.columns["start_s"][column] == sweep.starting_time
            assert data.columns["electrode"][column] == sweep.electrode.name
            # they begin at different times: time counts from each one's beginning
            assert np.array_equal(data.times_s, np.arange(len(data.values)) / 500.0)
            names.append(name)
    assert sorted(names) == [f"sweep_{number:03d}" for number in range(12)]
    assert len({asset.name for asset in found(folder).values()}) == len(found(folder))


def test_times_that_another_series_has_are_followed(folder, theirs):
    data = read(folder, "acquisition/speed")
    assert np.array_equal(data.times_s, theirs.acquisition["place"].timestamps[:])
    assert data.values[:, 0].tolist() == [0.5, 1.0, 1.5, 2.0]
    assert read(folder, "acquisition/place").columns["name"].tolist() == ["x", "y"]


def test_times_that_fall_back_make_a_table(folder):
    asset = found(folder)["acquisition/backwards"]
    assert asset.kind is AssetKind.TABLE
    assert "its times fall back or stand still" in said(asset)
    data = read(folder, "acquisition/backwards")
    assert data.columns["time_s"].tolist() == [0.0, 2.0, 1.0, 3.0]
    assert data.columns["value"].tolist() == [0.0, 1.0, 2.0, 3.0]
    words = read(folder, "acquisition/notes")
    assert words.columns["value"].tolist() == ["start", "water"]


def test_trials_units_and_spikes_are_tables(folder):
    trials = read(folder, "intervals/trials")
    assert isinstance(trials, TableData)
    assert trials.columns["start_time"].tolist() == [0.0, 2.5, 5.0]
    assert trials.columns["choice"].tolist() == ["left", "right", "left"]
    units = read(folder, "units")
    assert units.columns["spikes"].tolist() == [3, 0, 2]
    assert units.columns["quality"].tolist() == [0.9, 0.1, 0.5]
    spikes = read(folder, "units/spikes")
    assert spikes.columns["unit"].tolist() == [0, 0, 0, 2, 2]
    assert spikes.columns["time_s"].tolist() == [0.1, 0.2, 0.7, 0.4, 3.0]


def test_the_session_is_told(folder):
    about = found(folder)["acquisition/raw"].metadata
    assert about["species"] == "mouse"
    assert about["subject"] == "mouse-7"
    assert about["sex"] == "female"
    assert about["strain"] == "Thy1-GCaMP6s"
    assert about["lab"] == "Lab of Lines, Institute"
    assert about["contributors"] == ["Lovelace, Ada", "Cajal, Santiago"]
    assert about["modality"] == "extracellular electrophysiology"
    assert about["header"]["session"]["start"].startswith("2026-03-04")


@pytest.mark.parametrize("species", ["Homo sapiens", "http://purl.obolibrary.org/obo/NCBITaxon_9606", "unknown"])
def test_who_may_be_a_person_is_not_identified(tmp_path, species):
    born = datetime(1980, 1, 1, tzinfo=UTC)
    person = {"subject_id": "PATIENT-SECRET", "species": species, "sex": "M", "date_of_birth": born}
    file = nwb_files.new_file(person, session_id="VISIT-SECRET")
    file.add_acquisition(TimeSeries("one", np.arange(6.0), "V", rate=10.0))
    nwb_files.write(file, tmp_path / "one.nwb")
    (asset,) = found(tmp_path).values()
    assert not {"SECRET", "1980", "2026"} & {word for word in ("SECRET", "1980", "2026") if word in str(asset)}
    assert "its subject may be a person" in said(asset)
    assert asset.metadata["sex"] == "male"


def test_a_taxon_is_a_species(tmp_path):
    taxon = "http://purl.obolibrary.org/obo/NCBITaxon_7955"
    file = nwb_files.new_file({"subject_id": "fish-3", "species": taxon, "age": "P7D"})
    file.add_acquisition(TimeSeries("one", np.arange(6.0), "V", rate=10.0))
    nwb_files.write(file, tmp_path / "one.nwb")
    (asset,) = found(tmp_path).values()
    assert asset.metadata["species"] == "zebrafish"
    assert asset.metadata["subject"] == "fish-3"


def linked(path):
    with h5py.File(path, "a") as file:
        file["acquisition/two"] = h5py.ExternalLink("/etc/passwd", "/secret")


def outside(path):
    with h5py.File(path, "a") as file:
        one = file["acquisition/one"]
        kept = dict(one["data"].attrs)
        del one["data"]
        one.create_dataset("data", (6,), "f8", external=[("../secret.bin", 0, 48)]).attrs.update(kept)


def virtual(path):
    with h5py.File(path, "a") as file:
        one = file["acquisition/one"]
        kept = dict(one["data"].attrs)
        del one["data"]
        layout = h5py.VirtualLayout((6,), "f8")
        layout[:] = h5py.VirtualSource("../secret.h5", "data", (6,))
        one.create_virtual_dataset("data", layout).attrs.update(kept)


def endless(path):
    with h5py.File(path, "a") as file:
        one = file["acquisition/one"]
        kept = dict(one["data"].attrs)
        del one["data"]
        one.create_dataset("data", (10**15,), "f8", chunks=(1000,)).attrs.update(kept)


def bomb(path):
    with h5py.File(path, "a") as file:
        one = file["acquisition/one"]
        kept = dict(one["data"].attrs)
        del one["data"]
        data = one.create_dataset("data", (6,), "f8", chunks=(6,), compression="gzip")
        data.attrs.update(kept)
        import zlib

        data.id.write_direct_chunk((0,), zlib.compress(bytes(400 << 20), 9))


def in_a_ring(path):
    with h5py.File(path, "a") as file:
        del file["acquisition/one/data"]
        file["acquisition/one/data"] = h5py.SoftLink("/acquisition/one/data")


def fewer_times(path):
    with h5py.File(path, "a") as file:
        one = file["acquisition/one"]
        del one["starting_time"]
        one["timestamps"] = np.arange(5.0)


def not_stored(path):
    with h5py.File(path, "a") as file:
        one = file["acquisition/one"]
        kept = dict(one["data"].attrs)
        del one["data"]
        one.create_dataset("data", (6,), "f8", chunks=(2,)).attrs.update(kept)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (linked, "acquisition/two|two is a link to elsewhere"),
        (outside, "lies in other files"),
        (virtual, "lies in other files"),
        (endless, "and the file can't hold more"),
        (bomb, "is damaged"),
        (in_a_ring, "a link that leads to no end"),
        (fewer_times, "has 6 points and times of shape"),
        (not_stored, "none of it is stored"),
    ],
)
def test_a_hostile_file_is_refused_and_its_twin_is_read(tmp_path, spoil, reason):
    path = one_series(tmp_path)
    assert read(tmp_path, "acquisition/one").values[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    spoil(path)
    with pytest.raises(PulvinarError, match=reason) as refused:
        for asset in READER.find(source_files(tmp_path), Options()):
            READER.read_geometry(asset, tmp_path, Options())
    assert "one.nwb" in refused.value.message


def test_chunks_that_are_not_stored_are_named(tmp_path):
    path = one_series(tmp_path)
    not_stored(path)
    with h5py.File(path, "a") as file:
        file["acquisition/one/data"][:2] = [5, 6]
    (asset,) = found(tmp_path).values()
    assert "2 of its 3 chunks are not stored, and nothing shows" in said(asset)
    assert read(tmp_path, "acquisition/one").values[:, 0].tolist() == [5, 6, 0, 0, 0, 0]


def test_a_series_that_is_too_large_is_named_and_the_rest_is_read(tmp_path, monkeypatch):
    file = nwb_files.new_file()
    file.add_acquisition(TimeSeries("small", np.arange(6.0), "V", rate=10.0))
    file.add_acquisition(TimeSeries("large", np.arange(60.0), "V", timestamps=np.zeros(60)))
    file.add_acquisition(TimeSeries("long", np.arange(60.0), "V", rate=10.0))
    nwb_files.write(file, tmp_path / "two.nwb")
    monkeypatch.setattr("pulvinar.ingest.readers.nwb_series.MOST_VALUES", 50)
    assets = found(tmp_path)
    assert set(assets) == {"acquisition/small", "acquisition/long"}
    assert "acquisition/large is left out: it has 60 values, 50 are read" in said(next(iter(assets.values())))


def test_whole_numbers_that_a_float_does_not_hold_are_refused(tmp_path):
    one_series(tmp_path, data=np.array([2**60 + 1, 2], "i8"))
    with pytest.raises(UnreadableFile, match="whole numbers beyond"):
        read(tmp_path, "acquisition/one")
    one_series(tmp_path, data=np.array([2**40 + 1, 2], "i8"))
    assert read(tmp_path, "acquisition/one").values[:, 0].tolist() == [2**40 + 1, 2]


def test_a_named_file_that_is_no_nwb_is_refused_and_others_are_passed_over(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.arange(3)
    assert found(tmp_path) == {}
    (tmp_path / "other.h5").rename(tmp_path / "other.nwb")
    with pytest.raises(UnreadableFile, match=r"other.nwb is HDF5, and does not say that it is NWB"):
        found(tmp_path)
    with h5py.File(tmp_path / "other.nwb", "a") as file:
        file["nwb_version"], file["epochs"] = "NWB-1.0.6", 1
    with pytest.raises(UnreadableFile, match="NWB 1"):
        found(tmp_path)


def test_a_file_becomes_a_dataset_with_pictures(means, sample):
    path = sample("mouse/nwb_hippocampus/FergusonEtAl2015_PYR2.nwb")
    made = ingest(means, Request(path, Options(), RecordAnswers(licence="CC-BY-4.0")))
    record = made.version.record
    assert record.title == "Ferguson et al. PYR2.abf [Pyramidal cell 2, strongly adapting]"
    assert record.species is Species.MOUSE
    assert [person.name for person in record.contributors] == ["Katie A. Ferguson"]
    assert record.acquisition.modality == "intracellular"
    pictures = list(means.scratch.parent.rglob("thumbnail.webp"))
    assert len(pictures) == 2
    for picture in pictures:
        # the step of current, and the answer to it: the middle is of another colour than the end
        shown = np.asarray(Image.open(picture).convert("RGB")).astype(int)
        assert np.abs(shown[:, 120].mean(axis=0) - shown[:, -20].mean(axis=0)).max() > 40


@pytest.mark.parametrize("sides", [(), (5,), (5, 3), (4, 3, 2)])
def test_a_long_recording_is_read_by_window_as_pynwb_reads_it(tmp_path, monkeypatch, sides):
    stored = np.arange(40 * np.prod(sides)).reshape(40, *sides).astype("i2")
    one_series(tmp_path, data=stored, conversion=0.25, offset=1.5)
    whole = read(tmp_path, "acquisition/one").values
    monkeypatch.setattr("pulvinar.ingest.readers.nwb_series.LARGEST_TABLE_VALUES", 10)
    values = read(tmp_path, "acquisition/one").values
    assert values.dtype == np.float32
    columns = slice(min(2, whole.shape[1] - 1), min(7, whole.shape[1]))
    assert np.array_equal(window_of(values, slice(7, 30), columns), whole[7:30, columns])
    assert np.array_equal(whole, stored.reshape(40, -1) * 0.25 + 1.5)
    values.close()


def test_a_window_of_pictures_over_time_unpacks_no_more_than_the_rows_that_it_lies_in(tmp_path, monkeypatch):
    stored = np.arange(40 * 8 * 6).reshape(40, 8, 6).astype("i2")
    one_series(tmp_path, data=stored)
    monkeypatch.setattr("pulvinar.ingest.readers.nwb_series.LARGEST_TABLE_VALUES", 100)
    values = read(tmp_path, "acquisition/one").values
    asked = []
    monkeypatch.setattr(Hdf5Numbers, "read", lambda self, wanted: asked.append(wanted) or self._data[tuple(wanted)])
    assert np.array_equal(window_of(values, slice(0, 40), slice(8, 20)), stored.reshape(40, -1)[:, 8:20])
    assert [part.stop - part.start for part in asked[0]] == [40, 3, 6]
    values.close()


@pytest.mark.parametrize("mask", ["image", "pixel"])
def test_every_pixel_of_a_region_of_interest_is_kept_with_its_weight(tmp_path, mask):
    file = nwb_files.new_file()
    nwb_files.add_imaging(file, mask=mask)
    nwb_files.write(file, tmp_path / "cells.nwb")
    table = read(tmp_path, "processing/ophys/ImageSegmentation/cells/pixels").columns
    made = np.zeros_like(nwb_files.MASKS)
    made[table["roi"], table["x"], table["y"]] = table["weight"]
    assert np.array_equal(made, nwb_files.MASKS)
    assert "left out" not in said(found(tmp_path)["processing/ophys/ImageSegmentation/cells"])


@pytest.mark.parametrize("electrodes", [1, 3])
def test_the_shapes_of_spikes_are_signals_of_each_unit(tmp_path, electrodes):
    file = nwb_files.new_file()
    file.create_device("probe")
    shapes = np.arange(2 * 20 * electrodes, dtype=float).reshape((2, 20, electrodes) if electrodes > 1 else (2, 20))
    for shape in shapes:
        file.add_unit(spike_times=[0.1, 0.3], waveform_mean=shape, waveform_sd=shape / 10)
    nwb_files.write(file, tmp_path / "units.nwb")
    with h5py.File(tmp_path / "units.nwb", "a") as opened:
        opened["units/waveform_mean"].attrs["sampling_rate"] = 30000.0
        opened["units/waveform_mean"].attrs["unit"] = "volts"
    data = read(tmp_path, "units/waveform_mean")
    expected = shapes.reshape(2, 20, electrodes)
    assert data.values.shape == (20, 2 * electrodes)
    assert np.array_equal(data.values[:, -1], expected[1, :, -1])
    assert data.times_s[3] == pytest.approx(1e-4)
    assert data.unit == "volts"
    assert data.columns["unit"].tolist() == [0] * electrodes + [1] * electrodes
    assert ("doubt", "--time-step") in flags(found(tmp_path)["units/waveform_sd"])
    options = Options(time_step_s=5e-5)
    assert ("doubt", "--time-step") not in flags(found(tmp_path, options)["units/waveform_sd"])
    assert read(tmp_path, "units/waveform_sd", options).times_s[3] == pytest.approx(1.5e-4)
    assert "left out" not in said(found(tmp_path)["units"])
