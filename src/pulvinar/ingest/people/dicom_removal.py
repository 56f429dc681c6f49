"""The profile applied to one DICOM data set, with the options for modified dates and cleaned descriptors.

Source: DICOM PS3.15, annex E. What the table doesn't name is kept only where it can't hold free words.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from pulvinar.ingest.people.profile import Action, actions, imaging_words, is_dropped
from pulvinar.ingest.people.pseudonyms import Pseudonyms

_FREE_WORDS = frozenset(("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UN"))
_DATES = frozenset(("DA", "DT"))
_BYTES = frozenset(("OB", "OW", "OF", "OD", "OL", "OV"))
_NUMBERS = frozenset(("DS", "IS", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"))
_KEPT = frozenset(
    (
        *("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ScanningSequence", "SequenceVariant"),
        *("SequenceName", "MRAcquisitionType", "ScanOptions", "ImagedNucleus", "TransmitCoilName", "ReceiveCoilName"),
        *("InPlanePhaseEncodingDirection", "AngioFlag", "VariableFlipAngleFlag", "CodingSchemeDesignator", "CodeValue"),
        *("CodeMeaning", "PulseSequenceName", "RescaleType", "WindowCenterWidthExplanation", "StackID"),
        *("LUTExplanation", "RealWorldValueLUTLabel"),
    )
)
"""Free words that say how an image was made and are the machine's own."""
_DESCRIBING = frozenset(("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName"))
"""Of these, the words that every scanner uses stay."""
_BIRTH = frozenset(("PatientBirthDate", "PatientBirthTime", "PatientBirthDateInAlternativeCalendar"))
_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
_METHOD = "Pulvinar: DICOM PS3.15 Basic Profile, modified dates, cleaned descriptors"
_LENGTH = re.compile(r"\d{1,3}|[a-z]{0,2}\d{1,2}([.x]\d{1,2}){0,2}(mm)?")
_OF_PIXELS = (0x0028, 0x7FE0)
_DAY = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")


def remove_identifiers(dataset: Any, pseudonyms: Pseudonyms) -> str:
    """Take out of `dataset`, in place, whatever identifies a person; the pseudonym that stands for that person."""
    identity = identity_of(dataset)
    _clean(dataset, pseudonyms, identity)
    meta = getattr(dataset, "file_meta", None)
    if meta is not None:
        _clean_meta(meta, pseudonyms)
    subject = pseudonyms.subject(identity)
    dataset.PatientName = dataset.PatientID = subject
    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    dataset.DeidentificationMethod = _METHOD
    dataset.DeidentificationMethodCodeSequence = _codes()
    dataset.preamble = b"\0" * 128
    return subject


def identity_of(dataset: Any) -> str:
    """By what the images of one person are known to be of one person."""
    for word in ("PatientID", "PatientName", "StudyInstanceUID"):
        said = str(dataset.get(word, "")).strip("^= ")
        if said:
            return f"{word} {said}"
    return "nobody"


def described(text: str) -> str:
    """What of a description tells how an image was taken: words of that trade, and short numbers."""
    kept = [
        word
        for word in re.split(r"[\s_^/\\,;:()\[\]]+", text)
        if word.lower() in imaging_words() or _LENGTH.fullmatch(word.lower())
    ]
    return " ".join(kept)


def _clean(dataset: Any, pseudonyms: Pseudonyms, identity: str) -> None:
    for element in list(dataset):
        tag = int(element.tag)
        if is_dropped(tag):
            del dataset[element.tag]
        elif element.VR == "SQ":
            _clean_sequence(dataset, element, pseudonyms, identity)
        else:
            _clean_element(dataset, element, pseudonyms, identity)


def _clean_sequence(dataset: Any, element: Any, pseudonyms: Pseudonyms, identity: str) -> None:
    action = actions().get(int(element.tag))
    if action is Action.REMOVE:
        del dataset[element.tag]
    elif action in (Action.EMPTY, Action.DUMMY):
        element.value = []
    else:
        for item in element.value:
            _clean(item, pseudonyms, identity)


def _clean_element(dataset: Any, element: Any, pseudonyms: Pseudonyms, identity: str) -> None:
    action, kind, word = actions().get(int(element.tag)), element.VR, element.keyword
    if kind == "UI":
        element.value = _each(element.value, lambda one: pseudonyms.uid(str(one)))
    elif kind in _DATES and word not in _BIRTH:
        element.value = _each(element.value, lambda one: _moved(str(one), pseudonyms, identity))
    elif kind == "TM" and word not in _BIRTH:
        # a time without its day tells nothing, and images are put in order by it
        pass
    elif word in _DESCRIBING:
        element.value = described(" ".join(_listed(element.value)))
    elif word in _KEPT:
        pass
    elif action is Action.REMOVE or (action is None and _may_hold_words(int(element.tag), kind)):
        del dataset[element.tag]
    elif action is Action.EMPTY:
        element.value = None
    elif action is Action.DUMMY:
        element.value = _dummy(kind)


def _may_hold_words(tag: int, kind: str) -> bool:
    """Whether an attribute that the table doesn't name could say anything: pixels and look-up tables can't."""
    return kind in _FREE_WORDS or (kind in _BYTES and tag >> 16 not in _OF_PIXELS)


def _dummy(kind: str) -> Any:
    if kind in ("DS", "IS"):
        return "0"
    return 0 if kind in _NUMBERS else "REMOVED" if kind in _FREE_WORDS else None


def _clean_meta(meta: Any, pseudonyms: Pseudonyms) -> None:
    """Group 2: the instance's UID is replaced, and who sent the file goes."""
    for element in list(meta):
        if int(element.tag) & 0xFFFF >= 0x16:
            # application entities, presentation addresses and private information
            del meta[element.tag]
        elif element.VR == "UI":
            element.value = pseudonyms.uid(str(element.value))


def _moved(text: str, pseudonyms: Pseudonyms, identity: str) -> str:
    found = _DAY.match(text)
    if found is None:
        return ""
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return ""
    return f"{pseudonyms.moved(day, identity):%Y%m%d}" + text[found.end() :]


def _listed(value: Any) -> list[str]:
    return [str(value)] if isinstance(value, str) else [str(one) for one in value or ()]


def _each(value: Any, change: Any) -> Any:
    if value is None or value == "":
        return value
    if isinstance(value, list) or type(value).__name__ == "MultiValue":
        return [change(one) for one in value]
    return change(value)


def _codes() -> list[Any]:
    from pydicom.dataset import Dataset

    codes = []
    for value, meaning in _CODES:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        codes.append(code)
    return codes
