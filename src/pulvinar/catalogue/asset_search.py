"""Search over assets: by text, by anatomy and by place in one question, for each actor only within what they may see.

What lies in the very regions asked for, or is called exactly as asked, comes first; then what has the words in a title;
then the rest; each of these newest first. Every one of them is a walk of posting lists (`postings`), so that a page
costs what it shows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pulvinar.access.visibility import given_audiences
from pulvinar.atlases.trees import Tree, trees_of
from pulvinar.catalogue.draft_search import in_drafts, walk_with_drafts
from pulvinar.catalogue.hits import Hit, explain, read_hits
from pulvinar.catalogue.nearby import NearAssets, walk_near
from pulvinar.catalogue.postings import among, walk
from pulvinar.catalogue.query import parse
from pulvinar.catalogue.query_nodes import (
    Located,
    Query,
    QueryError,
    Words,
    leaves,
)
from pulvinar.catalogue.search_plan import Homologues, Place, Plan, plan
from pulvinar.catalogue.search_tools import ReadableAssets, RegionDistances, located_assets, table_of_homologues
from pulvinar.catalogue.seen import seen_asset, sees_unpublished
from pulvinar.catalogue.tables import asset_entry
from pulvinar.catalogue.wanted import All, Any, But, Term, Wanted, reaching, reaching_all
from pulvinar.catalogue.word_index import WordIndex
from pulvinar.catalogue.words import Reach, audience_word, is_chinese, words_of
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor
from pulvinar.storage.database import Database, is_sqlite

MOST = 200
COUNTED = 1000
"""How many results are counted, and looked at for facets, at most."""
COUNTED_NEAR = 200
"""The same near a place: each has to be looked at."""
_CHAPTER = 200

AskNear = Callable[[Session, Actor, Located, tuple[Place, ...], bool], NearAssets]
"""Asks for what is near a point, near one of some regions, or in a box: what has places there, and what has a box alone
where that is wanted too."""


@dataclass(frozen=True)
class FacetValue:
    """One value of a facet, how many of the results have it, and the part of a question that asks for it."""

    value: str
    count: int
    query: str
    label_en: str = ""
    label_zh: str = ""


@dataclass(frozen=True)
class ResultPage:
    """Some of what a search found. `count` is of all results, at most 1,000 (near a place 200) and then `capped`; None
    when not asked for.

    `facets` are counted over the same results.
    """

    items: tuple[Hit, ...]
    next_cursor: str | None = None
    facets: dict[str, tuple[FacetValue, ...]] = field(default_factory=dict)
    count: int | None = None
    capped: bool = False


@dataclass(frozen=True)
class SearchTools:
    """What other rooms know: which regions of other species are alike, and which assets are near a place.

    A search without tools of its own has those of `search_tools`.
    """

    homologues: Homologues | None = None
    near: AskNear | None = None


def search_assets(
    database: Database,
    actor: Actor,
    query: str | Query,
    *,
    cursor: str | None = None,
    limit: int = 24,
    facets: bool = False,
    tools: SearchTools | None = None,
    distances: RegionDistances | None = None,
) -> ResultPage:
    """What `query` finds of what `actor` may see, see `query` for the language.

    `distances` tell what is near a region. The last word may be the beginning of one when nothing has it whole. Raises
    `QueryError` for a question that can't be understood, `Invalid` for a cursor that no page gave or a limit outside 1
    to 200.
    """
    if not 1 <= limit <= MOST:
        raise Invalid(f"limit is {limit}", hint=f"use 1 to {MOST}")
    with database.session() as session:
        search = prepare(session, actor, query, tools, distances)
        most = COUNTED_NEAR if search.plan.near else COUNTED
        newest: list[int] = []
        if cursor:
            found = search.page(*search.place_of(cursor), limit + 1)
            newest = search.newest(most + 1) if facets else []
        else:
            wanted = max(limit + 1, most + 1 if facets else 0)
            newest = search.newest(wanted)
            if not newest and search.begin_last_word():
                newest = search.newest(wanted)
            found = search.first_page(limit + 1, newest, whole=len(newest) < wanted)
        shown = found[:limit]
        hits = read_hits(session, actor, [number for _, number in shown])
        items = explain(session, search.query, search.plan, hits)
        next_cursor = None
        if len(found) > limit:
            whole = len(items) == len(shown)
            next_cursor = f"{shown[-1][0]}.{items[-1].asset.id if whole else search.asset_of(shown[-1][1])}"
        if not facets:
            return ResultPage(items, next_cursor)
        told = count_facets(session, newest[:most], search.trees)
    return ResultPage(items, next_cursor, told, min(len(newest), most), capped=len(newest) > most)


def prepare(
    session: Session,
    actor: Actor,
    query: str | Query,
    tools: SearchTools | None = None,
    distances: RegionDistances | None = None,
) -> Search:
    """A search of one actor, ready to walk. Raises `QueryError`."""
    written, parsed = (query, parse(query)) if isinstance(query, str) else ("", query)
    trees = trees_of(session, actor)
    tools = tools or SearchTools(table_of_homologues(session, trees), partial(located_assets, distances=distances))
    planned = plan(parsed, written, trees, tools.homologues)
    return Search(session, actor, parsed, planned, trees, _near(session, actor, planned, written, tools.near))


def _near(session: Session, actor: Actor, planned: Plan, written: str, ask: AskNear | None) -> tuple[NearAssets, ...]:
    """What the assets must be near to."""
    if not planned.near:
        return ()
    if ask is None:
        hint = "take within: and box: out, and name a region instead"
        raise QueryError("this platform has no index of places", hint=hint, query=written, at=planned.near[0].at)
    found: list[NearAssets] = []
    for one in planned.near:
        try:
            found.append(ask(session, actor, one, planned.places.get(one, ()), planned.boxes))
        except Invalid as error:
            raise QueryError(error.message, hint=error.hint, query=written, at=one.at) from error
    # asked last, of what is near
    return (*found, ReadableAssets(session, actor))


class Search:
    """One question by one actor."""

    def __init__(
        self,
        session: Session,
        actor: Actor,
        query: Query,
        planned: Plan,
        trees: Sequence[Tree],
        near: Sequence[NearAssets],
    ) -> None:
        self.query = query
        self.plan = planned
        self.trees = trees
        self._session = session
        self._actor = actor
        self._near = near
        given = given_audiences(session, actor)
        self._sharing = None if actor.is_owner else given.shared
        self._drafts = () if actor.is_owner else given.drafts
        self._reaches = [one for one in Reach if one is not Reach.SHARED or given.to_some]
        self._tiers = _steps(planned)

    def begin_last_word(self) -> bool:
        """Take the last word for the beginning of one; False when it can't be."""
        said = leaves(self.query)
        last = said[-1] if said else None
        if not isinstance(last, Words) or last.phrase:
            return False
        runs = words_of(last.text)
        if not runs or is_chinese(runs[-1][0]) or len(runs[-1][0]) < 2:
            return False
        whole, begun = Term(runs[-1]), Term(runs[-1], begins=True)
        self.plan = replace(self.plan, wanted=_exchanged(self.plan.wanted, whole, begun), tiers=())
        self._tiers = _steps(self.plan)
        return True

    def first_page(self, limit: int, newest: list[int], *, whole: bool) -> list[tuple[int, int]]:
        """The best results as (tier, number), where `newest` are the newest of all, or all when these are the `whole`.

        What finds little, and what is near a place, has to be looked for everywhere: that is done once, and not once a
        tier. Nor is the last tier looked for: of the newest at most those are missing that came before.
        """
        known = whole and (len(newest) < limit or bool(self._near))
        last = len(self._tiers) - 1
        found = self._page(0, None, limit, newest if known else None, tiers=last)
        before = {number for _, number in found}
        rest = [number for number in newest if number not in before]
        return [*found, *((last, number) for number in rest[: limit - len(found)])]

    def page(self, tier: int, below: int, limit: int) -> list[tuple[int, int]]:
        """The next results as (tier, number), from below a number of a tier on."""
        return self._page(tier, below, limit, tiers=len(self._tiers))

    def _page(
        self, tier: int, below: int | None, limit: int, only: list[int] | None = None, *, tiers: int
    ) -> list[tuple[int, int]]:
        """Of the tiers from one up to another."""
        found: list[tuple[int, int]] = []
        for at in range(tier, tiers):
            numbers = self._walk(self._tiers[at], below if at == tier else None, limit - len(found), only)
            found += [(at, number) for number in numbers]
            if len(found) >= limit:
                break
        return found

    def newest(self, limit: int, below: int | None = None) -> list[int]:
        """The newest results, whatever comes first in a page."""
        return self._walk(self.plan.wanted, below, limit)

    def all_numbers(self) -> Iterator[list[int]]:
        """Every result, newest first, in portions."""
        below: int | None = None
        while numbers := self.newest(_CHAPTER, below):
            yield numbers
            below = numbers[-1]

    def place_of(self, cursor: str) -> tuple[int, int]:
        """Tier and number of the result that ended the page before: the cursor holds its identifier, and so tells
        nothing of how many there are that nobody showed."""
        tier, _, asset_id = cursor.partition(".")
        number = self._session.scalar(select(asset_entry.c.number).where(asset_entry.c.asset_id == asset_id))
        known = number is not None and bool(read_hits(self._session, self._actor, [number]))
        if number is None or not known or not tier.isdecimal() or int(tier) >= len(self._tiers):
            raise Invalid(f"{cursor!r} is not a cursor", hint="use next_cursor of the page before")
        return int(tier), number

    def asset_of(self, number: int) -> str:
        """The identifier of the asset of that number."""
        wanted = select(asset_entry.c.asset_id).where(asset_entry.c.number == number)
        return str(self._session.scalars(wanted).one())

    def _walk(self, wanted: Wanted, below: int | None, limit: int, only: list[int] | None = None) -> list[int]:
        def through(asked: Wanted, below: int | None, limit: int) -> list[int]:
            if only is not None:
                return among(self._session, WordIndex.ASSETS, asked, only, below, limit)
            if self._near:
                return walk_near(self._session, asked, self._near, below, limit)
            return walk(self._session, WordIndex.ASSETS, asked, below, limit)

        plain = self._visible(wanted)
        if not self._drafts:
            return through(plain, below, limit)
        of_drafts = in_drafts(wanted, self._drafts, self._reaches)
        return walk_with_drafts(plain, of_drafts, through, self._among, self._with_draft, below, limit)

    def _among(self, wanted: Wanted, numbers: Sequence[int]) -> list[int]:
        return among(self._session, WordIndex.ASSETS, wanted, numbers, None, len(numbers))

    def _with_draft(self, numbers: Sequence[int]) -> set[int]:
        of_seen = (
            sees_unpublished(self._actor, asset_entry.c.dataset_id),
            seen_asset(self._actor, asset_entry.c.asset_id),
        )
        wanted = select(asset_entry.c.number).where(asset_entry.c.number.in_(numbers), *of_seen)
        return set(self._session.scalars(wanted))

    def _visible(self, wanted: Wanted) -> Wanted:
        """`wanted` among the words that this actor may find."""
        if self._sharing is None:
            return reaching_all(wanted, self._reaches)
        if not self._sharing:
            return wanted
        shared_with = Any(tuple(Term((audience_word(one),)) for one in self._sharing))
        return Any((wanted, All((shared_with, reaching(wanted, Reach.SHARED)))))


def _steps(planned: Plan) -> tuple[Wanted, ...]:
    """What to walk, one after the other: each finds what none before it did."""
    steps: list[Wanted] = []
    for at, tier in enumerate(planned.tiers):
        here = All((planned.wanted, tier))
        steps.append(But(here, Any(planned.tiers[:at])) if at else here)
    rest = But(planned.wanted, Any(planned.tiers)) if planned.tiers else planned.wanted
    return (*steps, rest)


def _exchanged(wanted: Wanted, old: Term, new: Term) -> Wanted:
    if isinstance(wanted, Term):
        return new if wanted == old else wanted
    if isinstance(wanted, But):
        return But(_exchanged(wanted.part, old, new), wanted.without)
    return type(wanted)(tuple(_exchanged(part, old, new) for part in wanted.parts))


def count_facets(session: Session, numbers: Sequence[int], trees: Sequence[Tree]) -> dict[str, tuple[FacetValue, ...]]:
    """How many of some assets have each species, modality, kind, region, lab, licence and year, most first."""
    # one value holds the numbers, one tells all: a thousand of either take longer to hand over than to find
    told = session.scalar(text(_TOLD[is_sqlite(session)]), {"numbers": str(list(numbers))})
    rows = json.loads(f"[{told or ''}]")
    found: dict[str, tuple[FacetValue, ...]] = {}
    for name in _FACETS:
        said = [row[name] for row in rows if name in row]
        counted = Counter(said if name not in _LISTS else chain.from_iterable(said))
        if counted:
            shown = _LISTS.get(name, name)
            found[shown] = tuple(_facet_value(shown, value, count, trees) for value, count in _most(counted))
    return found


_NUMBERED = "(SELECT facets FROM asset_entry WHERE number IN (SELECT CAST(value AS bigint) FROM {}))"
_TOLD = {
    True: f"SELECT group_concat(facets) FROM {_NUMBERED.format('json_each(:numbers)')}",
    False: "SELECT string_agg(CAST(facets AS text), ',') FROM "
    + _NUMBERED.format("json_array_elements_text(CAST(:numbers AS json))")
    + " AS told",
}


def _most(counted: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent values; of equally frequent ones the first by name, in whatever order a database told them."""
    return sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:_SHOWN]


_FACETS = ("species", "modality", "kind", "regions", "lab", "licence", "year")
_LISTS = {"regions": "region"}
"""What an asset may have several of, by the name of the facet."""
_SHOWN = 12


def _facet_value(name: str, value: str, count: int, trees: Sequence[Tree]) -> FacetValue:
    if name == "region":
        atlas, _, region_id = value.partition(":")
        for tree in trees:
            if tree.atlas == atlas and int(region_id) in tree.ontology:
                region = tree.ontology.region(int(region_id))
                asked = f'region:"{region.name}"'
                return FacetValue(value, count, asked, region.name, region.name_zh)
        return FacetValue(value, count, "", value, value)
    asked = f"date:{value}" if name == "year" else f'{name}:"{value.replace(chr(34), " ")}"'
    return FacetValue(value, count, asked)
