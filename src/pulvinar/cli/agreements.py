"""What the commands of requests and agreements do: as the owner of this machine's settings."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, time
from pathlib import Path

from pulvinar.access import agreements
from pulvinar.access.acceptances import acceptances_of
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import requests
from pulvinar.catalogue.datasets import get_dataset
from pulvinar.cli.show import print_json, print_table
from pulvinar.cli.verbs import opened
from pulvinar.errors import Invalid
from pulvinar.model.agreement import Terms, terms_from_json, terms_to_json
from pulvinar.model.text import plain


def list_requests(*, decided: bool, as_json: bool) -> None:
    """`pulvinar request list`."""
    with opened() as platform:
        found = requests.requests_to_decide(platform.database, platform.actor, decided=decided)
    columns = ("id", "state", "dataset", "account", "made", "purpose")
    rows = [
        (one.id, one.state.value, one.dataset_id, one.account_id, _day_of(one.made), plain(one.purpose))
        for one in (told.request for told in found)
    ]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(rows, columns)


def grant_request(request_id: str, until: str, message: str) -> None:
    """`pulvinar request grant`. Raises `NotFound`, `Conflict`, `Invalid`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        requests.grant(work, request_id, ends=_end_of(until), message=message)
    print(f"{request_id} is granted")


def refuse_request(request_id: str, message: str) -> None:
    """`pulvinar request refuse`. Raises `NotFound`, `Conflict`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        requests.refuse(work, request_id, message=message)
    print(f"{request_id} is refused")


def list_agreements(dataset_id: str, *, as_json: bool) -> None:
    """`pulvinar agreement list`. Raises `NotFound`."""
    with opened() as platform:
        get_dataset(platform.database, platform.actor, dataset_id)
        with platform.database.session() as session:
            found = agreements.agreements_on(session, dataset_id)
    columns = ("id", "version", "since", "title")
    rows = [(one.id, str(one.number), f"{one.made:%Y-%m-%d}", plain(one.terms.title.en)) for one in found]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(rows, columns)


def show_agreement(agreement_id: str, number: int | None, *, as_json: bool) -> None:
    """`pulvinar agreement show`. Raises `NotFound`."""
    with opened() as platform, platform.database.session() as session:
        found = agreements.get_agreement(session, platform.actor, agreement_id, number)
    if as_json:
        print_json(terms_to_json(found.terms))
        return
    print(f"version {found.number}, sha256:{found.terms.digest}")
    for title, text in ((found.terms.title.en, found.terms.text.en), (found.terms.title.zh, found.terms.text.zh)):
        print(f"\n{plain(title)}\n")
        for line in text.splitlines():
            print(plain(line))


def set_agreement(terms: Path, dataset_id: str) -> None:
    """`pulvinar agreement set`. Raises `NotFound`, `Invalid`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        node = platform.settings.node
        made = agreements.set_agreement(work, _terms(terms), dataset_id=dataset_id, node=node)
    print(f"{made.id} binds {dataset_id}")


def change_agreement(agreement_id: str, terms: Path) -> None:
    """`pulvinar agreement change`. Raises `NotFound`, `Invalid`, `Conflict`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        made = agreements.renew_agreement(work, agreement_id, _terms(terms))
    print(f"{agreement_id} has version {made.number}")


def list_acceptances(agreement_id: str, *, as_json: bool) -> None:
    """`pulvinar agreement accepted`. Raises `NotFound`."""
    with opened() as platform, platform.database.session() as session:
        of = agreements.get_agreement(session, platform.actor, agreement_id)
        found = acceptances_of(session, platform.actor, of)
    if as_json:
        print_json([{**asdict(one), **_moments(vars(one))} for one in found])
        return
    columns = ("name", "version", "accepted", "counts from", "until")
    rows = [
        (plain(one.name), str(one.number), f"{one.accepted:%Y-%m-%d}", _day_of(one.counts_from), _day_of(one.ends))
        for one in found
    ]
    print_table(rows, columns)


def _moments(values: dict[str, object]) -> dict[str, str]:
    return {name: value.isoformat() for name, value in values.items() if isinstance(value, datetime)}


def _terms(path: Path) -> Terms:
    try:
        return terms_from_json(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} can't be read: {error}", hint="pulvinar agreement show --json prints one") from error


def _day_of(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


def _end_of(day: str) -> datetime | None:
    try:
        return datetime.combine(datetime.fromisoformat(day).date(), time.max, UTC) if day else None
    except ValueError as error:
        raise Invalid(f"{day!r} is no day", hint="as 2027-01-31") from error
