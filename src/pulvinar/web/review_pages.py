"""Coming by a link: the browser keeps its secret, and sees by it and by nothing else until it leaves or it ends."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from pulvinar.access.attempts import begin, of_address
from pulvinar.access.links import follow
from pulvinar.errors import NotFound
from pulvinar.web.context import CurrentPlatform, refuse_other_sites
from pulvinar.web.forms import browser_of, go_to, only_public
from pulvinar.web.identification import drop_link_cookie, keep_link_cookie

router = APIRouter(
    prefix="/review", include_in_schema=False, dependencies=[Depends(refuse_other_sites), Depends(only_public)]
)


@router.post("/leave")
def leave(platform: CurrentPlatform) -> Response:
    """See as oneself again."""
    response = go_to("/")
    drop_link_cookie(response, platform.settings)
    return response


@router.get("/{secret}")
def come(request: Request, platform: CurrentPlatform, secret: Annotated[str, Path(max_length=100)]) -> Response:
    """Follow a link to its dataset. Who guesses many is slowed down."""
    with platform.database.session() as session:
        followed = follow(session, secret)
    if followed is None:
        begin(platform.database, [of_address("review-link", browser_of(request).address)])
        raise NotFound("this link leads nowhere", hint="it has ended, or was taken back: ask who sent it")
    link, _ = followed
    response = go_to(f"/datasets/{link.dataset_id}")
    keep_link_cookie(response, platform.settings, secret, link.ends)
    return response
