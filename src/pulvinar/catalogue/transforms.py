"""Transforms between spaces: which are stored, and which way they make from one space to another.

A transform is an asset of a published dataset. The newest version of each dataset counts; what an actor may not read
does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, literal_column, select

from pulvinar.access.visibility import visible
from pulvinar.atlases.transform_graph import SpaceGraph
from pulvinar.atlases.transform_json import transform_from_json
from pulvinar.atlases.transforms import apply, is_invertible, steps_of
from pulvinar.catalogue.asset_rows import asset_from_row
from pulvinar.catalogue.tables import asset, version, version_asset
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, VersionState
from pulvinar.model.record import Record, record_from_json
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import AffineTransform, Transform
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store


@dataclass(frozen=True, eq=False)
class StoredTransform:
    """A transform and where it comes from: `version` is that of its dataset, `digest` what that version is cited by.

    The fields of `transform` are read from the store when points ask.
    """

    asset: Asset
    dataset_id: str
    version: int
    digest: str
    record: Record
    transform: Transform

    @property
    def name(self) -> str:
        """What it is called."""
        return self.asset.name


@dataclass(frozen=True, eq=False)
class Leg:
    """One transform of a route; `inverted` where points go against the way that it was stored in."""

    stored: StoredTransform
    transform: Transform
    inverted: bool


@dataclass(frozen=True, eq=False)
class Route:
    """The way from one space to another: `legs` in the order that points meet them, none from a space to itself."""

    transform: Transform
    legs: tuple[Leg, ...]

    @property
    def expected_error_um(self) -> float | None:
        """How far off a point is to be expected; None where it is unknown of one leg."""
        return self.transform.expected_error_um


def list_transforms(database: Database, store: Store, actor: Actor) -> tuple[StoredTransform, ...]:
    """The transforms that `actor` may read, the one published first first; no field is read."""
    of_same = version.alias("of_same")
    newest = (
        select(func.max(of_same.c.number))
        .where(of_same.c.dataset_id == version.c.dataset_id, of_same.c.state == VersionState.PUBLISHED.value)
        .scalar_subquery()
    )
    about = version.c.dataset_id, version.c.number, version.c.digest.label("version_digest"), version.c.record
    # the kind as a literal: only so is the index of transforms used
    wanted = (
        select(asset, *about)
        .join(version_asset, version_asset.c.asset_id == asset.c.id)
        .join(version, version.c.id == version_asset.c.version_id)
        .where(asset.c.kind == literal_column("'transform'"), version.c.number == newest)
        .where(version.c.state == VersionState.PUBLISHED.value, visible(actor, version.c.dataset_id, Right.READ))
        .order_by(version.c.published, asset.c.id)
    )
    with database.session() as session:
        rows = session.execute(wanted).all()
    return tuple(
        StoredTransform(
            asset_from_row(row, None),
            row.dataset_id,
            row.number,
            row.version_digest,
            record_from_json(row.record),
            transform_from_json(row.details["transform"], store, f"{row.prefix}/"),
        )
        for row in rows
    )


def find_route(stored: Iterable[StoredTransform], source: str, target: str) -> Route:
    """The best way for points of the space named `source` to the one named `target`, as `SpaceGraph` finds it.

    Raises `NotFound` when there is none, naming the spaces that can be reached.
    """
    known = tuple(stored)
    graph = SpaceGraph(one.transform for one in known)
    legs = (Leg(known[step.origin], step.transform, step.inverted) for step in graph.steps(source, target))
    return Route(graph.path(source, target), tuple(legs))


def transform_points(route: Route, points: Points) -> Points:
    """`points` of the route's source as points of its target. Raises as `apply` does."""
    return apply(route.transform, points)


def spaces_of(stored: Iterable[StoredTransform]) -> dict[str, Space]:
    """The spaces that transforms lead from or to, by name; those between the parts of one are left out."""
    ends = (space for one in stored for space in (one.transform.source, one.transform.target))
    return {space.name: space for space in ends}


def kind_of(transform: Transform) -> str:
    """ "affine", "displacement", or "composition" of several."""
    steps = steps_of(transform)
    if len(steps) > 1:
        return "composition"
    return "affine" if isinstance(steps[0], AffineTransform) else "displacement"


def stored_to_json(one: StoredTransform) -> dict[str, Any]:
    """A stored transform as JSON values: what the API and the commands tell of it."""
    made = one.transform
    return {
        "name": one.name,
        "source": made.source.name,
        "target": made.target.name,
        "kind": kind_of(made),
        "invertible": is_invertible(made),
        "expected_error_um": made.expected_error_um,
        "obtained": made.provenance,
        "licence": one.record.licence,
        "citation": one.record.citation,
        "dataset_id": one.dataset_id,
        "version": one.version,
        "digest": one.digest,
        "asset_id": one.asset.id,
    }


def leg_to_json(leg: Leg) -> dict[str, Any]:
    """A leg as JSON values: what the API, the commands and anchors tell of it."""
    return {
        "source": leg.transform.source.name,
        "target": leg.transform.target.name,
        "transform": leg.stored.name,
        "inverted": leg.inverted,
        "expected_error_um": leg.transform.expected_error_um,
        "dataset_id": leg.stored.dataset_id,
        "version": leg.stored.version,
        "digest": leg.stored.digest,
    }
