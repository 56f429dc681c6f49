"""The pages of labs, projects and teams: which there are, who is in one and in which role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from sqlalchemy.orm import Session

from pulvinar.access import organisations
from pulvinar.access.audiences import named, person
from pulvinar.access.visibility import audience_of
from pulvinar.access.work import UnitOfWork, may_in, may_on_node
from pulvinar.errors import Conflict, Invalid, NotFound, PulvinarError
from pulvinar.model.access import Actor, Organisation, OrganisationKind, Right
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites
from pulvinar.web.forms import SentForm, go_to, private_page
from pulvinar.web.phrases import ACCESS, ORGANISATIONS, ROLES

router = APIRouter(prefix="/organisations", include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

_SAID = (Invalid, Conflict, NotFound)
OrganisationId = Annotated[str, Path(max_length=100)]


@router.get("")
def show_all(request: Request, platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """The organisations that one is in; all of them for an owner."""
    return _all(request, platform, actor)


def _all(request: Request, platform: Platform, actor: Actor, trouble: PulvinarError | None = None) -> Response:
    with platform.database.session() as session:
        mine = organisations.list_organisations(session, actor)
    values = {"mine": mine, "kinds": ORGANISATIONS, "roles": ROLES, "may_make": may_on_node(actor, Right.ADMINISTER)}
    return private_page(request, "organisations.html", values, trouble)


@router.post("")
def make(request: Request, platform: CurrentPlatform, actor: CurrentActor, form: SentForm) -> Response:
    """Make an organisation, in another one where that is named."""
    parent = form["parent"] or None
    try:
        kind = OrganisationKind(form["kind"]) if form["kind"] in list(OrganisationKind) else OrganisationKind.TEAM
        with UnitOfWork(platform.database, actor) as work:
            made = organisations.make_organisation(work, form["name"], kind, parent=parent, node=platform.settings.node)
    except _SAID as error:
        return _one(request, platform, actor, parent, error) if parent else _all(request, platform, actor, error)
    return go_to(f"/organisations/{made.id}")


@router.get("/{organisation_id}")
def show(request: Request, platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId) -> Response:
    """One organisation."""
    return _one(request, platform, actor, organisation_id)


def _one(
    request: Request, platform: Platform, actor: Actor, organisation_id: str, trouble: PulvinarError | None = None
) -> Response:
    with platform.database.session() as session:
        shown = organisations.get_organisation(session, actor, organisation_id)
        values: dict[str, Any] = {"shown": shown, "members": _members(session, shown), "above": None}
        seen = organisations.list_organisations(session, actor)
    values["below"] = [one for one, _ in seen if one.parent == shown.id]
    values["above"] = next((one for one, _ in seen if one.id == shown.parent), None)
    values |= {"kinds": ORGANISATIONS, "roles": ROLES, "access": ACCESS, "me": actor.id}
    values["administers"] = may_in(actor, Right.ADMINISTER, shown.id)
    return private_page(request, "organisation.html", values, trouble)


def _members(session: Session, shown: Organisation) -> list[tuple[str, str, Right]]:
    """Identifier, login name and role of each, the highest role first."""
    roles = organisations.members_of(session, shown.id)
    names = named(session, map(audience_of, roles))
    members = [(one, names[audience_of(one)].name or one, role) for one, role in roles.items()]
    return sorted(members, key=lambda one: (-one[2], one[1]))


@router.post("/{organisation_id}/members")
def set_member(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId, form: SentForm
) -> Response:
    """Take somebody in, or give a member another role."""

    def change(work: UnitOfWork) -> None:
        role = next((one for one in ROLES if one.name.lower() == form["role"]), Right.READ)
        # who may change it is asked before a login name is looked up
        work.ask_in(Right.ADMINISTER, organisation_id)
        member = form["member"] or person(work.session, form["login"]).partition(":")[2]
        if form["member"] and member not in organisations.members_of(work.session, organisation_id):
            raise NotFound("there is no such member", hint="take somebody in by login name")
        organisations.set_member(work, organisation_id, member, role)

    return _changed(request, platform, actor, organisation_id, change)


@router.post("/{organisation_id}/members/remove")
def remove_member(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId, form: SentForm
) -> Response:
    """Take somebody out, or leave."""

    def change(work: UnitOfWork) -> None:
        organisations.remove_member(work, organisation_id, form["member"])

    return _changed(request, platform, actor, organisation_id, change, left=form["member"] == actor.id)


@router.post("/{organisation_id}/name")
def rename(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId, form: SentForm
) -> Response:
    """Give it another name."""

    def change(work: UnitOfWork) -> None:
        organisations.rename_organisation(work, organisation_id, form["name"])

    return _changed(request, platform, actor, organisation_id, change)


def _changed(
    request: Request,
    platform: Platform,
    actor: Actor,
    organisation_id: str,
    change: Callable[[UnitOfWork], None],
    *,
    left: bool = False,
) -> Response:
    try:
        with UnitOfWork(platform.database, actor) as work:
            change(work)
    except _SAID as error:
        return _one(request, platform, actor, organisation_id, error)
    return go_to("/organisations" if left else f"/organisations/{organisation_id}")
