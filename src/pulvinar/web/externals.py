"""Volumes that others own, as the gateway serves their chunks: opened once, and asked in threads of their own, so that
a source that answers slowly keeps nobody waiting for what is in our store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pulvinar.model.dataset import Asset
from pulvinar.model.volume import Shape5
from pulvinar.storage.external import ExternalSources, Piece
from pulvinar.storage.external_volume import ExternalVolume, open_external
from pulvinar.web.recent import Recent

T = TypeVar("T")

_OPEN = 256
_THREADS = 16


class Externals:
    """Chunks of volumes in other places. Its calls wait: use them in a thread."""

    def __init__(self, sources: ExternalSources) -> None:
        self._sources = sources
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="external")
        self._volumes: Recent[tuple[str, str, str], ExternalVolume] = Recent(_OPEN)

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns, called in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def close(self) -> None:
        """End the threads; what they wait for is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def chunk(self, asset: Asset, level: int, place: Shape5) -> Piece | None:
        """The encoded bytes of one chunk; None where it holds only the fill value. Raises `Corrupt` when the source is
        not what was indexed, `Unavailable` when it does not answer or isn't allowed."""
        url = asset.location.url if asset.location else ""
        key = (asset.id, asset.digest, url)
        volume = self._volumes.get(key)
        if volume is None:
            volume = open_external(self._sources, asset)
            self._volumes.put(key, volume)
        return volume.chunk(level, place)
