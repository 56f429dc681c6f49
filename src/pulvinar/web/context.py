"""What every request handler starts from: the platform, and who is asking."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from pulvinar.model.access import Actor
from pulvinar.platform import Platform
from pulvinar.web.requests import Scope


def actor_of(platform: Platform, scope: Scope) -> Actor:
    """Who asks: the platform's own actor, until people can sign in. The one place that will change then."""
    return platform.actor


def current_platform(request: Request) -> Platform:
    """The platform that this application was made for."""
    platform: Platform = request.app.state.platform
    return platform


def current_actor(request: Request) -> Actor:
    """Who sends `request`."""
    return actor_of(current_platform(request), request.scope)


CurrentPlatform = Annotated[Platform, Depends(current_platform)]
CurrentActor = Annotated[Actor, Depends(current_actor)]
