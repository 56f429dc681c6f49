"""What every request handler starts from: the platform, and who is asking."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Path, Query, Request

from pulvinar.errors import Forbidden
from pulvinar.model.access import ANONYMOUS, Actor
from pulvinar.platform import Platform
from pulvinar.web.requests import Scope


def actor_of(platform: Platform, scope: Scope) -> Actor:
    """Who asks, until people can sign in: a visitor where the server is public, else the platform's own actor.

    The one place that will change then.
    """
    return ANONYMOUS if platform.settings.public else platform.actor


def current_platform(request: Request) -> Platform:
    """The platform that this application was made for."""
    platform: Platform = request.app.state.platform
    return platform


def current_actor(request: Request) -> Actor:
    """Who sends `request`."""
    return actor_of(current_platform(request), request.scope)


def refuse_other_sites(request: Request) -> None:
    """Raise `Forbidden` where the page of another site has a browser change something here.

    A browser says so itself; a form needs no leave of ours to be sent, and whoever reaches the server may be its owner.
    """
    if request.method in ("GET", "HEAD"):
        return
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin") or (
        origin and urlsplit(origin).netloc != host
    ):
        raise Forbidden(f"a page of {origin or 'another site'} may change nothing here")


DatasetId = Annotated[str, Path(description="Identifier of a dataset.", max_length=100)]
VersionDigest = Annotated[str, Path(description="SHA-256 of a version's manifest, in hex.", max_length=100)]
AssetId = Annotated[str, Path(description="Identifier of an asset of that version.", max_length=100)]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of a version, from 1.")]
WantedVersion = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="Number of a version; the newest that you may see without it.")
]
CurrentPlatform = Annotated[Platform, Depends(current_platform)]
CurrentActor = Annotated[Actor, Depends(current_actor)]
