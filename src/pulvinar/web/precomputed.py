"""A volume as Neuroglancer's precomputed format, for programs that read no OME-Zarr of five axes (cloud-volume).

This one view decodes: a chunk is read in a thread and sent raw, all channels of the first time point, x fastest. The
chunk gateway itself never does.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np

from pulvinar.errors import Invalid, NotFound
from pulvinar.model.dataset import Asset
from pulvinar.model.space import Window
from pulvinar.model.volume import Level, Volume, VolumeKind, volume_from_json
from pulvinar.storage.external import ExternalSources
from pulvinar.storage.external_volume import open_asset_volume
from pulvinar.storage.store import Store
from pulvinar.storage.volumes import ReadableVolume
from pulvinar.web.chunk_grid import NUMBER, Document
from pulvinar.web.recent import Recent

_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32")
_CHUNK = re.compile(f"{NUMBER}/" + "_".join([f"{NUMBER}-{NUMBER}"] * 3))


@dataclass(frozen=True)
class _View:
    stored: ReadableVolume
    info: Document


class PrecomputedViews:
    """Answers what lies below `/data/<version digest>/<asset>/precomputed/`. Its calls wait: use them in a thread."""

    def __init__(self, store: Store, sources: ExternalSources) -> None:
        self._store = store
        self._sources = sources
        self._views: Recent[tuple[str, str], _View] = Recent(64)

    def read(self, asset: Asset, path: str) -> Document:
        """The file at `path`: `info`, or a chunk at `<level>/<x range>_<y range>_<z range>`. Raises `NotFound`, and
        `Invalid` for a type of voxel that the format doesn't have."""
        view = self._views.get((asset.id, asset.digest))
        if view is None:
            volume = volume_from_json(asset.details["volume"])
            view = _View(open_asset_volume(self._store, self._sources, asset), _info(volume, asset.digest))
            self._views.put((asset.id, asset.digest), view)
        if path == "info":
            return view.info
        found, levels = _CHUNK.fullmatch(path), view.stored.volume.levels
        number, *bounds = map(int, found.groups()) if found else (len(levels),)
        window = _window(levels[number], bounds) if number < len(levels) else None
        if window is None:
            raise NotFound(f"a precomputed volume has no {path!r}")
        data = view.stored.read(number, window)[0].tobytes()
        return Document(data, f'"{asset.digest[:32]}.{path}"'.encode())


def _info(volume: Volume, digest: str) -> Document:
    if volume.dtype not in _TYPES:
        raise Invalid(f"the precomputed format has no {volume.dtype}", hint="read the OME-Zarr instead")
    told = {
        "@type": "neuroglancer_multiscale_volume",
        "type": "segmentation" if volume.kind is VolumeKind.LABELS else "image",
        "data_type": volume.dtype,
        "num_channels": volume.shape[1],
        "scales": [_scale(number, level) for number, level in enumerate(volume.levels)],
    }
    return Document(json.dumps(told).encode(), f'"{digest[:32]}.info"'.encode())


def _scale(number: int, level: Level) -> dict[str, object]:
    return {
        "key": str(number),
        "size": level.shape[:1:-1],
        "resolution": [size_um * 1000 for size_um in reversed(level.voxel_size_um)],
        "voxel_offset": [0, 0, 0],
        "chunk_sizes": [level.chunk_shape[:1:-1]],
        "encoding": "raw",
    }


def _window(level: Level, bounds: list[int]) -> Window | None:
    """The window of the chunk with these bounds (x from, x to, y, z); None unless it is exactly one of the grid's."""
    corners = np.array(bounds).reshape(3, 2)[::-1]
    start, stop = corners[:, 0], corners[:, 1]
    side, size = np.array(level.chunk_shape[2:]), np.array(level.shape[2:])
    if (start % side).any() or (start >= size).any() or (stop != np.minimum(start + side, size)).any():
        return None
    z, y, x = start.tolist()
    z_end, y_end, x_end = stop.tolist()
    return Window((0, 0, z, y, x), (1, level.shape[1], z_end, y_end, x_end))
