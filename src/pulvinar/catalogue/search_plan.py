"""From a question to what is looked up: words, fields and regions as terms of the index of assets.

Names of regions are looked for in every atlas that the actor may see, or in the one that `atlas:` names: a name means
what it means in each of them, see `atlases.common_names`. A free word that is the name of a region finds what lies
there too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

from pulvinar.atlases.common_names import regions_meant
from pulvinar.atlases.trees import Tree
from pulvinar.catalogue import asset_tokens as tokens
from pulvinar.catalogue.query_fields import Field
from pulvinar.catalogue.query_nodes import (
    And,
    Dated,
    InBox,
    Leaf,
    Located,
    Near,
    Not,
    Or,
    Query,
    QueryError,
    Resolution,
    Said,
    Words,
    leaves,
)
from pulvinar.catalogue.wanted import All, Any, But, Term, Wanted, term_of
from pulvinar.catalogue.words import Run, is_chinese, words_of
from pulvinar.errors import NotFound
from pulvinar.model.dataset import AssetKind
from pulvinar.model.ontology import Ontology, Region

MOST_RUNS = 60
ALL = Term((tokens.ALL,))
_WITH_PLACES = frozenset({AssetKind.SKELETON, AssetKind.POINTS, AssetKind.TIME_SERIES})
_LETTERS = {Field.REGION: "r", Field.SOMA: "s", Field.END: "e"}

Homologues = Callable[[Ontology, Region], Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class Place:
    """A region that a part of a question means: in which atlas, and by what it was called."""

    atlas: str
    ontology: Ontology
    region: Region
    asked: str
    homologue: bool = False


@dataclass(frozen=True)
class Plan:
    """`wanted` is what is looked up, `tiers` conditions of which what meets an earlier one comes first.

    `places` are the regions that each part means, `near` the places that the assets must be near to. `boxes`: whether
    what has a box there, and no places, can be among what is found.
    """

    wanted: Wanted
    tiers: tuple[Wanted, ...] = ()
    places: dict[Leaf, tuple[Place, ...]] = field(default_factory=dict)
    near: tuple[Located, ...] = ()
    boxes: bool = True


def plan(query: Query, written: str, trees: Sequence[Tree], homologues: Homologues | None = None) -> Plan:
    """How to look up `query`. Raises `QueryError` for a region or an atlas that isn't there."""
    return _Planner(query, written, trees, homologues).plan()


class _Planner:
    def __init__(self, query: Query, written: str, trees: Sequence[Tree], homologues: Homologues | None) -> None:
        self._query = query
        self._written = written
        self._all_trees = trees
        self._homologues = homologues
        said = [leaf for leaf in leaves(query) if isinstance(leaf, Said)]
        self._trees = self._chosen([leaf for leaf in said if leaf.field is Field.ATLAS])
        alike = [leaf for leaf in said if leaf.field is Field.HOMOLOGUES and leaf.value == "yes"]
        if alike and homologues is None:
            raise self._error("this platform has no table of homologues", "take it out", alike[0].at)
        self._wants_homologues = bool(alike)
        self._places: dict[Leaf, tuple[Place, ...]] = {}

    def plan(self) -> Plan:
        """All of it."""
        top = self._query.parts if isinstance(self._query, And) else (self._query,)
        near = tuple(part for part in top if isinstance(part, Located))
        self._check_size()
        # before the tiers, for it finds the places
        for one in near:
            if isinstance(one, Near) and one.region:
                self.regions(one, one.region)
        wanted = self._wanted(And(tuple(part for part in top if not isinstance(part, Located)))) or ALL
        return Plan(wanted, self._tiers(top), self._places, near, not any(map(_has_places, top)))

    def _check_size(self) -> None:
        said = [leaf for leaf in leaves(self._query) if isinstance(leaf, Words)]
        count = 0
        for leaf in said:
            count += len(words_of(leaf.text))
            if count > MOST_RUNS:
                raise self._error("the search has too many words", f"use at most {MOST_RUNS}", leaf.at)

    def _chosen(self, named: list[Said]) -> Sequence[Tree]:
        """The atlases in which regions are looked for."""
        known = {tree.atlas.casefold(): tree for tree in self._all_trees}
        found = []
        for leaf in named:
            tree = known.get(leaf.value.casefold())
            if tree is None:
                near = get_close_matches(leaf.value.casefold(), known, n=1, cutoff=0.4)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
                raise self._error(f"there is no atlas {leaf.value!r}", hint, leaf.at)
            found.append(tree)
        return found or self._all_trees

    def _error(self, message: str, hint: str, at: int) -> QueryError:
        return QueryError(message, hint=hint, query=self._written, at=at)

    def _wanted(self, query: Query) -> Wanted | None:
        """None for what asks for nothing: signs without a word, or how to look."""
        if isinstance(query, And):
            return self._both(query.parts)
        if isinstance(query, Or):
            found = [one for part in query.parts if (one := self._wanted(part)) is not None]
            return _any(found) if len(found) == len(query.parts) else None
        if isinstance(query, Not):
            taken = self._wanted(query.part)
            return But(ALL, taken) if taken is not None else None
        return self._leaf(query)

    def _both(self, parts: tuple[Query, ...]) -> Wanted | None:
        found = [*_spans(parts)]
        said = [part for part in parts if not isinstance(part, Not | Resolution | Dated)]
        found += [one for part in said if (one := self._wanted(part)) is not None]
        taken = [one for part in parts if isinstance(part, Not) and (one := self._wanted(part.part)) is not None]
        if not taken:
            return _all(found) if found else None
        return But(_all(found or [ALL]), _any(taken))

    def _leaf(self, leaf: Leaf) -> Wanted | None:
        if isinstance(leaf, Words):
            return self._words(leaf)
        if isinstance(leaf, Said):
            return self._said(leaf)
        if isinstance(leaf, Resolution | Dated):
            return next(_spans([leaf]))
        hint = "write it beside the rest, without - and OR"
        name = "box:" if isinstance(leaf, InBox) else "within:"
        raise self._error(f"{name} can be neither taken away nor one of several", hint, leaf.at)

    def _words(self, leaf: Words) -> Wanted | None:
        runs = words_of(leaf.text)
        if not runs:
            return None
        text = phrase(runs) if leaf.phrase else _all([*map(term_of, runs)])
        places = self._places_called(leaf.text)
        if not places:
            return text
        self._places[leaf] = places
        return _any([text, *(_in_region("r", place) for place in places)])

    def _places_called(self, text: str) -> tuple[Place, ...]:
        if len(text) < 2 or text.isdecimal():
            return ()
        return tuple(
            Place(tree.atlas, tree.ontology, region, text)
            for tree in self._trees
            for region in regions_meant(text, tree.ontology)
        )

    def _said(self, leaf: Said) -> Wanted | None:
        if leaf.field in _LETTERS:
            return _any([_in_region(_LETTERS[leaf.field], place) for place in self.regions(leaf, leaf.value)])
        if leaf.field is Field.LAB:
            runs = [tokens.marked("b", run) for run in words_of(leaf.value)]
            return phrase(runs, chinese=is_chinese(words_of(leaf.value)[-1][0])) if runs else None
        makers = {
            Field.SPECIES: tokens.species_token,
            Field.MODALITY: tokens.modality_token,
            Field.STAIN: tokens.stain_token,
            Field.LICENCE: tokens.licence_token,
            Field.KIND: tokens.kind_token,
            Field.HAS: tokens.has_token,
        }
        make = makers.get(leaf.field)
        return Term((make(leaf.value),)) if make else None

    def regions(self, leaf: Said | Near, name: str) -> tuple[Place, ...]:
        """The regions of that name, and their homologues when these are asked for. Raises `QueryError` for none."""
        places = [
            Place(tree.atlas, tree.ontology, region, name)
            for tree in self._trees
            for region in regions_meant(name, tree.ontology)
        ]
        if not places:
            raise self._error(f"no atlas has a region {name!r}", self._nearest(name), leaf.at)
        if self._wants_homologues and self._homologues:
            places += self._alike(places)
        self._places[leaf] = tuple(places)
        return self._places[leaf]

    def _alike(self, places: list[Place]) -> list[Place]:
        """The homologues of regions in every atlas that the actor may see."""
        assert self._homologues is not None
        known = {(place.atlas, place.region.id) for place in places}
        found = []
        for place in places:
            for ontology, name in self._homologues(place.ontology, place.region):
                for tree in self._all_trees:
                    region = tree.ontology.named(name) if tree.ontology.name == ontology else None
                    if region and (tree.atlas, region.id) not in known:
                        known.add((tree.atlas, region.id))
                        found.append(Place(tree.atlas, tree.ontology, region, place.asked, homologue=True))
        return found

    def _nearest(self, name: str) -> str:
        if not self._trees:
            return "no atlas is installed; pulvinar atlas install brings one in"
        for tree in self._trees:
            try:
                tree.ontology.find(name)
            except NotFound as error:
                if "did you mean" in error.hint:
                    return error.hint
        some = [region.name for tree in self._trees for region in tree.ontology.search(name)[:3]]
        return f"did you mean {', '.join(some[:3])}?" if some else "look for it in the atlas's tree of regions"

    def _tiers(self, top: Sequence[Query]) -> tuple[Wanted, ...]:
        """What comes first: what lies in the very regions or is called exactly so, then what has it in a title."""
        said = [part for part in top if isinstance(part, Words) and words_of(part.text)]
        regions = [part for part in top if isinstance(part, Said) and part.field in _LETTERS]
        exact: list[Wanted] = []
        if regions:
            each = [_any([_in_region("q", place) for place in self._places[part]]) for part in regions]
            exact.append(_all(each))
        if said:
            exact.append(Term((tokens.title_token(" ".join(part.text for part in said)),)))
            exact += [
                _any([_in_region("q", one) for one in self._places[part]]) for part in said if part in self._places
            ]
        titled = [
            phrase([tokens.marked("t", run)], chinese=is_chinese(run[0]))
            for part in said
            for run in words_of(part.text)
        ]
        return (*([_any(exact)] if exact else []), *([_all([*titled])] if titled else []))


def _has_places(part: Query) -> bool:
    """Whether all that a part of a question finds has places of its own rather than a box: neurons, points, cells."""
    if not isinstance(part, Said):
        return False
    return part.field in (Field.SOMA, Field.END) or (part.field is Field.KIND and part.value in _WITH_PLACES)


def _in_region(letter: str, place: Place) -> Term:
    return Term((tokens.region_token(letter, place.atlas, place.region.id),))


def phrase(runs: Sequence[Run], *, chinese: bool | None = None) -> Term:
    """The words of all runs one after the other. Of a Chinese run at the end the last character begins a pair."""
    words = tuple(word for run in runs for word in run)
    ends_chinese = is_chinese(runs[-1][0]) if chinese is None else chinese
    if not ends_chinese:
        return Term(words)
    return Term(words[:-1]) if len(words) > 1 else Term(words, begins=True)


def _lengths(leaf: Resolution) -> tuple[int, int]:
    """From and up to without, in nanometres."""
    number = tokens.resolution_number(leaf.value_um)
    if leaf.sign in ("<", "<="):
        return 0, number + (leaf.sign == "<=")
    return number + (leaf.sign == ">"), tokens.resolution_number(1e12)


def _spans(parts: Sequence[Query]) -> Iterator[Wanted]:
    """The resolutions and the days that `parts` allow together, each as one span."""
    lengths = [_lengths(part) for part in parts if isinstance(part, Resolution)]
    days = [_days(part) for part in parts if isinstance(part, Dated)]
    for letter, allowed in (("z", lengths), ("d", days)):
        if allowed:
            yield _span(letter, max(least for least, _ in allowed), min(below for _, below in allowed))


def _days(leaf: Dated) -> tuple[int, int]:
    """From and up to without, as numbers of days."""
    day = tokens.day_number(leaf.day)
    return (day, tokens.day_number(date.max)) if leaf.sign == ">=" else (0, day)


def _span(letter: str, least: int, below: int) -> Wanted:
    """One of the span's tokens; for an empty span a token that nothing has."""
    return _any([Term((token,)) for token in tokens.span_tokens(letter, least, below)] or [Term((f"__{letter}none",))])


def _all(parts: Sequence[Wanted]) -> Wanted:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _any(parts: Sequence[Wanted]) -> Wanted:
    return parts[0] if len(parts) == 1 else Any(tuple(parts))
