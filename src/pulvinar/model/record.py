"""What people say of their data: who, what, how, under which terms.

A record is stored as JSON under the schema of its day, which it names. Reading brings an older one up to date; the
stored text stays as it was, for the digest of a published version covers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from pulvinar.model.record_migrations import SCHEMA_VERSION, up_to_date
from pulvinar.model.volume import Triple

_EXACT = ConfigDict(extra="forbid")
"""A field that no schema names is a slip, never passed over in silence."""


class Species(StrEnum):
    """The four species of day one."""

    ZEBRAFISH = "zebrafish"
    MOUSE = "mouse"
    MACAQUE = "macaque"
    HUMAN = "human"

    @property
    def ncbi_taxon(self) -> str:
        """The species' identifier in the NCBI taxonomy, as a CURIE."""
        return f"NCBITaxon:{_TAXA[self]}"


_TAXA = {Species.ZEBRAFISH: 7955, Species.MOUSE: 10090, Species.MACAQUE: 9544, Species.HUMAN: 9606}


@dataclass(frozen=True)
class Contributor:
    """A person or an institute; `orcid` without its address part."""

    __pydantic_config__ = _EXACT
    name: str
    role: str = "author"
    orcid: str = ""
    affiliation: str = ""


@dataclass(frozen=True)
class Funding:
    """Who paid; `award` is the number of the grant."""

    __pydantic_config__ = _EXACT
    funder: str
    award: str = ""


@dataclass(frozen=True)
class Related:
    """Another citable thing: a DOI ("10.1038/..."), "PMID:123" or an address; `relation` is DataCite's relationType."""

    __pydantic_config__ = _EXACT
    identifier: str
    relation: str = "References"


@dataclass(frozen=True)
class Subject:
    """The animal or person, by pseudonym. `age` at best as an ISO 8601 duration: P56D."""

    __pydantic_config__ = _EXACT
    name: str
    species: Species
    sex: str = ""
    age: str = ""
    strain: str = ""


@dataclass(frozen=True)
class Specimen:
    """What was taken from a subject."""

    __pydantic_config__ = _EXACT
    name: str = ""
    part: str = "brain"
    preparation: str = ""


@dataclass(frozen=True)
class Acquisition:
    """How it was recorded. `voxel_size_um` in (z, y, x); `orientation` as in `Space`; `date` as YYYY-MM-DD.

    `modality` and `stains` are keys of the controlled terms where those know them, else what was said.
    """

    __pydantic_config__ = _EXACT
    modality: str = ""
    instrument: str = ""
    stains: tuple[str, ...] = ()
    voxel_size_um: Triple | None = None
    orientation: str = ""
    time_step_s: float | None = None
    date: str = ""


@dataclass(frozen=True)
class Record:
    """The metadata of one dataset. `doi` is its own, without an address; `ethics` who approved, and under which number.

    `licence` is an SPDX identifier where there is one.
    """

    __pydantic_config__ = _EXACT
    title: str
    species: Species
    licence: str
    description: str = ""
    lab: str = ""
    subject: Subject | None = None
    specimen: Specimen = field(default_factory=Specimen)
    acquisition: Acquisition = field(default_factory=Acquisition)
    contributors: tuple[Contributor, ...] = ()
    keywords: tuple[str, ...] = ()
    citation: str = ""
    source: str = ""
    doi: str = ""
    related: tuple[Related, ...] = ()
    funding: tuple[Funding, ...] = ()
    ethics: str = ""
    schema_version: Literal[2] = SCHEMA_VERSION


def without_names(record: Record) -> Record:
    """`record` without what tells who made the data: people, lab, funding, what was published of it, its source."""
    nobody = replace(record, contributors=(), lab="", funding=(), ethics="")
    return replace(nobody, citation="", source="", doi="", related=())


RECORD = TypeAdapter(Record)
"""Checks values against the record's types, and makes the JSON Schema from them."""


def record_to_json(record: Record) -> dict[str, Any]:
    """`record` as plain JSON values, under the newest schema."""
    dumped: dict[str, Any] = RECORD.dump_python(record, mode="json")
    return dumped


def record_from_json(values: Mapping[str, Any]) -> Record:
    """The record that `record_to_json` wrote, now or under an older schema.

    Raises `Invalid` for the schema of a newer release, `pydantic.ValidationError` for what is no record.
    """
    return RECORD.validate_python(up_to_date(values))
