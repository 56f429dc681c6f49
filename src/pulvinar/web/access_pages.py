"""The page that says what one may do with a dataset and why; for those who share it, who else may, and links."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from pulvinar.access.audiences import named, organisation_named, person
from pulvinar.access.links import links_to
from pulvinar.access.organisations import list_organisations
from pulvinar.access.visibility import highest_right
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import sharing
from pulvinar.catalogue.datasets import get_dataset
from pulvinar.catalogue.names_in_texts import names_shown
from pulvinar.errors import Conflict, Invalid, NotFound, PulvinarError
from pulvinar.model.access import Actor, Right, Tier
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, refuse_other_sites
from pulvinar.web.forms import Form, SentForm, go_to, link_to, private_page
from pulvinar.web.phrases import ACCESS, TIERS

router = APIRouter(
    prefix="/datasets/{dataset_id}/access", include_in_schema=False, dependencies=[Depends(refuse_other_sites)]
)

_SAID = (Invalid, Conflict, NotFound)
_Change = Callable[[UnitOfWork, Form], Any]


class _Access:
    """The page of one dataset, and what a change of it does."""

    def __init__(self, request: Request, platform: Platform, actor: Actor, dataset_id: str) -> None:
        self.request = request
        self.platform = platform
        self.actor = actor
        self.dataset = get_dataset(platform.database, actor, dataset_id)

    def page(self, trouble: PulvinarError | None = None, **shown: Any) -> Response:
        """The whole page; `shown` is what is to be seen this once."""
        database, dataset_id = self.platform.database, self.dataset.id
        mine = sharing.why(database, self.actor, dataset_id)
        values: dict[str, Any] = {"dataset": self.dataset, "mine": mine, "right": mine[0].right, "me": self.actor.id}
        values |= {"rights": ACCESS, "tiers": TIERS}
        if mine[0].right >= Right.SHARE:
            access, grants = sharing.who_may(database, self.actor, dataset_id)
            values |= {"access": access, "grants": grants, "given": _rights_up_to(mine[0].right)}
        with database.session() as session:
            audiences = {one.audience for one in (*mine, *values.get("grants", ()))}
            values["names"] = named(session, audiences, labels=mine[0].right >= Right.SHARE)
            values["links"] = links_to(session, dataset_id) if mine[0].right >= Right.SHARE else ()
            values["organisations"] = list_organisations(session, self.actor)
        return private_page(self.request, "access.html", {"secret_link": "", **values, **shown}, trouble)

    def changed(self, form: Form, change: _Change) -> Response:
        """Make a change and show the page, or what is wrong with it."""
        try:
            with UnitOfWork(self.platform.database, self.actor) as work:
                change(work, form)
        except _SAID as error:
            return self.page(error, form=form)
        with self.platform.database.session() as session:
            left = highest_right(session, self.actor, self.dataset.id)
        return go_to(f"/datasets/{self.dataset.id}/access" if left else "/")


def _rights_up_to(highest: Right) -> list[Right]:
    return [one for one in ACCESS if one <= highest]


def _access(request: Request, platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> _Access:
    return _Access(request, platform, actor, dataset_id)


Of = Depends(_access)


@router.get("")
def show(of: _Access = Of) -> Response:
    """The page."""
    return of.page()


@router.post("/tier")
def choose_tier(form: SentForm, of: _Access = Of) -> Response:
    """Say whom the dataset is for."""

    def change(work: UnitOfWork, sent: Form) -> None:
        tier = _chosen(Tier, sent["tier"])
        opens = _day(sent["opens"]) if tier is Tier.EMBARGOED else None
        sharing.set_tier(work, of.dataset.id, tier, opens=opens)

    return of.changed(form, change)


@router.post("/shares")
def share(form: SentForm, of: _Access = Of) -> Response:
    """Give a person or an organisation a right."""

    def change(work: UnitOfWork, sent: Form) -> None:
        # who may not share learns not even which login names there are
        work.ask(Right.SHARE, of.dataset.id)
        audience = organisation_named(work.session, sent["organisation"]) if sent["organisation"] else ""
        audience = audience or person(work.session, sent["login"])
        sharing.share(work, of.dataset.id, audience, _right(sent["right"]), ends=_day(sent["ends"]))

    return of.changed(form, change)


@router.post("/shares/end")
def unshare(form: SentForm, of: _Access = Of) -> Response:
    """Take back what was given."""
    return of.changed(form, lambda work, sent: sharing.unshare(work, of.dataset.id, sent["audience"]))


@router.post("/home")
def move(form: SentForm, of: _Access = Of) -> Response:
    """Move the dataset into an organisation, or out of all."""
    return of.changed(form, lambda work, sent: sharing.move(work, of.dataset.id, sent["organisation"] or None))


@router.post("/hand-over")
def hand_over(form: SentForm, of: _Access = Of) -> Response:
    """Give the dataset to somebody else."""

    def change(work: UnitOfWork, sent: Form) -> None:
        work.ask(Right.ADMINISTER, of.dataset.id)
        sharing.hand_over(work, of.dataset.id, person(work.session, sent["login"]).partition(":")[2])

    return of.changed(form, change)


@router.post("/links")
def make_link(form: SentForm, of: _Access = Of) -> Response:
    """Make a link, and show it this once."""
    try:
        ends = _day(form["ends"])
        if ends is None:
            raise Invalid("a link needs a day on which it ends")
        with UnitOfWork(of.platform.database, of.actor) as work:
            blind, label = form["blind"] == "true", form["label"]
            right = _right(form["right"])
            made, secret = sharing.share_by_link(work, of.dataset.id, ends=ends, right=right, blind=blind, label=label)
    except _SAID as error:
        return of.page(error, form=form)
    told = names_shown(of.platform.database, made) if made.blind else ()
    return of.page(secret_link=link_to(of.platform, f"/review/{secret}"), names_told=told)


@router.post("/links/end")
def end_link(form: SentForm, of: _Access = Of) -> Response:
    """Have a link lead nowhere."""
    return of.changed(form, lambda work, sent: sharing.end_link(work, of.dataset.id, sent["link"]))


def _right(name: str) -> Right:
    for right in Right:
        if right.name.lower() == name:
            return right
    raise Invalid(f"{name!r} is no right", hint=", ".join(one.name.lower() for one in Right))


def _chosen(kind: type[Tier], name: str) -> Tier:
    try:
        return kind(name)
    except ValueError as error:
        raise Invalid(f"{name!r} is no tier", hint=", ".join(kind)) from error


def _day(text: str) -> datetime | None:
    """The end of a day, in UTC; None where nothing was said."""
    if not text:
        return None
    try:
        return datetime.combine(datetime.strptime(text, "%Y-%m-%d").date(), time.max, UTC)
    except ValueError as error:
        raise Invalid(f"{text[:20]!r} is no day", hint="as 2027-01-31") from error
