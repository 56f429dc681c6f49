"""Places and boxes of made-up assets, as the index of places holds them, loaded by the million at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.catalogue.blocks import block_codes, block_corners
from pulvinar.catalogue.boxes import box_blocks
from pulvinar.model.anchor import PlaceRole
from pulvinar.model.space import Points, Space
from pulvinar.model.volume import Triple
from pulvinar.storage.database import Database

COLUMNS = ("space", "role", "block", "asset_id", "count", "places", "number")
INDEXES = ("place_block_by_number", "place_block_by_asset", "place_block_box_by_number")
AssetId = Callable[[int], str]
ROLES = tuple(sorted(PlaceRole, key=lambda role: role.value))


@dataclass(frozen=True, eq=False)
class Places:
    """Places (n, 3) in micrometres, each with the number of its asset and its role's place in `ROLES`; and the boxes of
    what has no places, by the number of the asset."""

    zyx_um: npt.NDArray[np.float64]
    number: npt.NDArray[np.int64]
    role: npt.NDArray[np.int64]
    boxes: Mapping[int, tuple[Triple, Triple]] = field(default_factory=dict)


def together(parts: Sequence[Places]) -> Places:
    """All of them."""
    arrays = [[getattr(part, name) for part in parts] for name in ("zyx_um", "number", "role")]
    return Places(*map(np.concatenate, arrays), dict(chain.from_iterable(part.boxes.items() for part in parts)))


def block_rows(space: Space, places: Places, asset_id: AssetId) -> Iterator[tuple[Any, ...]]:
    """The rows of `place_block`, in the order of its key but for the identifiers of assets."""
    points = Points(space, places.zyx_um)
    codes = block_codes(points)
    offsets = (places.zyx_um - block_corners(space, codes)).astype("<f4")
    order = np.lexsort((places.number, codes, places.role))
    role, code, number = places.role[order], codes[order], places.number[order]
    begins = np.flatnonzero(np.r_[True, (np.diff(role) != 0) | (np.diff(code) != 0) | (np.diff(number) != 0)])
    count = np.diff(np.r_[begins, len(order)])
    data = memoryview(offsets[order].tobytes())
    keys = zip(role[begins].tolist(), code[begins].tolist(), number[begins].tolist(), strict=True)
    at = 0
    for (what, block, whose), many in zip(keys, count.tolist(), strict=True):
        yield space.name, ROLES[what].value, block, asset_id(whose), many, bytes(data[at : at + 12 * many]), whose
        at += 12 * many


def box_rows(space: Space, places: Places, asset_id: AssetId) -> Iterator[tuple[Any, ...]]:
    """The same of boxes."""
    cubes = []
    for number, box_um in places.boxes.items():
        found = box_blocks(space, box_um)
        cubes += [(block, number, held) for block, held in zip(found.block.tolist(), found.places, strict=True)]
    for block, number, held in sorted(cubes):
        yield space.name, PlaceRole.BOX.value, block, asset_id(number), 1, held, number


def load_places(databases: Sequence[Database], space: Space, places: Places, asset_id: AssetId) -> None:
    """Put places into every database; indices are made at the end, in one go."""
    for database in databases:
        rows = chain(box_rows(space, places, asset_id), block_rows(space, places, asset_id))
        (_to_sqlite if database.is_sqlite else _to_postgresql)(database, rows)


def _to_sqlite(database: Database, rows: Iterator[tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(str(database.engine.url.database))) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-400000")
        made = [
            connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone() for name in INDEXES
        ]
        for name in INDEXES:
            connection.execute(f"DROP INDEX {name}")
        marks = ",".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO place_block ({','.join(COLUMNS)}) VALUES ({marks})", rows)
        for (index,) in made:
            connection.execute(index)
        connection.execute("ANALYZE")
        connection.commit()


def _to_postgresql(database: Database, rows: Iterator[tuple[Any, ...]]) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        made = [
            connection.exec_driver_sql(f"SELECT pg_get_indexdef('{name}'::regclass)").scalar_one() for name in INDEXES
        ]
        for name in INDEXES:
            connection.exec_driver_sql(f"DROP INDEX {name}")
        # every asset is there: to look for it with each of ten million rows would take an hour
        connection.exec_driver_sql("SET session_replication_role = replica")
        with (
            connection.connection.cursor() as cursor,
            cursor.copy(f"COPY place_block ({','.join(COLUMNS)}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)
        connection.exec_driver_sql("SET maintenance_work_mem = '512MB'")
        for index in made:
            connection.exec_driver_sql(index)
        connection.exec_driver_sql("VACUUM ANALYZE place_block")
