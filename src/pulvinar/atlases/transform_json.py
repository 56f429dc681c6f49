"""Transforms as JSON values, for a database: a field is told by where it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pulvinar.atlases.displacement import StoredField
from pulvinar.errors import Invalid
from pulvinar.model.atlas import space_from_json
from pulvinar.model.space import Affine
from pulvinar.model.transform import (
    AffineTransform,
    Composition,
    DisplacementTransform,
    FieldGrid,
    Outside,
    Step,
    Transform,
    VectorField,
)
from pulvinar.storage.store import Store


def transform_to_json(transform: Transform, below: str = "") -> dict[str, Any]:
    """`transform` as JSON values; where its fields lie is told from `below` on, the beginning of their prefixes.

    Raises `Invalid` for a field that is not stored.
    """
    if isinstance(transform, Composition):
        return {"type": "composition", "parts": [transform_to_json(part, below) for part in transform.parts]}
    told: dict[str, Any] = {
        "source": asdict(transform.source),
        "target": asdict(transform.target),
        "expected_error_um": transform.expected_error_um,
        "provenance": transform.provenance,
    }
    if isinstance(transform, AffineTransform):
        return {"type": "affine", **told, "matrix_um": _rows_to_json(transform.matrix_um)}
    return {
        "type": "displacement",
        **told,
        "base_um": _rows_to_json(transform.base_um),
        "field": _field_to_json(transform.field, below),
        "inverse": _field_to_json(transform.inverse, below) if transform.inverse else None,
        "inversion_error_um": transform.inversion_error_um,
    }


def transform_from_json(data: Mapping[str, Any], store: Store, below: str = "") -> Transform:
    """The transform that `transform_to_json` wrote; its fields lie in `store` under `below` and their own prefixes, and
    nothing of them is read yet.

    Raises `Invalid` when `data` is not one.
    """
    try:
        if data["type"] == "composition":
            return Composition(tuple(_step(part, store, below) for part in data["parts"]))
        return _step(data, store, below)
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"this does not describe a transform: {error!r}") from error


def _step(data: Mapping[str, Any], store: Store, below: str) -> Step:
    said = dict(data)
    kind = said.pop("type")
    source, target = space_from_json(said.pop("source")), space_from_json(said.pop("target"))
    if kind == "affine":
        return AffineTransform(source, target, _rows(said.pop("matrix_um")), **said)
    if kind != "displacement":
        raise Invalid(f"there is no transform of type {kind!r}", hint="affine, displacement or composition")
    field, inverse = (_field(said.pop(name), store, below) for name in ("field", "inverse"))
    return DisplacementTransform(source, target, field, _rows(said.pop("base_um")), inverse=inverse, **said)


def _field_to_json(field: VectorField, below: str) -> dict[str, Any]:
    if not isinstance(field, StoredField):
        raise Invalid("the field of this transform lies in no store", hint="store_field puts it there")
    grid = field.grid
    return {
        "prefix": field.prefix.removeprefix(below),
        "shape": list(grid.shape),
        "voxel_to_space_um": _rows_to_json(grid.voxel_to_space_um),
        "outside": grid.outside.value,
    }


def _field(data: Mapping[str, Any] | None, store: Store, below: str) -> Any:
    if data is None:
        return None
    z, y, x = (int(size) for size in data["shape"])
    grid = FieldGrid((z, y, x), _rows(data["voxel_to_space_um"]), Outside(data["outside"]))
    return StoredField(store, below + data["prefix"], grid)


def _rows_to_json(affine: Affine) -> list[list[float]]:
    return [list(row) for row in affine]


def _rows(data: Any) -> Affine:
    return tuple(tuple(row) for row in data)
