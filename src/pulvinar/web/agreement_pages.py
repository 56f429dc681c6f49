"""Agreements as pages: to read and accept one, to set one and change it, and who has accepted it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from pulvinar.access.acceptances import accept, acceptances_by, acceptances_of
from pulvinar.access.agreements import (
    get_agreement,
    gives,
    renew_agreement,
    set_agreement,
)
from pulvinar.access.organisations import get_organisation
from pulvinar.access.work import UnitOfWork, check_right, may_in
from pulvinar.errors import Conflict, Forbidden, Invalid, PulvinarError
from pulvinar.model.access import ANONYMOUS, Actor, Right
from pulvinar.model.agreement import Agreement
from pulvinar.platform import Platform
from pulvinar.web import notices
from pulvinar.web.agreement_forms import BLANK_ROWS, FIELD_KINDS, Row, rows_of, rows_sent, terms_sent
from pulvinar.web.context import CurrentAccount, CurrentActor, CurrentPlatform, DatasetId, refuse_other_sites
from pulvinar.web.dataset_terms import state_of
from pulvinar.web.forms import Form, SentForm, browser_of, go_to, local_path, private_page

router = APIRouter(include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

_SAID = (Invalid, Conflict)

AgreementId = Annotated[str, Path(max_length=100)]
OfVersion = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
Next = Annotated[str, Query(max_length=300)]


@router.get("/agreements/{agreement_id}")
def show(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    agreement_id: AgreementId,
    version: OfVersion = None,
    next: Next = "",  # noqa: A002 - it is called so in the address
) -> Response:
    """What an agreement says, or said in an earlier version, and the form to accept it."""
    return _show(request, platform, actor, agreement_id, version=version, then=next)


@router.post("/agreements/{agreement_id}/accept")
def accept_it(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    account: CurrentAccount,
    agreement_id: AgreementId,
    form: SentForm,
) -> Response:
    """Accept it."""
    said = {name.removeprefix("field-"): value for name, value in form.items() if name.startswith("field-")}
    try:
        if form["accepted"] != "yes":
            raise Invalid("the agreement is not accepted", hint="set the tick at its end")
        with UnitOfWork(platform.database, actor) as work:
            address, node = browser_of(request).address, platform.settings.node
            made = accept(work, agreement_id, form["digest"], said, address=address, node=node)
    except _SAID as error:
        return _show(request, platform, actor, agreement_id, error, form, then=form["next"])
    notices.tell_givers(platform, made)
    return go_to(local_path(form["next"]) if form["next"] else f"/agreements/{agreement_id}")


def _show(
    request: Request,
    platform: Platform,
    actor: Actor,
    agreement_id: str,
    trouble: PulvinarError | None = None,
    form: Form | None = None,
    *,
    version: int | None = None,
    then: str = "",
) -> Response:
    with platform.database.session() as session:
        current = get_agreement(session, actor, agreement_id)
        shown = get_agreement(session, actor, agreement_id, version) if version else current
        state = state_of(current, acceptances_by(session, actor.id, agreement_id))
        is_giver = gives(session, actor, Right.SHARE, current)
        values = {
            "agreement": shown,
            "current": current,
            "state": state,
            "accepted_by": acceptances_of(session, actor, current) if is_giver else (),
            "is_giver": is_giver,
            "may_change": gives(session, actor, Right.ADMINISTER, current),
            "can_accept": actor != ANONYMOUS and platform.settings.public and shown.number == current.number,
            "next": local_path(then) if then else "",
            "form": form or Form({}),
        }
    return private_page(request, "agreement.html", values, trouble)


@router.get("/agreements/{agreement_id}/change")
def change_form(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, agreement_id: AgreementId
) -> Response:
    """The form to have an agreement say something else."""
    found = _administered(platform, actor, agreement_id)
    return _edit(request, f"/agreements/{agreement_id}/change", found, Form(_said(found)), rows_of(found.terms))


@router.post("/agreements/{agreement_id}/change")
def change(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, agreement_id: AgreementId, form: SentForm
) -> Response:
    """Set its next version."""
    found = _administered(platform, actor, agreement_id)
    try:
        with UnitOfWork(platform.database, actor) as work:
            renew_agreement(work, agreement_id, terms_sent(form))
    except _SAID as error:
        return _edit(request, f"/agreements/{agreement_id}/change", found, form, rows_sent(form), error)
    return go_to(f"/agreements/{agreement_id}")


@router.get("/datasets/{dataset_id}/agreements/new")
def new_form(request: Request, platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> Response:
    """The form of a new agreement of one dataset."""
    with platform.database.session() as session:
        check_right(session, actor, Right.ADMINISTER, dataset_id)
    blank = Form({"grace_days": "30", "lasts_days": "365"})
    return _edit(request, f"/datasets/{dataset_id}/agreements/new", None, blank, [])


@router.post("/datasets/{dataset_id}/agreements/new")
def add(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, form: SentForm
) -> Response:
    """Set it, which binds the dataset."""
    try:
        with UnitOfWork(platform.database, actor) as work:
            set_agreement(work, terms_sent(form), dataset_id=dataset_id, node=platform.settings.node)
    except _SAID as error:
        return _edit(request, f"/datasets/{dataset_id}/agreements/new", None, form, rows_sent(form), error)
    return go_to(f"/datasets/{dataset_id}/terms")


@router.get("/organisations/{organisation_id}/agreements/new")
def new_organisation_form(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    organisation_id: Annotated[str, Path(max_length=100)],
) -> Response:
    """The form of a new agreement of an organisation, for all of its datasets to be attached to."""
    with platform.database.session() as session:
        get_organisation(session, actor, organisation_id)
    if not may_in(actor, Right.ADMINISTER, organisation_id):
        raise Forbidden(f"{actor.name} may not administer organisation {organisation_id}")
    blank = Form({"grace_days": "30", "lasts_days": "365"})
    return _edit(request, f"/organisations/{organisation_id}/agreements/new", None, blank, [])


@router.post("/organisations/{organisation_id}/agreements/new")
def add_to_organisation(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    organisation_id: Annotated[str, Path(max_length=100)],
    form: SentForm,
) -> Response:
    """Set it; a dataset's terms attach it."""
    try:
        with UnitOfWork(platform.database, actor) as work:
            made = set_agreement(work, terms_sent(form), organisation_id=organisation_id, node=platform.settings.node)
    except _SAID as error:
        return _edit(request, f"/organisations/{organisation_id}/agreements/new", None, form, rows_sent(form), error)
    return go_to(f"/agreements/{made.id}")


def _administered(platform: Platform, actor: Actor, agreement_id: str) -> Agreement:
    with platform.database.session() as session:
        found = get_agreement(session, actor, agreement_id)
        if not gives(session, actor, Right.ADMINISTER, found):
            raise Forbidden(f"{actor.name} may not change agreement {agreement_id}")
    return found


def _said(found: Agreement) -> dict[str, str]:
    terms = found.terms
    texts = {"title_en": terms.title.en, "title_zh": terms.title.zh, "text_en": terms.text.en, "text_zh": terms.text.zh}
    days = {"lasts_days": str(terms.lasts_days), "grace_days": str(terms.grace_days)}
    return texts | days | {"countersigned": "yes" if terms.countersigned else ""}


def _edit(
    request: Request,
    address: str,
    found: Agreement | None,
    form: Form,
    rows: list[Row],
    trouble: PulvinarError | None = None,
) -> Response:
    shown = [*rows, *(Row() for _ in range(BLANK_ROWS))]
    values = {"address": address, "agreement": found, "form": form, "rows": shown, "field_kinds": FIELD_KINDS}
    return private_page(request, "agreement_edit.html", values, trouble)
