"""What may leave this site: the one place that is asked before bytes of a dataset do.

A rule is set on a dataset or on an organisation, and binds what is made from it. Nobody is exempt from it, whatever
their rights: who may administer the data can lift it, and that is recorded. To look at data here is not to take them
away: pictures, and voxels as coarse as a screen shows them, are no business of a rule.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import column, delete, func, insert, select, table
from sqlalchemy.orm import Session

from pulvinar.access.agreement_tables import dataset_agreement, export_rule, person_left
from pulvinar.access.inheritance import sources_of
from pulvinar.access.tables import dataset_access, organisation
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Forbidden, Invalid
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.export_rule import ExportRule, RuleKind, Way
from pulvinar.storage.database import Database

_AGGREGATES = (AssetKind.TABLE, AssetKind.POINTS, AssetKind.CONNECTIVITY)
_MOST_PERSONS = 1_000_000
# The room above owns this table.
_subject = table("dataset_subject", column("dataset_id"), column("subject_name"), column("species"))


def of_dataset(dataset_id: str) -> str:
    """The scope that is one dataset, and what is made from it."""
    return f"dataset:{dataset_id}"


def of_organisation(organisation_id: str) -> str:
    """The scope that is all data of an organisation and of those below it."""
    return f"organisation:{organisation_id}"


def set_rule(work: UnitOfWork, rule: ExportRule) -> None:
    """Set a rule instead of one of its kind. By who administers the dataset or the organisation of its scope."""
    _ask(work, rule.scope)
    if (rule.kind is RuleKind.PERSONS) != (rule.persons > 0) or rule.persons > _MOST_PERSONS:
        raise Invalid("only a rule on persons has a number of them", hint=f"1 to {_MOST_PERSONS} persons a month")
    _drop(work.session, rule.scope, rule.kind)
    jurisdiction = " ".join(rule.jurisdiction.split())[:200]
    values = {"scope": rule.scope, "kind": rule.kind.value, "persons": rule.persons, "jurisdiction": jurisdiction}
    work.session.execute(insert(export_rule).values(**values))
    work.record_event("set-export-rule", rule.scope.partition(":")[2], values)


def lift_rule(work: UnitOfWork, scope: str, kind: RuleKind, reason: str) -> None:
    """Lift a rule. Raises `Invalid` without a reason."""
    _ask(work, scope)
    if not reason.strip():
        raise Invalid("a reason is missing", hint="it is kept with what was done")
    _drop(work.session, scope, kind)
    told = {"scope": scope, "kind": kind.value, "reason": reason.strip()[:1000]}
    work.record_event("lift-export-rule", scope.partition(":")[2], told)


def rules_on(session: Session, dataset_id: str) -> tuple[ExportRule, ...]:
    """The rules that bind a dataset: its own, those of its home, and those of what it was made from."""
    if session.scalar(select(export_rule.c.scope).limit(1)) is None:
        return ()
    datasets = {dataset_id, *sources_of(session, dataset_id)}
    homes = select(dataset_access.c.home).where(dataset_access.c.dataset_id.in_(sorted(datasets)))
    line = select(organisation.c.id, organisation.c.parent).where(organisation.c.id.in_(homes)).cte(recursive=True)
    line = line.union(select(organisation.c.id, organisation.c.parent).where(organisation.c.id == line.c.parent))
    scopes = [*map(of_dataset, datasets), *map(of_organisation, session.scalars(select(line.c.id)))]
    return _rules(session, scopes)


def bound_among(session: Session, dataset_ids: Collection[str]) -> frozenset[str]:
    """Those of the datasets that a rule binds."""
    if session.scalar(select(export_rule.c.scope).limit(1)) is None:
        return frozenset()
    return frozenset(one for one in dataset_ids if rules_on(session, one))


def rules_of(session: Session, scope: str) -> tuple[ExportRule, ...]:
    """The rules that were set on one scope. Whoever asks may know them."""
    return _rules(session, [scope])


def rule_against(rules: Collection[ExportRule], asset: Asset) -> ExportRule | None:
    """The first of the rules by which an asset doesn't leave at all."""
    return next((one for one in rules if one.kind is RuleKind.SITE or _is_raw(one, asset)), None)


def check_leaving(database: Database, actor: Actor, dataset_id: str, asset: Asset, way: Way) -> None:
    """Go on only if the bytes of an asset may leave this site by `way`, and count whose data they are.

    Asked by every place that gives bytes away: downloads, cut-outs, what peers fetch. Raises `Forbidden`.
    """
    with database.session() as session:
        rules = rules_on(session, dataset_id)
        against = rule_against(rules, asset)
        limits = [one for one in rules if one.kind is RuleKind.PERSONS]
        persons = _persons(session, dataset_id) if limits else frozenset()
        uncounted = [one for one in limits if persons - _left(session, one.scope)]
    if against is not None:
        raise forbidden(against, dataset_id, way)
    if uncounted:
        _count(database, actor, dataset_id, way, uncounted, persons)


def check_kept(session: Session, target_id: str, sources: Collection[str]) -> None:
    """Raise `Conflict` where what a job makes of `sources` would go to a dataset that isn't bound as they are: all that
    is there would be bound from then on."""
    rules = {one for source in sources for one in rules_on(session, source)} - set(rules_on(session, target_id))
    agreed = select(dataset_agreement.c.agreement_id)
    terms = set(session.scalars(agreed.where(dataset_agreement.c.dataset_id.in_(sorted(sources)))))
    terms -= set(session.scalars(agreed.where(dataset_agreement.c.dataset_id == target_id)))
    if rules or terms:
        what = f"the rule {min(one.kind.value for one in rules)!r}" if rules else f"agreement {min(terms)}"
        raise Conflict(
            f"{what} binds the inputs of the job and not dataset {target_id}, where its output would go",
            hint="name no dataset: the output then makes one of its own, which is bound as its inputs are",
        )


def forbidden(rule: ExportRule, dataset_id: str, way: Way) -> Forbidden:
    """The error that says which rule keeps a dataset from leaving."""
    said = {
        RuleKind.SITE: "its bytes stay at this site",
        RuleKind.AGGREGATES: "only aggregates of it leave this site",
        RuleKind.PERSONS: f"the data of no more than {rule.persons} persons leave this site in a month",
    }[rule.kind]
    law = f" ({rule.jurisdiction})" if rule.jurisdiction else ""
    hint = {
        RuleKind.SITE: "look at it in the viewer, or process it here",
        RuleKind.AGGREGATES: "process it here: tables, points and matrices that are computed of it may leave",
        RuleKind.PERSONS: "wait for the next month, or ask who administers the data",
    }[rule.kind]
    return Forbidden(
        f"dataset {dataset_id}: {said}{law}; {way.value} is refused by rule {rule.kind.value!r}", hint=hint
    )


def _count(
    database: Database,
    actor: Actor,
    dataset_id: str,
    way: Way,
    rules: Collection[ExportRule],
    persons: frozenset[str],
) -> None:
    now = datetime.now(UTC)
    with UnitOfWork(database, actor) as work:
        work.ask(Right.READ, dataset_id)
        for rule in rules:
            # the rule's row is locked, so that two leave one after the other
            held = select(export_rule.c.persons).where(export_rule.c.scope == rule.scope)
            work.session.execute(held.with_for_update()).all()
            new = persons - _left(work.session, rule.scope)
            if new and _count_left(work.session, rule.scope) + len(new) > rule.persons:
                raise forbidden(rule, dataset_id, way)
            rows = [{"scope": rule.scope, "month": _month(), "person": one, "at": now} for one in sorted(new)]
            if rows:
                work.session.execute(insert(person_left), rows)
        work.record_event("leave", dataset_id, {"way": way.value, "persons": len(persons)})


def _is_raw(rule: ExportRule, asset: Asset) -> bool:
    """Whether a rule for aggregates keeps an asset: all but what a job has computed and is no volume."""
    is_aggregate = asset.kind in _AGGREGATES and "derivation" in asset.details
    return rule.kind is RuleKind.AGGREGATES and not is_aggregate


def _persons(session: Session, dataset_id: str) -> frozenset[str]:
    """Whose data are in a dataset; of one that doesn't say, it counts as one person."""
    datasets = sorted({dataset_id, *sources_of(session, dataset_id)})
    rows = session.execute(select(_subject).where(_subject.c.dataset_id.in_(datasets)))
    named = frozenset(f"{row.species}:{row.subject_name}" for row in rows)
    return named or frozenset({of_dataset(dataset_id)})


def _left(session: Session, scope: str) -> frozenset[str]:
    mine = person_left.c.scope == scope, person_left.c.month == _month()
    return frozenset(session.scalars(select(person_left.c.person).where(*mine)))


def _count_left(session: Session, scope: str) -> int:
    mine = person_left.c.scope == scope, person_left.c.month == _month()
    return session.scalar(select(func.count()).select_from(person_left).where(*mine)) or 0


def _month() -> str:
    return datetime.now(UTC).strftime("%Y-%m")


def _rules(session: Session, scopes: Collection[str]) -> tuple[ExportRule, ...]:
    rows = session.execute(select(export_rule).where(export_rule.c.scope.in_(scopes)).order_by(export_rule.c.scope))
    found = (ExportRule(row.scope, RuleKind(row.kind), row.persons, row.jurisdiction) for row in rows)
    return tuple(sorted(found, key=lambda one: list(RuleKind).index(one.kind)))


def _ask(work: UnitOfWork, scope: str) -> None:
    kind, _, name = scope.partition(":")
    if kind not in ("dataset", "organisation") or not name:
        raise Invalid(f"{scope[:80]!r} is no scope of a rule", hint="dataset:<id> or organisation:<id>")
    work.ask_giver(Right.ADMINISTER, *((name, None) if kind == "organisation" else (None, name)))


def _drop(session: Session, scope: str, kind: RuleKind) -> None:
    session.execute(delete(export_rule).where(export_rule.c.scope == scope, export_rule.c.kind == kind.value))
