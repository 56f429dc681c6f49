"""The regions of an atlas as a tree."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from typing import Any

from pulvinar.errors import Invalid, NotFound


class NameState(StrEnum):
    """How sure the Chinese name of a region is."""

    NONE = ""
    PROPOSED = "proposed"
    REVIEWED = "reviewed"


@dataclass(frozen=True)
class Region:
    """A piece of anatomy: never a bare integer, always of one ontology.

    `color` is RRGGBB. `parent` is the identifier of the region that holds it, None for a root. `side` is "left" or
    "right" where the atlas numbers the two sides apart, else "".
    """

    ontology: str
    id: int
    acronym: str
    name: str
    parent: int | None = None
    name_zh: str = ""
    name_zh_state: NameState = NameState.NONE
    name_zh_source: str = ""
    color: str = "808080"
    side: str = ""
    synonyms: tuple[str, ...] = ()

    def label(self, language: str) -> str:
        """The name in "en" or "zh"; the English one where there is no Chinese."""
        return self.name_zh if language == "zh" and self.name_zh else self.name

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that it is called, each once: acronym, names, synonyms."""
        return tuple(dict.fromkeys(one for one in (self.acronym, self.name, self.name_zh, *self.synonyms) if one))


@dataclass(frozen=True)
class Ontology:
    """A tree of regions. Raises `Invalid` for an identifier given twice, an unknown parent or a cycle.

    Regions are numbered from the root down, children after their parent and before its next sibling: `span` of a region
    is one range that holds it and all below it.
    """

    name: str
    version: str
    regions: tuple[Region, ...]
    _at: dict[int, int] = field(init=False, repr=False, compare=False)
    _last: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered, last = _ordered(self.name, self.regions)
        object.__setattr__(self, "regions", ordered)
        object.__setattr__(self, "_at", {region.id: at for at, region in enumerate(ordered)})
        object.__setattr__(self, "_last", last)

    def __len__(self) -> int:
        return len(self.regions)

    def __contains__(self, region_id: object) -> bool:
        return region_id in self._at

    def region(self, region_id: int) -> Region:
        """The region of that identifier; raises `NotFound`."""
        at = self._at.get(region_id)
        if at is None:
            raise NotFound(f"{self.name} has no region {region_id}", hint="search it by name")
        return self.regions[at]

    def position(self, region_id: int) -> int:
        """The number of a region in the order of the tree; raises `NotFound`."""
        return self._at[self.region(region_id).id]

    def span(self, region_id: int) -> tuple[int, int]:
        """The first and the last position of a region and all below it, both included; raises `NotFound`."""
        first = self.position(region_id)
        return first, self._last[first]

    def descendants(self, region_id: int, *, itself: bool = False) -> tuple[Region, ...]:
        """All below a region, from the top down; raises `NotFound`."""
        first, last = self.span(region_id)
        return self.regions[first if itself else first + 1 : last + 1]

    def ancestors(self, region_id: int, *, itself: bool = False) -> tuple[Region, ...]:
        """All that hold a region, the nearest first; raises `NotFound`."""
        region = self.region(region_id)
        found = [region] if itself else []
        while region.parent is not None:
            region = self.region(region.parent)
            found.append(region)
        return tuple(found)

    def children(self, region_id: int | None) -> tuple[Region, ...]:
        """The regions right below one, or the roots for None."""
        return self._children.get(region_id, ())

    @cached_property
    def _children(self) -> Mapping[int | None, tuple[Region, ...]]:
        found: dict[int | None, list[Region]] = {}
        for region in self.regions:
            found.setdefault(region.parent, []).append(region)
        return {parent: tuple(regions) for parent, regions in found.items()}

    def find(self, text: str) -> Region:
        """The region that `text` names: an identifier, an acronym (its case counts first), a name in either language,
        a synonym. Raises `NotFound` with the names most like it."""
        found = self.named(text)
        if found is not None:
            return found
        near = get_close_matches(folded_name(text), self._by_name, n=3, cutoff=0.7)
        hint = ", ".join(self._by_name[one].name for one in near)
        message = f"{self.name} has no region {text.strip()!r}"
        raise NotFound(message, hint=f"did you mean {hint}?" if hint else "search for it")

    def named(self, text: str) -> Region | None:
        """As `find`, None where nothing is called so: a look, whatever the number of regions."""
        text = text.strip()
        if text.isdecimal() and int(text) in self._at:
            return self.region(int(text))
        return self._by_acronym.get(text) or self._by_name.get(folded_name(text))

    @cached_property
    def _by_acronym(self) -> Mapping[str, Region]:
        return {region.acronym: region for region in reversed(self.regions) if region.acronym}

    @cached_property
    def _by_name(self) -> Mapping[str, Region]:
        # what is nearer to the root wins, and a name wins over a synonym
        found: dict[str, Region] = {}
        for names in (("name", "name_zh", "acronym"), ("synonyms",)):
            for region in self.regions:
                for name in names:
                    said = getattr(region, name)
                    for one in said if isinstance(said, tuple) else (said,):
                        if one:
                            found.setdefault(folded_name(one), region)
        return found

    def search(self, text: str) -> tuple[Region, ...]:
        """The regions of which some name has every word of `text`, in either language: those called exactly so first,
        then those whose name begins so, each from the top of the tree down."""
        words = [folded_name(word) for word in text.split()]
        whole = folded_name(text)
        rated = []
        for at, names in enumerate(self._searched):
            if words and any(all(word in name for word in words) for name in names):
                rank = 0 if whole in names else 1 if any(name.startswith(whole) for name in names) else 2
                rated.append((rank, at))
        return tuple(self.regions[at] for _, at in sorted(rated))

    @cached_property
    def _searched(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(map(folded_name, region.names)) for region in self.regions)


def _ordered(name: str, regions: Sequence[Region]) -> tuple[tuple[Region, ...], tuple[int, ...]]:
    """The regions from the roots down, and for each the position of the last one below it."""
    known = {region.id for region in regions}
    if len(known) < len(regions):
        ids = [region.id for region in regions]
        twice = next(one for one in ids if ids.count(one) > 1)
        raise Invalid(f"ontology {name} has two regions {twice}", hint="an identifier names one region")
    below: dict[int | None, list[Region]] = {}
    for region in regions:
        if region.parent is not None and region.parent not in known:
            raise Invalid(f"ontology {name}: region {region.id} ({region.name}) has the unknown parent {region.parent}")
        below.setdefault(region.parent, []).append(region)
    ordered: list[Region] = []
    last: list[int] = []
    # a region is met twice: before what is below it, and after
    waiting: list[tuple[Region, int | None]] = [(root, None) for root in reversed(below.get(None, []))]
    while waiting:
        region, at = waiting.pop()
        if at is not None:
            last[at] = len(ordered) - 1
            continue
        waiting.append((region, len(ordered)))
        ordered.append(region)
        last.append(-1)
        waiting += [(child, None) for child in reversed(below.get(region.id, []))]
    if len(ordered) < len(regions):
        lost = next(region for region in regions if region.id not in {one.id for one in ordered})
        raise Invalid(f"ontology {name} has a cycle: region {lost.id} ({lost.name}) is above itself")
    return tuple(ordered), tuple(last)


def folded_name(text: str) -> str:
    """`text` as names of regions are compared: lower case, letters and digits alone, without accents."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", "".join(letter for letter in letters if letter.isalnum()))


def ontology_to_json(ontology: Ontology) -> dict[str, Any]:
    """`ontology` as JSON values; fields that say nothing are left out."""
    return {
        "name": ontology.name,
        "version": ontology.version,
        "regions": [_region_to_json(region) for region in ontology.regions],
    }


def _region_to_json(region: Region) -> dict[str, Any]:
    said = {
        "id": region.id,
        "acronym": region.acronym,
        "name": region.name,
        "parent": region.parent,
        "name_zh": region.name_zh,
        "name_zh_state": region.name_zh_state.value,
        "name_zh_source": region.name_zh_source,
        "color": region.color,
        "side": region.side,
        "synonyms": list(region.synonyms),
    }
    return {name: value for name, value in said.items() if value not in ("", None, [])}


def ontology_from_json(data: Mapping[str, Any]) -> Ontology:
    """The ontology that `ontology_to_json` wrote; raises `Invalid` when `data` is not one."""
    try:
        return Ontology(data["name"], data["version"], tuple(_regions(data["name"], data["regions"])))
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"this does not describe an ontology: {error!r}") from error


def _regions(ontology: str, rows: Iterable[Mapping[str, Any]]) -> Iterable[Region]:
    for row in rows:
        said = dict(row)
        state = NameState(said.pop("name_zh_state", ""))
        synonyms = tuple(said.pop("synonyms", ()))
        yield Region(ontology=ontology, acronym=said.pop("acronym", ""), name_zh_state=state, synonyms=synonyms, **said)
