"""Atlases that are open in this process: a tree and a grid are read once, not for each request."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from pulvinar.atlases.installed import Installed, OpenAtlas, find_atlas, grids_in
from pulvinar.catalogue.search_tools import RegionDistances
from pulvinar.model.access import Actor
from pulvinar.model.atlas import PartKind
from pulvinar.platform import Platform
from pulvinar.web.recent import Recent

if TYPE_CHECKING:
    from pulvinar.atlases.region_distance import RegionDistance

_MOST = 16
_opened: Recent[tuple[str, str, str, str], OpenAtlas] = Recent(_MOST)
_MOST_REGIONS = 64
_distances: Recent[tuple[str, str, int], RegionDistance | None] = Recent(_MOST_REGIONS)
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


def region_distances(platform: Platform) -> RegionDistances:
    """How far places are from a region: what a search near one asks. A region is read once, not for each request."""

    from pulvinar.atlases.region_distance import region_distance

    def told(actor: Actor, name: str, region_id: int) -> RegionDistance | None:
        opened = opened_atlas(platform, find_atlas(platform.database, actor, name))
        if not opened.atlas.has(PartKind.ANNOTATION):
            return None
        key = platform.store.url, opened.atlas.part(PartKind.ANNOTATION).digest, region_id
        with _lock:
            found = _distances.get(key)
        if found is None:
            found = region_distance(opened.annotation, region_id)
            with _lock:
                _distances.put(key, found)
        return found

    return told
