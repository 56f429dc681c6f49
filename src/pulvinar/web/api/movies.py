"""Movies of views, made here by a browser without a screen."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.downloads import disposition
from pulvinar.web.identification import cookie_name, cookie_of, link_cookie_name, link_of
from pulvinar.web.limits import costly
from pulvinar.web.turntable import Turntable, make_turntable

router = APIRouter(prefix="/movies", tags=["movies"], dependencies=[Depends(costly)])

_MOVIE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/turntable", response_class=Response, responses=_MOVIE)
def get_turntable(
    request: Request,
    platform: CurrentPlatform,
    _: CurrentActor,
    page: Annotated[
        str,
        Query(
            pattern=r"^/(datasets|atlases|v)/[^\s\\]+$",
            max_length=4000,
            description="A page of the viewer, as its address has it from the first slash on, with what follows #.",
        ),
    ],
    seconds: Annotated[float, Query(ge=1, le=30, description="How long a full turn takes.")] = 6.0,
    fps: Annotated[int, Query(ge=1, le=30, description="Frames a second.")] = 20,
    width: Annotated[int, Query(ge=64, le=1920)] = 960,
    height: Annotated[int, Query(ge=64, le=1920)] = 720,
) -> Response:
    """The 3D view of a page turning once, as an MP4, seen with the rights of who asks.

    503 where this server has no Chromium or ffmpeg, saying what to install, or while it makes another.
    """
    settings = platform.settings
    cookies = {cookie_name(settings): cookie_of(settings, request.scope)}
    cookies |= {link_cookie_name(settings): link_of(settings, request.scope)}
    # where this very request came in: the browser is on the same machine
    host, port = request.scope["server"]
    own = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    movie = Turntable(seconds, fps, width, height)
    kept = {name: secret for name, secret in cookies.items() if secret}
    made = make_turntable(f"http://{own}{page}", movie, cookies=kept)
    headers = {"content-disposition": disposition("turntable.mp4"), "cache-control": "no-store"}
    return Response(made, media_type="video/mp4", headers=headers)
