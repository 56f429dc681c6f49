"""One volume's chunks without its shards: which shard, and which place in it, holds a chunk of the grid."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pulvinar.model.dataset import Asset
from pulvinar.model.volume import Level, volume_from_json
from pulvinar.storage.shards import ROOT, chunks_per_shard
from pulvinar.storage.volumes import unsharded_documents


@dataclass(frozen=True)
class Document:
    """A small JSON file of the volume, with its ETag."""

    data: bytes
    etag: bytes


class LevelGrid:
    """The chunk grid of one level, axes (t, c, z, y, x)."""

    def __init__(self, number: int, level: Level) -> None:
        self.per_shard = chunks_per_shard(level)
        self._chunks = [-(-size // chunk) for size, chunk in zip(level.shape, level.chunk_shape, strict=True)]
        self._folder = f"{ROOT}/{number}/c"

    def place(self, chunk: list[int]) -> tuple[str, int] | None:
        """The path of the shard of `chunk`, and its place in the shard's index; None outside of the volume."""
        inside = 0
        path = self._folder
        for number, chunks, per_shard in zip(chunk, self._chunks, self.per_shard, strict=True):
            if number >= chunks:
                return None
            shard, within = divmod(number, per_shard)
            inside = inside * per_shard + within
            path += f"/{shard}"
        return path, inside


class ChunkGrid:
    """The unsharded view of one volume: its documents, rewritten, and its levels' grids."""

    def __init__(self, asset: Asset) -> None:
        volume = volume_from_json(asset.details["volume"])
        self.levels = {str(number): LevelGrid(number, level) for number, level in enumerate(volume.levels)}
        self.documents = {path: _document(data) for path, data in unsharded_documents(volume).items()}


def _document(data: bytes) -> Document:
    return Document(data, b'"%s"' % hashlib.sha256(data).hexdigest().encode())


def parse_numbers(parts: list[str]) -> list[int] | None:
    """The numbers in a part of an address; None unless each is spelt in the one plain way."""
    # isdigit alone would let other scripts' digits pass, and int() signs, blanks and underscores.
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 10]
    plain = len(numbers) == len(parts) and all(part == "0" or part[0] != "0" for part in parts)
    return numbers if plain else None
