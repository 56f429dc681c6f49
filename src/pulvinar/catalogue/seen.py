"""Which versions an actor sees: what is published for whom its dataset is, drafts and what was withdrawn for fewer."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, and_, literal, not_, or_, select, true

from pulvinar.access.visibility import visible
from pulvinar.catalogue.quarantine import holds_people
from pulvinar.catalogue.tables import version, version_asset
from pulvinar.model.access import ANONYMOUS, Actor, Right
from pulvinar.model.dataset import VersionState

# Under names of their own: the row may be one of these tables itself. To make them takes longer than to ask.
_HELD, _HOLDER = version_asset.alias("held"), version.alias("holder")


def seen_asset(actor: Actor, asset_id: ColumnElement[str], right: Right = Right.SEE) -> ColumnElement[bool]:
    """The condition that a version which `actor` may see (or more) holds the asset of a row."""
    if _sees_all(actor):
        return true()
    holders = (
        select(literal(1))
        .select_from(_HELD.join(_HOLDER, _HOLDER.c.id == _HELD.c.version_id))
        .where(_HELD.c.asset_id == asset_id, seen_version(actor, _HOLDER, right))
    )
    return holders.exists()


def seen_version(actor: Actor, row: FromClause, right: Right = Right.SEE) -> ColumnElement[bool]:
    """The condition that `actor` may see (or more) the version of a row of that table, or of an alias of it.

    What is published is for everyone who may see its dataset; a draft for those to whom it was shown by name; what was
    withdrawn for those who administer it.
    """
    if _sees_all(actor):
        return visible(actor, row.c.dataset_id, right)
    published = and_(row.c.state == VersionState.PUBLISHED.value, visible(actor, row.c.dataset_id, right))
    if actor == ANONYMOUS:
        return published
    drafts = visible(actor, row.c.dataset_id, max(right, Right.READ), by_name=True)
    # a person's data in quarantine are for those who administer them alone
    administered = visible(actor, row.c.dataset_id, Right.ADMINISTER, by_name=True)
    shown = and_(drafts, or_(not_(holds_people(row.c.id)), administered))
    draft = and_(row.c.state == VersionState.DRAFT.value, shown)
    withdrawn = and_(row.c.state == VersionState.WITHDRAWN.value, administered)
    return or_(published, draft, withdrawn)


def _sees_all(actor: Actor) -> bool:
    """Whether `actor` is an owner of the node, and comes by no token that only reads: to that a head in quarantine, and
    what was withdrawn, are as little as to anybody who reads."""
    return actor.is_owner and actor.ceiling is Right.ADMINISTER


def sees_unpublished(actor: Actor, dataset_id: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition that `actor` sees a draft, or what was withdrawn, of the dataset of a row."""
    own = version.alias("own")
    unpublished = own.c.dataset_id == dataset_id, own.c.state != VersionState.PUBLISHED.value, seen_version(actor, own)
    return select(literal(1)).select_from(own).where(*unpublished).exists()
