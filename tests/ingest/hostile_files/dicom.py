"""DICOM: files that are damaged, lie, bomb or bite, series that are mixed or have gaps, and people who are named."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import DeflatedExplicitVRLittleEndian
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile
from tests.ingest.readers.dicom_files import image, save, series

PLANE = np.arange(20, dtype="u2").reshape(4, 5)
VOXELS = np.random.default_rng(4).integers(0, 4000, (5, 4, 5)).astype("u2")
_NAME = "t1 mprage"
_FILE = "bad.dcm"
PERSON = {"PatientName": "Mustermann^Erika", "PatientID": "H4711-0815", "PatientBirthDate": "19640812"}
PSEUDONYM = {"PatientName": "sub-01", "PatientID": "sub-01", "PatientIdentityRemoved": "YES"}
KEPT = ("--originals", "keep")


def pile(folder: Path, **about: Any) -> Path:
    """A folder of five slices."""
    series(folder / "given", voxels=VOXELS, **about)
    return folder / "given"


def single(folder: Path, **about: Any) -> Path:
    """One image in a file."""
    return save(folder / _FILE, image(**about))


def deflated(folder: Path) -> Path:
    """One image in a file that is compressed whole, as DICOM does it."""
    return save(folder / _FILE, image(), DeflatedExplicitVRLittleEndian)


PILE = Good("dicom", pile, {_NAME: VOXELS})
SINGLE = Good("dicom, one image", single, {_NAME: PLANE})
DEFLATED = Good("dicom, deflated", deflated, {_NAME: PLANE})
KEPT_PILE = Good("dicom of a pseudonym, kept", lambda folder: pile(folder, **PSEUDONYM), {_NAME: VOXELS}, KEPT)


def _lying(name: str, because: str, names: str = "", **about: Any) -> None:
    hostile(f"dicom: {name}", Refused(because, names), SINGLE)(lambda folder: single(folder, **about))


def _spoiled(name: str, because: str, change: Callable[[bytes], bytes]) -> None:
    def make(folder: Path) -> Path:
        path = single(folder, ImagePositionPatient=[1111, 0, 0])
        path.write_bytes(change(path.read_bytes()))
        return path

    hostile(f"dicom: {name}", Refused(because), SINGLE)(make)


def _with_element(content: bytes, element: bytes) -> bytes:
    at = content.index(b"\x28\x00\x02\x00US")
    return content[:at] + element + content[at:]


def _nested(depth: int) -> bytes:
    """Sequences in sequences, each of which ends with a mark."""
    head, item = b"\x21\x00\x10\x10SQ\0\0" + b"\xff" * 4, b"\xfe\xff\x00\xe0" + b"\xff" * 4
    ends = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return (head + item) * depth + ends * depth


_GREAT = b"\x27\x00\x10\x10OB\0\0" + struct.pack("<I", 0xFFFFFFF0)
_lying("no row", "declares 1 images of 0 x 5", Rows=0)
_lying("absurd dimensions", "declares images of 7200000000 bytes each", Rows=60_000, Columns=60_000)
_lying("more images than any file has", "is truncated", NumberOfFrames=2_000_000_000)
_lying("a voxel of no length", "PixelSpacing is", PixelSpacing=[0, 1])
_lying("no voxel size", "how large its voxels are", names="--voxel-size", PixelSpacing=None)
_lying("directions that are one", "no two directions at right angles", ImageOrientationPatient=[1, 0, 0, 1, 0, 0])
_lying("half a map", "ImageOrientationPatient is", ImageOrientationPatient=[1, 0, 0, 0, 1])
_spoiled("a place of NaN", "ImagePositionPatient", lambda data: data.replace(b"1111", b"NaN "))
_spoiled(
    "a place without end", "ImagePositionPatient", lambda data: data.replace(b"1111", b"1e99").replace(b"1e99", b"inf ")
)
_spoiled("cut within its pixels", "is truncated", lambda data: data[:-10])
_spoiled("cut within its header", "", lambda data: data[: len(data) // 2])
_spoiled("sequences nested 5,000 deep", "nested without end", lambda data: _with_element(data, _nested(5000)))
_spoiled("an element of 4 GB", "it ends within an element", lambda data: _with_element(data, _GREAT))
_spoiled("a program for Windows", "begins as a program for Windows", lambda data: b"MZ\x90\0" + data[4:])
_spoiled("a program for Linux", "begins as a program for Linux", lambda data: b"\x7fELF" + data[4:])


def _body_at(content: bytes) -> int:
    """Where what follows the first group of elements begins."""
    return 144 + int(struct.unpack("<I", content[140:144])[0])


@hostile("dicom: deflated bomb", Refused("unpacks to more than"), DEFLATED)
def bomb(folder: Path) -> Path:
    """A gigabyte of zeros behind a whole image."""
    path = deflated(folder)
    content = path.read_bytes()
    at = _body_at(content)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [content[:at], packer.compress(zlib.decompress(content[at:], -15))]
    parts += [packer.compress(bytes(16 << 20)) for _ in range(64)]
    path.write_bytes(b"".join(parts) + packer.flush())
    return path


@hostile("dicom: deflated and cut off", Refused("is truncated"), DEFLATED)
def cut_deflated(folder: Path) -> Path:
    """Its stream has no end."""
    path = deflated(folder)
    path.write_bytes(path.read_bytes()[:-40])
    return path


@hostile("dicom: deflated and damaged", Refused(_FILE), DEFLATED)
def damaged_deflated(folder: Path) -> Path:
    """Ones where its stream was."""
    path = deflated(folder)
    path.write_bytes(path.read_bytes()[:-60] + b"\xff" * 60)
    return path


@hostile("dicom: a slice is missing", Refused("slices are missing: number 3", names="t1 mprage"), PILE)
def gap(folder: Path) -> Path:
    """The third of five."""
    given = pile(folder)
    (given / "IM0003").unlink()
    return given


@hostile("dicom: two series in one folder", Ingested({_NAME: VOXELS, "t2 tse": VOXELS[::-1]}), PILE)
def mixed(folder: Path) -> Path:
    """Their files lie among each other; each becomes a volume of its own."""
    given = pile(folder)
    for number, plane in enumerate(VOXELS[::-1], 1):
        about = {"SeriesInstanceUID": "1.2.3", "SeriesDescription": "t2 tse", "SOPInstanceUID": f"1.2.3.{number}"}
        save(given / f"IM{number:04}b", image(number, 3.0 * (number - 1), plane, **about))
    return given


@hostile("dicom: images of two sizes in one series", Ingested(
    {"t1 mprage 1": VOXELS, "t1 mprage 2": PLANE[:3, :3]}, said=("can't make one volume",)
), PILE)  # fmt: skip
def two_sizes(folder: Path) -> Path:
    """A localizer among the slices."""
    given = pile(folder)
    save(given / "IM0009", image(9, 40.0, PLANE[:3, :3], SOPInstanceUID="1.2.9"))
    return given


@hostile("dicom: one file of a series is damaged", Refused("is truncated", names="IM0002"), PILE)
def one_damaged(folder: Path) -> Path:
    """The others hide it from nobody."""
    given = pile(folder)
    (given / "IM0002").write_bytes((given / "IM0002").read_bytes()[:-10])
    return given


# --- people ---

_WORDS = ("Mustermann", "mustermann", "Erika", "H4711", "19640812", "1964-08-12")


@hostile("dicom: a person's name, number and birthday", Ingested(
    said=("its files name a person (PatientName, PatientID, PatientBirthDate)",), nowhere=_WORDS
), PILE)  # fmt: skip
def named(folder: Path) -> Path:
    """The voxels come in, the person does not."""
    return pile(folder, **PERSON, SeriesDescription="t1 mprage")


@hostile("dicom: a person's name where nobody looks for it", Ingested(
    {"t1 of": VOXELS}, nowhere=_WORDS
), PILE)  # fmt: skip
def named_elsewhere(folder: Path) -> Path:
    """In the description of the series, which names the asset, there is no name; in the protocol there is."""
    return pile(folder, **PERSON, SeriesDescription="Erika", ProtocolName="t1 of", SequenceName="mustermann")


@hostile("dicom: files to be kept that name a person", Refused(
    "name a person (PatientName, PatientID, PatientBirthDate)", names="IM0001"
), KEPT_PILE)  # fmt: skip
def kept_named(folder: Path) -> Path:
    """They would lie in the store as they are."""
    return pile(folder, **PERSON)


@hostile("dicom: files to be kept that say they are anonymous and name a hospital", Refused(
    "name a person (InstitutionName)", names="IM0001"
), KEPT_PILE)  # fmt: skip
def kept_half(folder: Path) -> Path:
    """Ready recipes leave it."""
    return pile(folder, **PSEUDONYM, InstitutionName="Charité")


@hostile("dicom: files to be kept that have private elements", Refused(
    "have private elements", names=_FILE
), KEPT_PILE)  # fmt: skip
def kept_private(folder: Path) -> Path:
    """What they mean only the maker of the scanner knows."""
    path = single(folder, **PSEUDONYM)
    path.write_bytes(_with_element(path.read_bytes(), b"\x27\x00\x10\x10OB\0\0" + struct.pack("<I", 4) + b"Erik"))
    return path


@hostile("dicom: a folder called as the person is", Refused("hold the person's name", names="--only"), PILE)
def folder_named(folder: Path) -> Path:
    """Names of files are kept."""
    given = folder / "given"
    series(given / "ERIKA_MUSTERMANN", voxels=VOXELS, **PERSON)
    return given


@hostile("dicom: markup and line breaks in a name", Ingested(nowhere=("<script>", "Set-Cookie")), PILE)
def markup(folder: Path) -> Path:
    """A page or an answer that showed them would run them."""
    return pile(folder, PatientName="Doe^Jane<script>alert(1)</script>\r\nSet-Cookie: a=b\x1b[2J")


@hostile("dicom: identifiers that are paths", Ingested(), PILE)
def paths(folder: Path) -> Path:
    """No file is named by them."""
    return pile(folder, SeriesInstanceUID="../../../etc/passwd", StudyInstanceUID="/etc/passwd")
