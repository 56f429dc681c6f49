"""DICOM that is damaged, lies or bites: each case with a twin that is sound and is read."""

import io
import json
import resource
import struct
import zlib
from dataclasses import asdict

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian
from tests.ingest.readers.dicom_files import enhanced, image, mosaic, save, series
from tests.ingest.readers.reading import find_one, flags, read_voxels, said

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.dicom import DicomReader
from pulvinar.ingest.readers.dicom_person import without_person

READER = DicomReader()
PIXELS = np.arange(20, dtype="u2").reshape(4, 5)
JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
INJECTED = "Doe^Jane<script>alert(1)</script>\r\nSet-Cookie: a=b\x1b[2J"


def voxels(folder, options=None):
    return read_voxels(READER, folder, folder.with_name(f"{folder.name}-scratch"), options)


def refusal(folder):
    """What is said of a file that can't be read: it names the file."""
    with pytest.raises((UnreadableFile, TooLarge)) as caught:
        voxels(folder)
    assert "bad.dcm" in caught.value.message
    return caught.value.message


def is_read(folder, expected=PIXELS):
    assert np.array_equal(voxels(folder)[0, 0, 0], expected)


def with_element(path, element):
    """The file with the bytes of an element before its rows (0028,0010), where tags stay in order."""
    data = path.read_bytes()
    at = data.index(b"\x28\x00\x02\x00US")
    path.write_bytes(data[:at] + element + data[at:])
    return path


def nested(depth, *, endless):
    """Sequences in sequences, in explicit VR; of a length that is told, or that ends with a mark."""
    inner = b""
    for _ in range(depth):
        head, item = b"\x21\x00\x10\x10SQ\0\0", b"\xfe\xff\x00\xe0"
        if endless:
            marks = b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
            inner = head + b"\xff" * 4 + item + b"\xff" * 4 + inner + b"".join(marks)
        else:
            item += struct.pack("<I", len(inner)) + inner
            inner = head + struct.pack("<I", len(item)) + item
    return inner


def test_sequences_nested_without_end_are_refused_and_a_few_are_not(tmp_path):
    with_element(save(tmp_path / "good" / "a.dcm", image()), nested(20, endless=True))
    is_read(tmp_path / "good")
    with_element(save(tmp_path / "bad" / "bad.dcm", image()), nested(5000, endless=True))
    assert "its sequences are nested without end" in refusal(tmp_path / "bad")


def test_sequences_of_a_told_length_are_never_looked_into(tmp_path):
    with_element(save(tmp_path / "good" / "a.dcm", image()), nested(5000, endless=False))
    is_read(tmp_path / "good")


@pytest.mark.parametrize("tag", [b"\x21\x00\x10\x10", b"\x27\x00\x10\x10"])
def test_an_element_of_four_gigabytes_takes_no_memory(tmp_path, tag):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with_element(save(tmp_path / "bad.dcm", image()), tag + b"OB\0\0" + struct.pack("<I", 0xFFFFFFF0))
    assert "it ends within an element" in refusal(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    with_element(save(tmp_path / "good" / "a.dcm", image()), tag + b"OB\0\0" + struct.pack("<I", 6) + b"sounds")
    is_read(tmp_path / "good")


@pytest.mark.parametrize(
    ("start", "system"), [(b"MZ\x90\x00", "Windows"), (b"\x7fELF\2\1\1", "Linux"), (b"#!/bin/sh\n", "any shell")]
)
def test_a_program_in_the_preamble_is_refused_and_a_tiff_is_not(tmp_path, start, system):
    path = save(tmp_path / "bad.dcm", image())
    data = path.read_bytes()
    path.write_bytes(start + data[len(start) :])
    assert f"begins as a program for {system}" in refusal(tmp_path)
    path.write_bytes(b"II*\0" + data[4:])
    is_read(tmp_path)


def test_what_a_name_holds_is_nowhere(tmp_path):
    about = {"PatientName": INJECTED, "PatientBirthDate": "19501224", "InstitutionName": "Charité"}
    about |= {"SeriesDescription": "t1 of Jane <b>left</b>", "ProtocolName": "../../t1 <i>mprage</i>"}
    series(tmp_path, **about, OperatorsName="Roe^Richard")
    asset = find_one(READER, tmp_path)
    kept = json.dumps(asdict(asset)).lower()
    assert not any(word in kept for word in ("jane", "doe", "script", "cookie", "1950", "charit", "roe", "<", "\\r"))
    assert asset.name == ".. .. t1 i mprage i"
    elements = "PatientName, PatientBirthDate, OperatorsName, InstitutionName"
    assert f"its files name a person ({elements})" in said(asset)
    assert ("doubt", "--originals") in flags(asset)
    assert not find_person_in(tmp_path / "good")


def find_person_in(folder):
    series(folder, PatientName="", PatientID="")
    return "name a person" in said(find_one(READER, folder))


def test_pseudonyms_are_no_names_where_the_identity_was_removed_and_all_else_counts(tmp_path):
    pseudonyms = {"PatientName": "sub-01", "PatientID": "01", "PatientIdentityRemoved": "YES"}
    series(tmp_path / "clean", **pseudonyms)
    assert ("doubt", "--originals") not in flags(find_one(READER, tmp_path / "clean"))
    series(tmp_path / "left", **pseudonyms, InstitutionName="Charité")
    assert "its files name a person (InstitutionName)" in said(find_one(READER, tmp_path / "left"))


def test_private_elements_are_said_for_they_may_name_a_person(tmp_path):
    with_element(save(tmp_path / "a.dcm", image()), b"\x27\x00\x10\x10OB\0\0" + struct.pack("<I", 4) + b"Jane")
    asset = find_one(READER, tmp_path)
    assert "its files have private elements, which may name a person" in said(asset)
    assert ("note", "--originals") in {(one.severity.value, one.flag) for one in asset.findings}


@pytest.mark.parametrize(
    "key", ["PatientName", "0010|0010", "DICOM_0010_0010_PatientName", "(0010,0010)", "patient name", "0010,0010"]
)
def test_elements_in_headers_of_other_formats_are_known_by_keyword_and_tag(key):
    kept, person = without_person({key: "Doe^Jane", "0008|103e": "t1", "type": "short", "00100010": "x"})
    assert (kept, person.elements) == ({"0008|103e": "t1", "type": "short", "00100010": "x"}, ("PatientName",))


@pytest.mark.parametrize("name", ["Doe^Jane", "王^小东"])
def test_a_folder_called_as_the_person_is_asked_about(tmp_path, name):
    folder = {"Doe^Jane": "JANE_DOE", "王^小东": "小东"}[name]
    series(tmp_path / folder, SpecificCharacterSet="ISO_IR 192", PatientName=name)
    (asset,) = READER.find(source_files(tmp_path), Options())
    assert ("question", "--only") in flags(asset)
    series(tmp_path / "good" / "sub-01", PatientName="sub-01", PatientID="sub-01")
    assert "question" not in {severity for severity, _ in flags(find_one(READER, tmp_path / "good"))}


def test_writing_in_the_image_is_named(tmp_path):
    series(tmp_path, BurnedInAnnotation="YES")
    assert "its images have writing in them" in said(find_one(READER, tmp_path))


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "/etc/passwd", "1.2.3\0", ""])
def test_identifiers_are_never_paths(tmp_path, uid):
    pixels = series(tmp_path, SeriesInstanceUID=uid, StudyInstanceUID=uid)
    asset = find_one(READER, tmp_path)
    assert asset.key.isalnum()
    assert np.array_equal(voxels(tmp_path)[0, 0], pixels)


def test_a_deflated_bomb_is_stopped_and_a_small_file_is_read(tmp_path):
    path = save(tmp_path / "good" / "a.dcm", image(), DeflatedExplicitVRLittleEndian)
    is_read(tmp_path / "good")
    data = path.read_bytes()
    start = 144 + struct.unpack("<I", data[140:144])[0]
    inside = zlib.decompress(data[start:], -15)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = io.BytesIO()
    bomb.write(data[:start] + packer.compress(inside))
    for _ in range(300):
        bomb.write(packer.compress(bytes(1 << 20)))
    (tmp_path / "bad.dcm").write_bytes(bomb.getvalue() + packer.flush())
    assert (tmp_path / "bad.dcm").stat().st_size < 1 << 20
    path.unlink()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "unpacks to more than" in refusal(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000


def test_a_deflated_file_cut_off_or_damaged_is_named(tmp_path):
    path = save(tmp_path / "bad.dcm", image(), DeflatedExplicitVRLittleEndian)
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    assert "is truncated" in refusal(tmp_path)
    path.write_bytes(data[:-60] + b"\xff" * 60)
    assert "bad.dcm" in refusal(tmp_path)


@pytest.mark.parametrize(
    "lie", [{"Rows": 60000, "Columns": 60000}, {"Rows": 5}, {"NumberOfFrames": 2_000_000_000}, {"BitsAllocated": 32}]
)
def test_more_pixels_than_the_file_holds_are_refused(tmp_path, lie):
    save(tmp_path / "bad.dcm", image(**lie))
    assert "bad.dcm" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"Rows": 0}, "its header declares 1 images of 0 x 5"),
        ({"PixelSpacing": [0, 1]}, "PixelSpacing is"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "no two directions at right angles"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1]}, "ImageOrientationPatient is"),
        ({"BitsStored": 12, "HighBit": 15}, "lie in an unknown place"),
        ({"BitsAllocated": 1}, "a segmentation"),
        ({"PhotometricInterpretation": "YBR_FULL", "SamplesPerPixel": 3, "Rows": 1}, "its colours are YBR_FULL"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(tmp_path, lie, reason):
    save(tmp_path / "bad.dcm", image(**lie))
    assert reason in refusal(tmp_path)


@pytest.mark.parametrize("value", [b"NaN ", b"inf ", b"left", b"1e999"])
def test_a_place_that_is_no_number_is_refused(tmp_path, value):
    path = save(tmp_path / "bad.dcm", image(ImagePositionPatient=[1111, 0, 0], PixelSpacing=[2, 2]))
    path.write_bytes(path.read_bytes().replace(b"1111.0", value.ljust(6)).replace(b"1111", value[:4]))
    assert "ImagePositionPatient" in refusal(tmp_path)


def test_drawings_in_unused_bits_are_refused(tmp_path):
    about = image()
    about.add_new(0x60000102, "US", 12)
    save(tmp_path / "bad.dcm", about)
    assert "a drawing is stored in the unused bits" in refusal(tmp_path)


def test_a_compressed_image_of_another_size_is_not_decoded(tmp_path):
    stream = bytearray(imagecodecs.jpegls_encode(PIXELS))
    save(tmp_path / "good" / "a.dcm", image(), JPEG_LS, frames=[bytes(stream)])
    is_read(tmp_path / "good")
    at = stream.index(b"\xff\xf7")
    stream[at + 5 : at + 9] = struct.pack(">HH", 65000, 65000)
    save(tmp_path / "bad.dcm", image(), JPEG_LS, frames=[bytes(stream)])
    (tmp_path / "good" / "a.dcm").unlink()
    assert "its compressed image has 65000 x 65000" in refusal(tmp_path)


def test_a_jpeg_2000_that_declares_gigabytes_is_not_decoded(tmp_path):
    data = np.arange(2000, dtype="u2").reshape(40, 50)
    stream = bytearray(imagecodecs.jpeg2k_encode(data, codecformat="j2k", reversible=True))
    stream[8:16] = struct.pack(">II", 60000, 60000)
    save(tmp_path / "bad.dcm", image(pixels=data), JPEG_2000, frames=[bytes(stream)])
    assert "its compressed image has 60000 x 60000" in refusal(tmp_path)


def test_pieces_that_are_not_whole_are_named(tmp_path):
    path = save(tmp_path / "bad.dcm", image(), JPEG_LS, frames=[imagecodecs.jpegls_encode(PIXELS)])
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    assert "is truncated" in refusal(tmp_path)
    path.write_bytes(data.replace(b"\xff\xd8\xff\xf7", b"\xff\xd8\xff\x00"))
    assert "can't be decoded" in refusal(tmp_path) or "is damaged" in refusal(tmp_path)


def test_a_compression_that_is_not_read_is_named(tmp_path):
    save(tmp_path / "bad.dcm", image(), "1.2.840.10008.1.2.4.100", frames=[b"mpeg"])
    assert "is compressed as 1.2.840.10008.1.2.4.100" in refusal(tmp_path)


def test_an_enhanced_file_that_describes_too_few_images_is_refused(tmp_path):
    about = enhanced(np.zeros((1, 3, 4, 5), "u2"))
    del about.PerFrameFunctionalGroupsSequence[2]
    save(tmp_path / "bad.dcm", about)
    assert "it declares 3 images and describes 2" in refusal(tmp_path)


def test_a_mosaic_without_its_header_is_refused(tmp_path):
    about = mosaic(np.zeros((5, 4, 6), "u2"))
    del about[0x00291010]
    save(tmp_path / "bad.dcm", about)
    assert "a mosaic without the header" in refusal(tmp_path)
    about = mosaic(np.zeros((5, 4, 6), "u2"))
    about[0x00291010].value = b"SV10\4\3\2\1" + b"\xff" * 90
    save(tmp_path / "bad.dcm", about)
    assert "bad.dcm is damaged" in refusal(tmp_path)


def test_a_file_without_how_it_is_written_is_refused(tmp_path):
    path = save(tmp_path / "bad.dcm", image(), ImplicitVRLittleEndian)
    data = path.read_bytes()
    path.write_bytes(data[:132] + data[144 + struct.unpack("<I", data[140:144])[0] :])
    assert "bad.dcm" in refusal(tmp_path)


def test_a_header_of_private_elements_without_end_is_read_no_further_than_needed(tmp_path):
    element = b"\x27\x00\x10\x10OB\0\0" + struct.pack("<I", 3 << 20) + bytes(3 << 20)
    with_element(save(tmp_path / "a.dcm", image()), element)
    is_read(tmp_path)


def test_a_directory_of_a_disc_is_no_image(tmp_path):
    about = Dataset()
    about.SOPClassUID, about.SOPInstanceUID = "1.2.840.10008.1.3.10", "1.2.3"
    save(tmp_path / "DICOMDIR", about)
    assert list(READER.find(source_files(tmp_path), Options())) == []
