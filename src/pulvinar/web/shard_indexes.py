"""Where each chunk lies inside its shard, kept in memory for the shards used last."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pulvinar.catalogue.assets import resolve_asset
from pulvinar.catalogue.stored_objects import find_object
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, StoredObject
from pulvinar.model.volume import Shape5
from pulvinar.storage.database import Database
from pulvinar.storage.shards import ShardIndex, index_size, parse_index, shard_path
from pulvinar.web.byte_source import ByteSource
from pulvinar.web.chunk_grid import LevelGrid
from pulvinar.web.holdings import Holding
from pulvinar.web.recent import Recent

ABSENT_BYTES = 200
"""What remembering an absent shard is taken to weigh."""
_MISSING = 2**64 - 1


@dataclass(frozen=True)
class Shard:
    """One stored shard: its key in the store, what names it, and where its chunks are; no index: it is absent."""

    key: str
    etag: bytes
    index: ShardIndex | None

    @property
    def weight(self) -> int:
        """About how many bytes of memory this takes."""
        return ABSENT_BYTES + (self.index.entries.nbytes if self.index is not None else 0)

    def locate(self, inside: int) -> tuple[int, int] | None:
        """(offset, size in bytes) of the chunk at this place of the index; None when it holds only the fill value."""
        if self.index is None:
            return None
        offset, size = self.index.entries[inside].tolist()
        return None if offset == _MISSING else (offset, size)


class ShardIndexes:
    """The indexes of stored shards, at most `budget_bytes` of them in memory.

    The catalogue says which shards there are: one that it doesn't know is empty, one that it knows and that the
    store has lost is `Corrupt`, never empty.
    """

    def __init__(self, database: Database, source: ByteSource, *, budget_bytes: int = 64 << 20) -> None:
        self._database = database
        self._source = source
        self._shards: Recent[tuple[str, int, Shape5], Shard] = Recent(budget_bytes, lambda shard: shard.weight)
        self._loading: dict[tuple[str, str, int, Shape5], asyncio.Task[Shard]] = {}

    def at_once(self, asset: Asset, level: LevelGrid, place: Shape5) -> Shard | None:
        """The shard at `place` (t, c, z, y, x) of `level` when it is in memory."""
        return self._shards.get((asset.id, level.number, place))

    async def find(self, actor: Actor, holding: Holding, level: LevelGrid, place: Shape5) -> Shard:
        """The shard at `place` of a level of an asset that `actor` may read.

        Raises `Corrupt` when its index is damaged or its file is gone, `NotFound` when the right has just gone.
        """
        shard = self.at_once(holding.asset, level, place)
        if shard is not None:
            return shard
        key = (actor.id, holding.asset.id, level.number, place)
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._load(actor, holding, level, place))
            task.add_done_callback(lambda _: self._loading.pop(key, None))
        return await asyncio.shield(task)

    async def _load(self, actor: Actor, holding: Holding, level: LevelGrid, place: Shape5) -> Shard:
        asset, path = holding.asset, shard_path(level.number, place)
        stored = await self._source.run(find_object, self._database, actor, asset.id, path, Right.VIEW)
        if stored is None:
            # No such shard, or no right any more? What this actor can't see must not be empty to the others.
            await self._source.run(resolve_asset, self._database, actor, holding.version_digest, asset.id, Right.VIEW)
            shard = Shard("", b"", None)
        else:
            shard = await self._read(asset, stored, level)
        self._shards.put((asset.id, level.number, place), shard)
        return shard

    async def _read(self, asset: Asset, stored: StoredObject, level: LevelGrid) -> Shard:
        key = f"{asset.prefix}/{stored.path}"
        length = index_size(level.per_shard)
        data = await self._source.read(key, stored.size_bytes - length, length)
        return Shard(key, stored.sha256[:32].encode(), parse_index(bytes(data), level.per_shard))
