"""Organisations: labs, projects and teams, and who is in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from pulvinar.access import organisations
from pulvinar.access.audiences import named, person
from pulvinar.access.visibility import audience_of
from pulvinar.access.work import UnitOfWork
from pulvinar.model.access import OrganisationKind, Right
from pulvinar.web.api.names import RightName, name_of, right_named
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites

router = APIRouter(prefix="/organisations", tags=["organisations"], dependencies=[Depends(refuse_other_sites)])

OrganisationId = Annotated[str, Path(max_length=100, description="Identifier of an organisation.")]
AccountId = Annotated[str, Path(max_length=100, description="Identifier of an account.")]


class OrganisationIn(BaseModel):
    """The organisation that is asked for."""

    name: str = Field(max_length=400)
    kind: OrganisationKind = OrganisationKind.LAB
    parent: str | None = Field(default=None, max_length=100, description="The organisation in which it lies.")


class OrganisationOut(BaseModel):
    """A lab, a project or a team."""

    id: str
    name: str
    kind: OrganisationKind
    parent: str | None
    role: RightName = Field(description="Yours, as a right: what you may do with its datasets.")


class MemberIn(BaseModel):
    """Who is to be a member, in which role."""

    login: str = Field(max_length=64)
    role: RightName = "read"


class MemberOut(BaseModel):
    """A member of the organisation itself."""

    id: str
    login: str
    role: RightName


@router.get("")
def list_organisations(platform: CurrentPlatform, actor: CurrentActor) -> list[OrganisationOut]:
    """The organisations that you are in."""
    with platform.database.session() as session:
        mine = organisations.list_organisations(session, actor)
    return [OrganisationOut(**vars(one), role=name_of(role)) for one, role in mine]


@router.post("", status_code=201)
def post_organisation(platform: CurrentPlatform, actor: CurrentActor, wanted: OrganisationIn) -> OrganisationOut:
    """Make an organisation; you are its first administrator."""
    with UnitOfWork(platform.database, actor) as work:
        made = organisations.make_organisation(
            work, wanted.name, wanted.kind, parent=wanted.parent, node=platform.settings.node
        )
    return OrganisationOut(**vars(made), role="administer")


@router.get("/{organisation_id}/members")
def list_members(platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId) -> list[MemberOut]:
    """Who is in an organisation that you are in."""
    with platform.database.session() as session:
        organisations.get_organisation(session, actor, organisation_id)
        roles = organisations.members_of(session, organisation_id)
        names = named(session, map(audience_of, roles))
    return [MemberOut(id=one, login=names[audience_of(one)].name, role=name_of(role)) for one, role in roles.items()]


@router.post("/{organisation_id}/members", status_code=204)
def post_member(
    platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId, wanted: MemberIn
) -> None:
    """Take somebody in, or give a member another role."""
    with UnitOfWork(platform.database, actor) as work:
        # who may change it is asked before a login name is looked up
        work.ask_in(Right.ADMINISTER, organisation_id)
        member = person(work.session, wanted.login).partition(":")[2]
        organisations.set_member(work, organisation_id, member, right_named(wanted.role))


@router.delete("/{organisation_id}/members/{account_id}", status_code=204)
def delete_member(
    platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId, account_id: AccountId
) -> None:
    """Take somebody out, or leave."""
    with UnitOfWork(platform.database, actor) as work:
        organisations.remove_member(work, organisation_id, account_id)
