"""The body of an upload, from the connection to the disk."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from pulvinar.ingest.uploads.landing import Landing
from pulvinar.ingest.uploads.parts import Part
from pulvinar.ingest.uploads.writing import PartWriter
from pulvinar.model.access import Actor
from pulvinar.web.direct_body import DirectBody, direct_body_of

_PIECE_BYTES = 1 << 20
_SILENT_S = 60.0
"""Who sends nothing for so long is taken for gone: another request may go on then."""

# of their own, so that slow disks take no thread from pages
_writers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="upload")


async def receive(request: Request, landing: Landing, actor: Actor, part: Part, offset: int, sha256: str) -> Part:
    """Write the body of `request` to `part`, from `offset` on; the part as it is then.

    When the connection breaks, what has come is kept, but for a body with a checksum: half of it proves nothing.
    """
    with await _in_thread(PartWriter, landing, actor, part, offset, sha256) as writer:
        whole = await _copy(request, writer)
        await _in_thread(partial(writer.keep, whole=whole))
        found: Part = writer.part
        return found


async def _copy(request: Request, writer: PartWriter) -> bool:
    """Write what comes; whether all of it came."""
    body = direct_body_of(request.scope)
    if body is not None and body.take_over():
        return await _copy_directly(body, writer)
    return await _copy_stream(request, writer)


async def _copy_directly(body: DirectBody, writer: PartWriter) -> bool:
    """Write a body that threads read from the connection; whether all of it came."""
    limit_at = body.left - _PIECE_BYTES
    now = asyncio.get_running_loop().time
    try:
        try:
            async with asyncio.timeout(_SILENT_S) as limit:
                while body.left and not body.broken:
                    await body.ready()
                    await _finished(_in_thread(body.pour, writer.write))
                    if body.left <= limit_at:
                        limit.reschedule(now() + _SILENT_S)
                        limit_at = body.left - _PIECE_BYTES
        except TimeoutError:
            pass
        finally:
            body.give_back()
        if body.left:
            await _finished(_in_thread(body.flush, writer.write))
    finally:
        body.let_go()
    return not body.left


async def _copy_stream(request: Request, writer: PartWriter) -> bool:
    """Write a body that comes by way of the event loop, a piece while the next one comes; whether all of it came."""
    waiting: list[bytes] = []
    size, whole = 0, True
    writing: asyncio.Future[None] | None = None
    now = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(_SILENT_S) as limit:
            async for chunk in request.stream():
                waiting.append(chunk)
                size += len(chunk)
                if size >= _PIECE_BYTES:
                    if writing is not None:
                        await writing
                    writing, waiting, size = _in_thread(writer.write, waiting), [], 0
                    limit.reschedule(now() + _SILENT_S)
    except (ClientDisconnect, TimeoutError):
        whole = False
    finally:
        # the file must not be closed below a thread that writes to it
        if writing is not None:
            await writing
    if waiting:
        await _in_thread(writer.write, waiting)
    return whole


async def _finished(work: asyncio.Future[None]) -> None:
    """Wait for a thread, even when this request is ended meanwhile: the file must not be closed below it."""
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


def _in_thread(call: Any, *arguments: Any) -> asyncio.Future[Any]:
    return asyncio.get_running_loop().run_in_executor(_writers, call, *arguments)
