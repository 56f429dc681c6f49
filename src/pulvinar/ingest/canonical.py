"""What the stored forms of skeletons, meshes, tables, signals and matrices have in common."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pulvinar.errors import Invalid

NM_PER_UM = 1000.0
SEGMENT = 1
"""The id under which the one skeleton or mesh of an asset is found in its view."""


@dataclass(frozen=True)
class GeometryFiles:
    """The objects of an asset, by path, and what is to be known of it without opening them."""

    files: Mapping[str, bytes]
    details: Mapping[str, Any]


def parquet(columns: Mapping[str, Any]) -> bytes:
    """`columns`, arrays of numpy or Arrow, as a Parquet file (zstd); text columns keep empty fields as null."""
    arrays = {name: _arrow(values) for name, values in columns.items()}
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays), sink, compression="zstd")
    return sink.getvalue()


def segment_properties(
    labels: Mapping[int, str], tags: Mapping[int, str] | None = None, colours: Mapping[int, str] | None = None
) -> dict[str, Any]:
    """Neuroglancer's segment properties document: the name of each id, a short description, a colour as #RRGGBB."""
    ids = sorted(labels)
    properties: list[dict[str, Any]] = [{"id": "label", "type": "label", "values": [labels[key] for key in ids]}]
    if tags:
        properties.append({"id": "description", "type": "description", "values": [tags.get(key, "") for key in ids]})
    if colours:
        shown = [f"#{colours[key]}" if key in colours else "" for key in ids]
        properties.append({"id": "color", "type": "string", "values": shown})
    return {
        "@type": "neuroglancer_segment_properties",
        "inline": {"ids": [str(key) for key in ids], "properties": properties},
    }


def check_places(zyx_um: npt.NDArray[np.float64], name: str) -> None:
    """Raise `Invalid` where there is no place, or one that is not finite."""
    if not len(zyx_um) or not np.isfinite(zyx_um).all():
        raise Invalid(f"{name}: {'has no points' if not len(zyx_um) else 'a coordinate is not a finite number'}")


def extent(zyx_um: npt.NDArray[np.float64]) -> dict[str, Any]:
    """How many places there are, and the box around them, as details of an asset."""
    return {"count": len(zyx_um), "bounds_um": [zyx_um.min(axis=0).tolist(), zyx_um.max(axis=0).tolist()]}


def place_columns(zyx_um: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    """The columns that places are stored in."""
    return {"z_um": zyx_um[:, 0], "y_um": zyx_um[:, 1], "x_um": zyx_um[:, 2]}


def xyz_nm(zyx_um: npt.NDArray[np.float64]) -> bytes:
    """Places as Neuroglancer reads them: float32 (x, y, z) in nanometres."""
    return np.ascontiguousarray(zyx_um[:, ::-1] * NM_PER_UM, dtype="<f4").tobytes()


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """`document` in its shortest form, UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _arrow(values: Any) -> Any:
    if isinstance(values, pa.LargeStringArray):
        compute: Any = pc
        filled = compute.if_else(compute.equal(values, ""), pa.scalar(None, pa.large_string()), values)
        return filled.cast(pa.string()) if filled.nbytes < 2**31 else filled
    if isinstance(values, pa.Array):
        return values
    if values.dtype.kind in "OUS":
        return pa.array([None if item is None or item == "" else str(item) for item in values], pa.string())
    return pa.array(values)
