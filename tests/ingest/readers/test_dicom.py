"""What whole and sound DICOM holds: its values and places are those that GDCM and dcm2niix read."""

import subprocess
import tarfile

import dcm2niix
import highdicom
import highdicom.legacy
import imagecodecs
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.nicom.dicomwrappers import wrapper_from_data
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from tests.ingest.readers.dicom_files import enhanced, image, mosaic, save, series, volumes
from tests.ingest.readers.reading import find_one, flags, read_voxels, said

from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.dicom import DicomReader

READER = DicomReader()
JPEG_LOSSLESS, JPEG_LS, JPEG_2000 = (f"1.2.840.10008.1.2.4.{number}" for number in (70, 80, 90))


def voxels(folder, options=None):
    return read_voxels(READER, folder, folder.with_name(f"{folder.name}-scratch"), options)


def ras_mm(asset):
    """The asset's map from (x, y, z) to RAS millimetres, as NIfTI has it."""
    turn = np.eye(4)[[2, 1, 0, 3]]
    matrix = turn @ np.array(asset.volume.affine_um) @ turn
    matrix[:3] /= 1000
    return matrix


def as_ours(nifti, asset):
    """A NIfTI's stored voxels in the order of ours, by the two maps alone: (t, z, y, x)."""
    between = np.linalg.inv(nifti.affine) @ ras_mm(asset)
    turn = np.rint(between[:3, :3]).astype(int)
    assert np.allclose(between[:3, :3], turn, atol=2e-4)
    assert np.abs(turn).sum(axis=0).tolist() == [1, 1, 1]
    data = np.asanyarray(nifti.dataobj.get_unscaled())
    data = data.reshape(*data.shape, *[1] * (4 - data.ndim))
    axes = np.abs(turn).argmax(axis=0)
    for ours, theirs in enumerate(axes):
        if turn[theirs, ours] < 0:
            data = np.flip(data, axis=theirs)
        start = data.shape[theirs] - 1 if turn[theirs, ours] < 0 else 0
        assert between[theirs, 3] == pytest.approx(start, abs=2e-3)
    return data.transpose(3, *axes[::-1])


def converted(folder, into):
    """The images that dcm2niix makes of a folder; without the scale that only Philips' private elements have."""
    into.mkdir()
    subprocess.run([dcm2niix.bin, "-z", "n", "-p", "n", "-o", into, folder], check=True, capture_output=True)
    return [nib.load(path) for path in sorted(into.glob("*.nii"))]


def unpacked(archive, into):
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    return into


@pytest.mark.parametrize(
    ("name", "shape", "size_um", "step_s"),
    [
        ("dicom_struct_T1_384slices", (1, 1, 384, 384, 274), (666.6667, 666.6667, 699.9878), None),
        ("dicom_func_1block_dicoms", (18, 1, 35, 80, 80), (3300.0, 3000.0, 3000.0), 2.0),
    ],
)
def test_a_scanners_series_is_what_dcm2niix_makes_of_it(sample, tmp_path, name, shape, size_um, step_s):
    folder = unpacked(sample(f"human/{name}.tar.gz"), tmp_path / "series")
    asset = find_one(READER, folder)
    assert asset.volume.shape == shape
    assert asset.volume.voxel_size_um == pytest.approx(size_um)
    assert asset.volume.time_step_s == step_s
    assert asset.metadata["modality"] == "MRI"
    (theirs,) = converted(folder, tmp_path / "theirs")
    assert np.array_equal(voxels(folder)[:, 0], as_ours(theirs, asset))


def test_nothing_of_the_person_in_the_samples_is_kept(sample, tmp_path):
    folder = unpacked(sample("human/dicom_func_1block_dicoms.tar.gz"), tmp_path / "series")
    asset = find_one(READER, folder)
    first = pydicom.dcmread(folder / asset.files[0])
    assert str(first.PatientName) == "Jane_Doe"
    kept = f"{asset.name} {asset.key} {asset.metadata}".lower()
    assert not any(word in kept for word in ("jane", "doe", "19660101", str(first.StudyInstanceUID)))
    assert ("doubt", "--originals") in flags(asset)
    assert "its header declares 156 volumes, 18 are here" in said(asset)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dtype=st.sampled_from(["u1", "<u2", "<i2"]),
    syntax=st.sampled_from(
        [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
    ),
    turn=st.permutations([0, 1, 2]),
    signs=st.tuples(st.sampled_from([1.0, -1.0]), st.sampled_from([1.0, -1.0])),
    order=st.permutations(range(4)),
    slope=st.sampled_from([(1, 0), (2.5, -3)]),
)
def test_values_and_places_are_those_of_gdcm(tmp_path_factory, dtype, syntax, turn, signs, order, slope):
    folder = tmp_path_factory.mktemp("dicom")
    data = np.random.default_rng(1).integers(0, 100, (4, 3, 5)).astype(dtype)
    row, column = signs[0] * np.eye(3)[turn[0]], signs[1] * np.eye(3)[turn[1]]
    corner, step = np.array([10.0, -20, 30]), 2.5 * np.cross(row, column)
    paths = []
    for index in range(4):
        stored = data[index].astype(np.dtype(dtype).newbyteorder(">")) if syntax == ExplicitVRBigEndian else data[index]
        about = image(
            index + 1, 0, stored, ImageOrientationPatient=[*row, *column], RescaleSlope=slope[0],
            ImagePositionPatient=[*(corner + index * step)], RescaleIntercept=slope[1],
        )  # fmt: skip
        paths.append(str(save(folder / f"{order[index]}.dcm", about, syntax)))
    asset = find_one(READER, folder)
    found = voxels(folder)
    theirs = sitk.ReadImage(paths)
    assert np.array_equal(found[0, 0], sitk.GetArrayFromImage(theirs))
    for index in [(0, 0, 0), (4, 0, 0), (0, 2, 0), (0, 0, 3)]:
        lps = np.array(theirs.TransformIndexToPhysicalPoint(index))
        assert (ras_mm(asset) @ [*index, 1])[:3] == pytest.approx(lps * (-1, -1, 1))


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (JPEG_LOSSLESS, lambda data: imagecodecs.ljpeg_encode(data)),
        (JPEG_LS, lambda data: imagecodecs.jpegls_encode(data)),
        (JPEG_2000, lambda data: imagecodecs.jpeg2k_encode(data, codecformat="j2k", reversible=True)),
    ],
)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_compressed_images_are_those_of_gdcm(tmp_path, syntax, encode, dtype):
    data = np.random.default_rng(3).integers(0, 250, (40, 50)).astype(dtype)
    path = save(tmp_path / "a" / "one.dcm", image(pixels=data), syntax, frames=[encode(data)])
    assert np.array_equal(voxels(tmp_path / "a")[0, 0, 0], data)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0], data)


@pytest.mark.parametrize("compressor", ["JPEG2000", "JPEGLS", "RLE"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
def test_what_gdcm_writes_reads_back(tmp_path, compressor, dtype):
    data = np.random.default_rng(3).integers(0, 250, (1, 40, 50)).astype(dtype)
    (tmp_path / "a").mkdir()
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(tmp_path / "a" / "one.dcm"))
    writer.SetUseCompression(True)
    writer.SetCompressor(compressor)
    picture = sitk.GetImageFromArray(data)
    picture.SetSpacing((0.5, 0.7, 2.0))
    writer.Execute(picture)
    assert np.array_equal(voxels(tmp_path / "a")[0, 0], data)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_colours_become_channels(tmp_path, planar, syntax):
    data = np.random.default_rng(3).integers(0, 250, (6, 7, 3)).astype("u1")
    stored = np.moveaxis(data, -1, 0) if planar and syntax != RLELossless else data
    about = image(pixels=stored.reshape(-1, 7), SamplesPerPixel=3, PhotometricInterpretation="RGB")
    about.Rows, about.PlanarConfiguration = 6, planar
    if syntax == RLELossless:
        about.file_meta = pydicom.dataset.FileMetaDataset()
        about.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        about.PlanarConfiguration = 0
        about.compress(RLELossless)
    save(tmp_path / "a" / "one.dcm", about, syntax)
    asset = find_one(READER, tmp_path / "a")
    assert [channel.name for channel in asset.volume.channels] == ["red", "green", "blue"]
    assert np.array_equal(voxels(tmp_path / "a")[0, :, 0], np.moveaxis(data, -1, 0))


def test_an_enhanced_file_is_a_series(tmp_path):
    data = np.random.default_rng(3).integers(0, 4000, (3, 4, 5, 6)).astype("u2")
    save(tmp_path / "a" / "one.dcm", enhanced(data))
    asset = find_one(READER, tmp_path / "a")
    assert asset.volume.shape == (3, 1, 4, 5, 6)
    assert asset.volume.voxel_size_um == (3000, 2000, 1500)
    assert asset.volume.time_step_s == 1.5
    assert np.array_equal(voxels(tmp_path / "a")[:, 0], data)
    assert ras_mm(asset)[:3, 3].tolist() == [-1, -2, 0]


def test_an_enhanced_file_in_jpeg_2000_is_cut_into_its_frames(tmp_path):
    data = np.random.default_rng(3).integers(0, 4000, (2, 3, 20, 30)).astype("u2")
    frames = [imagecodecs.jpeg2k_encode(plane, codecformat="j2k", reversible=True) for plane in data.reshape(6, 20, 30)]
    save(tmp_path / "a" / "one.dcm", enhanced(data), JPEG_2000, frames=frames)
    assert np.array_equal(voxels(tmp_path / "a")[:, 0], data)


def test_a_mosaic_is_cut_into_its_slices(tmp_path):
    data = np.random.default_rng(3).integers(0, 4000, (2, 5, 4, 6)).astype("u2")
    for number, volume in enumerate(data, 1):
        path = save(tmp_path / "a" / f"{number}.dcm", mosaic(volume, number))
    asset = find_one(READER, tmp_path / "a")
    assert asset.volume.shape == (2, 1, 5, 4, 6)
    assert asset.volume.time_step_s == 1.2
    assert np.array_equal(voxels(tmp_path / "a")[:, 0], data)
    theirs = wrapper_from_data(pydicom.dcmread(path))
    # nibabel's array is (row, column, slice) in LPS
    lps = theirs.affine @ np.eye(4)[[1, 0, 2, 3]]
    assert np.allclose(ras_mm(asset), np.diag([-1, -1, 1, 1]) @ lps)
    assert np.array_equal(theirs.get_unscaled_data().transpose(2, 0, 1), data[1])


def test_what_the_header_says_is_told_by_its_own_words(tmp_path):
    series(tmp_path / "a", Manufacturer="Scanner & Sons", ManufacturerModelName="One", EchoTime=2.5, FlipAngle=9)
    asset = find_one(READER, tmp_path / "a")
    assert asset.name == "t1 mprage"
    assert asset.metadata["instrument"] == "Scanner & Sons One"
    assert asset.metadata["header"]["EchoTime"] == "2.5"
    assert not asset.findings


def test_signed_values_of_twelve_bits_have_their_sign(tmp_path):
    data = np.array([[-5, 7], [2047, -2048]], "i2")
    save(tmp_path / "a" / "one.dcm", image(pixels=data & 0x0FFF, BitsStored=12, HighBit=11, PixelRepresentation=1))
    assert np.array_equal(voxels(tmp_path / "a")[0, 0, 0], data)


def test_each_slice_has_its_own_slope(tmp_path):
    data = np.arange(40, dtype="u2").reshape(2, 4, 5)
    for number, plane in enumerate(data, 1):
        save(tmp_path / "a" / f"{number}", image(number, 3.0 * number, plane, RescaleSlope=number, RescaleIntercept=0))
    assert np.array_equal(voxels(tmp_path / "a")[0, 0], data * np.array([1, 2])[:, None, None])


def test_volumes_are_told_apart_whatever_numbers_them(tmp_path):
    expected = volumes(tmp_path / "a")
    assert np.array_equal(voxels(tmp_path / "a")[:, 0], expected)
    expected = volumes(tmp_path / "b", temporal=False)
    asset = find_one(READER, tmp_path / "b")
    assert asset.volume.time_step_s == 2.0
    assert np.array_equal(voxels(tmp_path / "b")[:, 0], expected)


def test_a_persons_word_overrules_the_header(tmp_path):
    volumes(tmp_path / "a")
    options = Options(voxel_size_um=(10.0, 20.0, 30.0), time_step_s=7.0)
    asset = find_one(READER, tmp_path / "a", options)
    assert asset.volume.voxel_size_um == (10, 20, 30)
    assert asset.volume.time_step_s == 7


def test_files_without_an_image_are_passed_over(tmp_path):
    series(tmp_path / "a")
    report = image(9, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    for word in ("PixelData", "Rows", "Columns"):
        delattr(report, word)
    save(tmp_path / "a" / "report", report)
    assert "report" not in find_one(READER, tmp_path / "a").files
    assert len(source_files(tmp_path / "a")) == 6


def written_by_highdicom(folder, converted, modality):
    """A classic series, and the enhanced file that highdicom makes of it."""
    said = {
        "StudyInstanceUID": "1.2.3.9", "StudyDate": "20260101", "StudyTime": "120000", "StudyID": "1",
        "AccessionNumber": "", "PatientID": "", "PatientName": "", "PatientBirthDate": "", "PatientSex": "",
        "ReferringPhysicianName": "", "Manufacturer": "Maker", "FrameOfReferenceUID": "1.2.3.4",
        "PositionReferenceIndicator": "", "ContentDate": "20260101", "ContentTime": "120000", "AcquisitionNumber": 1,
        "Modality": modality, "RescaleSlope": 2.0, "RescaleIntercept": -1000.0,
    }  # fmt: skip
    if modality == "CT":
        said["SOPClassUID"] = "1.2.840.10008.5.1.4.1.1.2"
    if modality == "PT":
        said["SOPClassUID"] = "1.2.840.10008.5.1.4.1.1.128"
    series(folder / "classic", 6, **said)
    files = [pydicom.dcmread(path) for path in sorted((folder / "classic").iterdir())]
    made = converted(files, highdicom.UID(), 7, highdicom.UID(), 1)
    (folder / "enhanced").mkdir()
    made.save_as(folder / "enhanced" / "one.dcm")


@pytest.mark.parametrize(
    ("converted", "modality"),
    [
        (highdicom.legacy.LegacyConvertedEnhancedMRImage, "MR"),
        (highdicom.legacy.LegacyConvertedEnhancedCTImage, "CT"),
        (highdicom.legacy.LegacyConvertedEnhancedPETImage, "PT"),
    ],
)
def test_an_enhanced_file_of_highdicom_is_the_series_that_it_was_made_of(tmp_path, converted, modality):
    written_by_highdicom(tmp_path, converted, modality)
    classic, enhanced = (find_one(READER, tmp_path / name) for name in ("classic", "enhanced"))
    assert enhanced.volume.shape == classic.volume.shape
    assert enhanced.volume.dtype == classic.volume.dtype
    assert np.allclose(enhanced.volume.affine_um, classic.volume.affine_um)
    assert np.array_equal(voxels(tmp_path / "enhanced"), voxels(tmp_path / "classic"))
    assert voxels(tmp_path / "enhanced").min() < 0
