"""A reference brain: a space, its templates, an annotation, an ontology and meshes, each with a version of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from pulvinar.errors import Invalid, NotFound, SpaceMismatch
from pulvinar.model.record import Species
from pulvinar.model.space import Affine, Points, Space


class PartKind(StrEnum):
    """What a part of an atlas is."""

    TEMPLATE = "template"
    ANNOTATION = "annotation"
    TERMINOLOGY = "terminology"
    MESHES = "meshes"


@dataclass(frozen=True)
class AtlasPart:
    """One part: an asset of the dataset that the atlas is stored as. Two versions of an atlas may share it.

    `voxel_to_space_um` maps the voxel index (z, y, x, 1) of a volume's level 0 to micrometres (z, y, x) of the atlas's
    space; None for what has no voxels.
    """

    kind: PartKind
    name: str
    version: str
    asset_id: str
    digest: str
    voxel_to_space_um: Affine | None = None


@dataclass(frozen=True)
class Atlas:
    """The manifest of an atlas.

    `ontology` names its terminology: two atlases may share one. `midline_um` is where the plane between the two sides
    lies on the left-right axis of its space, None where nobody knows.
    """

    name: str
    version: str
    title: str
    species: Species
    space: Space
    ontology: str
    licence: str
    citation: str
    title_zh: str = ""
    source: str = ""
    midline_um: float | None = None
    parts: tuple[AtlasPart, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def label(self, language: str) -> str:
        """The title in "en" or "zh"."""
        return self.title_zh if language == "zh" and self.title_zh else self.title

    def mirror(self, points: Points) -> Points:
        """The same places on the other side. Raises `SpaceMismatch` for points of another space, `Invalid` where nobody
        knows the middle."""
        if points.space.name != self.space.name:
            raise SpaceMismatch(
                f"the points are in {points.space.name}, the atlas is in {self.space.name}",
                hint="transform_points brings them there",
            )
        axis = next((i for i, letter in enumerate(self.space.orientation) if letter in "LR"), None)
        if axis is None or self.midline_um is None:
            raise Invalid(f"nobody has said where the middle of {self.space.name} is", hint="use an atlas that says it")
        mirrored = points.zyx_um.copy()
        mirrored[:, axis] = 2 * self.midline_um - mirrored[:, axis]
        return Points(self.space, mirrored)

    def part(self, kind: PartKind, name: str = "") -> AtlasPart:
        """The first part of that kind (and name); raises `NotFound`."""
        for part in self.parts:
            if part.kind is kind and name in ("", part.name):
                return part
        what = f"{kind.value} {name}".strip()
        has = ", ".join(f"{part.kind.value} {part.name}" for part in self.parts)
        raise NotFound(f"atlas {self.name} {self.version} has no {what}", hint=f"it has {has}")

    def has(self, kind: PartKind) -> bool:
        """Whether there is a part of that kind."""
        return any(part.kind is kind for part in self.parts)


def atlas_to_json(atlas: Atlas) -> dict[str, Any]:
    """`atlas` as JSON values, under its field names."""
    told = asdict(atlas)
    told["species"] = atlas.species.value
    for part in told["parts"]:
        part["kind"] = part["kind"].value
    return told


def atlas_from_json(data: Mapping[str, Any]) -> Atlas:
    """The atlas that `atlas_to_json` wrote; raises `Invalid` when `data` is not one."""
    try:
        said = dict(data)
        return Atlas(
            species=Species(said.pop("species")),
            space=space_from_json(said.pop("space")),
            parts=tuple(_part(item) for item in said.pop("parts")),
            **said,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"this does not describe an atlas: {error!r}") from error


def space_from_json(data: Mapping[str, Any]) -> Space:
    """The space whose fields `data` has; raises `Invalid`."""
    try:
        extent = data.get("extent_um")
        return Space(
            data["name"],
            data["species"],
            data.get("orientation", ""),
            tuple(data.get("origin_um", (0.0, 0.0, 0.0))),
            tuple(extent) if extent else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"this does not describe a space: {error!r}") from error


def _part(data: Mapping[str, Any]) -> AtlasPart:
    said = dict(data)
    affine = said.pop("voxel_to_space_um", None)
    rows: Affine | None = tuple(tuple(row) for row in affine) if affine else None
    return AtlasPart(kind=PartKind(said.pop("kind")), voxel_to_space_um=rows, **said)
