"""Pages of a dataset's versions: all of them, what differs between two, publishing, withdrawing and tombstones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from pulvinar.access.visibility import highest_right
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.comparison import Change, compare
from pulvinar.catalogue.datasets import get_dataset
from pulvinar.catalogue.metadata_formats.parts import as_address, bare_doi
from pulvinar.catalogue.presence import check_presence
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.versions import get_version, list_versions
from pulvinar.catalogue.withdrawals import find_version, withdraw, withdrawals
from pulvinar.errors import Conflict, Corrupt, Invalid, NotFound, PulvinarError
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Version, Withdrawal
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, refuse_other_sites
from pulvinar.web.forms import Form, SentForm, go_to, link_to, private_page
from pulvinar.web.limits import costly
from pulvinar.web.phrases import CHANGES
from pulvinar.web.rendering import render

router = APIRouter(include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

_GONE = 410
_SAID = (Invalid, Conflict, Corrupt)
_Number = Annotated[int | None, Query(ge=1, le=2**31 - 1)]


def lasting_address(platform: Platform, version: Version | Withdrawal) -> str:
    """Where the persistent identifier of a version leads: its DOI, else an address of this platform that stays."""
    if version.doi:
        return f"https://doi.org/{version.doi}"
    version_id = version.id if isinstance(version, Version) else version.version_id
    return link_to(platform, f"/id/{version_id}")


def replacement_address(one: Withdrawal) -> str:
    """Where what replaced a version is; "" for nothing."""
    said = one.replaced_by
    if said.isdigit():
        return f"/datasets/{one.dataset_id}?version={said}"
    if bare_doi(said) or said.startswith("https://"):
        return as_address(said)
    return f"/datasets/{said}" if said else ""


@router.get("/id/{version_id}")
def resolve(
    platform: CurrentPlatform, actor: CurrentActor, version_id: Annotated[str, Path(max_length=100)]
) -> Response:
    """Follow the persistent identifier of a version to its page, or to its tombstone."""
    dataset_id, number = find_version(platform.database, actor, version_id)
    return go_to(f"/datasets/{dataset_id}?version={number}")


def tombstone(
    request: Request, platform: Platform, actor: Actor, dataset_id: str, number: int | None
) -> Response | None:
    """The page that stands for a withdrawn version (the newest one without a number); None where none was."""
    found = withdrawals(platform.database, actor, dataset_id)
    one = next((one for one in found if number in (None, one.number)), None)
    if one is None:
        return None
    values = {
        "dataset": get_dataset(platform.database, actor, dataset_id),
        "one": one,
        "replacement": replacement_address(one),
        "identifier": lasting_address(platform, one),
    }
    return render(request, "tombstone.html", values, status=_GONE)


@router.get("/datasets/{dataset_id}/versions")
def versions(request: Request, platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> Response:
    """Every version, and what can be done with them."""
    return _page(request, platform, actor, dataset_id)


def _page(
    request: Request,
    platform: Platform,
    actor: Actor,
    dataset_id: str,
    trouble: PulvinarError | None = None,
    **more: Form,
) -> Response:
    dataset = get_dataset(platform.database, actor, dataset_id)
    try:
        seen = list_versions(platform.database, actor, dataset_id)
    except NotFound:
        # all were withdrawn, or are drafts of others
        seen = ()
    with platform.database.session() as session:
        right = highest_right(session, actor, dataset_id) or Right.SEE
    values = {
        "dataset": dataset,
        "versions": seen,
        "withdrawn": withdrawals(platform.database, actor, dataset_id),
        "identifier_of": lambda one: lasting_address(platform, one),
        "replacement_of": replacement_address,
        "may_publish": right >= Right.SHARE,
        "may_withdraw": right >= Right.ADMINISTER,
        **more,
    }
    return private_page(request, "versions.html", values, trouble)


@router.post("/datasets/{dataset_id}/versions/publish")
def publish_draft(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, form: SentForm
) -> Response:
    """Publish the draft, once all of it is there."""

    def change(work: UnitOfWork) -> None:
        draft = get_version(platform.database, actor, dataset_id, _number(form["number"]))
        check_presence(platform.database, actor, platform.store, draft)
        publish(work, draft.id)

    return _changed(request, platform, actor, dataset_id, form, change)


@router.post("/datasets/{dataset_id}/versions/withdraw")
def withdraw_version(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, form: SentForm
) -> Response:
    """Withdraw a version."""

    def change(work: UnitOfWork) -> None:
        withdraw(work, dataset_id, _number(form["number"]), form["reason"], replaced_by=form["replaced_by"])

    return _changed(request, platform, actor, dataset_id, form, change)


def _changed(
    request: Request,
    platform: Platform,
    actor: Actor,
    dataset_id: str,
    form: Form,
    change: Callable[[UnitOfWork], None],
) -> Response:
    try:
        with UnitOfWork(platform.database, actor) as work:
            change(work)
    except _SAID as error:
        return _page(request, platform, actor, dataset_id, error, form=form)
    return go_to(f"/datasets/{dataset_id}/versions")


def _number(said: str) -> int:
    if not (said.isascii() and said.isdigit() and len(said) < 10):
        raise Invalid(f"{said[:20]!r} is no number of a version", hint="choose one of the list")
    return int(said)


@router.get("/datasets/{dataset_id}/compare", dependencies=[Depends(costly)])
def comparison(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    before: _Number = None,
    after: _Number = None,
) -> Response:
    """What differs between two versions: without numbers the newest and the one before it."""
    seen = list_versions(platform.database, actor, dataset_id)
    second = after or seen[0].number
    first = before or next((one.number for one in seen if one.number < second), second)
    found = compare(platform.database, actor, dataset_id, first, second)
    values = {
        "dataset": get_dataset(platform.database, actor, dataset_id),
        "versions": seen,
        "found": found,
        "changes": CHANGES,
        "Change": Change,
    }
    return render(request, "compare.html", values)
