"""Whom a document of marks is for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from pulvinar.access.audiences import AudienceKind, named, organisation_named, person
from pulvinar.access.visibility import EVERYONE, REGISTERED
from pulvinar.access.work import UnitOfWork
from pulvinar.documents.rights import check_document, share_document, unshare_document, who_may_document
from pulvinar.errors import Invalid
from pulvinar.model.access import Grant, Right
from pulvinar.web.api.documents import DocumentId
from pulvinar.web.api.names import RightName, name_of, right_named
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites

router = APIRouter(
    prefix="/documents/{document_id}/grants", tags=["documents"], dependencies=[Depends(refuse_other_sites)]
)


class DocumentGrantOut(BaseModel):
    """What somebody was given on a document."""

    audience: str = Field(description="Who: everyone, registered, actor:<id> or organisation:<id>.")
    kind: AudienceKind
    name: str = Field(description="Login name or name of the organisation; else empty.")
    right: RightName


class DocumentShareIn(BaseModel):
    """Who gets what: a person by login name, an organisation by its identifier, or all at once."""

    login: str = Field(default="", max_length=64)
    organisation: str = Field(default="", max_length=100)
    all: Literal["", "everyone", "registered"] = Field(default="", description="registered: who has signed in.")
    right: RightName = "read"


@router.get("")
def get_document_grants(
    platform: CurrentPlatform, actor: CurrentActor, document_id: DocumentId
) -> list[DocumentGrantOut]:
    """Who may do what. For those who may share it. Nobody sees marks on a dataset that they may not view."""
    found = who_may_document(platform.database, actor, document_id)
    with platform.database.session() as session:
        return _told(session, found)


@router.post("", status_code=201)
def post_document_grant(
    platform: CurrentPlatform, actor: CurrentActor, document_id: DocumentId, wanted: DocumentShareIn
) -> DocumentGrantOut:
    """Share a document, or change what was shared."""
    if sum(map(bool, (wanted.login, wanted.organisation, wanted.all))) != 1:
        raise Invalid("a share is with one person, one organisation or all", hint="name one of them")
    right = right_named(wanted.right)
    with UnitOfWork(platform.database, actor) as work:
        # who may not share learns not even which login names there are
        work.ask_by(lambda session, who: check_document(session, who, Right.SHARE, document_id))
        of_all = {"everyone": EVERYONE, "registered": REGISTERED}.get(wanted.all)
        of_person = person(work.session, wanted.login) if wanted.login else None
        audience = of_all or of_person or organisation_named(work.session, wanted.organisation)
        share_document(work, document_id, audience, right)
        return _told(work.session, [Grant(audience, right, actor.id)])[0]


@router.delete("/{audience}", status_code=204)
def delete_document_grant(
    platform: CurrentPlatform,
    actor: CurrentActor,
    document_id: DocumentId,
    audience: Annotated[str, Path(max_length=100, description="Who, as a grant names it.")],
) -> None:
    """Take back what was given."""
    with UnitOfWork(platform.database, actor) as work:
        unshare_document(work, document_id, audience)


def _told(session: Session, grants: Iterable[Grant]) -> list[DocumentGrantOut]:
    listed = list(grants)
    names = named(session, (one.audience for one in listed))
    return [
        DocumentGrantOut(
            audience=one.audience,
            kind=names[one.audience].kind,
            name=names[one.audience].name,
            right=name_of(one.right),
        )
        for one in listed
    ]
