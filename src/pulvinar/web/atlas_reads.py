"""Who gets what of an atlas's voxels and surfaces: to see that it is there is not yet to have them."""

from __future__ import annotations

from fastapi import Request

from pulvinar.access.export_rules import check_leaving
from pulvinar.atlases.installed import OpenAtlas
from pulvinar.catalogue.assets import find_home, resolve
from pulvinar.model.access import Actor, Right
from pulvinar.model.atlas import PartKind
from pulvinar.model.export_rule import Way
from pulvinar.platform import Platform
from pulvinar.web.reads import count_as, reading_of


def check_read(
    request: Request, platform: Platform, actor: Actor, atlas: OpenAtlas, kind: PartKind, right: Right = Right.READ
) -> None:
    """Go on only if `actor` has `right` on a part of an atlas, and have the answer counted as a read of it; what is
    read, and not only viewed, leaves this site, which rules may forbid.

    Raises `NotFound` for an atlas without such a part, `Forbidden` where it may only be seen.
    """
    part = atlas.atlas.part(kind)
    version, _ = find_home(platform.database, actor, part.asset_id, Right.SEE)
    found = resolve(platform.database, actor, version.digest, part.asset_id, right)
    count_as(request, reading_of(actor, found))
    if right >= Right.READ:
        check_leaving(platform.database, actor, found.dataset_id, found.asset, Way.DOWNLOAD)
