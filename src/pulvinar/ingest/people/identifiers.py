"""What a file says of a person, by format: collected only to be looked for where it must not be.

It runs in the reader process, for the files are whatever somebody has handed in.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.errors import PulvinarError
from pulvinar.ingest.reader import SourceFile
from pulvinar.ingest.readers.dicom_file import PERSON_WORDS, is_dicom, texts
from pulvinar.ingest.readers.dicom_person import words_of_name

_LEAST = 4
"""Shorter ones are found anywhere by chance."""
_MOST_BYTES = 1 << 20
_PEOPLE = ("Name", "Physician")
_DICOM_EXTENSION = 2


class IdentifierKind(StrEnum):
    """NAME: of a person, each word of it tells. TEXT: told by the whole of it. FREE: words that may say anything, a
    program's name as well as a person's."""

    NAME = "name"
    TEXT = "text"
    FREE = "free"


@dataclass(frozen=True)
class Identifier:
    """`text`, as the element `where` of a file says it."""

    text: str
    where: str
    kind: IdentifierKind = IdentifierKind.TEXT

    @property
    def needles(self) -> tuple[str, ...]:
        """What to look for, in small letters; none for what would be found anywhere."""
        if self.kind is IdentifierKind.NAME:
            words = words_of_name(self.text)
            return tuple(word for word in words if len(word) >= _LEAST or not word.isascii())
        whole = " ".join(self.text.lower().split())
        return (whole,) if len(whole) >= _LEAST and not _says_nothing(whole) else ()


def _says_nothing(text: str) -> bool:
    return text in _NOTHING or not any(letter.isalnum() for letter in text) or not text.strip("0")


_NOTHING = frozenset(("none", "null", "unknown", "anonymous", "anonymized", "anonymised", "removed", "n/a", "true"))


def identifiers_in(file: SourceFile) -> tuple[Identifier, ...]:
    """What `file` says of a person; nothing for a format that can't say anything, or a file that can't be read."""
    name = file.name.lower()
    try:
        if is_dicom(file.head):
            found = _in_dicom(file.path)
        elif name.endswith((".nii", ".nii.gz", ".hdr", ".hdr.gz")):
            found = _in_nifti(file.path)
        else:
            found = next((of(file.path) for ending, of in _BY_ENDING.items() if name.endswith(ending)), iter(()))
        return tuple(dict.fromkeys(one for one in found if one.needles))
    except (PulvinarError, OSError, ValueError, EOFError, KeyError, AttributeError, RecursionError):
        return ()


def _of_element(word: str, said: str) -> Identifier:
    names = any(part in word for part in _PEOPLE) and "Institution" not in word
    return Identifier(said, word, IdentifierKind.NAME if names else IdentifierKind.TEXT)


def _in_dicom(path: Path) -> Iterator[Identifier]:
    from pydicom import dcmread

    asked = [*PERSON_WORDS, "PatientIdentityRemoved"]
    dataset = dcmread(path, stop_before_pixels=True, force=True, specific_tags=asked)
    yield from _in_dataset(dataset)


def _in_dataset(dataset: Any) -> Iterator[Identifier]:
    removed = texts(dataset, "PatientIdentityRemoved")[:1] == ("YES",)
    for word in PERSON_WORDS:
        if removed and word in ("PatientName", "PatientID"):
            continue
        value = dataset.get(word)
        if value is not None and type(value).__name__ == "Sequence":
            yield from chain.from_iterable(_all_texts(item) for item in value)
        else:
            yield from (_of_element(word, one) for one in texts(dataset, word))


def _all_texts(dataset: Any) -> Iterator[Identifier]:
    for element in dataset:
        if element.VR == "SQ":
            yield from chain.from_iterable(_all_texts(item) for item in element.value)
        elif element.VR in ("PN", "LO", "SH", "ST", "LT", "DA"):
            yield from (_of_element(element.keyword, one) for one in texts(dataset, element.keyword))


def _in_nifti(path: Path) -> Iterator[Identifier]:
    head = _beginning(path)
    size = int(np.frombuffer(head[:4], "<i4")[0])
    order = "<" if size in (348, 540) else ">"
    fields = {"db_name": (14, 18), "descrip": (148, 80), "aux_file": (228, 24), "intent_name": (328, 16)}
    if 540 in (size, int(np.frombuffer(head[:4], ">i4")[0])):
        fields = {"descrip": (240, 80), "aux_file": (320, 24), "intent_name": (508, 16)}
    first = 540 if "db_name" not in fields else 348
    for name, (start, length) in fields.items():
        yield Identifier(_text(head[start : start + length].split(b"\0")[0]), name, IdentifierKind.FREE)
    yield from _in_extensions(head, first, order)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not packed:
            return raw.read(_MOST_BYTES)
        with gzip.open(raw) as stream:
            return stream.read(_MOST_BYTES)


def _in_extensions(head: bytes, first: int, order: str) -> Iterator[Identifier]:
    position = first + 4
    if head[first : first + 1] in (b"", b"\0"):
        return
    while position + 8 <= len(head):
        size, code = np.frombuffer(head[position : position + 8], f"{order}i4").tolist()
        if size < 16:
            return
        content = head[position + 8 : position + size].rstrip(b"\0")
        if code == _DICOM_EXTENSION:
            yield from _in_dicom_extension(content)
        elif content.lstrip()[:1] == b"{":
            yield from _in_document(json.loads(content))
        position += size


def _in_dicom_extension(content: bytes) -> Iterator[Identifier]:
    import io

    from pydicom.filereader import read_dataset

    yield from _in_dataset(read_dataset(io.BytesIO(content), False, True))


def _in_json(path: Path) -> Iterator[Identifier]:
    if path.stat().st_size <= 16 * _MOST_BYTES:
        yield from _in_document(json.loads(path.read_text("utf-8")))


def _in_document(document: Any) -> Iterator[Identifier]:
    """What a JSON document says under the keywords of DICOM's elements that name a person."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            word = next((one for one in PERSON_WORDS if one.lower() == str(key).lower()), None)
            if word and isinstance(value, str | int | float | list):
                yield from (_of_element(word, str(one)) for one in (value if isinstance(value, list) else [value]))
            else:
                yield from _in_document(value)
    elif isinstance(document, list):
        yield from chain.from_iterable(map(_in_document, document))


_SAID_OF_PERSON = re.compile(r"(?i)\b(?:patient|subject|participant|donor|born|birth|mrn|name)\w*\s*[:=]\s*(.{3,120})")


def _in_comments(path: Path) -> Iterator[Identifier]:
    """What the comments of a neuron say of whom it is."""
    with path.open("rb") as stream:
        lines = stream.read(_MOST_BYTES).splitlines()
    for line in lines:
        if line.lstrip().startswith(b"#") and (found := _SAID_OF_PERSON.search(_text(line))):
            yield Identifier(found[1].strip(), "comment", IdentifierKind.NAME)
            yield Identifier(found[1].strip(), "comment")


def _in_tiff(path: Path) -> Iterator[Identifier]:
    import tifffile

    with tifffile.TiffFile(path) as opened:
        tags = opened.pages[0].tags
        said = {name: str(tags[name].value) for name in ("ImageDescription", "Artist", "Copyright") if name in tags}
    yield from (Identifier(said[name], name, IdentifierKind.NAME) for name in ("Artist", "Copyright") if name in said)
    for found in _SAID_OF_PERSON.finditer(said.get("ImageDescription", "")):
        yield Identifier(found[1].strip(), "ImageDescription", IdentifierKind.NAME)
        yield Identifier(found[1].strip(), "ImageDescription")


def _in_nwb(path: Path) -> Iterator[Identifier]:
    import h5py

    with h5py.File(path) as opened:
        subject = opened.get("general/subject")
        for name in ("subject_id", "description", "date_of_birth") if subject is not None else ():
            if name in subject:
                kind = IdentifierKind.TEXT if name == "date_of_birth" else IdentifierKind.FREE
                yield Identifier(_text(subject[name][()]), f"subject/{name}", kind)


_BY_ENDING: Mapping[str, Callable[[Path], Iterator[Identifier]]] = {
    ".json": _in_json,
    ".swc": _in_comments,
    ".tif": _in_tiff,
    ".tiff": _in_tiff,
    ".nwb": _in_nwb,
}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
