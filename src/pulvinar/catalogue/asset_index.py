"""Keeps each asset's row of words: its name, what its dataset says, and the platform's own words of it.

An asset is found by whoever sees a version that has it, and what only a draft says or has by who sees the draft. Text
at most 8,000 words a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.visibility import EVERYONE, readers_by_name, shown_to
from pulvinar.atlases.trees import all_trees
from pulvinar.catalogue import asset_tokens as tokens
from pulvinar.catalogue.query_fields import days_of
from pulvinar.catalogue.tables import anchor_region, asset, asset_entry, place_block, version, version_asset
from pulvinar.catalogue.word_index import WordIndex, forget_words, store_words
from pulvinar.catalogue.words import Reach, audience_word, draft_word, texts_of, words_of
from pulvinar.errors import Invalid
from pulvinar.model.dataset import VersionState
from pulvinar.model.ontology import Ontology, Region
from pulvinar.model.record import Record, record_from_json
from pulvinar.model.terms import Vocabulary, keyed

_WORD_LIMIT = 8000
_PORTION = 500
_FEW_DIVISIONS = 8


@dataclass(frozen=True)
class AssetRow:
    """What a row is made of beside the record. `regions` are (atlas, role, identifier), without what is above."""

    name: str
    kind: str
    voxel_size_um: float | None
    regions: tuple[tuple[str, str, int], ...] = ()


def index_assets(session: Session, dataset_id: str, only: Collection[str] | None = None) -> None:
    """Make the assets of a dataset (or some of them) found by what they and it say now, by those who may see them now.

    Whatever changes a record, an asset, an anchor or an audience calls this in the same transaction.
    """
    shown = _state(session, dataset_id, VersionState.PUBLISHED)
    newest = _state(session, dataset_id)
    numbers = _entries(session, dataset_id, shown.kinds.keys() | newest.kinds.keys())
    sharers = set(shown_to(session, dataset_id))
    everyone = EVERYONE in sharers
    signs = _Signs(
        Reach.EVERYONE if everyone else Reach.SHARED,
        sorted(map(audience_word, sharers - {EVERYONE})),
        sorted(map(draft_word, readers_by_name(session, dataset_id))),
    )
    trees = all_trees(session)
    wanted = sorted(numbers if only is None else numbers.keys() & set(only))
    said = _Said(shown, newest, signs, trees)
    for start in range(0, len(wanted), _PORTION):
        _index(session, said, {one: numbers[one] for one in wanted[start : start + _PORTION]})


def index_asset(session: Session, asset_id: str) -> None:
    """As `index_assets`, of one asset wherever it is: for whoever writes down where it lies."""
    holders = (
        select(version.c.dataset_id)
        .join(version_asset, version_asset.c.version_id == version.c.id)
        .where(version_asset.c.asset_id == asset_id)
    )
    for dataset_id in session.scalars(holders.distinct()).all():
        index_assets(session, dataset_id, [asset_id])


def forget_asset(session: Session, asset_id: str) -> None:
    """Take an asset out of the search, before its own row is deleted."""
    mine = asset_entry.c.asset_id == asset_id
    forget_words(session, WordIndex.ASSETS, session.scalars(select(asset_entry.c.number).where(mine)).all())
    session.execute(delete(asset_entry).where(mine))
    _number_places(session, [asset_id])


@dataclass(frozen=True)
class _State:
    """One version: its record, and the kind of each asset by identifier."""

    record: Record | None
    kinds: dict[str, str]

    @cached_property
    def words(self) -> RecordWords | None:
        """What its record gives to every row."""
        return RecordWords(self.record, self.kinds.values()) if self.record else None


@dataclass(frozen=True)
class _Signs:
    """Who finds what is shown, the words of those with whom it is shared, and of those who find what a draft says."""

    reach: Reach
    audiences: list[str]
    readers: list[str]


@dataclass(frozen=True)
class _Said:
    shown: _State
    newest: _State
    signs: _Signs
    trees: dict[str, Ontology]


def _state(session: Session, dataset_id: str, state: VersionState | None = None) -> _State:
    """The newest version (of those in `state`)."""
    wanted = select(version.c.id, version.c.record).where(version.c.dataset_id == dataset_id)
    if state:
        wanted = wanted.where(version.c.state == state.value)
    row = session.execute(wanted.order_by(version.c.number.desc()).limit(1)).first()
    if row is None:
        return _State(None, {})
    kinds = (
        select(asset.c.id, asset.c.kind)
        .join(version_asset, version_asset.c.asset_id == asset.c.id)
        .where(version_asset.c.version_id == row.id)
    )
    return _State(record_from_json(row.record), {one.id: one.kind for one in session.execute(kinds)})


def _entries(session: Session, dataset_id: str, asset_ids: Collection[str]) -> dict[str, int]:
    """The number of each of the assets; new ones get one, in the order of their identifiers, and others lose theirs."""
    mine = select(asset_entry.c.asset_id, asset_entry.c.number).where(asset_entry.c.dataset_id == dataset_id)
    known = {row.asset_id: row.number for row in session.execute(mine)}
    gone = known.keys() - set(asset_ids)
    for one in gone:
        forget_asset(session, one)
    # an asset of another dataset stays where it is found already
    added = sorted(set(asset_ids) - known.keys() - _elsewhere(session, dataset_id, asset_ids))
    if added:
        rows = [{"asset_id": one, "dataset_id": dataset_id, "facets": {}} for one in added]
        session.execute(insert(asset_entry), rows)
        for start in range(0, len(added), _PORTION):
            _number_places(session, added[start : start + _PORTION])
        known = {row.asset_id: row.number for row in session.execute(mine)}
    return {one: number for one, number in known.items() if one not in gone}


def _number_places(session: Session, asset_ids: Sequence[str]) -> None:
    """Tell the index of places the numbers of assets, for what lies somewhere before it is in the search."""
    number = select(asset_entry.c.number).where(asset_entry.c.asset_id == place_block.c.asset_id).scalar_subquery()
    session.execute(update(place_block).where(place_block.c.asset_id.in_(asset_ids)).values(number=number))


def _elsewhere(session: Session, dataset_id: str, asset_ids: Collection[str]) -> set[str]:
    """Those that two datasets have, and the search under the other one."""
    shared = (
        select(version_asset.c.asset_id)
        .join(version, version.c.id == version_asset.c.version_id)
        .join(asset_entry, asset_entry.c.asset_id == version_asset.c.asset_id)
        .where(version.c.dataset_id == dataset_id, asset_entry.c.dataset_id != dataset_id)
    )
    return set(session.scalars(shared)) & set(asset_ids)


def _index(session: Session, said: _Said, numbers: dict[str, int]) -> None:
    rows = session.execute(select(asset).where(asset.c.id.in_(list(numbers)))).all()
    regions = _regions(session, list(numbers))
    for row in rows:
        about = AssetRow(row.name, row.kind, _voxel_size(row), tuple(regions[row.id]))
        shown = said.shown.words if row.id in said.shown.kinds else None
        words, facets = row_of(about, shown, said.newest.words, said.signs.reach, said.trees)
        words += said.signs.readers
        if shown:
            words += said.signs.audiences
        store_words(session, WordIndex.ASSETS, numbers[row.id], words)
        mine = asset_entry.c.number == numbers[row.id]
        session.execute(update(asset_entry).where(mine).values(facets=facets))


def _regions(session: Session, asset_ids: Sequence[str]) -> dict[str, list[tuple[str, str, int]]]:
    found: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    wanted = select(anchor_region).where(anchor_region.c.asset_id.in_(asset_ids))
    for row in session.execute(wanted.order_by(anchor_region.c.atlas, anchor_region.c.position)):
        found[row.asset_id].append((row.atlas, row.role, row.region_id))
    return found


def _voxel_size(row: Row[Any]) -> float | None:
    """The longest side of a volume's finest voxels, in micrometres."""
    levels = row.details.get("volume", {}).get("levels", ()) if row.details else ()
    return max(levels[0]["voxel_size_um"]) if levels else None


def row_of(
    about: AssetRow, shown: RecordWords | None, newest: RecordWords | None, reach: Reach, trees: dict[str, Ontology]
) -> tuple[list[str], dict[str, Any]]:
    """An asset's words, each with its sign, and its facets.

    `shown` is what those see who are not the owner, None for what only a draft has; `newest` what the owner sees.
    """
    first = shown or newest
    if first is None:
        return [], {}
    sign = reach if shown else Reach.OWNER
    regions = sorted(dict.fromkeys(_region_tokens(about, trees)))
    words = [sign + word for word in (*first.of_asset(about), *regions)]
    if newest is not None and newest is not first and newest.record != first.record:
        words += [Reach.OWNER + word for word in newest.of_asset(about)]
    return words, {**first.facets, "kind": about.kind, "regions": _divisions(about, trees)}


class RecordWords:
    """What a record, and the kinds of assets that its dataset has, give to the row of each of them."""

    def __init__(self, record: Record, kinds: Iterable[str]) -> None:
        self.record = record
        self._text = [*islice(tokens.flat(run for part in texts_of(record) for run in words_of(part)), _WORD_LIMIT)]
        self._own = [tokens.ALL, tokens.title_token(record.title), *map(tokens.has_token, sorted(set(kinds)))]
        self._own += tokens.flat(tokens.marked("t", run) for run in words_of(record.title))
        self._own += tokens.flat(tokens.marked("b", run) for run in words_of(record.lab))
        acquisition = record.acquisition
        # a record of an older release may say a term by another name than its key
        modality, licence = keyed(Vocabulary.MODALITY, acquisition.modality), keyed(Vocabulary.LICENCE, record.licence)
        self._own += [tokens.species_token(record.species), tokens.licence_token(licence)]
        self._own += [tokens.modality_token(modality)] if modality else []
        self._own += [tokens.stain_token(keyed(Vocabulary.STAIN, stain)) for stain in acquisition.stains]
        year = ""
        try:
            day = days_of(acquisition.date)[0]
            self._own += tokens.number_tokens("d", tokens.day_number(day))
            year = f"{day.year:04}"
        except Invalid:
            pass
        said = {"species": record.species.value, "modality": modality, "lab": record.lab}
        said |= {"licence": licence, "year": year}
        self.facets = {name: value for name, value in said.items() if value}

    def of_asset(self, about: AssetRow) -> Iterator[str]:
        """The words of a row without regions and signs. The asset's name comes first: a phrase may begin in it."""
        runs = words_of(about.name)
        yield from tokens.flat(runs)
        yield from self._text
        yield from self._own
        yield from tokens.flat(tokens.marked("t", run) for run in runs)
        yield tokens.title_token(about.name)
        yield tokens.kind_token(about.kind)
        recorded = self.record.acquisition.voxel_size_um
        size = about.voxel_size_um or (max(recorded) if recorded else None)
        if size:
            yield from tokens.number_tokens("z", tokens.resolution_number(size))


def _region_tokens(about: AssetRow, trees: dict[str, Ontology]) -> Iterator[str]:
    """Every region and all that hold it, so that a region with what is below it is one list."""
    for atlas, role, region_id in about.regions:
        tree = trees.get(atlas)
        yield tokens.region_token("q", atlas, region_id)
        above = tree.ancestors(region_id, itself=True) if tree and region_id in tree else ()
        for held in [one.id for one in above] or [region_id]:
            yield tokens.region_token("r", atlas, held)
            if role in tokens.ROLES:
                yield tokens.region_token(tokens.ROLES[role], atlas, held)


def _divisions(about: AssetRow, trees: dict[str, Ontology]) -> list[str]:
    """The top divisions of the brain that it lies in, as "atlas:identifier"."""
    found: dict[str, None] = {}
    for atlas, ids in _by_atlas(about).items():
        tree = trees.get(atlas)
        if tree is None:
            continue
        positions = [tree.position(one) for one in ids if one in tree]
        for top in divisions(tree):
            first, last = tree.span(top.id)
            if any(first <= position <= last for position in positions):
                found[f"{atlas}:{top.id}"] = None
    return list(found)


def _by_atlas(about: AssetRow) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for atlas, _, region_id in about.regions:
        found[atlas].add(region_id)
    return found


def divisions(tree: Ontology) -> tuple[Region, ...]:
    """The first level of a tree with at least 8 regions: those of the level, and leaves above it."""
    level = list(tree.children(None))
    while len(level) < _FEW_DIVISIONS:
        below = [child for one in level for child in (tree.children(one.id) or (one,))]
        if below == level:
            break
        level = below
    return tuple(level)
