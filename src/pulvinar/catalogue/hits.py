"""What a search found, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from pulvinar.access.visibility import KEPT
from pulvinar.catalogue.asset_rows import asset_from_row, location_columns, location_from_row
from pulvinar.catalogue.listed import listed, told
from pulvinar.catalogue.query import written
from pulvinar.catalogue.query_fields import Field
from pulvinar.catalogue.query_nodes import (
    Leaf,
    Query,
    Said,
    Words,
    leaves,
)
from pulvinar.catalogue.search_plan import Place, Plan
from pulvinar.catalogue.seen import seen_version
from pulvinar.catalogue.tables import anchor_region, asset, asset_entry, location, version, version_asset
from pulvinar.catalogue.words import Run, texts_of, words_of
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, VersionState
from pulvinar.model.record import Record, record_from_json
from pulvinar.model.terms import Vocabulary, keyed

_ROLES = {Field.SOMA: "soma", Field.END: "end"}


@dataclass(frozen=True)
class Why:
    """Why something was found: `where` (name, title, text, region, soma, end, place, or a field), what was asked, and
    what is there. Of a region, `found` lies below `asked`, or is it; a homologue is of another species. A place is said
    as it was asked for."""

    where: str
    asked: str
    found: str
    found_zh: str = ""
    homologue: bool = False


@dataclass(frozen=True)
class Hit:
    """An asset, in the newest version that has it of those that the actor may see, and why it was found."""

    asset: Asset
    dataset_id: str
    version_digest: str
    number: int
    record: Record
    draft: bool
    why: tuple[Why, ...] = ()


def read_hits(session: Session, actor: Actor, numbers: Sequence[int], right: Right = Right.SEE) -> list[Hit]:
    """The assets of those numbers that `actor` may see, in this order."""
    wanted = _seen_rows(actor, right).where(listed(session, asset_entry.c.number, "numbers"))
    # the newest version of each comes last, and stays
    rows = {row.entry: row for row in session.execute(wanted, {"numbers": told(numbers)}).all()}
    records = _records(session, {row.version_id for row in rows.values()})
    return [
        Hit(
            asset_from_row(row, location_from_row(row)),
            row.dataset_id,
            row.version_digest,
            row.version_number,
            records[row.version_id],
            row.state == VersionState.DRAFT.value,
        )
        for row in (rows[number] for number in numbers if number in rows)
    ]


@lru_cache(KEPT)
def _seen_rows(actor: Actor, right: Right) -> Select[Any]:
    """Every asset in every version that an actor may see, with where it lies."""
    return (
        select(
            asset_entry.c.number.label("entry"),
            asset_entry.c.dataset_id,
            version.c.id.label("version_id"),
            version.c.digest.label("version_digest"),
            version.c.number.label("version_number"),
            version.c.state,
            asset,
            *location_columns,
        )
        .join(asset, asset.c.id == asset_entry.c.asset_id)
        .join(version_asset, version_asset.c.asset_id == asset.c.id)
        .join(version, version.c.id == version_asset.c.version_id)
        .outerjoin(location, location.c.asset_id == asset.c.id)
        .where(seen_version(actor, version, right))
        .order_by(version.c.number, location.c.url)
    )


def _records(session: Session, version_ids: Collection[str]) -> dict[str, Record]:
    wanted = select(version.c.id, version.c.record).where(listed(session, version.c.id, "ids"))
    return {row.id: record_from_json(row.record) for row in session.execute(wanted, {"ids": told(version_ids)}).all()}


def explain(session: Session, query: Query, planned: Plan, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """`hits`, each with what it was found by."""
    said = list(dict.fromkeys(leaf for leaf in leaves(query) if isinstance(leaf, Words | Said)))
    regions = {leaf: _held(session, leaf, planned.places.get(leaf, ()), hits) for leaf in said}
    # all that is found is near every place that was asked for
    places = [Why("place", asked, asked) for asked in map(written, planned.near)]
    explained = []
    for hit in hits:
        texts = _Texts(hit)
        whys = [one for leaf in said for one in (texts.why(leaf), regions[leaf].get(hit.asset.id)) if one]
        whys += places
        explained.append(replace(hit, why=tuple(dict.fromkeys(whys))))
    return tuple(explained)


def _held(session: Session, leaf: Leaf, places: Sequence[Place], hits: Sequence[Hit]) -> dict[str, Why]:
    """For each asset that lies in one of `places` the region by which it does: of several the fullest."""
    found: dict[str, Why] = {}
    role = _ROLES.get(leaf.field) if isinstance(leaf, Said) else None
    ids = told([hit.asset.id for hit in hits])
    for place in places:
        first, last = place.ontology.span(place.region.id)
        wanted = select(anchor_region.c.asset_id, anchor_region.c.region_id).where(
            listed(session, anchor_region.c.asset_id, "ids"),
            anchor_region.c.atlas == place.atlas,
            anchor_region.c.position.between(first, last),
        )
        if role:
            wanted = wanted.where(anchor_region.c.role == role)
        wanted = wanted.order_by(anchor_region.c.value.desc(), anchor_region.c.position)
        for row in session.execute(wanted, {"ids": ids}).all():
            if row.region_id in place.ontology and row.asset_id not in found:
                found[row.asset_id] = _region_why(role or "region", place, row.region_id)
    return found


def _region_why(where: str, place: Place, region_id: int) -> Why:
    region = place.ontology.region(region_id)
    asked = place.region.name if place.homologue else place.asked
    return Why(where, asked, region.name, region.name_zh, place.homologue)


class _Texts:
    """The texts of one hit, and which of them has some words."""

    def __init__(self, hit: Hit) -> None:
        self._hit = hit

    @cached_property
    def _texts(self) -> list[tuple[str, str]]:
        """Where each stands, and what it says: asked for by words alone."""
        record = self._hit.record
        named = [("name", self._hit.asset.name), ("title", record.title)]
        return named + [("text", text) for text in texts_of(record)[1:] if text]

    def why(self, leaf: Words | Said) -> Why | None:
        """By what `leaf` found it, or None when no text says so."""
        if isinstance(leaf, Said):
            return self._field(leaf)
        wanted = words_of(leaf.text)
        for where, text in self._texts:
            if wanted and _has(words_of(text), wanted):
                return Why(where, leaf.text, text)
        return None

    def _field(self, leaf: Said) -> Why | None:
        """What a field says is what was asked for, or the search would not have found it; regions are told apart."""
        record = self._hit.record
        said: dict[Field, Any] = {
            Field.SPECIES: record.species.value,
            Field.MODALITY: keyed(Vocabulary.MODALITY, record.acquisition.modality),
            Field.LICENCE: keyed(Vocabulary.LICENCE, record.licence),
            Field.LAB: record.lab,
            Field.KIND: self._hit.asset.kind.value,
        }
        found = said.get(leaf.field)
        if not found or (leaf.field is not Field.LAB and found.casefold() != leaf.value.casefold()):
            return None
        return Why(leaf.field.value, leaf.value, found)


def _has(runs: Sequence[Run], wanted: Sequence[Run]) -> bool:
    """Whether some text has every run: a Latin word or the beginning of one, a Chinese one in a longer one."""
    return all(any(_within(one, run) for run in runs) for one in wanted)


def _within(wanted: Run, run: Run) -> bool:
    if len(wanted) == 1:
        return any(word.startswith(wanted[0]) for word in run)
    whole, asked = (" ".join(words) for words in (run, wanted[:-1]))
    return asked in whole
