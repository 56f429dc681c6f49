"""Rules: a solution that starts by itself when something is published, as "measure every new mouse brain".

What is published is posted in the same transaction, see `access.outbox`; a runner reads it here. A job remembers its
cause, so that whatever is read twice starts nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from pulvinar.access.memberships import renewed
from pulvinar.access.outbox import Message, mark_read, unread
from pulvinar.access.work import UnitOfWork, may_on_node
from pulvinar.atlases.installed import list_atlases
from pulvinar.catalogue.publishing import PUBLISHED
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound, PulvinarError
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import AssetKind
from pulvinar.model.identity import new_id
from pulvinar.model.record import Species
from pulvinar.model.solution import SolutionDescription, Value
from pulvinar.model.text import storable
from pulvinar.solutions.solution import describe_all, find_solution
from pulvinar.solutions.submission import Means, Request, submit
from pulvinar.solutions.tables import rule

CONDITIONS = ("species", "modality", "kind")
FAILED = "rule-failed"
"""The event of a rule that could not start its solution."""
_LONGEST_NAME = 100
_log = logging.getLogger("pulvinar.solutions")


@dataclass(frozen=True)
class Rule:
    """For every asset that is published and meets `conditions` (species, modality, kind; one that is left out counts as
    met), `solution` is started with it as its first input, as `actor`."""

    id: str
    name: str
    solution: str
    actor: Actor
    conditions: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Value] = field(default_factory=dict)
    project: str = ""
    priority: int = 0
    enabled: bool = True


def add_rule(
    means: Means,
    name: str,
    solution: str,
    *,
    conditions: Mapping[str, str],
    parameters: Mapping[str, Any],
    project: str = "",
    priority: int = 0,
) -> Rule:
    """Make a rule, which acts as whoever makes it. Raises `Conflict` for a name that is taken, `Invalid`, `NotFound`,
    `Forbidden`."""
    description = find_solution(solution).description
    _check_conditions(conditions)
    _check_takes_one(description)
    made = Rule(
        new_id(means.node),
        _checked_name(name),
        solution,
        means.actor,
        dict(conditions),
        description.checked(parameters),
        project,
        priority,
    )
    with UnitOfWork(means.database, means.actor) as work:
        work.ask(Right.ADMINISTER)
        if work.session.scalar(select(rule.c.id).where(rule.c.name == made.name)) is not None:
            raise Conflict(f"there is a rule {made.name!r} already", hint="give this one another name")
        work.session.execute(insert(rule).values(**_to_row(made)))
        work.record_event("add-rule", made.id, {"name": made.name, "solution": solution})
    return made


def _checked_name(name: str) -> str:
    kept: str = storable(" ".join(name.split()))
    if not 1 <= len(kept) <= _LONGEST_NAME:
        raise Invalid(f"the name of the rule has {len(kept)} letters", hint=f"1 to {_LONGEST_NAME}")
    return kept


def _check_conditions(conditions: Mapping[str, str]) -> None:
    unknown = sorted(conditions.keys() - set(CONDITIONS))
    if unknown:
        raise Invalid(f"a rule can't ask for {unknown[0]!r}", hint=f"it can ask for {', '.join(CONDITIONS)}")
    for name, values in (("species", list(Species)), ("kind", list(AssetKind))):
        if name in conditions and conditions[name] not in values:
            raise Invalid(f"there is no {name} {conditions[name]!r}", hint=f"it is one of {', '.join(values)}")


def _check_takes_one(description: SolutionDescription) -> None:
    """Raise `Invalid` for a solution that needs more than one asset, which no rule can give."""
    needed = [one.name for one in description.inputs if not one.optional and not one.of_atlas]
    if any(one.several for one in description.inputs):
        raise Invalid(f"solution {description.name!r} takes several assets for one input, and a rule gives one")
    if len(needed) != 1:
        raise Invalid(f"solution {description.name!r} needs the inputs {', '.join(needed)}, and a rule gives one")


def solutions_for_rules() -> tuple[SolutionDescription, ...]:
    """The solutions that a rule can start: those that need one asset."""
    return tuple(one for one in describe_all() if _takes_one(one))


def _takes_one(description: SolutionDescription) -> bool:
    try:
        _check_takes_one(description)
    except Invalid:
        return False
    return True


def list_rules(means: Means) -> tuple[Rule, ...]:
    """All rules, by name. Raises `Forbidden` for who doesn't administer the node."""
    if not may_on_node(means.actor, Right.ADMINISTER):
        raise Forbidden(f"{means.actor.name} may not see the rules of this node", hint="ask an owner of the node")
    with means.database.session() as session:
        return tuple(_from_row(row) for row in session.execute(select(rule).order_by(rule.c.name)))


def set_enabled(means: Means, named: str, *, enabled: bool) -> Rule:
    """Switch a rule, by its name or identifier, on or off. Raises `NotFound`, `Forbidden`."""
    with UnitOfWork(means.database, means.actor) as work:
        work.ask(Right.ADMINISTER)
        found = _find(work.session, named)
        work.session.execute(update(rule).where(rule.c.id == found.id).values(enabled=enabled))
        work.record_event("switch-rule", found.id, {"name": found.name, "enabled": enabled})
    return replace(found, enabled=enabled)


def remove_rule(means: Means, named: str) -> None:
    """Take a rule away, by its name or identifier; jobs that it has started go on. Raises `NotFound`, `Forbidden`."""
    with UnitOfWork(means.database, means.actor) as work:
        work.ask(Right.ADMINISTER)
        found = _find(work.session, named)
        work.session.execute(delete(rule).where(rule.c.id == found.id))
        work.record_event("remove-rule", found.id, {"name": found.name})


def _find(session: Session, named: str) -> Rule:
    row = session.execute(select(rule).where(or_(rule.c.id == named, rule.c.name == named))).first()
    if row is None:
        raise NotFound(f"there is no rule {named!r}", hint="pulvinar rule list shows them")
    return _from_row(row)


def start_what_rules_say(means: Means) -> int:
    """Read what has been posted and start what follows; how many jobs that were."""
    with means.database.session() as session:
        messages = unread(session)
    if not messages:
        return 0
    with means.database.session() as session:
        rules = [_from_row(row) for row in session.execute(select(rule).where(rule.c.enabled).order_by(rule.c.name))]
    atlases = {one.dataset_id for one in list_atlases(means.database, means.actor, all_versions=True)}
    started = 0
    for message in messages:
        for one in rules if message.kind == PUBLISHED else ():
            matching = _matching(one, message.details, atlases)
            started += sum(_start(means, one, message, asset_id) for asset_id in matching)
        with means.database.writing() as session:
            mark_read(session, message.number)
    return started


def _matching(one: Rule, details: Mapping[str, Any], atlases: Collection[str]) -> Iterator[str]:
    """The published assets that a rule is for; what was made by a solution starts none, lest it never end, and parts of
    `atlases` (their datasets) none that works with an atlas."""
    inputs = find_solution(one.solution).description.inputs
    first = next(item for item in inputs if not item.optional)
    if details["dataset"] in atlases and any(item.of_atlas for item in inputs):
        return
    for asset in details["assets"]:
        said = {**details, "kind": asset["kind"]}
        met = all(said.get(name) == wanted for name, wanted in one.conditions.items())
        if met and not asset["derived"] and asset["kind"] in first.kinds:
            yield asset["id"]


def _start(means: Means, one: Rule, message: Message, asset_id: str) -> bool:
    first = next(item.name for item in find_solution(one.solution).description.inputs if not item.optional)
    request = Request(
        one.solution, {first: asset_id}, one.parameters, one.name, project=one.project, priority=one.priority
    )
    with means.database.session() as session:
        acting = replace(means, actor=renewed(session, one.actor), job_limit=0)
    try:
        submit(acting, request, cause=f"{one.id}:{message.number}:{asset_id}")
    except Conflict:
        return False
    except PulvinarError as error:
        _log.warning("rule %s can't start %s for %s: %s", one.name, one.solution, asset_id, error.message)
        with UnitOfWork(means.database, acting.actor) as work:
            work.ask(Right.SEE, message.details["dataset"])
            work.record_event(FAILED, one.id, {"asset": asset_id, "reason": error.message})
        return False
    return True


def _to_row(one: Rule) -> dict[str, Any]:
    actor = {"name": one.actor.name, "is_owner": one.actor.is_owner}
    fields = {name: getattr(one, name) for name in ("id", "name", "solution", "project", "priority", "enabled")}
    told = {"conditions": dict(one.conditions), "parameters": dict(one.parameters), "created": datetime.now(UTC)}
    return fields | told | {"actor_id": one.actor.id, "actor": actor}


def _from_row(row: Row[Any]) -> Rule:
    actor = Actor(row.actor_id, row.actor["name"], row.actor["is_owner"])
    return Rule(
        row.id, row.name, row.solution, actor, row.conditions, row.parameters, row.project, row.priority, row.enabled
    )
