"""What an actor may read, remembered for a moment, so that a chunk doesn't cost a question to the database."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from pulvinar.access.export_rules import rules_on
from pulvinar.catalogue.assets import Resolved, resolve
from pulvinar.errors import NotFound
from pulvinar.model.access import Actor, Right, Tier
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.export_rule import ExportRule
from pulvinar.storage.database import Database
from pulvinar.web.chunk_grid import ChunkGrid
from pulvinar.web.reads import NO_STORE, Reading, reading_of
from pulvinar.web.recent import Recent

IMMUTABLE = b"private, max-age=31536000, immutable"
"""An address holds its version's digest, so what it names never changes; only the browser itself may keep it."""
FOR_A_WHILE = b"private, max-age=300"
"""Bytes that others own may change under the same address."""


@dataclass(frozen=True)
class Holding:
    """One asset that an actor may read or view: where its bytes are, its chunks when it is a volume, how long to keep
    them; `finest` is the first level that the actor gets, 0 for who may read; `reading` is what is counted, of
    controlled data.

    `rule` is one of those on what may leave the site that bind it: then chunks are for looking, and whatever is taken
    along is asked about each time.
    """

    version_digest: str
    asset: Asset
    grid: ChunkGrid | None
    cache_control: bytes
    right: Right
    finest: int
    dataset_id: str = ""
    rule: ExportRule | None = None
    reading: Reading | None = None


_ANEW = 0.6
"""From this part of the lifetime's end on."""


class Holdings:
    """Which assets an actor may view or read. Every answer is at most `lifetime_s` old: then a revoked right bites.

    What is still asked for is asked anew before that, beside the answers: else all requests of a second would wait for
    one question, at once.
    """

    def __init__(self, database: Database, *, lifetime_s: float = 1.0, size: int = 4096) -> None:
        self._database = database
        self._lifetime_s = lifetime_s
        self._known: Recent[tuple[Actor, str, str], tuple[float, Holding]] = Recent(size)
        self._asking: dict[tuple[Actor, str, str], asyncio.Task[Holding]] = {}
        self._grids: Recent[tuple[str, str], ChunkGrid] = Recent(size)

    def at_once(self, actor: Actor, version_digest: str, asset_id: str) -> Holding | None:
        """The answer when it is remembered and still fresh."""
        key = (actor, version_digest, asset_id)
        known = self._known.get(key)
        if known is None:
            return None
        left_s = known[0] - time.monotonic()
        if 0 < left_s < self._lifetime_s * _ANEW and key not in self._asking:
            self._begin(key)
        return known[1] if left_s > 0 else None

    async def find(self, actor: Actor, version_digest: str, asset_id: str) -> Holding:
        """The asset, asking the catalogue unless the answer is fresh. Raises `NotFound` where the actor can't see it.

        Requests that wait for the same answer share one question.
        """
        holding = self.at_once(actor, version_digest, asset_id)
        if holding is not None:
            return holding
        key = (actor, version_digest, asset_id)
        return await asyncio.shield(self._asking.get(key) or self._begin(key))

    def _begin(self, key: tuple[Actor, str, str]) -> asyncio.Task[Holding]:
        task = self._asking[key] = asyncio.create_task(self._ask(key))

        def over(done: asyncio.Task[Holding]) -> None:
            self._asking.pop(key, None)
            # what may be seen no more is forgotten at once, and nobody need wait for a question to have it told
            if not done.cancelled() and isinstance(done.exception(), NotFound):
                self._known.drop(key)

        task.add_done_callback(over)
        return task

    async def _ask(self, key: tuple[Actor, str, str]) -> Holding:
        # The age counts from before the question: a right revoked while it is answered isn't kept any longer.
        asked = time.monotonic()
        found, rule = await asyncio.to_thread(self._look, *key)
        grid = self._grid(found.asset)
        # who may write to the data works on them here; to all others a rule shows what a screen can
        in_full = found.right >= (Right.READ if rule is None else Right.WRITE)
        finest = 0 if in_full or grid is None else grid.screen_level
        kept = cache_control(found.asset, found.tier) if rule is None else NO_STORE
        reading = reading_of(key[0], found)
        holding = Holding(key[1], found.asset, grid, kept, found.right, finest, found.dataset_id, rule, reading)
        self._known.put(key, (asked + self._lifetime_s, holding))
        return holding

    def _look(self, actor: Actor, version_digest: str, asset_id: str) -> tuple[Resolved, ExportRule | None]:
        found = resolve(self._database, actor, version_digest, asset_id, Right.VIEW)
        with self._database.session() as session:
            rules = rules_on(session, found.dataset_id)
        return found, next(iter(rules), None)

    def _grid(self, asset: Asset) -> ChunkGrid | None:
        if asset.kind is not AssetKind.VOLUME:
            return None
        grid = self._grids.get((asset.id, asset.digest))
        if grid is None:
            grid = ChunkGrid(asset)
            self._grids.put((asset.id, asset.digest), grid)
        return grid


def cache_control(asset: Asset, tier: Tier) -> bytes:
    """How long a client may keep what it reads of `asset`: nothing of controlled data is kept."""
    if tier is Tier.CONTROLLED:
        return NO_STORE
    return IMMUTABLE if asset.location is None else FOR_A_WHILE
