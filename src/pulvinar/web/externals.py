"""Volumes that others own, as the gateway serves their chunks: opened once, and asked in a thread."""

from __future__ import annotations

from pulvinar.model.dataset import Asset
from pulvinar.model.volume import Shape5
from pulvinar.storage.external import ExternalSources, Piece
from pulvinar.storage.external_volume import ExternalVolume, open_external
from pulvinar.web.recent import Recent

_OPEN = 256


class Externals:
    """Chunks of volumes in other places. Its calls wait: use them in a thread."""

    def __init__(self, sources: ExternalSources) -> None:
        self._sources = sources
        self._volumes: Recent[tuple[str, str, str], ExternalVolume] = Recent(_OPEN)

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
