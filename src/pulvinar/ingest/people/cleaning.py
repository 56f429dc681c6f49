"""Copies of files without what identifies a person, and the check afterwards, which reads them anew.

It runs in the reader process. A format that isn't known here is not copied: nobody could say what it holds.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.people.dicom_removal import remove_identifiers
from pulvinar.ingest.people.identifiers import Identifier
from pulvinar.ingest.people.profile import is_dropped
from pulvinar.ingest.people.pseudonyms import Pseudonyms
from pulvinar.ingest.people.stored import safe_header
from pulvinar.ingest.people.writing import has_writing
from pulvinar.ingest.reader import SourceFile
from pulvinar.ingest.readers.dicom_file import is_dicom

_ANYWHERE = 6
"""Needles of so many letters are looked for in all bytes; shorter ones, in numbers, would be found by chance."""
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1", "gb18030", "shift-jis", "euc-kr")


@dataclass(frozen=True)
class Cleaned:
    """What became of one file: the pseudonym of its person ("" where it names nobody), and whether its image may have
    letters in it."""

    subject: str = ""
    writing: bool = False


def clean(file: SourceFile, into: Path, pseudonyms: Pseudonyms) -> Cleaned:
    """Write a copy of `file` without identifiers. Raises `UnreadableFile` for a format that isn't known."""
    name = file.name.lower()
    if is_dicom(file.head):
        return _clean_dicom(file.path, into, pseudonyms)
    cleaner = next((of for ending, of in _BY_ENDING.items() if name.endswith(ending)), None)
    if cleaner is None:
        raise UnreadableFile(
            f"{file.name}: nothing is known of how this format names a person", hint="leave the file out by --only"
        )
    cleaner(file.path, into)
    return Cleaned()


def check_clean(path: Path, identifiers: Sequence[Identifier]) -> list[str]:
    """What in a cleaned file may still tell of a person, found by reading it anew; nothing when it is clean."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    found = _left_in_dicom(path) if is_dicom(content[:4096]) else []
    pixels = b""
    if is_dicom(content[:4096]):
        content, pixels = _apart(path, content)
    lowered, pixels = content.lower(), pixels.lower()
    for one in identifiers:
        for needle in one.needles:
            within = (lowered, pixels) if len(needle) >= _ANYWHERE else (lowered,)
            if any(form in part for form in _forms(needle) for part in within):
                found.append(f"it still holds what {one.where} says")
    return list(dict.fromkeys(found))


def _forms(needle: str) -> set[bytes]:
    forms = set()
    for encoding in _ENCODINGS:
        for text in (needle, needle.replace(" ", "^"), needle.replace(" ", "_")):
            try:
                forms.add(text.encode(encoding).lower())
            except UnicodeEncodeError:
                continue
    return forms


def _apart(path: Path, content: bytes) -> tuple[bytes, bytes]:
    """All of a DICOM file but its pixels, and the pixels."""
    from pydicom import dcmread

    pixels = dcmread(path, force=True).get("PixelData", b"")
    return content.replace(pixels, b"", 1) if pixels else content, pixels


def _left_in_dicom(path: Path) -> list[str]:
    """Elements that the profile removes, in a file that is read once more."""
    from pydicom import dcmread

    dataset = dcmread(path, force=True)
    left = [str(one.tag) for one in dataset.iterall() if is_dropped(int(one.tag))]
    if content := path.read_bytes()[:128].strip(b"\0"):
        left.append(f"preamble ({len(content)} bytes)")
    return [f"it still has {tag}" for tag in left]


def _clean_dicom(path: Path, into: Path, pseudonyms: Pseudonyms) -> Cleaned:
    from pydicom import dcmread

    dataset = dcmread(path)
    said = str(dataset.get("BurnedInAnnotation", "")).upper() == "YES"
    subject = remove_identifiers(dataset, pseudonyms)
    dataset.save_as(into, enforce_file_format=True)
    return Cleaned(subject, said or _looks_written(dataset))


def _looks_written(dataset: Any) -> bool:
    if dataset.file_meta.TransferSyntaxUID.is_compressed or "PixelData" not in dataset:
        return False
    planes = dataset.pixel_array
    if int(dataset.get("SamplesPerPixel", 1)) > 1:
        planes = planes[..., 0]
    first = planes if planes.ndim == 2 else planes[len(planes) // 2]
    return has_writing(first)


def _clean_nifti(path: Path, into: Path) -> None:
    """The header's free words emptied, and its extensions left out: the voxels move up to where they begin."""
    packed = path.read_bytes()
    raw = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
    second = 540 in (int(np.frombuffer(raw[:4], "<i4")[0]), int(np.frombuffer(raw[:4], ">i4")[0]))
    order = "<" if int(np.frombuffer(raw[:4], "<i4")[0]) in (348, 540) else ">"
    size, fields = (540, _FREE_OF_NIFTI_2) if second else (348, _FREE_OF_NIFTI_1)
    head = bytearray(raw[:size])
    for start, length in fields:
        head[start : start + length] = bytes(length)
    kind, at = (np.dtype(f"{order}i8"), 168) if second else (np.dtype(f"{order}f4"), 108)
    offset = int(np.frombuffer(raw[at : at + kind.itemsize], kind)[0])
    if offset:
        head[at : at + kind.itemsize] = np.array([size + 4], kind).tobytes()
    content = bytes(head) + bytes(4) + raw[max(offset, size + 4) :]
    into.write_bytes(gzip.compress(content, 6, mtime=0) if path.name.lower().endswith(".gz") else content)


def _clean_json(path: Path, into: Path) -> None:
    said = json.loads(path.read_text("utf-8"))
    into.write_text(json.dumps(safe_header(said) if isinstance(said, dict) else {}, indent=1), "utf-8")


def _clean_swc(path: Path, into: Path) -> None:
    """Without comments, which hold free words."""
    lines = [line for line in path.read_bytes().splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
    # what follows the seven numbers of a node is free too
    numbers = [b" ".join(re.split(rb"[\s,]+", line.strip())[:7]) for line in lines]
    into.write_bytes(b"\n".join(numbers) + b"\n")


def _clean_tiff(path: Path, into: Path) -> None:
    """Pixels and their size alone: every text of the file goes."""
    import tifffile

    with tifffile.TiffFile(path) as opened, tifffile.TiffWriter(into, bigtiff=opened.is_bigtiff) as writer:
        for page in opened.pages:
            full = page.aspage()
            writer.write(
                full.asarray(),
                photometric=full.photometric,
                compression="zlib",
                resolution=full.resolution,
                resolutionunit=full.resolutionunit,
                description="",
                software="",
                metadata=None,
                contiguous=False,
            )


def _clean_nwb(path: Path, into: Path) -> None:
    """All but the subject and who was there: copied to a new file, for in the old one deleted words stay."""
    import h5py

    with h5py.File(path) as old, h5py.File(into, "w") as new:
        for key, value in old.attrs.items():
            new.attrs[key] = value
        for name in old:
            if name == "general":
                _copy_general(old[name], new.create_group(name))
            elif name not in _NWB_WORDS:
                old.copy(name, new)


def _copy_general(old: Any, new: Any) -> None:
    for key, value in old.attrs.items():
        new.attrs[key] = value
    for name in old:
        if name not in _NWB_PEOPLE:
            old.copy(name, new)


_FREE_OF_NIFTI_1 = ((4, 34), (148, 80), (228, 24), (328, 16))
"""Start and length of what holds free words: data_type and db_name, descrip, aux_file, intent_name."""
_FREE_OF_NIFTI_2 = ((240, 80), (320, 24), (508, 16))
_NWB_WORDS = (
    *("session_description", "identifier", "session_start_time", "timestamps_reference_time"),
    "file_create_date",
)
_NWB_PEOPLE = (
    *("subject", "experimenter", "notes", "session_id", "surgery", "institution", "lab", "experiment_description"),
    *("protocol", "source_script", "virus", "pharmacology", "data_collection", "slices"),
)
_BY_ENDING: Mapping[str, Callable[[Path, Path], None]] = {
    ".nii": _clean_nifti,
    ".nii.gz": _clean_nifti,
    ".json": _clean_json,
    ".swc": _clean_swc,
    ".tif": _clean_tiff,
    ".tiff": _clean_tiff,
    ".nwb": _clean_nwb,
}
