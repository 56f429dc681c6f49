"""What a dataset may be used for, and what may leave the site."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from pulvinar.access.export_rules import lift_rule, of_dataset, of_organisation, rules_on, set_rule
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import get_dataset
from pulvinar.catalogue.uses import MOST_DAYS, DatasetUse, set_use, use_told
from pulvinar.model.export_rule import ExportRule, RuleKind
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, refuse_other_sites

router = APIRouter(tags=["access"], dependencies=[Depends(refuse_other_sites)])

OrganisationId = Annotated[str, Path(max_length=100, description="Identifier of an organisation.")]
Reason = Annotated[str, Query(max_length=1000, description="Why; it is kept.")]


class UseBody(BaseModel):
    """Codes of the Data Use Ontology, each with what it leaves to be said, or "" ."""

    codes: dict[str, str] = Field(default_factory=dict)
    by_itself: bool = Field(default=False, description="Grant at once to whoever has an account and meets every code.")
    days: int = Field(default=365, ge=1, le=MOST_DAYS)


class RuleBody(BaseModel):
    """A rule; `persons` is the number of one on persons."""

    persons: int = Field(default=0, ge=0, le=1_000_000)
    jurisdiction: str = Field(default="", max_length=200, description="The law that asks for it.")


class RuleOut(RuleBody):
    """A rule in force; `scope` says where it was set."""

    kind: RuleKind
    scope: str


@router.get("/datasets/{dataset_id}/use")
def get_use(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> UseBody:
    """What a dataset may be used for."""
    get_dataset(platform.database, actor, dataset_id)
    with platform.database.session() as session:
        found = use_told(session, actor, dataset_id)
    return UseBody(codes=dict(found.codes), by_itself=found.by_itself, days=found.days)


@router.put("/datasets/{dataset_id}/use", status_code=204)
def change_use(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, use: UseBody) -> None:
    """Say what a dataset may be used for."""
    with UnitOfWork(platform.database, actor) as work:
        set_use(work, dataset_id, DatasetUse(use.codes, use.by_itself, use.days))


@router.get("/datasets/{dataset_id}/export-rules")
def list_export_rules(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> list[RuleOut]:
    """The rules on what may leave that bind a dataset, wherever they were set."""
    get_dataset(platform.database, actor, dataset_id)
    with platform.database.session() as session:
        return [RuleOut(**vars(one)) for one in rules_on(session, dataset_id)]


@router.put("/datasets/{dataset_id}/export-rules/{kind}", status_code=204)
def set_dataset_rule(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, kind: RuleKind, rule: RuleBody
) -> None:
    """Set a rule on a dataset and all that is made from it."""
    with UnitOfWork(platform.database, actor) as work:
        set_rule(work, ExportRule(of_dataset(dataset_id), kind, rule.persons, rule.jurisdiction))


@router.delete("/datasets/{dataset_id}/export-rules/{kind}", status_code=204)
def lift_dataset_rule(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, kind: RuleKind, reason: Reason
) -> None:
    """Lift a rule that was set on a dataset."""
    with UnitOfWork(platform.database, actor) as work:
        lift_rule(work, of_dataset(dataset_id), kind, reason)


@router.put("/organisations/{organisation_id}/export-rules/{kind}", status_code=204)
def set_organisation_rule(
    platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId, kind: RuleKind, rule: RuleBody
) -> None:
    """Set a rule on all data of an organisation."""
    with UnitOfWork(platform.database, actor) as work:
        set_rule(work, ExportRule(of_organisation(organisation_id), kind, rule.persons, rule.jurisdiction))


@router.delete("/organisations/{organisation_id}/export-rules/{kind}", status_code=204)
def lift_organisation_rule(
    platform: CurrentPlatform, actor: CurrentActor, organisation_id: OrganisationId, kind: RuleKind, reason: Reason
) -> None:
    """Lift a rule that was set on an organisation."""
    with UnitOfWork(platform.database, actor) as work:
        lift_rule(work, of_organisation(organisation_id), kind, reason)
