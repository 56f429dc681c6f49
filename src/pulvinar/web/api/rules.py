"""Rules: what starts processing by itself when something is published. For owners of the node."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from pulvinar.compute.jobs import HIGHEST_PRIORITY
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Species
from pulvinar.model.solution import Value
from pulvinar.platform import solution_means
from pulvinar.solutions.rules import Rule, add_rule, list_rules, remove_rule, set_enabled
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites

router = APIRouter(prefix="/rules", tags=["rules"], dependencies=[Depends(refuse_other_sites)])

RuleId = Annotated[str, Path(max_length=100, description="Identifier of a rule.")]


class ConditionsIn(BaseModel):
    """Which assets a rule is for; what is left out counts as met."""

    species: Species | None = None
    modality: str | None = Field(default=None, max_length=100)
    kind: AssetKind | None = None


class RuleIn(BaseModel):
    """The rule that is asked for; it acts as you."""

    name: str = Field(max_length=200)
    solution: str = Field(max_length=64)
    conditions: ConditionsIn = ConditionsIn()
    parameters: dict[str, Value] = {}
    project: str = Field(default="", max_length=64, description="What its jobs are counted for.")
    priority: int = Field(default=0, ge=-HIGHEST_PRIORITY, le=HIGHEST_PRIORITY)


class SwitchIn(BaseModel):
    """Whether a rule starts anything."""

    enabled: bool


class RuleOut(BaseModel):
    """A rule."""

    id: str
    name: str
    solution: str
    conditions: dict[str, str]
    parameters: dict[str, Value]
    project: str
    priority: int
    enabled: bool
    acts_as: str = Field(description="Whose rights its jobs have.")


@router.get("")
def list_all_rules(platform: CurrentPlatform, actor: CurrentActor) -> list[RuleOut]:
    """The rules, by name."""
    return [_out(one) for one in list_rules(solution_means(platform, actor))]


@router.post("", status_code=201)
def make_rule(platform: CurrentPlatform, actor: CurrentActor, asked: RuleIn) -> RuleOut:
    """Start a solution for every asset that is published from now on and is as said, with your rights."""
    made = add_rule(
        solution_means(platform, actor),
        asked.name,
        asked.solution,
        conditions=asked.conditions.model_dump(mode="json", exclude_none=True),
        parameters=asked.parameters,
        project=asked.project,
        priority=asked.priority,
    )
    return _out(made)


@router.patch("/{rule_id}")
def switch_rule(platform: CurrentPlatform, actor: CurrentActor, rule_id: RuleId, wanted: SwitchIn) -> RuleOut:
    """Have a rule pause, or go on."""
    return _out(set_enabled(solution_means(platform, actor), rule_id, enabled=wanted.enabled))


@router.delete("/{rule_id}", status_code=204)
def take_rule_away(platform: CurrentPlatform, actor: CurrentActor, rule_id: RuleId) -> None:
    """Take a rule away. Jobs that it has started go on."""
    remove_rule(solution_means(platform, actor), rule_id)


def _out(one: Rule) -> RuleOut:
    told = {name: getattr(one, name) for name in RuleOut.model_fields if name != "acts_as"}
    return RuleOut(**told, acts_as=one.actor.name)
