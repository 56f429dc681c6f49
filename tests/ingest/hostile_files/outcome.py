"""What an ingest has left in a home: what is stored, and whatever should not be there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pulvinar.catalogue.datasets import list_datasets
from pulvinar.catalogue.versions import get_version
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.storage.volumes import open_volume

_TABLES = {AssetKind.TIME_SERIES: "values", AssetKind.CONNECTIVITY: "matrix"}
"""Of kinds that are stored as several tables, the one with the values."""
_COORDINATES = np.dtype([("x", "<f8"), ("y", "<f8"), ("z", "<f8")])


def stored_assets(home: Path) -> dict[str, tuple[Any, list[str]]]:
    """The assets of the one dataset in `home`, by name: values, and what findings say; empty without a dataset."""
    with open_platform(load_settings(environment={}, home=home)) as platform:
        datasets = list_datasets(platform.database, platform.actor).items
        if not datasets:
            return {}
        version = get_version(platform.database, platform.actor, datasets[0].id)
        said = {one.id: [item["message"] for item in one.details["findings"]] for one in version.assets}
        return {one.name: (_values(platform, one), said[one.id]) for one in version.assets}


def _values(platform: Platform, asset: Asset) -> Any:
    """Voxels without axes of one voxel, or the columns of a table; of a mesh, those of its vertices."""
    if asset.kind is AssetKind.VOLUME:
        return np.asarray(open_volume(platform.store, asset.prefix).level(0).read().result()).squeeze()
    if asset.kind is AssetKind.MESH:
        header, _, body = platform.store.read(f"{asset.prefix}/mesh.ply").partition(b"end_header\n")
        count = int(header.partition(b"element vertex ")[2].split()[0])
        vertices = np.frombuffer(body, _COORDINATES, count)
        return {f"{axis}_um": vertices[axis] for axis in "xyz"}
    name = _TABLES.get(asset.kind, asset.kind.value)
    table = pq.read_table(io.BytesIO(platform.store.read(f"{asset.prefix}/{name}.parquet")))
    return {name: _flat(table.column(name)).to_numpy(zero_copy_only=False) for name in table.column_names}


def _flat(column: pa.ChunkedArray) -> pa.Array:
    """A column; of one of lists, all that is in them."""
    whole = column.combine_chunks()
    return whole.flatten() if pa.types.is_list(whole.type) or pa.types.is_large_list(whole.type) else whole


def words_in(home: Path, words: Sequence[str]) -> list[str]:
    """Those of `words` that any file of a home holds: its catalogue, its objects, its logs."""
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    return [word for word in words if any(word.encode() in content for content in files)]


def remains(home: Path) -> list[str]:
    """Whatever a refused ingest has left in `home`: objects, scratch files, a dataset or a session."""
    places = (home / "store", home / "scratch")
    left = [path for place in places if place.exists() for path in place.rglob("*") if path.is_file()]
    left += [path for path in (home / "scratch").glob("*") if path.is_dir()]
    found = [path.relative_to(home).as_posix() for path in left]
    with open_platform(load_settings(environment={}, home=home)) as platform:
        datasets = len(list_datasets(platform.database, platform.actor).items)
    return [*found, *(["a dataset"] if datasets else [])]
