"""Cells as an asset that pages and the viewer show: a table of places, with their view and a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pulvinar.compute.engine import MadeObject
from pulvinar.ingest.canonical import parquet
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import PointsData
from pulvinar.model.space import Affine
from pulvinar.solutions.solution import Desk

_PLACES = ("z_um", "y_um", "x_um")


def put_cells(
    desk: Desk, output: str, table: pa.Table, to_world_um: Affine | None
) -> tuple[tuple[MadeObject, ...], dict[str, Any]]:
    """Store the cells of `table` (see `cells_to_table`) as points: their objects, and details for the catalogue.

    `to_world_um` leads from their places to the world in which the viewer shows them, None where nobody knows it.
    """
    columns = {name: table[name].to_numpy() for name in table.column_names}
    own = {name: values for name, values in columns.items() if name not in _PLACES}
    if table.num_rows:
        made = geometry_files(PointsData(np.stack([columns[name] for name in _PLACES], axis=1), own), output)
        files, details = made.files, dict(made.details)
    else:
        # nothing to draw is a result too
        files, details = {"points.parquet": parquet(columns)}, {"count": 0, "columns": list(own), "pictured": False}
    if to_world_um is not None:
        details["to_world_um"] = [list(row) for row in to_world_um]
    return tuple(desk.put(output, path, data) for path, data in sorted(files.items())), details
