"""Access: what you may do with a dataset and why; whom it is for; shares and links."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.orm import Session

from pulvinar.access.audiences import AudienceKind, named, organisation_named, person
from pulvinar.access.links import Link, links_to
from pulvinar.access.work import UnitOfWork, check_right
from pulvinar.catalogue import sharing
from pulvinar.catalogue.names_in_texts import names_shown
from pulvinar.errors import Invalid
from pulvinar.model.access import Grant, Right, Tier
from pulvinar.web.api.names import RightName, name_of, right_named
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, refuse_other_sites
from pulvinar.web.forms import link_to

router = APIRouter(prefix="/datasets/{dataset_id}/access", tags=["access"], dependencies=[Depends(refuse_other_sites)])

LinkId = Annotated[str, Path(max_length=100, description="Identifier of a link.")]


class GrantOut(BaseModel):
    """What somebody was given on a dataset."""

    audience: str = Field(description="Who: everyone, registered, actor:<id>, organisation:<id> or link:<id>.")
    kind: AudienceKind
    name: str = Field(description="Login name, name of the organisation or what the link is called; else empty.")
    right: RightName = Field(description="What may be done at most; it includes the lesser ones.")
    ends: datetime | None = Field(description="When it ends by itself.")


class MineOut(BaseModel):
    """What you may do with a dataset, and by what."""

    right: RightName
    reasons: list[GrantOut] = Field(description="The highest first.")


class AccessOut(BaseModel):
    """Whom a dataset is for, and who else may."""

    tier: Tier
    opens: datetime | None = Field(description="When an embargo ends.")
    organisation: str | None = Field(description="Where it belongs.")
    grants: list[GrantOut]


class TierIn(BaseModel):
    """Whom the published versions are for."""

    tier: Tier
    opens: AwareDatetime | None = Field(default=None, description="When an embargo ends; of no other tier.")


class ShareIn(BaseModel):
    """Who gets what: a person or service by login name, or an organisation by its identifier."""

    login: str = Field(default="", max_length=64)
    organisation: str = Field(default="", max_length=100)
    right: RightName = "read"
    ends: AwareDatetime | None = None


class LinkIn(BaseModel):
    """A link that is asked for."""

    ends: AwareDatetime
    right: Literal["view", "read"] = "read"
    blind: bool = Field(default=False, description="Whether names of people and labs are hidden.")
    label: str = Field(default="", max_length=200)


class LinkOut(BaseModel):
    """A link, without its secret."""

    id: str
    right: RightName
    ends: datetime
    blind: bool
    label: str


class NameOut(BaseModel):
    """A name of a person or lab in a text of the dataset, and where it stands."""

    name: str
    where: str
    text: str


class NewLinkOut(LinkOut):
    """A link that was made, with its address: it is told this once."""

    address: str
    names: list[NameOut] = Field(default=[], description="Names that a blind reviewer still reads, in free texts.")


@router.get("")
def get_my_access(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> MineOut:
    """What you may do with a dataset, and why."""
    mine = sharing.why(platform.database, actor, dataset_id)
    with platform.database.session() as session:
        reasons = _told(session, mine, labels=False)
    return MineOut(right=name_of(mine[0].right), reasons=reasons)


@router.get("/grants")
def get_grants(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> AccessOut:
    """Whom a dataset is for, and what was given to whom. For those who may share it."""
    access, grants = sharing.who_may(platform.database, actor, dataset_id)
    with platform.database.session() as session:
        told = _told(session, grants)
    return AccessOut(tier=access.tier, opens=access.opens, organisation=access.home, grants=told)


@router.put("/tier", status_code=204)
def put_tier(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, wanted: TierIn) -> None:
    """Say whom the published versions are for, now and later."""
    with UnitOfWork(platform.database, actor) as work:
        sharing.set_tier(work, dataset_id, wanted.tier, opens=wanted.opens)


@router.post("/grants", status_code=201)
def post_grant(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, wanted: ShareIn) -> GrantOut:
    """Share a dataset, or change what was shared."""
    if bool(wanted.login) == bool(wanted.organisation):
        raise Invalid("a share is with one person or with one organisation", hint="name either of them")
    with UnitOfWork(platform.database, actor) as work:
        # who may not share learns not even which login names there are
        work.ask(Right.SHARE, dataset_id)
        of_person = person(work.session, wanted.login) if wanted.login else ""
        audience = of_person or organisation_named(work.session, wanted.organisation)
        sharing.share(work, dataset_id, audience, right_named(wanted.right), ends=wanted.ends)
        return _told(work.session, [Grant(audience, right_named(wanted.right), actor.id, wanted.ends)])[0]


@router.delete("/grants/{audience}", status_code=204)
def delete_grant(
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    audience: Annotated[str, Path(max_length=100, description="Who, as a grant names it.")],
) -> None:
    """Take back what was given."""
    with UnitOfWork(platform.database, actor) as work:
        sharing.unshare(work, dataset_id, audience)


@router.get("/links")
def get_links(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> list[LinkOut]:
    """The links that lead to a dataset. For those who may share it."""
    with platform.database.session() as session:
        check_right(session, actor, Right.SHARE, dataset_id)
        return [LinkOut(**_link(one)) for one in links_to(session, dataset_id)]


@router.post("/links", status_code=201)
def post_link(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, wanted: LinkIn) -> NewLinkOut:
    """Make a link by which whoever has it looks at the dataset, its draft too, until it ends."""
    with UnitOfWork(platform.database, actor) as work:
        made, secret = sharing.share_by_link(
            work,
            dataset_id,
            ends=wanted.ends,
            right=right_named(wanted.right),
            blind=wanted.blind,
            label=wanted.label,
        )
    names = [NameOut(**vars(one)) for one in (names_shown(platform.database, made) if made.blind else ())]
    return NewLinkOut(**_link(made), address=link_to(platform, f"/review/{secret}"), names=names)


@router.delete("/links/{link_id}", status_code=204)
def delete_link(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, link_id: LinkId) -> None:
    """Have a link lead nowhere."""
    with UnitOfWork(platform.database, actor) as work:
        sharing.end_link(work, dataset_id, link_id)


def _told(session: Session, grants: list[Grant] | tuple[Grant, ...], *, labels: bool = True) -> list[GrantOut]:
    names = named(session, {one.audience for one in grants}, labels=labels)
    return [
        GrantOut(
            audience=one.audience,
            kind=names[one.audience].kind,
            name=names[one.audience].name,
            right=name_of(one.right),
            ends=one.ends,
        )
        for one in grants
    ]


def _link(one: Link) -> dict[str, object]:
    return {"id": one.id, "right": name_of(one.right), "ends": one.ends, "blind": one.blind, "label": one.label}
