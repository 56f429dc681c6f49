"""The JSON documents that make a volume's shards an OME-Zarr 0.5 image."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from pulvinar.model.volume import AXES, Channel, Level, Volume, VolumeKind, volume_to_json
from pulvinar.storage.codecs import ChunkCodec
from pulvinar.storage.shards import INDEX_CODECS, ROOT

_AXES = (
    {"name": "t", "type": "time", "unit": "second"},
    {"name": "c", "type": "channel"},
    *({"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"),
)


def volume_documents(volume: Volume) -> dict[str, bytes]:
    """Every `zarr.json` of the stored, sharded volume, by path relative to its asset."""
    documents = {f"{ROOT}/zarr.json": group_document(volume)}
    for number, level in enumerate(volume.levels):
        documents[f"{ROOT}/{number}/zarr.json"] = array_document(volume, level)
    return {path: _dump(document) for path, document in documents.items()}


def unsharded_documents(volume: Volume) -> dict[str, bytes]:
    """Every `zarr.json` of the same volume with the shards' inner chunks as its grid, by path relative to its root."""
    documents = {"zarr.json": group_document(volume)}
    for number, level in enumerate(volume.levels):
        documents[f"{number}/zarr.json"] = array_document(volume, level, sharded=False)
    return {path: _dump(document) for path, document in documents.items()}


def array_document(volume: Volume, level: Level, *, sharded: bool = True) -> dict[str, Any]:
    """The metadata of one level's array, as Zarr v3 states it."""
    codecs = ChunkCodec.for_volume(volume.kind, volume.dtype, level.chunk_shape).metadata()
    grid = level.chunk_shape
    if sharded:
        grid = level.shard_shape
        sharding = {"chunk_shape": list(level.chunk_shape), "codecs": codecs, "index_codecs": INDEX_CODECS}
        codecs = [{"name": "sharding_indexed", "configuration": {**sharding, "index_location": "end"}}]
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(level.shape),
        "data_type": volume.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(grid)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0 if np.dtype(volume.dtype).kind == "f" else 0,
        "codecs": codecs,
        "attributes": {},
        "dimension_names": list(AXES),
    }


def group_document(volume: Volume) -> dict[str, Any]:
    """The metadata of the group around a volume's levels, as OME-Zarr 0.5 states it."""
    multiscale: dict[str, Any] = {
        "name": "image",
        "axes": list(_AXES),
        "datasets": [
            {"path": str(number), "coordinateTransformations": _transformations(volume, level)}
            for number, level in enumerate(volume.levels)
        ],
        "type": "mode" if volume.kind is VolumeKind.LABELS else "mean",
    }
    ome: dict[str, Any] = {"version": "0.5", "multiscales": [multiscale]}
    if volume.kind is VolumeKind.LABELS:
        ome["image-label"] = {}
    elif all(channel.window for channel in volume.channels):
        ome["omero"] = {"channels": [_omero_channel(channel, volume.dtype) for channel in volume.channels]}
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"ome": ome, "pulvinar": volume_to_json(volume)},
    }


def _transformations(volume: Volume, level: Level) -> list[dict[str, Any]]:
    scale = [volume.time_step_s or 1.0, 1.0, *level.voxel_size_um]
    return [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": [0.0, 0.0, *level.translation_um]},
    ]


def _omero_channel(channel: Channel, dtype: str) -> dict[str, Any]:
    low, high = channel.window or (0.0, 1.0)
    if np.dtype(dtype).kind == "f":
        limits: tuple[float, float] = (low, high)
    else:
        info = np.iinfo(dtype)
        limits = (int(info.min), int(info.max))
    return {
        "label": channel.name,
        "color": channel.color,
        "active": True,
        "window": {"min": limits[0], "max": limits[1], "start": low, "end": high},
    }


def _dump(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
