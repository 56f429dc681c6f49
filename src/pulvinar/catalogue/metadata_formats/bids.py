"""The Brain Imaging Data Structure: dataset_description.json, participants, samples, and one sidecar.

Source: BIDS 1.10, "Modality agnostic files" and "Microscopy". `write` gives one object with an entry a file, so that a
program can lay them out; `read` takes that, or any one of the JSON files alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

from pulvinar.catalogue.metadata_formats.parts import (
    Document,
    age_of,
    age_text,
    as_address,
    bare_doi,
    object_of,
    related_of,
    species_key,
    text_of,
    texts_of,
    unlike,
    without_empty,
)
from pulvinar.model.dataset import Version
from pulvinar.model.derivation import Derivation, made_by_job
from pulvinar.model.job import JobInput
from pulvinar.model.record import Record, Subject
from pulvinar.model.terms import Vocabulary, by_identifier, known_as, latin_name, recognise

BIDS_VERSION = "1.10.0"
KEEPS = (
    "title", "species", "licence", "description", "lab", "contributors.name", "keywords", "doi",
    "related.identifier", "funding", "ethics", "citation", "subject.name", "subject.sex", "subject.age",
    "subject.strain", "specimen.name", "acquisition.modality", "acquisition.instrument", "acquisition.stains",
    "acquisition.voxel_size_um",
)  # fmt: skip
ABOUT_ALL = DESCRIPTION, _PEOPLE, _COLUMNS, _SAMPLES = (
    "dataset_description.json",
    "participants.tsv",
    "participants.json",
    "samples.tsv",
)
"""The files about a whole dataset."""
_SIDECAR = re.compile(r"sub-[0-9a-zA-Z+]+(?:_[a-z]+-[0-9a-zA-Z+]+)*_([0-9a-zA-Z]+)\.json")
_SIDECAR_FIELDS = frozenset(
    ("Manufacturer", "ManufacturersModelName", "InstitutionName", "RepetitionTime", "EchoTime", "PixelSize", "TaskName")
)
_UM = {"um": 1.0, "mm": 1000.0, "nm": 0.001}


def write(version: Version) -> Document:
    """The files of a version, by name: JSON files as objects, tables as text."""
    record = version.record
    subject = record.subject or Subject("unknown", record.species)
    name = f"sub-{_label(subject.name)}"
    files: Document = {DESCRIPTION: _description(version), _PEOPLE: _table(_participant(name, subject))}
    if age := age_of(subject.age):
        files[_COLUMNS] = {"age": {"Description": "Age of the subject at recording", "Units": age[1]}}
    suffix = known_as(Vocabulary.MODALITY, record.acquisition.modality, "bids")
    sample = ""
    if record.specimen.name:
        sample = f"_sample-{_label(record.specimen.name)}"
        row = {"sample_id": sample[1:], "participant_id": name, "sample_type": "tissue"}
        files[_SAMPLES] = _table(row)
    files[f"{name}{sample}_{suffix}.json" if suffix else "sidecar.json"] = _sidecar(record, suffix)
    return files


def _description(version: Version) -> Document:
    record, made_by = version.record, [made for made, _ in made_by_job(version.assets)]
    made: Document = without_empty(
        {
            "Name": record.title,
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative" if made_by else "raw",
            "GeneratedBy": unlike([_generator(one) for one in made_by]),
            "SourceDatasets": unlike([_source(source) for one in made_by for source in one.inputs]),
            "License": record.licence,
            "Authors": [person.name for person in record.contributors],
            "Keywords": list(record.keywords),
            "HowToAcknowledge": record.citation,
            "Funding": [f"{one.funder} ({one.award})" if one.award else one.funder for one in record.funding],
            "EthicsApprovals": [record.ethics],
            "ReferencesAndLinks": [as_address(one.identifier) for one in record.related],
            "DatasetDOI": f"doi:{bare_doi(record.doi)}" if bare_doi(record.doi) else "",
            # no field of the standard, which allows others
            "Description": record.description,
        }
    )
    return made


def _generator(made: Derivation) -> Document:
    libraries = ", ".join(f"{name} {number}" for name, number in made.libraries.items())
    return {"Name": f"Pulvinar {made.solution}", "Version": made.solution_version, "Description": libraries}


def _source(source: JobInput) -> Document:
    return {"URL": f"urn:pulvinar:{source.dataset_id}", "Version": f"{source.version} (sha256:{source.digest})"}


def _participant(name: str, subject: Subject) -> Document:
    age = age_of(subject.age)
    return {
        "participant_id": name,
        "species": latin_name(subject.species),
        "sex": {"hermaphrodite": "other", "unknown": ""}.get(subject.sex, subject.sex),
        "age": f"{age[0]:g}" if age else "",
        "strain": subject.strain,
    }


def _sidecar(record: Record, suffix: str) -> Document:
    acquisition = record.acquisition
    size = acquisition.voxel_size_um
    made: Document = without_empty(
        {
            "InstitutionName": record.lab,
            "ManufacturersModelName": acquisition.instrument,
            "SampleStaining": list(acquisition.stains),
            "BodyPart": record.specimen.part.upper(),
            "PixelSize": [size[2], size[1], size[0]] if size else None,
            "PixelSizeUnits": "um" if size else "",
            "RepetitionTime": acquisition.time_step_s if suffix == "bold" else None,
        }
    )
    return made


def _label(name: str) -> str:
    """`name` as BIDS allows labels: letters and digits alone."""
    return "".join(letter for letter in name if letter.isascii() and letter.isalnum()) or "unknown"


def _table(row: Mapping[str, str]) -> str:
    written = io.StringIO()
    table = csv.writer(written, delimiter="\t", lineterminator="\n")
    table.writerow(row)
    table.writerow([" ".join(cell.split()) or "n/a" for cell in row.values()])
    return written.getvalue()


def recognises(document: Any) -> bool:
    """Whether `document` is one of BIDS's JSON files, or several by name."""
    said = object_of(document)
    return "BIDSVersion" in said or DESCRIPTION in said or bool(_SIDECAR_FIELDS & set(said))


def read(document: Any) -> Document:
    """What BIDS files say of a dataset, in the fields of a record."""
    said = object_of(document)
    if "BIDSVersion" in said:
        return _read_description(said)
    if DESCRIPTION not in said:
        return _read_sidecar(said, "")
    made = _read_description(object_of(said[DESCRIPTION]))
    made |= _read_people(text_of(said.get(_PEOPLE)), object_of(said.get(_COLUMNS)))
    samples = _rows(text_of(said.get(_SAMPLES)))
    if samples:
        made["specimen"] = {"name": samples[0].get("sample_id", "").removeprefix("sample-")}
    for name, content in said.items():
        found = _SIDECAR.fullmatch(name)
        if found or name == "sidecar.json":
            made |= _read_sidecar(object_of(content), found[1] if found else "")
    return made


def _read_description(said: Mapping[str, Any]) -> Document:
    made: Document = without_empty(
        {
            "title": text_of(said.get("Name")),
            "licence": text_of(said.get("License")),
            "description": text_of(said.get("Description")),
            "contributors": [{"name": name} for name in texts_of(said.get("Authors"))],
            "keywords": texts_of(said.get("Keywords")),
            "citation": text_of(said.get("HowToAcknowledge")),
            "funding": [_funding(text) for text in texts_of(said.get("Funding"))],
            "ethics": "; ".join(texts_of(said.get("EthicsApprovals"))),
            "related": related_of(texts_of(said.get("ReferencesAndLinks"))),
            "doi": bare_doi(text_of(said.get("DatasetDOI"))),
        }
    )
    return made


def _funding(text: str) -> Document:
    found = re.fullmatch(r"(.+) \(([^()]+)\)", text)
    return {"funder": found[1], "award": found[2]} if found else {"funder": text}


def _read_people(table: str, columns: Mapping[str, Any]) -> Document:
    """The subject of a table of one; of several only the species, when all have the same."""
    rows = _rows(table)
    # the standard's default, for tables older than the column
    species = {species_key(row.get("species") or "homo sapiens") for row in rows}
    made: Document = {"species": species.pop()} if len(species) == 1 else {}
    if len(rows) != 1:
        return {key: value for key, value in made.items() if value}
    row = rows[0]
    sex = recognise(Vocabulary.SEX, row.get("sex", ""))
    unit = text_of(object_of(columns.get("age")).get("Units")) or "year"
    age = row.get("age", "")
    made["subject"] = {
        "name": row.get("participant_id", "").removeprefix("sub-"),
        "sex": sex.key if sex else "",
        "age": age_text(float(age), unit) if re.fullmatch(r"\d+(\.\d+)?", age, re.ASCII) else "",
        "strain": row.get("strain", ""),
    }
    known: Document = without_empty(made)
    return known


def _rows(table: str) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(table), delimiter="\t")
    return [
        {key: value for key, value in row.items() if isinstance(key, str) and isinstance(value, str) and value != "n/a"}
        for row in rows
    ]


def _read_sidecar(said: Mapping[str, Any], suffix: str) -> Document:
    term = by_identifier(Vocabulary.MODALITY, "bids", suffix) if suffix else None
    model = [text_of(said.get(name)) for name in ("Manufacturer", "ManufacturersModelName")]
    step = said.get("RepetitionTime") if suffix == "bold" or "TaskName" in said else None
    acquisition = {
        "modality": term.key if term else "",
        "instrument": " ".join(part for part in model if part),
        "stains": texts_of(said.get("SampleStaining")),
        "voxel_size_um": _voxel_size(said),
        "time_step_s": step if isinstance(step, int | float) and not isinstance(step, bool) and step > 0 else None,
    }
    made: Document = without_empty({"lab": text_of(said.get("InstitutionName")), "acquisition": acquisition})
    return made


def _voxel_size(said: Mapping[str, Any]) -> list[float] | None:
    """PixelSize as (z, y, x) in micrometres, when it has three sides and a known unit."""
    sides, worth = said.get("PixelSize"), _UM.get(text_of(said.get("PixelSizeUnits")))
    if worth is None or not isinstance(sides, list) or len(sides) != 3:
        return None
    if not all(isinstance(side, int | float) and not isinstance(side, bool) and side > 0 for side in sides):
        return None
    return [side * worth for side in reversed(sides)]
