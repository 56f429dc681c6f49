"""The one list of formats, and how a document finds the one it is in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pulvinar.catalogue.metadata_formats import bids, datacite, nwb, ome, openminds, provenance
from pulvinar.catalogue.metadata_formats.parts import Document, object_of
from pulvinar.catalogue.record_schema import record_fields
from pulvinar.errors import Invalid
from pulvinar.model.dataset import Version
from pulvinar.model.record import record_to_json
from pulvinar.model.record_migrations import SCHEMA_VERSION, up_to_date


class FormatName(StrEnum):
    """The formats of metadata."""

    PULVINAR = "pulvinar"
    DATACITE = "datacite"
    BIDS = "bids"
    NWB = "nwb"
    OME = "ome"
    OPENMINDS = "openminds"
    RO_CRATE = "ro-crate"
    PROV = "prov"


@dataclass(frozen=True)
class MetadataFormat:
    """One format. `write` gives JSON values or text; `keeps` are the fields that come back, "*" for all, and none of a
    format that is only written."""

    title: str
    media_type: str
    suffix: str
    keeps: tuple[str, ...]
    write: Callable[[Version], Any]
    recognises: Callable[[Any], bool] = lambda _: False
    read: Callable[[Any], Document] = lambda _: {}


def _write_ours(version: Version) -> Document:
    return record_to_json(version.record)


def _is_ours(document: Any) -> bool:
    return not set(record_fields()).isdisjoint(object_of(document))


def _read_ours(document: Any) -> Document:
    said = dict(object_of(document))
    older = "stain" in object_of(said.get("acquisition"))
    read = up_to_date({"schema_version": 1 if older else SCHEMA_VERSION, **said})
    return {key: value for key, value in read.items() if key != "schema_version"}


FORMATS = {
    FormatName.DATACITE: MetadataFormat(
        "DataCite 4.5", "application/json", "datacite.json",
        datacite.KEEPS, datacite.write, datacite.recognises, datacite.read,
    ),
    FormatName.BIDS: MetadataFormat(
        "BIDS 1.10", "application/json", "bids.json", bids.KEEPS, bids.write, bids.recognises, bids.read
    ),
    FormatName.NWB: MetadataFormat(
        "NWB 2", "application/json", "nwb.json", nwb.KEEPS, nwb.write, nwb.recognises, nwb.read
    ),
    FormatName.OME: MetadataFormat(
        "OME-XML 2016-06", "application/xml", "ome.xml", ome.KEEPS, ome.write, ome.recognises, ome.read
    ),
    FormatName.OPENMINDS: MetadataFormat(
        "openMINDS 4", "application/ld+json", "openminds.jsonld",
        openminds.KEEPS, openminds.write, openminds.recognises, openminds.read,
    ),
    FormatName.RO_CRATE: MetadataFormat(
        "RO-Crate 1.1", "application/ld+json", "ro-crate-metadata.json", (), provenance.write_crate
    ),
    FormatName.PROV: MetadataFormat("W3C PROV", "application/json", "prov.json", (), provenance.write_prov),
    FormatName.PULVINAR: MetadataFormat(
        "Pulvinar", "application/json", "record.json", ("*",), _write_ours, _is_ours, _read_ours
    ),
}  # fmt: skip
"""Every format, the most telling first: a document is of the first that recognises it."""


def write_text(version: Version, name: FormatName) -> str:
    """The metadata of a version in a format, as the text of a file."""
    made = FORMATS[name].write(version)
    return made if isinstance(made, str) else json.dumps(made, ensure_ascii=False, indent=2) + "\n"


def read_document(document: Any) -> tuple[FormatName, Document]:
    """The format of a document (JSON values, or the text of an XML file), and what it says as fields of a record.

    Raises `Invalid` for what is none of the formats, or damaged.
    """
    for name, known in FORMATS.items():
        if known.recognises(document):
            return name, known.read(document)
    titles = ", ".join(known.title for known in FORMATS.values() if known.keeps)
    raise Invalid(
        f"this is no metadata that Pulvinar reads: {titles}", hint="pulvinar template writes a record to fill in"
    )
