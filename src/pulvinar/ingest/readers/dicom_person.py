"""Who a DICOM file names. Nothing of it is kept: only whether there is something, and whether a name says it again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pulvinar.ingest.reader import Finding, Severity
from pulvinar.ingest.readers.dicom_file import PERSON_WORDS, texts

_NAMES = ("PatientName", "PatientBirthName", "PatientMotherBirthName", "OtherPatientNames", "PatientID")
_NOBODY = {
    "anon", "anonym", "anonymous", "anonymised", "anonymized", "deidentified", "none", "unknown", "phantom", "test",
    "patient", "subject", "volunteer", "control", "pilot", "sub", "mri", "brain", "human", "mouse",
}  # fmt: skip
_FEWEST_LETTERS = 3


@dataclass(frozen=True)
class Person:
    """`elements` that are filled; `words` of the person's names, in small letters, for comparing only."""

    elements: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    is_drawn: bool = False
    """Whether the image itself may have the name written into it."""


def person_in(dataset: Any) -> Person:
    """What of a person the header of one file holds."""
    filled = tuple(word for word in PERSON_WORDS if "".join(texts(dataset, word)).strip("^= "))
    words = {word for element in _NAMES for word in _words(" ".join(texts(dataset, element)))}
    return Person(filled, frozenset(words), texts(dataset, "BurnedInAnnotation")[:1] == ("YES",))


def names_somebody(text: str, words: Iterable[str]) -> bool:
    """Whether `text` has one of the `words` of a person's names."""
    found = set(_words(text))
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
    if elements:
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


def _words(text: str) -> list[str]:
    """The words of a name; one with a digit is a pseudonym, and a single letter is nobody's name."""
    parts = re.split(r"[\W_]+", text.lower())
    return [
        part
        for part in parts
        if part not in _NOBODY
        and not any(letter.isdigit() for letter in part)
        and (len(part) >= _FEWEST_LETTERS or (len(part) > 1 and not part.isascii()))
    ]
