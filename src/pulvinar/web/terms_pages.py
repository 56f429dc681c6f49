"""What who administers a dataset sets for it: its agreements, its codes of use, what may leave the site."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from pulvinar.access.agreements import agreements_of, agreements_on, attach, detach
from pulvinar.access.export_rules import lift_rule, of_dataset, of_organisation, rules_of, rules_on, set_rule
from pulvinar.access.organisations import get_organisation, list_organisations
from pulvinar.access.work import UnitOfWork, check_right, may_in
from pulvinar.catalogue.datasets import get_dataset
from pulvinar.catalogue.uses import MOST_DAYS, DatasetUse, set_use, use_of
from pulvinar.errors import Conflict, Forbidden, Invalid, PulvinarError
from pulvinar.model.access import Actor, Right
from pulvinar.model.export_rule import ExportRule, RuleKind
from pulvinar.model.use_codes import USE_CODES
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, refuse_other_sites
from pulvinar.web.forms import Form, SentForm, go_to, private_page
from pulvinar.web.phrases import EXPORT_RULES

router = APIRouter(
    prefix="/datasets/{dataset_id}/terms", include_in_schema=False, dependencies=[Depends(refuse_other_sites)]
)

organisation_router = APIRouter(
    prefix="/organisations/{organisation_id}/terms",
    include_in_schema=False,
    dependencies=[Depends(refuse_other_sites)],
)

_SAID = (Invalid, Conflict)

OrganisationId = Annotated[str, Path(max_length=100)]


@router.get("")
def show(request: Request, platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> Response:
    """The terms of a dataset, to be changed."""
    return _show(request, platform, actor, dataset_id)


def _show(
    request: Request, platform: Platform, actor: Actor, dataset_id: str, trouble: PulvinarError | None = None
) -> Response:
    found = get_dataset(platform.database, actor, dataset_id)
    with platform.database.session() as session:
        check_right(session, actor, Right.ADMINISTER, dataset_id)
        on = agreements_on(session, dataset_id)
        mine = [one for one, role in list_organisations(session, actor) if role >= Right.WRITE]
        offered = [one for of in mine for one in agreements_of(session, of.id) if one not in on]
        values = {
            "dataset": found,
            "on": on,
            "offered": offered,
            "own_rules": {one.kind: one for one in rules_of(session, of_dataset(dataset_id))},
            "rules": [one for one in rules_on(session, dataset_id) if one.scope != of_dataset(dataset_id)],
            "rule_names": EXPORT_RULES,
            "use": use_of(session, dataset_id),
            "codes": USE_CODES,
            "most_days": MOST_DAYS,
        }
    return private_page(request, "terms.html", values, trouble)


@router.post("/{change}")
def change_terms(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    change: Annotated[str, Path(pattern="^(attach|detach|use|rule|lift)$")],
    form: SentForm,
) -> Response:
    """Attach or detach an agreement, set the codes of use, set or lift a rule."""
    try:
        with UnitOfWork(platform.database, actor) as work:
            _change(work, dataset_id, change, form)
    except _SAID as error:
        return _show(request, platform, actor, dataset_id, error)
    return go_to(f"/datasets/{dataset_id}/terms")


def _change(work: UnitOfWork, dataset_id: str, change: str, form: Form) -> None:
    if change == "attach":
        attach(work, dataset_id, form["agreement"])
    elif change == "detach":
        detach(work, dataset_id, form["agreement"])
    elif change == "use":
        codes = {code: form[f"detail-{code}"] for code in USE_CODES if form[f"code-{code}"] == "yes"}
        set_use(work, dataset_id, DatasetUse(codes, form["by_itself"] == "yes", _number(form["days"] or "365")))
    else:
        _change_rule(work, of_dataset(dataset_id), change, form)


def _change_rule(work: UnitOfWork, scope: str, change: str, form: Form) -> None:
    kind = _kind(form["kind"])
    if change == "rule":
        persons = _number(form["persons"]) if kind is RuleKind.PERSONS else 0
        set_rule(work, ExportRule(scope, kind, persons, form["jurisdiction"]))
    else:
        lift_rule(work, scope, kind, form["reason"])


@organisation_router.get("")
def show_of_organisation(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId
) -> Response:
    """The agreements and rules of an organisation, to be changed."""
    return _show_of_organisation(request, platform, actor, organisation_id)


def _show_of_organisation(
    request: Request, platform: Platform, actor: Actor, organisation_id: str, trouble: PulvinarError | None = None
) -> Response:
    with platform.database.session() as session:
        shown = get_organisation(session, actor, organisation_id)
        if not may_in(actor, Right.ADMINISTER, organisation_id):
            raise Forbidden(f"{actor.name} may not administer organisation {organisation_id}")
        values = {
            "shown": shown,
            "agreements": agreements_of(session, organisation_id),
            "own_rules": {one.kind: one for one in rules_of(session, of_organisation(organisation_id))},
            "rule_names": EXPORT_RULES,
        }
    return private_page(request, "organisation_terms.html", values, trouble)


@organisation_router.post("/rule")
def set_organisation_rule(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId, form: SentForm
) -> Response:
    """Set a rule on all data of an organisation."""
    return _change_of_organisation(request, platform, actor, organisation_id, "rule", form)


@organisation_router.post("/lift")
def lift_organisation_rule(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId, form: SentForm
) -> Response:
    """Lift one of them."""
    return _change_of_organisation(request, platform, actor, organisation_id, "lift", form)


def _change_of_organisation(
    request: Request, platform: Platform, actor: Actor, organisation_id: str, change: str, form: Form
) -> Response:
    try:
        with UnitOfWork(platform.database, actor) as work:
            _change_rule(work, of_organisation(organisation_id), change, form)
    except _SAID as error:
        return _show_of_organisation(request, platform, actor, organisation_id, error)
    return go_to(f"/organisations/{organisation_id}/terms")


def _kind(said: str) -> RuleKind:
    if said not in list(RuleKind):
        raise Invalid("there is no such rule", hint=", ".join(RuleKind))
    return RuleKind(said)


def _number(said: str) -> int:
    if not said.strip().isdecimal() or len(said.strip()) > 9:
        raise Invalid("this is no number", hint="a whole number")
    return int(said)
