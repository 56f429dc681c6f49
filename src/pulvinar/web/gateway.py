"""The chunk gateway: stored, encoded bytes as they are, for everyone who may read them.

Below `/data/<version digest>/<asset>/` lie

- `objects/<path>`: the asset's objects (the sharded volume, its thumbnails), whole or by one range;
- `chunks/...`: a volume's chunks as an OME-Zarr without shards: one GET a chunk, no index to read;
- `precomputed/...`: a volume in Neuroglancer's older format, decoded; for programs that can't read the others.

Below `/data/neurons/` lie sets of neurons of many datasets: see `neuron_sets`.

An address holds its version's digest, so what it answers never changes. An asset that isn't there and one that the
actor may not view are 401 alike; so is what is refused, and never 403, because viewers take 403 for an empty chunk. Of
an asset that the actor may view, what isn't there is 404. A chunk that holds
only the fill value isn't stored, and is 404 too; a stored one that is lost or damaged is 500. Of a volume that others
own, chunks come from its source: as long as that is what was indexed, or as an error.

This is plain ASGI, without a framework: a request that finds everything in memory costs one read and two sends.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pulvinar.access.export_rules import check_leaving
from pulvinar.access.reads import ReadCounter
from pulvinar.catalogue.nameless import is_hidden
from pulvinar.catalogue.stored_objects import find_object
from pulvinar.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import StoredObject
from pulvinar.model.export_rule import Way
from pulvinar.storage.database import Database
from pulvinar.storage.external import ExternalSources
from pulvinar.storage.store import Store
from pulvinar.web.byte_source import PIECE_BYTES, ByteSource
from pulvinar.web.chunk_grid import NUMBER, Document
from pulvinar.web.cors import Cors, Headers
from pulvinar.web.errors import Failure, MethodNotAllowed, OutOfRange, new_request_id, tell
from pulvinar.web.externals import Externals
from pulvinar.web.holdings import IMMUTABLE, Holding, Holdings
from pulvinar.web.neuron_sets import ROOT as NEURONS
from pulvinar.web.neuron_sets import NeuronSets
from pulvinar.web.precomputed import PrecomputedViews
from pulvinar.web.reads import NO_STORE, counting
from pulvinar.web.recent import Recent
from pulvinar.web.requests import RangeNotSatisfiable, Receive, Scope, Send, header, matches_etag, wanted_range
from pulvinar.web.shard_indexes import ShardIndexes

ROOT = "/data/"
_PICTURES = "quality/"
"""Below it lie the pictures of an asset, for all who may view it."""
_CHUNK = re.compile(f"{NUMBER}/c/{'/'.join([NUMBER] * 5)}")
_ASKING = frozenset({b"range", b"if-none-match"})
"""Headers that ask for something else than the whole."""
_TYPES = {"json": b"application/json", "webp": b"image/webp", "png": b"image/png"}
_BINARY = b"application/octet-stream"
_ALWAYS = [(b"accept-ranges", b"bytes"), (b"x-content-type-options", b"nosniff")]


class BrokenOff(Exception):
    """Bytes failed after the answer had begun: the connection must end, so that the client sees it is not whole."""


class Extent(NamedTuple):
    """Bytes of the store to answer with: `length` bytes of `key` from `start`."""

    key: str
    start: int
    length: int
    etag: bytes
    media_type: bytes
    cache_control: bytes


class Gateway:
    """The ASGI application below `/data/`. `actor_of` says who asks, `actor_at_once` where that takes no question;
    `refused` is told who was refused bytes of which version (its digest), and at which address they are."""

    def __init__(
        self,
        database: Database,
        store: Store,
        *,
        actor_of: Callable[[Scope], Actor],
        cors: Cors,
        actor_at_once: Callable[[Scope], Actor | None] | None = None,
        sources: ExternalSources | None = None,
        reads: ReadCounter | None = None,
        refused: Callable[[str, str, str], None] = lambda actor_id, digest, address: None,
        neurons: NeuronSets | None = None,
    ) -> None:
        sources = sources or ExternalSources()
        self._database = database
        self._actor_of = actor_of
        self._actor_at_once = actor_at_once or actor_of
        self._cors = cors
        self._reads = reads or ReadCounter(database)
        self._refused = refused
        self._source = ByteSource(store)
        self._precomputed = PrecomputedViews(store, sources)
        self._externals = Externals(sources)
        self._neurons = neurons
        self._holdings = Holdings(database)
        self._shards = ShardIndexes(database, self._source)
        self._objects: Recent[tuple[str, str], StoredObject] = Recent(65536)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._answer(scope, send)
        except BrokenOff:
            raise
        except Exception as error:  # noqa: BLE001 - every failure gets its envelope
            await self._refuse(error, scope, send)

    def close(self) -> None:
        """End the reading threads and let go of files."""
        self._holdings.close()
        self._source.close()
        self._externals.close()

    async def _answer(self, scope: Scope, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await self._answer_other_method(scope, send)
            return
        # "", "data", version digest, asset, view, path
        parts: list[str] = scope["path"].split("/", 5)
        if len(parts) < 6:
            raise NotFound(f"nothing is served at {scope['path']}", hint="/data/<version digest>/<asset>/chunks/...")
        actor = self._actor_at_once(scope)
        if actor is None:
            actor = await asyncio.to_thread(self._actor_of, scope)
        if parts[2] == NEURONS and self._neurons is not None:
            await self._answer_neurons(self._neurons, actor, parts[3], parts[4], parts[5], scope, send)
            return
        try:
            await self._answer_part(actor, parts, scope, send)
        except (Forbidden, NotAuthenticated):
            client = scope.get("client")
            self._refused(actor.id, parts[2], client[0] if client else "")
            raise

    async def _answer_part(self, actor: Actor, parts: Sequence[str], scope: Scope, send: Send) -> None:
        holding = self._holdings.at_once(actor, parts[2], parts[3])
        if holding is None:
            holding = await self._ask_for(actor, parts[2], parts[3])
        if holding.reading is not None:
            send = counting(self._reads, holding.reading, send)
        chunk = _CHUNK.fullmatch(parts[5]) if parts[4] == "chunks" else None
        if chunk:
            await self._answer_chunk(actor, holding, map(int, chunk.groups()), scope, send)
        else:
            await self._answer_other(actor, holding, parts[4], parts[5], scope, send)

    async def _ask_for(self, actor: Actor, version_digest: str, asset_id: str) -> Holding:
        try:
            return await self._holdings.find(actor, version_digest, asset_id)
        except (NotFound, Invalid) as error:
            if actor.is_owner:
                raise
            # the same for what isn't there as for what is there for others: 404 is for who may know
            hint = "sign in, or use an access token; and check the address"
            raise NotAuthenticated("nothing is served here to who asks", hint=hint) from error

    async def _answer_neurons(
        self, sets: NeuronSets, actor: Actor, atlas: str, key: str, path: str, scope: Scope, send: Send
    ) -> None:
        """A part of a set of neurons, as far as the actor may read them."""
        try:
            found = await self._source.run(sets.read, actor, atlas, key, path)
        except (NotFound, Invalid) as error:
            # a segment that isn't there, and one that is there for others: alike, and an empty one to a viewer
            raise NotFound(f"nothing is served at {scope['path']}") from error
        if found.reading is not None:
            send = counting(self._reads, found.reading, send)
        kept = IMMUTABLE if found.lasts else NO_STORE
        etag = b'"%s"' % hashlib.sha256(found.data).hexdigest()[:32].encode()
        media_type = _TYPES["json"] if found.data.startswith(b"{") else _BINARY
        await self._send_extent(Extent("", 0, len(found.data), etag, media_type, kept), scope, send, found.data)

    async def _answer_chunk(
        self, actor: Actor, holding: Holding, numbers: Iterable[int], scope: Scope, send: Send
    ) -> None:
        number, *chunk = numbers
        grid = holding.grid
        if grid is None or number >= len(grid.levels):
            raise NotFound(f"{scope['path']} is not the address of a chunk")
        if number < holding.finest:
            why = f", by rule {holding.rule.kind.value!r}" if holding.rule else ""
            raise Forbidden(f"level {number} is finer than may be viewed{why}", hint=f"from level {holding.finest} on")
        level = grid.levels[number]
        place = level.place(*chunk)
        if place is None:
            await self._absent(holding, scope, send)
            return
        if holding.asset.location is not None:
            await self._answer_external(holding, number, chunk, scope, send)
            return
        shard = self._shards.at_once(holding.asset, level, place[0])
        if shard is None:
            shard = await self._shards.find(actor, holding, level, place[0])
        found = shard.locate(place[1])
        if found is None:
            await self._absent(holding, scope, send)
            return
        # A shard's digest and a place in it name these bytes for ever; hashing every chunk would cost more than it
        # tells.
        extent = Extent(shard.key, *found, b'"%s.%d"' % (shard.etag, found[0]), _BINARY, holding.cache_control)
        if not await self._send_at_once(extent, scope, send):
            await self._send_extent(extent, scope, send)

    async def _answer_external(
        self, holding: Holding, number: int, chunk: Sequence[int], scope: Scope, send: Send
    ) -> None:
        """A chunk that others own, fetched from where it is."""
        t, c, z, y, x = chunk
        piece = await self._externals.run(self._externals.chunk, holding.asset, number, (t, c, z, y, x))
        if piece is None:
            await self._absent(holding, scope, send)
            return
        etag = b'"%s"' % hashlib.sha256(piece.tag.encode()).hexdigest()[:32].encode()
        extent = Extent("", 0, len(piece.data), etag, _BINARY, holding.cache_control)
        await self._send_extent(extent, scope, send, piece.data)

    async def _send_at_once(self, extent: Extent, scope: Scope, send: Send) -> bool:
        """The short way of the usual case: a whole chunk, nothing asked beside it, its bytes in memory."""
        if scope["method"] != "GET" or extent.length > PIECE_BYTES or self._cors.origins:
            return False
        if any(name in _ASKING for name, _ in scope["headers"]):
            return False
        data = self._source.at_once(extent.key, extent.start, extent.length)
        if data is None:
            return False
        headers = [*_headers(extent), (b"content-length", b"%d" % extent.length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": data})
        return True

    async def _answer_other(
        self, actor: Actor, holding: Holding, view: str, path: str, scope: Scope, send: Send
    ) -> None:
        if view == "chunks":
            await self._answer_document(holding, path, scope, send)
        elif view == "objects":
            await self._answer_object(actor, holding, path, scope, send)
        elif view == "precomputed" and holding.grid is not None and holding.right >= Right.READ:
            run = self._source.run if holding.asset.location is None else self._externals.run
            await self._check_leaving(actor, holding)
            document = await run(self._precomputed.read, holding.asset, path)
            await self._send_document(document, holding, scope, send)
        else:
            raise NotFound(f"{scope['path']} is no view of an asset", hint="chunks, objects or precomputed")

    async def _answer_document(self, holding: Holding, path: str, scope: Scope, send: Send) -> None:
        document = holding.grid.documents.get(path) if holding.grid else None
        if document is None:
            raise NotFound(f"{scope['path']} is not part of a volume")
        await self._send_document(document, holding, scope, send)

    async def _send_document(self, document: Document, holding: Holding, scope: Scope, send: Send) -> None:
        media_type = _TYPES["json"] if document.data.startswith(b"{") else _BINARY
        extent = Extent("", 0, len(document.data), document.etag, media_type, holding.cache_control)
        await self._send_extent(extent, scope, send, document.data)

    async def _answer_object(self, actor: Actor, holding: Holding, path: str, scope: Scope, send: Send) -> None:
        asset = holding.asset
        if holding.right < Right.READ and not path.startswith(_PICTURES):
            raise Forbidden(f"asset {asset.id} may be viewed here, and not be taken along")
        if not path.startswith(_PICTURES):
            await self._check_leaving(actor, holding)
        # what others were given is remembered for all
        stored = None if is_hidden(actor, path) else self._objects.get((asset.id, path))
        if stored is None:
            stored = await self._source.run(find_object, self._database, actor, asset.id, path, holding.right)
            if stored is None:
                raise NotFound(f"asset {asset.id} has no object {path!r}")
            self._objects.put((asset.id, path), stored)
        etag = b'"%s"' % stored.sha256.encode()
        media_type = _TYPES.get(path.rpartition(".")[2], _BINARY)
        key = f"{asset.prefix}/{stored.path}"
        await self._send_extent(Extent(key, 0, stored.size_bytes, etag, media_type, holding.cache_control), scope, send)

    async def _check_leaving(self, actor: Actor, holding: Holding) -> None:
        if holding.rule is not None:
            way = Way.DOWNLOAD
            await asyncio.to_thread(check_leaving, self._database, actor, holding.dataset_id, holding.asset, way)

    async def _send_extent(self, extent: Extent, scope: Scope, send: Send, data: bytes | None = None) -> None:
        """Answer with `extent`, or with the part of it that is asked for; its bytes are `data` where that is given."""
        headers = [*_headers(extent), *self._cors.headers(scope)]
        if matches_etag(header(scope, b"if-none-match"), extent.etag):
            await _respond(send, 304, headers)
            return
        status, start, stop = 200, 0, extent.length
        try:
            asked = wanted_range(scope, extent.etag, extent.length)
        except RangeNotSatisfiable:
            failure = tell(OutOfRange(f"the range asked for is not within {extent.length} bytes"), new_request_id())
            headers = [*self._cors.headers(scope), (b"content-range", b"bytes */%d" % extent.length)]
            await self._tell(failure, headers, scope, send)
            return
        if asked is not None:
            status, (start, stop) = 206, asked
            headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, extent.length)))
        headers.append((b"content-length", b"%d" % (stop - start)))
        if scope["method"] == "HEAD" or start == stop:
            await _start(send, status, headers)
            await send({"type": "http.response.body", "body": b""})
        elif data is not None:
            await _start(send, status, headers)
            await send({"type": "http.response.body", "body": data[start:stop]})
        else:
            await self._send_stored(extent, start, stop, status, headers, send)

    async def _send_stored(
        self, extent: Extent, start: int, stop: int, status: int, headers: Headers, send: Send
    ) -> None:
        at, end = extent.start + start, extent.start + stop
        piece = self._source.at_once(extent.key, at, min(end - at, PIECE_BYTES))
        if piece is None:
            piece = await self._source.read(extent.key, at, min(end - at, PIECE_BYTES))
        # The first bytes are here before the status is sent: a lost object is told as what it is.
        await _start(send, status, headers)
        at += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": at < end})
        while at < end:
            try:
                piece = await self._source.read(extent.key, at, min(end - at, PIECE_BYTES))
            except Exception as error:
                raise BrokenOff(f"{extent.key} broke off at byte {at}") from error
            at += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": at < end})

    async def _absent(self, holding: Holding, scope: Scope, send: Send) -> None:
        """A chunk that holds only the fill value: 404, to be remembered as long as any other chunk."""
        headers = [(b"cache-control", holding.cache_control), *_ALWAYS, *self._cors.headers(scope)]
        await _respond(send, 404, headers, b"")

    async def _refuse(self, error: Exception, scope: Scope, send: Send) -> None:
        if isinstance(error, Forbidden):
            error = NotAuthenticated(error.message, hint=error.hint)
        await self._tell(tell(error, new_request_id()), self._cors.headers(scope), scope, send)

    async def _tell(self, failure: Failure, headers: Headers, scope: Scope, send: Send) -> None:
        """Answer with the envelope of a failure."""
        said = [
            (b"cache-control", NO_STORE),
            (b"content-type", _TYPES["json"]),
            (b"x-request-id", failure.request_id.encode()),
            *_ALWAYS,
            *headers,
        ]
        await _respond(send, failure.status, said, b"" if scope["method"] == "HEAD" else failure.body)

    async def _answer_other_method(self, scope: Scope, send: Send) -> None:
        preflight = self._cors.preflight(scope)
        if preflight is not None:
            await _respond(send, 204, preflight)
        else:
            failure = tell(MethodNotAllowed(f"{scope['method']} is not for {scope['path']}"), new_request_id())
            await self._tell(failure, [(b"allow", b"GET, HEAD")], scope, send)


def _headers(extent: Extent) -> Headers:
    return [
        (b"etag", extent.etag),
        (b"cache-control", extent.cache_control),
        (b"content-type", extent.media_type),
        *_ALWAYS,
    ]


async def _start(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _respond(send: Send, status: int, headers: Headers, body: bytes | None = None) -> None:
    """A whole answer; without a `body` it has no Content-Length either, as 204 and 304 want it."""
    if body is not None:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await _start(send, status, headers)
    await send({"type": "http.response.body", "body": body or b""})
