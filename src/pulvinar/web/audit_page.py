"""The page of the log, for owners of the node: what happened, searched, page by page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from pulvinar.access.audit import Wanted, search_events
from pulvinar.access.audit_chain import last_seal
from pulvinar.access.deciders import accounts_named
from pulvinar.access.reads import reads_of
from pulvinar.errors import Invalid
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.rendering import render

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
READS_SHOWN = 100
Part = Annotated[str, Query(max_length=200)]


@router.get("/audit")
def audit(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    who: Part = "",
    verb: Part = "",
    subject: Part = "",
    reason: Part = "",
    since: Part = "",
    until: Part = "",
    cursor: Annotated[str | None, Query(max_length=60)] = None,
) -> Response:
    """What happened, newest first. Only for owners of the node."""
    asked = {"who": who, "verb": verb, "subject": subject, "reason": reason, "since": since, "until": until}
    asked = {name: value.strip() for name, value in asked.items()}
    page = search_events(platform.database, actor, _wanted(asked), cursor=cursor, limit=PAGE_SIZE)
    with platform.database.session() as session:
        seal = last_seal(session)
        people = accounts_named(session, (one for each in page.items for one in (each.actor_id, each.subject_id)))
    values = {
        "names": {one.id: one.login for one in people.values()},
        "events": [(one, json.dumps(one.details, ensure_ascii=False) if one.details else "") for one in page.items],
        "asked": asked,
        "first": cursor is None,
        "next": _address(asked, page.next_cursor) if page.next_cursor else None,
        "start": _address(asked),
        "narrowed": lambda **parts: _address({**asked, **parts}),
        "seal": seal,
    }
    return render(request, "audit.html", values)


@router.get("/audit/reads")
def reads(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, dataset: Part = "", who: Part = ""
) -> Response:
    """Who read how much of controlled data. Only for owners of the node."""
    found = reads_of(platform.database, actor, dataset_id=dataset.strip(), actor_id=who.strip(), limit=READS_SHOWN)
    return render(request, "reads.html", {"reads": found, "dataset": dataset.strip(), "reader": who.strip()})


def _wanted(asked: Mapping[str, str]) -> Wanted:
    """Which events the form asks for. A day counts whole, also the last one."""
    until = _day(asked["until"])
    return Wanted(
        asked["who"],
        asked["verb"],
        asked["subject"],
        _day(asked["since"]),
        until + timedelta(days=1) if until else None,
        asked["reason"],
    )


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise Invalid(f"{text!r} is no day", hint="as 2026-01-31") from error


def _address(asked: Mapping[str, str], cursor: str | None = None) -> str:
    given = {name: value for name, value in {**asked, "cursor": cursor or ""}.items() if value}
    return f"/audit?{urlencode(given)}" if given else "/audit"
