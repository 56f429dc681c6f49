"""One DICOM file: what of its header is needed, and where its pixels lie.

Nothing is read that was not asked for by its tag, so that what names a person can't slip through. Source: DICOM PS3.3
(what the elements mean), PS3.5 (how they are written) and PS3.10 (files).
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import SourceFile
from pulvinar.model.text import plain

DEFLATED = "1.2.840.10008.1.2.1.99"
_IMPLICIT, _BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
_UNCOMPRESSED = (_IMPLICIT, "1.2.840.10008.1.2.1", _BIG_ENDIAN, DEFLATED)
_DIRECTORY = "1.2.840.10008.1.3.10"
_PREAMBLE = 132
_FIRST_LOOKS = (1 << 18, 1 << 22, 1 << 26)
"""So much of a file is read for its header: more only where that does not reach its pixels."""
MOST_INFLATED = 1 << 28
"""Bytes that a deflated file may unpack to: it can only be unpacked whole."""
_LARGEST_PLANE = 1 << 30
_PROGRAMS = {b"MZ": "Windows", b"\x7fELF": "Linux", b"\xcf\xfa\xed\xfe": "macOS", b"#!": "any shell"}
_PIXELS = {0x7FE00008: "f4", 0x7FE00009: "f8", 0x7FE00010: ""}
_FIRST_PIXELS, _UNDEFINED = min(_PIXELS), 0xFFFFFFFF

IMAGE_WORDS = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "ProtocolName",
    "Modality", "Manufacturer", "ManufacturerModelName", "MagneticFieldStrength", "ScanningSequence", "SequenceName",
    "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "SliceThickness", "SpacingBetweenSlices",
    "PatientPosition", "ImageType", "ComplexImageComponent", "InstanceNumber", "AcquisitionNumber", "AcquisitionTime",
    "AcquisitionDateTime", "TriggerTime", "TemporalPositionIdentifier", "NumberOfTemporalPositions",
    "ImagesInAcquisition", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing",
    "RescaleSlope", "RescaleIntercept", "EchoNumbers", "DiffusionBValue", "InPlanePhaseEncodingDirection",
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PlanarConfiguration", "PhotometricInterpretation",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "BurnedInAnnotation", "PatientIdentityRemoved",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "GantryDetectorTilt",
    "RealWorldValueMappingSequence",
)  # fmt: skip
PERSON_WORDS = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientBirthName", "PatientMotherBirthName", "PatientAddress",
    "PatientTelephoneNumbers", "OtherPatientIDs", "OtherPatientNames", "PatientComments", "ReferringPhysicianName",
    "PerformingPhysicianName", "OperatorsName", "InstitutionName", "InstitutionAddress", "AccessionNumber",
    "PatientBirthTime", "OtherPatientIDsSequence", "MilitaryRank", "PatientReligiousPreference", "Occupation",
    "ResponsiblePerson", "ResponsibleOrganization", "MedicalRecordLocator", "IssuerOfPatientID", "AdmissionID",
    "CountryOfResidence", "RegionOfResidence", "AdditionalPatientHistory", "CurrentPatientLocation", "VisitComments",
    "PatientInsurancePlanCodeSequence", "ReferringPhysicianAddress", "ReferringPhysicianTelephoneNumbers",
    "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy", "RequestingPhysician", "ContentCreatorName",
    "PersonName", "PersonIdentificationCodeSequence", "OriginalAttributesSequence", "ImageComments",
    "InstitutionalDepartmentName",
)  # fmt: skip
"""Elements that say who was scanned, by whom and where: only whether they are filled is ever told.

Those of the Basic Application Level Confidentiality Profile (PS3.15, table E.1-1) that hold names, identifiers,
addresses or free words on a person.
"""
PRIVATE = "private elements"
"""What stands for elements whose meaning only their maker knows."""
_OVERLAY_BIT, SIEMENS_CREATOR, SIEMENS_IMAGE = 0x60000102, 0x00290010, 0x00291010


@dataclass(frozen=True)
class PixelPlace:
    """Where the pixels of a file lie, and how: `frames` images of `rows` x `columns` x `samples` of `dtype`.

    `size` is None for compressed ones, which lie in fragments from `offset` on. `dtype` has a byte order; `bits` of
    each are used.
    """

    syntax: str
    offset: int
    size: int | None
    rows: int
    columns: int
    samples: int
    frames: int
    dtype: str
    bits: int
    is_planar: bool
    photometric: str

    @property
    def frame_bytes(self) -> int:
        """Bytes of one image, uncompressed."""
        return self.rows * self.columns * self.samples * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Header:
    """The elements asked for, as pydicom's dataset, where the pixels lie, and whether there are private elements."""

    dataset: Any
    pixels: PixelPlace
    has_private: bool


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with `head` is DICOM's."""
    return head[128:_PREAMBLE] == b"DICM"


def read_header(file: SourceFile) -> Header | None:
    """The elements named above, and where the pixels lie; None for a file without an image.

    Raises `UnreadableFile` for a damaged one, `TooLarge` for one that unpacks to too much.
    """
    name = file.name
    _refuse_programs(file)
    with file.path.open("rb") as stream:
        size = _FIRST_LOOKS[0]
        syntax, kind, end = _meta(stream.read(size), name)
        if kind == _DIRECTORY:
            return None
    data: bytes = b""
    for size in _FIRST_LOOKS:
        data, reaches_end = _body(file, end, syntax, size)
        try:
            dataset, element, has_private = _elements(data, syntax)
        except Exception as error:
            if reaches_end:
                raise damaged(name, error) from error
            continue
        if element is not None or reaches_end:
            break
    else:
        raise UnreadableFile(f"{name}: its pixels don't begin within {_FIRST_LOOKS[-1]} bytes", hint="save it again")
    pixels = _pixels(file, dataset, element, syntax, 0 if syntax == DEFLATED else end)
    return None if pixels is None else Header(dataset, pixels, has_private)


def inflated(path: Path, name: str) -> bytes:
    """All that follows the first, uncompressed group of a deflated file. Raises `TooLarge`, `UnreadableFile`."""
    with path.open("rb") as stream:
        head = stream.read(_FIRST_LOOKS[0])
        _, _, end = _meta(head, name)
        stream.seek(end)
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        parts, total = [], 0
        try:
            while piece := unpacker.unconsumed_tail or stream.read(1 << 20):
                parts.append(unpacker.decompress(piece, 1 << 22))
                total += len(parts[-1])
                if total > MOST_INFLATED:
                    raise TooLarge(f"{name} unpacks to more than {MOST_INFLATED} bytes", hint="save it uncompressed")
                if unpacker.eof:
                    break
        except zlib.error as error:
            raise UnreadableFile(f"{name}: its compressed stream is damaged: {error}", hint="copy it again") from error
    if not unpacker.eof:
        raise UnreadableFile(f"{name} is truncated: its compressed stream has no end", hint="copy the file again")
    return b"".join(parts)


def _refuse_programs(file: SourceFile) -> None:
    """A file that is a program too does harm where somebody opens it, whatever its image."""
    for magic, system in _PROGRAMS.items():
        if file.head.startswith(magic):
            raise UnreadableFile(
                f"{file.name} begins as a program for {system}: a DICOM file has no use for that",
                hint="have it looked at for viruses; zero its first 128 bytes if the image is to be kept",
            )


def _meta(head: bytes, name: str) -> tuple[str, str, int]:
    """What group 2, which is always written in the same way, says: the transfer syntax, the class; and its end."""
    from pydicom.filereader import read_dataset

    stream = io.BytesIO(head)
    stream.seek(_PREAMBLE)
    try:
        meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: int(tag) >> 16 != 2)
        syntax, kind = (str(meta.get(word, "")) for word in ("TransferSyntaxUID", "MediaStorageSOPClassUID"))
    except Exception as error:
        raise damaged(name, error) from error
    if not syntax:
        raise UnreadableFile(f"{name}: its header does not say how it is written", hint="save it again")
    return syntax, kind, stream.tell()


def _body(file: SourceFile, start: int, syntax: str, size: int) -> tuple[bytes, bool]:
    """Up to `size` bytes of what follows the first group, and whether that is all."""
    if syntax == DEFLATED:
        return inflated(file.path, file.name), True
    with file.path.open("rb") as stream:
        stream.seek(start)
        # a stream in memory: an element of 4 GB in a small file takes no more than the file
        return stream.read(size), start + size >= file.size_bytes


def _elements(data: bytes, syntax: str) -> tuple[Any, tuple[int, int, int] | None, bool]:
    """The wanted elements up to the pixels, the pixels' tag, length and place in `data`, and whether one is private."""
    from pydicom.filereader import read_dataset

    element: list[tuple[int, int]] = []
    private: set[int] = set()

    def stop(tag: int, vr: str | None, length: int) -> bool:
        # as a plain number: pydicom's tags are slow to compare
        number = int(tag)
        if number >> 16 & 1:
            private.add(number >> 16)
        if is_pixels := number >= _FIRST_PIXELS:
            element.append((number, length))
        return is_pixels

    stream = io.BytesIO(data)
    dataset = read_dataset(stream, syntax == _IMPLICIT, syntax != _BIG_ENDIAN, stop_when=stop, specific_tags=_wanted())
    if stream.tell() > len(data):
        raise EOFError("it ends within an element")
    if not element or element[0][0] not in _PIXELS:
        return dataset, None, bool(private)
    tag, length = element[0]
    at = stream.tell()
    explicit = data[at + 4 : at + 6] in (b"OB", b"OW", b"OF", b"OD", b"UN")
    return dataset, (tag, length, at + (12 if explicit else 8)), bool(private)


@cache
def _wanted() -> list[int]:
    from pydicom.datadict import tag_for_keyword

    tags = [tag for word in (*IMAGE_WORDS, *PERSON_WORDS) if (tag := tag_for_keyword(word)) is not None]
    return [*tags, _OVERLAY_BIT, SIEMENS_CREATOR, SIEMENS_IMAGE]


def _pixels(
    file: SourceFile, dataset: Any, element: tuple[int, int, int] | None, syntax: str, start: int
) -> PixelPlace | None:
    name = file.name
    if element is None:
        if dataset.get("Rows") is None and not _is_image(dataset):
            # a report, a plan, a presentation: DICOM's, and no image
            return None
        raise UnreadableFile(f"{name} is truncated: it ends before its pixels", hint="copy the file again")
    tag, length, at = element
    place = _place(dataset, tag, None if length == _UNDEFINED else length, start + at, syntax, name)
    declared = place.frame_bytes * place.frames
    if place.frame_bytes > _LARGEST_PLANE:
        raise TooLarge(f"{name} declares images of {place.frame_bytes} bytes each", hint="save it in tiles")
    if place.size is None:
        if syntax in _UNCOMPRESSED:
            raise UnreadableFile(f"{name}: its pixels have no length", hint="save it again")
        return place
    there = len(inflated(file.path, name)) if syntax == DEFLATED else file.size_bytes
    if place.size < declared or place.offset + declared > there:
        holds = min(place.size, max(there - place.offset, 0))
        raise UnreadableFile(
            f"{name} is truncated: its header declares {declared} bytes of pixels, it holds {holds}",
            hint="copy the file again, or repair its header",
        )
    return place


def _is_image(dataset: Any) -> bool:
    from pydicom.uid import UID

    return "Image Storage" in UID(" ".join(texts(dataset, "SOPClassUID"))).name


def _place(dataset: Any, tag: int, size: int | None, offset: int, syntax: str, name: str) -> PixelPlace:
    number = number_in(dataset, name)
    rows, columns, frames = number("Rows", 0), number("Columns", 0), number("NumberOfFrames", 1)
    samples, bits = number("SamplesPerPixel", 1), number("BitsAllocated", 0)
    if min(rows, columns, frames, samples) < 1 or samples > 4:
        raise UnreadableFile(f"{name}: its header declares {frames} images of {rows} x {columns} x {samples} values")
    if _PIXELS[tag]:
        kind = _PIXELS[tag]
    elif bits in (8, 16, 32):
        kind = ("i" if number("PixelRepresentation", 0) else "u") + str(bits // 8)
    else:
        raise UnreadableFile(
            f"{name}: its pixels have {bits} bits each" + (": a segmentation" if bits == 1 else ""),
            hint="save it with 8 or 16 bits a pixel, or as NIfTI",
        )
    stored = number("BitsStored", bits)
    if not _PIXELS[tag] and not (0 < stored <= bits and number("HighBit", stored - 1) == stored - 1):
        raise UnreadableFile(f"{name}: its {stored} bits a pixel of {bits} lie in an unknown place")
    if dataset.get(_OVERLAY_BIT) is not None and int(dataset[_OVERLAY_BIT].value or 0) > 0:
        raise UnreadableFile(f"{name}: a drawing is stored in the unused bits of its pixels", hint="save it without")
    photometric = " ".join(texts(dataset, "PhotometricInterpretation"))
    if size is not None and syntax not in _UNCOMPRESSED:
        raise UnreadableFile(f"{name}: it says that it is compressed, and its pixels have a length")
    if photometric.startswith("YBR") and size is not None:
        raise UnreadableFile(f"{name}: its colours are {photometric}", hint="save it as RGB")
    order = ">" if syntax == _BIG_ENDIAN else "<"
    return PixelPlace(
        syntax, offset, size, rows, columns, samples, frames, order + kind, stored or bits,
        number("PlanarConfiguration", 0) == 1, photometric,
    )  # fmt: skip


def number_in(dataset: Any, name: str) -> Callable[[str, int], int]:
    """What gives a whole number of `dataset` by its keyword; it raises `UnreadableFile` for what is none."""

    def number(word: str, default: int) -> int:
        values = numbers(dataset, word, name)
        if values and not values[0].is_integer():
            raise UnreadableFile(f"{name}: {word} is {values[0]:g}, not a whole number")
        return int(values[0]) if values else default

    return number


def numbers(dataset: Any, word: str, name: str, count: int = 0) -> tuple[float, ...]:
    """The numbers of an element, none where it is empty or absent; `count` of them where that is given.

    Raises `UnreadableFile` when there are others, or one is not finite.
    """
    try:
        value = dataset.get(word)
        values = [] if value is None or value == "" else list(value) if _is_many(value) else [value]
        found = tuple(float(item) for item in values)
    except Exception as error:
        raise UnreadableFile(f"{name}: {word} is not a number: {plain(error)[:200]}", hint="repair it") from error
    if not np.isfinite(found).all() or (count and found and len(found) != count):
        raise UnreadableFile(f"{name}: {word} is {plain(found)[:200]}", hint="repair the file's header")
    return found


def texts(dataset: Any, word: str) -> tuple[str, ...]:
    """The words of an element as they are written, without what could steer a terminal."""
    try:
        value = dataset.get(word)
        values = [] if value is None or value == "" else list(value) if _is_many(value) else [value]
        return tuple(" ".join(plain(item).split())[:200] for item in values)
    except Exception:  # noqa: BLE001 (a damaged text is no reason to lose an image)
        return ()


def _is_many(value: Any) -> bool:
    # a person's name can be walked through too, letter by letter
    return isinstance(value, MutableSequence)


def damaged(name: str, error: Exception) -> UnreadableFile:
    """What to say of an error that pydicom raises: it converts a value when it is asked for."""
    if isinstance(error, UnreadableFile):
        return error
    why = "its sequences are nested without end" if isinstance(error, RecursionError) else plain(error)[:300]
    return UnreadableFile(f"{name} is damaged: {why}", hint="copy the file again, or save it again")
