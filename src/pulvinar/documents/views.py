"""Saved views: a title and a short link to a page of the viewer as somebody saw it.

A view shows nothing by itself: whoever opens it sees what the opener may see.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.orm import Session

from pulvinar.access.visibility import is_signed_in, visible
from pulvinar.access.work import UnitOfWork, check_right
from pulvinar.atlases.installed import find_atlas
from pulvinar.catalogue.datasets import get_dataset
from pulvinar.documents.documents import checked_title
from pulvinar.documents.tables import saved_view
from pulvinar.errors import Forbidden, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.identity import check_id
from pulvinar.storage.database import Database

LONGEST_STATE = 20_000
MOST_VIEWS = 5000
"""Of one person."""
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_LENGTH = 10
_PATH = re.compile(r"/(datasets|atlases)/([^/?#]{1,100})/view")
_SIDE_BY_SIDE = "/compare"
_MOST_BRAINS = 4
_KINDS = {"atlas": "atlases", "dataset": "datasets"}
_PARAMETERS = {"datasets": {"version", "asset"}, "atlases": {"region", "asset", "ends"}}
_COMPARED = {"brain", "region", "ends"}
_MARKS = re.compile(r"(?:^|(?<=&))marks=[^&]*&?")
_STATE = re.compile(r"[!-~]*")


@dataclass(frozen=True)
class SavedView:
    """A page of the viewer, `path` on this server with what it asks for, and `state` what stands after the #.

    `document_id` is the document of marks that was open, "" without one.
    """

    id: str
    title: str
    dataset_id: str
    path: str
    state: str
    document_id: str
    made_by: str
    made: datetime

    @property
    def address(self) -> str:
        """Where it leads, on this server."""
        parts = (self.state, f"marks={self.document_id}" if self.document_id else "")
        state = "&".join(filter(None, parts))
        return f"{self.path}#{state}" if state else self.path

    @property
    def scene_path(self) -> str:
        """Where what the page shows is asked for; "" for brains side by side, which are several."""
        page, _, asked = self.path.partition("?")
        if page == _SIDE_BY_SIDE:
            return ""
        _, kind, name, _ = page.split("/")
        scene = f"/api/v1/scenes/{name}" if kind == "datasets" else f"/api/v1/atlases/{name}/scene"
        return f"{scene}?{asked}" if asked else scene


def save_view(
    database: Database, actor: Actor, title: str, path: str, state: str, *, document_id: str = ""
) -> SavedView:
    """Keep a view of a page that `actor` may view.

    Raises `Invalid` for what is no page of the viewer here, `NotFound` for what the actor may not view, `Forbidden` for
    who isn't signed in or keeps too many.
    """
    dataset_id, kept = _page(database, actor, path)
    state = _MARKS.sub("", state.removeprefix("#")).strip("&")
    if len(state) > LONGEST_STATE or not _STATE.fullmatch(state):
        raise Invalid(f"a state of {len(state)} letters is none of the viewer", hint="take it from its address")
    if document_id:
        check_id(document_id)
    name = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    made = SavedView(name, checked_title(title), dataset_id, kept, state, document_id, actor.id, datetime.now(UTC))
    with UnitOfWork(database, actor) as work:
        work.ask_by(lambda session, who: _check_may_save(session, who, dataset_id))
        work.session.execute(insert(saved_view).values(vars(made)))
        work.record_event("save-view", dataset_id, {"view": made.id})
    return made


def _check_may_save(session: Session, actor: Actor, dataset_id: str) -> None:
    check_right(session, actor, Right.VIEW, dataset_id)
    if not is_signed_in(actor) or actor.ceiling < Right.WRITE:
        raise Forbidden(f"{actor.name} may keep nothing here", hint="sign in first")
    mine = select(saved_view.c.id).where(saved_view.c.made_by == actor.id).limit(MOST_VIEWS)
    if len(session.scalars(mine).all()) == MOST_VIEWS:
        raise Forbidden(f"{actor.name} keeps {MOST_VIEWS} views", hint="delete some")


def _page(database: Database, actor: Actor, path: str) -> tuple[str, str]:
    """The dataset that a page of the viewer shows, and the page's path written in one way."""
    parts = urlsplit(path)
    if parts.path == _SIDE_BY_SIDE and not (parts.scheme or parts.netloc):
        return _side_by_side(database, actor, parts.query)
    match = _PATH.fullmatch(parts.path)
    if parts.scheme or parts.netloc or match is None or len(path) > LONGEST_STATE:
        raise Invalid("this is no page of the viewer", hint="a path on this server, as /datasets/<id>/view?version=1")
    kind, name = match.groups()
    asked = [
        (key, value)
        for key, values in parse_qs(parts.query, max_num_fields=100).items()
        if key in _PARAMETERS[kind]
        for value in values
    ]
    dataset_id, name = _home_of(database, actor, kind, name)
    query = f"?{urlencode(asked)}" if asked else ""
    return dataset_id, f"/{kind}/{quote(name, safe='')}/view{query}"


def _home_of(database: Database, actor: Actor, kind: str, name: str) -> tuple[str, str]:
    """The dataset that is named, or that is an atlas, and the name in its address."""
    if kind == "atlases":
        found = find_atlas(database, actor, name)
        return found.dataset_id, found.atlas.name
    dataset_id = get_dataset(database, actor, check_id(name)).id
    return dataset_id, dataset_id


def _side_by_side(database: Database, actor: Actor, query: str) -> tuple[str, str]:
    """Of brains side by side: the dataset of the first, and the page's path; every one of them must be there."""
    given = parse_qs(query, max_num_fields=100)
    brains = [one.partition(":") for one in given.get("brain", ())]
    if not 2 <= len(brains) <= _MOST_BRAINS or any(kind not in _KINDS for kind, _, _ in brains):
        raise Invalid("these are no two to four brains", hint="/compare?brain=atlas:NAME&brain=dataset:ID")
    homes = [_home_of(database, actor, _KINDS[kind], name) for kind, _, name in brains]
    asked = [(key, value) for key, values in given.items() if key in _COMPARED for value in values]
    return homes[0][0], f"{_SIDE_BY_SIDE}?{urlencode(asked)}"


def get_view(database: Database, actor: Actor, view_id: str) -> SavedView:
    """A view by its short name. Raises `NotFound` where there is none, and where `actor` may not view its dataset."""
    shown = select(saved_view).where(saved_view.c.id == view_id, visible(actor, saved_view.c.dataset_id, Right.VIEW))
    with database.session() as session:
        row = session.execute(shown).first()
    if row is None:
        raise NotFound("this view is not here", hint="it was deleted, or shows what you may not see: ask who sent it")
    return _view(row)


def list_views(database: Database, actor: Actor, *, limit: int = 200) -> tuple[SavedView, ...]:
    """The views that `actor` keeps, newest first; those of what the actor may no longer see are left out."""
    mine = select(saved_view).where(
        saved_view.c.made_by == actor.id, visible(actor, saved_view.c.dataset_id, Right.VIEW)
    )
    with database.session() as session:
        rows = session.execute(mine.order_by(saved_view.c.made.desc(), saved_view.c.id).limit(limit))
        return tuple(_view(row) for row in rows)


def delete_view(work: UnitOfWork, view_id: str) -> None:
    """Have a short link lead nowhere from now on. Raises `NotFound` for one that isn't the actor's own."""
    work.ask_by(lambda session, actor: _check_own(session, actor, view_id))
    work.session.execute(delete(saved_view).where(saved_view.c.id == view_id))
    work.record_event("delete-view", view_id)


def _check_own(session: Session, actor: Actor, view_id: str) -> None:
    maker = session.scalar(select(saved_view.c.made_by).where(saved_view.c.id == view_id))
    if maker is None or not (actor.is_owner or (actor.id == maker and is_signed_in(actor))):
        raise NotFound(f"there is no view {view_id} of yours")
    if actor.ceiling < Right.WRITE:
        raise Forbidden(f"{actor.name} may change nothing")


def _view(row: Row[Any]) -> SavedView:
    return SavedView(**row._mapping)
