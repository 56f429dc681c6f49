"""What an actor may read, remembered for a moment, so that a chunk doesn't cost a question to the database."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
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


_ANEW = 0.4
"""After this part of its lifetime an answer that is asked for is asked anew."""
_QUESTIONS_AT_ONCE = 4
_Key = tuple[Actor, str, str]
_Found = tuple[Resolved, ExportRule | None]


class Holdings:
    """Which assets an actor may view or read. An answer older than `lifetime_s` is asked for anew, and told no more:
    then a revoked right bites.

    Only where the question is on its way already, what was told before holds until it is answered, for `longest_s` at
    most: else thousands of requests that came at once would wait for it, and the next thousands for the next. And what
    is still asked for is asked anew before its end, beside the answers.
    """

    def __init__(
        self, database: Database, *, lifetime_s: float = 1.0, longest_s: float = 4.0, size: int = 4096
    ) -> None:
        self._database = database
        self._lifetime_s = lifetime_s
        self._longest_s = longest_s
        self._known: Recent[_Key, tuple[float, Holding]] = Recent(size)
        self._asking: dict[_Key, asyncio.Future[Holding]] = {}
        self._came: dict[_Key, tuple[float, _Found | Exception]] = {}
        self._grids: Recent[tuple[str, str], ChunkGrid] = Recent(size)
        # of its own: what rights rest on does not wait behind what pages look up
        self._threads = ThreadPoolExecutor(_QUESTIONS_AT_ONCE, "holdings")

    def at_once(self, actor: Actor, version_digest: str, asset_id: str) -> Holding | None:
        """The answer when it is remembered and may still be told."""
        key = (actor, version_digest, asset_id)
        if self._came:
            self._take(key)
        known = self._known.get(key)
        if known is None:
            return None
        age_s = time.monotonic() - known[0]
        asking = key in self._asking
        if not asking and self._lifetime_s * _ANEW < age_s < self._lifetime_s:
            self._begin(key)
        return known[1] if age_s < (self._longest_s if asking else self._lifetime_s) else None

    async def find(self, actor: Actor, version_digest: str, asset_id: str) -> Holding:
        """The asset, asking the catalogue unless the answer is fresh. Raises `NotFound` where the actor can't see it.

        Requests that wait for the same answer share one question.
        """
        holding = self.at_once(actor, version_digest, asset_id)
        if holding is not None:
            return holding
        key = (actor, version_digest, asset_id)
        return await asyncio.shield(self._asking.get(key) or self._begin(key))

    def close(self) -> None:
        """End the threads that ask."""
        self._threads.shutdown(cancel_futures=True)

    def _begin(self, key: _Key) -> asyncio.Future[Holding]:
        loop = asyncio.get_running_loop()
        answer = self._asking[key] = loop.create_future()
        self._threads.submit(self._ask, loop, key)
        return answer

    def _ask(self, loop: asyncio.AbstractEventLoop, key: _Key) -> None:
        """In a thread: what it finds is there for the very next request, however many wait before the loop turns."""
        # The age counts from before the question: a right revoked while it is answered isn't kept any longer.
        asked = time.monotonic()
        try:
            self._came[key] = asked, self._look(*key)
        except Exception as error:  # noqa: BLE001 (it is for who waits)
            self._came[key] = asked, error
        loop.call_soon_threadsafe(self._take, key)

    def _take(self, key: _Key) -> None:
        """Remember what came of a question, and tell who waits for it."""
        asked, found = self._came.pop(key, (0.0, None))
        if found is None:
            return
        waiting = self._asking.pop(key)
        if isinstance(found, Exception):
            # what may be seen no more is forgotten at once, and nobody need wait for a question to have it told
            if isinstance(found, NotFound):
                self._known.drop(key)
            waiting.set_exception(found)
            # where nobody waits, nobody is to be told
            waiting.exception()
        else:
            holding = self._holding(key, *found)
            self._known.put(key, (asked, holding))
            waiting.set_result(holding)

    def _holding(self, key: _Key, found: Resolved, rule: ExportRule | None) -> Holding:
        grid = self._grid(found.asset)
        # who may write to the data works on them here; to all others a rule shows what a screen can
        in_full = found.right >= (Right.READ if rule is None else Right.WRITE)
        finest = 0 if in_full or grid is None else grid.screen_level
        kept = cache_control(found.asset, found.tier) if rule is None else NO_STORE
        reading = reading_of(key[0], found)
        return Holding(key[1], found.asset, grid, kept, found.right, finest, found.dataset_id, rule, reading)

    def _look(self, actor: Actor, version_digest: str, asset_id: str) -> _Found:
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
