"""Where in a brain an asset lies, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pulvinar.model.volume import Triple


class Certainty(StrEnum):
    """How it is known where an asset lies."""

    MEASURED = "measured"
    """It was aligned to the space, and the error of that is known."""
    STATED = "stated"
    """Who handed it in says that its coordinates are those of the space."""
    NAME = "name"
    """Only names of regions are known: of where it was taken, or of the parcels of its signals."""


class Role(StrEnum):
    """What a value of a region counts."""

    SHARE = "share"
    """The part of a volume's voxels that lie in it, 0 to 1."""
    SOMA = "soma"
    END = "end"
    LENGTH = "length"
    """Micrometres of neurite."""
    COUNT = "count"
    """Points of a table; those of one type have the role that `typed_count` gives."""
    PARCEL = "parcel"
    """Signals, or rows of a matrix, that are called so."""
    NAMED = "named"
    """The record names it as where the specimen was taken."""


class PlaceRole(StrEnum):
    """What places the index of a space holds."""

    NODE = "node"
    SOMA = "soma"
    END = "end"
    CELL = "cell"
    BOX = "box"
    """The box of what has no places of its own, as a volume."""


LONGEST_TYPE = 100
"""A type of cells is told by so many of its first characters."""


def typed_count(kind: str) -> str:
    """The role under which the points of one type are counted: "count:Astrocyte"."""
    return f"{Role.COUNT}:{kind[:LONGEST_TYPE]}"


@dataclass(frozen=True)
class Anchor:
    """Where an asset lies in one atlas.

    `box_um` are the first corner and the one beyond the last place (z, y, x) in the atlas's `space`, None where only
    names are known. `error_um` is how far off places may be, None where nobody knows. `shares` has a value a region by
    role (`Role`, or `typed_count`), of each region alone, without those below it; what lies in no region is in none.
    `stale` says that the atlas has been installed anew, or in another version, since: `pulvinar anchor --stale` renews
    it.
    """

    atlas: str
    atlas_version: str
    space: str
    certainty: Certainty
    box_um: tuple[Triple, Triple] | None = None
    error_um: float | None = None
    shares: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    stale: bool = False


def measured_space(name: str, error_um: float | None = None) -> dict[str, Any]:
    """What an asset's details say when it was measured that it lies in the space `name`, and how far off."""
    error = {} if error_um is None else {"error_um": error_um}
    return {"space": {"name": name, "certainty": Certainty.MEASURED.value, **error}}


def stated_space(name: str) -> dict[str, Any]:
    """What an asset's details say when its coordinates are stated to be in the space `name`; nothing for ""."""
    return {"space": {"name": name, "certainty": Certainty.STATED.value}} if name else {}
