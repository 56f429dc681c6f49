"""What an NWB file says of its session, its subject and the people behind it.

The identifier of a subject, and the day of the session, are kept of animals alone: where the species is not known to be
another, the subject may be a person.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from pulvinar.errors import Invalid
from pulvinar.ingest.reader import Finding, Severity
from pulvinar.ingest.readers.hdf5_files import member
from pulvinar.ingest.readers.hdf5_values import is_group, text_at, text_said, texts_at
from pulvinar.ingest.record import species_of
from pulvinar.model.record import Species

_MOST_TITLE = 200
_SEXES = {"m": "male", "f": "female", "o": "other"}
_INTRACELLULAR = ("ClampSeries", "ClampStimulusSeries", "IZeroClampSeries", "PatchClampSeries")
_SESSION = ("session_id", "protocol", "pharmacology", "stimulus", "surgery", "virus", "slices", "notes")


def about_session(file: Any, name: str) -> tuple[dict[str, Any], list[Finding]]:
    """The record's fields as the file fills them, further words under "session", and what was left out."""
    subject = member(file, "general/subject", name)
    species = _species_of(text_at(subject, "species", name)) if is_group(subject) else None
    animal = species is not None and species is not Species.HUMAN
    said: dict[str, Any] = {
        "title": text_at(file, "session_description", name)[:_MOST_TITLE],
        "description": text_at(file, "general/experiment_description", name),
        "lab": ", ".join(filter(None, (text_at(file, f"general/{key}", name) for key in ("lab", "institution")))),
        "contributors": [person.replace("<", "") for person in texts_at(file, "general/experimenter", name)],
        "keywords": texts_at(file, "general/keywords", name),
        "citation": text_at(file, "general/related_publications", name),
        "instrument": _instruments(file, name),
        **_subject(subject, species, name, animal=animal),
    }
    session = {key: text_at(file, f"general/{key}", name) for key in _SESSION if animal or key != "session_id"}
    if animal:
        session["start"] = text_at(file, "session_start_time", name)
    said["session"] = {key: value for key, value in session.items() if value}
    hidden = is_group(subject) and not animal and bool({"subject_id", "date_of_birth"} & set(subject))
    text = "its subject may be a person: the subject's identifier and dates are left out"
    return {key: value for key, value in said.items() if value}, [Finding(Severity.NOTE, text)] if hidden else []


def modality_of(kind: str) -> str:
    """How a series of the type `kind` was recorded, "" where the type doesn't tell."""
    if kind.endswith(_INTRACELLULAR):
        return "intracellular electrophysiology"
    if kind in ("ElectricalSeries", "SpikeEventSeries", "Units"):
        return "extracellular electrophysiology"
    if kind in ("TwoPhotonSeries", "OnePhotonSeries"):
        return f"{kind.removesuffix('PhotonSeries').lower()}-photon imaging"
    return "optical physiology" if kind in ("RoiResponseSeries", "PlaneSegmentation") else ""


def _species_of(said: str) -> Species | None:
    """The species that the file names, in words or by its number in the NCBI taxonomy; None for any other."""
    taxon = re.search(r"NCBITaxon[_:](\d+)$", said)
    if taxon:
        return next((one for one in Species if one.ncbi_taxon == f"NCBITaxon:{taxon[1]}"), None)
    words = re.findall(r"[^\W\d_]+", said.lower())
    phrases = [said, *words, *(" ".join(pair) for pair in pairwise(words))]
    found = {one for phrase in phrases if (one := _known(phrase)) is not None}
    return found.pop() if len(found) == 1 else None


def _known(phrase: str) -> Species | None:
    try:
        return species_of(phrase)
    except Invalid:
        return None


def _subject(subject: Any, species: Species | None, name: str, *, animal: bool) -> dict[str, str]:
    if not is_group(subject):
        return {}
    sex = text_at(subject, "sex", name)
    said = {
        "species": species.value if species is not None else text_at(subject, "species", name),
        "sex": _SEXES.get(sex.lower(), sex),
        "age": text_at(subject, "age", name),
        "strain": text_at(subject, "strain", name) or text_at(subject, "genotype", name),
    }
    return {**said, "subject": text_at(subject, "subject_id", name)} if animal else said


def _instruments(file: Any, name: str) -> str:
    devices = member(file, "general/devices", name)
    if not is_group(devices):
        return ""
    found = [member(devices, key, name) for key in list(devices)[:10]]
    return "; ".join(text_said(device, "description") or device.name.rpartition("/")[2] for device in found if device)
