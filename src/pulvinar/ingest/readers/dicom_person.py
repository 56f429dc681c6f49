"""Who a DICOM file names. Nothing of it is kept: only whether there is something, and whether a name says it again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pulvinar.ingest.reader import Finding, Severity
from pulvinar.ingest.readers.dicom_file import PERSON_WORDS, PRIVATE, Header, texts

_NAMES = ("PatientName", "PatientBirthName", "PatientMotherBirthName", "OtherPatientNames", "PatientID")
_NOBODY = {
    "anon", "anonym", "anonymous", "anonymised", "anonymized", "deidentified", "none", "unknown", "phantom", "test",
    "patient", "subject", "volunteer", "control", "pilot", "sub", "mri", "brain", "human", "mouse",
}  # fmt: skip
_PSEUDONYMS = ("PatientName", "PatientID")
_FEWEST_LETTERS = 3
_TAG = re.compile(r"(?:^|[^0-9a-f])([0-9a-f]{4})[|,_]([0-9a-f]{4})(?![0-9a-f])", re.IGNORECASE)


@dataclass(frozen=True)
class Person:
    """`elements` that are filled; `words` of the person's names, in small letters, for comparing only."""

    elements: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    is_drawn: bool = False
    """Whether the image itself may have the name written into it."""


def person_in(header: Header) -> Person:
    """What of a person the header of one file holds.

    Where it says that the identity was removed, name and identifier are pseudonyms; all else counts as it does
    anywhere, for recipes that say so leave much.
    """
    dataset = header.dataset
    is_removed = texts(dataset, "PatientIdentityRemoved")[:1] == ("YES",)
    asked = [word for word in PERSON_WORDS if not (is_removed and word in _PSEUDONYMS)]
    filled = tuple(word for word in asked if "".join(texts(dataset, word)).strip("^= "))
    words = {word for element in _NAMES for word in words_of_name(" ".join(texts(dataset, element)))}
    is_drawn = texts(dataset, "BurnedInAnnotation")[:1] == ("YES",)
    return Person((*filled, *([PRIVATE] if header.has_private else [])), frozenset(words), is_drawn)


def without_person(header: Mapping[str, str]) -> tuple[dict[str, str], Person]:
    """The fields of another format's header but those that hold an element of DICOM that names a person.

    Converters keep DICOM's elements under their keyword or their tag: "PatientName", "0010|0010",
    "DICOM_0010_0010_PatientName", "(0010,0010)".
    """
    found = {key: word for key in header if (word := _person_word(key)) is not None}
    kept = {key: value for key, value in header.items() if key not in found}
    filled = dict.fromkeys(word for key, word in found.items() if header[key].strip("^= "))
    return kept, Person(tuple(filled))


def _person_word(key: str) -> str | None:
    keywords = _person_keywords()
    letters = re.sub(r"[^a-z0-9]", "", key.lower())
    by_word = next((word for small, word in keywords.items() if letters.endswith(small)), None)
    tag = _TAG.search(key)
    return by_word or (_person_tags().get((tag[1] + tag[2]).lower()) if tag else None)


@cache
def _person_keywords() -> dict[str, str]:
    return {word.lower(): word for word in PERSON_WORDS}


@cache
def _person_tags() -> dict[str, str]:
    from pydicom.datadict import tag_for_keyword

    return {f"{tag:08x}": word for word in PERSON_WORDS if (tag := tag_for_keyword(word)) is not None}


def names_somebody(text: str, words: Iterable[str]) -> bool:
    """Whether `text` has one of the `words` of a person's names."""
    found = set(words_of_name(text))
    return any(word in found for word in words)


def person_findings(people: Iterable[Person], files: Sequence[str]) -> list[Finding]:
    """What is to be said of the people in the files of one series."""
    elements: dict[str, None] = {}
    words: set[str] = set()
    is_drawn = False
    for person in people:
        elements.update(dict.fromkeys(person.elements))
        words |= person.words
        is_drawn = is_drawn or person.is_drawn
    findings = []
    if list(elements) == [PRIVATE]:
        text = (
            "its files have private elements, which may name a person: nothing of them is kept, but --originals keep "
            "would store the files themselves"
        )
        findings.append(Finding(Severity.NOTE, text, "--originals"))
    elif elements:
        text = (
            f"its files name a person ({', '.join(elements)}): nothing of that is kept, but --originals keep would "
            "store the files themselves"
        )
        findings.append(Finding(Severity.DOUBT, text, "--originals"))
    if any(names_somebody(file, words) for file in files):
        text = "the names of its files or folders hold the person's name, and would be kept: rename them"
        findings.append(Finding(Severity.QUESTION, text, "--only"))
    if is_drawn:
        findings.append(Finding(Severity.DOUBT, "its images have writing in them, which may name a person"))
    return findings


def words_of_name(text: str) -> list[str]:
    """The words of a name; one with a digit is a pseudonym, and a single letter is nobody's name."""
    parts = re.split(r"[\W_]+", text.lower())
    return [
        part
        for part in parts
        if part not in _NOBODY
        and not any(letter.isdigit() for letter in part)
        and (len(part) >= _FEWEST_LETTERS or (len(part) > 1 and not part.isascii()))
    ]
