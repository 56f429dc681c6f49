"""Atlases that are open in this process: a tree and a grid are read once, not for each request."""

from __future__ import annotations

from threading import Lock

from pulvinar.atlases.installed import Installed, OpenAtlas, grids_in
from pulvinar.platform import Platform
from pulvinar.web.recent import Recent

_MOST = 16
_opened: Recent[tuple[str, str, str, str], OpenAtlas] = Recent(_MOST)
_lock = Lock()


def opened_atlas(platform: Platform, installed: Installed) -> OpenAtlas:
    """`installed`, opened; whoever may see it was asked when it was found."""
    atlas = installed.atlas
    digests = ",".join(part.digest for part in atlas.parts)
    key = (platform.store.url, atlas.name, atlas.version, digests)
    with _lock:
        found = _opened.get(key)
        if found is None:
            found = OpenAtlas(installed, platform.store, grids_in(platform.settings.resolved_scratch()))
            _opened.put(key, found)
    return found
