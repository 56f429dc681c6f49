"""One volume's chunks without its shards: which shard, and which place in it, holds a chunk of the grid."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pulvinar.model.dataset import Asset
from pulvinar.model.volume import Level, Shape5, Volume, volume_from_json
from pulvinar.storage.external_volume import external_documents, layout_from_json
from pulvinar.storage.shards import chunks_per_shard
from pulvinar.storage.volumes import unsharded_documents

NUMBER = "(0|[1-9][0-9]{0,8})"
"""A number in an address, as a regular expression: there is one way to write it."""

SCREEN_VOXELS = 1024
"""Who may view a volume and not read it gets the levels that have so many voxels along each axis at most."""


@dataclass(frozen=True)
class Document:
    """A small JSON file of the volume, with its ETag."""

    data: bytes
    etag: bytes


class LevelGrid:
    """The chunk grid of one level, axes (t, c, z, y, x)."""

    def __init__(self, number: int, level: Level) -> None:
        self.number = number
        self.per_shard = chunks_per_shard(level)
        self._chunks = [-(-size // chunk) for size, chunk in zip(level.shape, level.chunk_shape, strict=True)]

    def place(self, t: int, c: int, z: int, y: int, x: int) -> tuple[Shape5, int] | None:
        """The shard of a chunk, and the chunk's place in the shard's index; None outside of the volume."""
        in_t, in_c, in_z, in_y, in_x = self._chunks
        if t >= in_t or c >= in_c or z >= in_z or y >= in_y or x >= in_x:
            return None
        by_t, by_c, by_z, by_y, by_x = self.per_shard
        inside = (((t % by_t * by_c + c % by_c) * by_z + z % by_z) * by_y + y % by_y) * by_x + x % by_x
        return (t // by_t, c // by_c, z // by_z, y // by_y, x // by_x), inside


class ChunkGrid:
    """The unsharded view of one volume: its documents, rewritten, and its levels' grids."""

    def __init__(self, asset: Asset) -> None:
        volume = volume_from_json(asset.details["volume"])
        self.levels = tuple(LevelGrid(number, level) for number, level in enumerate(volume.levels))
        documents = unsharded_documents(volume) if asset.location is None else _external(asset, volume)
        self.documents = {path: _document(data) for path, data in documents.items()}
        coarse = (number for number, level in enumerate(volume.levels) if max(level.shape[2:]) <= SCREEN_VOXELS)
        self.screen_level = next(coarse, len(volume.levels) - 1)
        """The finest level that is no finer than a screen."""


def _external(asset: Asset, volume: Volume) -> dict[str, bytes]:
    return external_documents(volume, layout_from_json(asset.details["external"]))


def _document(data: bytes) -> Document:
    return Document(data, b'"%s"' % hashlib.sha256(data).hexdigest().encode())
