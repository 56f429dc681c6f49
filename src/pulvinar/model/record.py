"""What people say of their data: who, what, how, under which terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from pulvinar.model.volume import Triple


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

    name: str
    role: str = "author"
    orcid: str = ""


@dataclass(frozen=True)
class Subject:
    """The animal or person, by pseudonym."""

    name: str
    species: Species
    sex: str = ""
    age: str = ""
    strain: str = ""


@dataclass(frozen=True)
class Specimen:
    """What was taken from a subject."""

    name: str = ""
    part: str = "brain"
    preparation: str = ""


@dataclass(frozen=True)
class Acquisition:
    """How it was recorded. `voxel_size_um` in (z, y, x); `orientation` as in `Space`."""

    modality: str = ""
    instrument: str = ""
    stain: str = ""
    voxel_size_um: Triple | None = None
    orientation: str = ""
    time_step_s: float | None = None


@dataclass(frozen=True)
class Record:
    """The metadata of one dataset."""

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


_ADAPTER = TypeAdapter(Record)


def record_to_json(record: Record) -> dict[str, Any]:
    """`record` as plain JSON values."""
    dumped: dict[str, Any] = _ADAPTER.dump_python(record, mode="json")
    return dumped


def record_from_json(values: dict[str, Any]) -> Record:
    """The record that `record_to_json` wrote."""
    return _ADAPTER.validate_python(values)
