"""What the platform keeps of a person, for that person: as JSON Lines, each line of one kind.

Secrets are not in it: of passwords, codes and tokens it says that there are some. What the person has handed in is
named, and lies where it can be downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pulvinar.access import external_identities, passwords, second_factor
from pulvinar.access.acceptances import acceptances_by
from pulvinar.access.accounts import read_account
from pulvinar.access.audit import event_json, events_about
from pulvinar.access.organisations import list_organisations
from pulvinar.access.sign_ins import list_sign_ins
from pulvinar.access.tokens import list_tokens
from pulvinar.access.visibility import audience_of, given_by_name
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.requests import own_requests
from pulvinar.compute.jobs import list_jobs
from pulvinar.documents.documents import list_documents
from pulvinar.documents.views import list_views
from pulvinar.ingest.uploads.submissions import list_submissions
from pulvinar.model.access import Actor
from pulvinar.model.job import job_to_json
from pulvinar.storage.database import Database

Line = tuple[str, Mapping[str, Any]]


def own_data(database: Database, actor: Actor) -> Iterator[str]:
    """What there is of `actor`'s account, line by line; memory doesn't grow with it.

    That it was asked for is recorded. Raises `Forbidden` for a token that may not do all that its person may.
    """
    with UnitOfWork(database, actor) as work:
        work.ask_own(actor.id)
        work.record_event("export-own-data", actor.id)
    return _written(database, actor)


def _written(database: Database, actor: Actor) -> Iterator[str]:
    for kind, told in _lines(database, actor):
        yield json.dumps({"kind": kind, "data": told}, ensure_ascii=False, default=_plain) + "\n"
    for event in events_about(database, actor.id):
        yield f'{{"kind": "event", "data": {event_json(event)}}}\n'


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _lines(database: Database, actor: Actor) -> Iterator[Line]:
    with database.session() as session:
        account = read_account(session, actor.id)
        yield (
            "account",
            {
                **asdict(account),
                "has_password": passwords.hash_of(session, actor.id) is not None,
                "has_second_factor": second_factor.is_on(session, actor.id),
                "signs_in_at": list(external_identities.issuers_of(session, actor.id)),
            },
        )
        for organisation, role in list_organisations(session, actor):
            yield "organisation", {**asdict(organisation), "role": role.name.lower()}
        for dataset_id, right, ends in given_by_name(session, audience_of(actor.id)):
            yield "grant", {"dataset": dataset_id, "right": right.name.lower(), "ends": ends}
        acceptances = acceptances_by(session, actor.id)
    yield from (("acceptance", asdict(one)) for one in acceptances)
    yield from (("sign-in", asdict(one)) for one, _ in list_sign_ins(database, actor))
    yield from (
        ("token", {**asdict(one), "ceiling": one.ceiling.name.lower()})
        for one in list_tokens(database, actor, actor.id)
    )
    yield from (("request", asdict(one.request)) for one in own_requests(database, actor))
    yield from (("view", asdict(one)) for one in list_views(database, actor))
    yield from (("submission", asdict(one)) for one in list_submissions(database, actor))
    yield from _made(database, actor)


def _made(database: Database, actor: Actor) -> Iterator[Line]:
    cursor: str | None = None
    while True:
        page = list_documents(database, actor, cursor=cursor, limit=200)
        yield from (("document", asdict(one)) for one in page.items if one.made_by == actor.id)
        if (cursor := page.next_cursor) is None:
            break
    while True:
        found, cursor = list_jobs(database, actor, cursor=cursor, limit=200)
        yield from (("job", job_to_json(one)) for one in found if one.actor.id == actor.id)
        if cursor is None:
            break
