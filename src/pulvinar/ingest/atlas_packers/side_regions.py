"""The tree of an atlas that numbers the two sides apart: lobes, areas, and each area's left and right.

A source gives labels with names; what they mean beyond that (the full name, the lobe) is a table beside this module.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.atlas_packers.region_colors import telling_color
from pulvinar.model.ontology import Region

_ROOT = 10_000
"""The whole brain; the groups follow it. Labels of the sources lie below, and all stay below 65536, the most that
BrainGlobe's reader takes for a parent."""
_AREAS = 20_000
"""An area is this many above the lowest of its labels."""
_SIDED = re.compile(r"(?:(?P<first>Left|Right|ctx-lh|ctx-rh)[-_](?P<rest>.+)|(?P<core>.+)_(?P<last>[LR]))")
_SIDES = {"Left": "left", "ctx-lh": "left", "L": "left", "Right": "right", "ctx-rh": "right", "R": "right"}


@dataclass(frozen=True)
class NamedLabel:
    """A label and what the source calls it."""

    label: int
    text: str


@dataclass(frozen=True)
class Meaning:
    """A row of a table: what a source's name without its side (a pattern) means. "=" is what the source says."""

    source: str
    acronym: str
    name: str
    group: tuple[str, ...]


def read_meanings(table: str) -> tuple[Meaning, ...]:
    """The table of that name, in its order, which is that of the tree."""
    text = files(__package__).joinpath("region_tables", f"{table}.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple(
        Meaning(row["source"], row["acronym"], row["name"], tuple(filter(None, row["group"].split(" / "))))
        for row in rows
    )


def split_side(text: str) -> tuple[str, str]:
    """A source's name without its side, and the side: "Left_Frontal_Pole" is ("Frontal_Pole", "left")."""
    found = _SIDED.fullmatch(text)
    if not found:
        return text, ""
    return found["rest"] or found["core"], _SIDES[found["first"] or found["last"]]


def side_tree(ontology: str, labels: Iterable[NamedLabel], meanings: Sequence[Meaning]) -> tuple[Region, ...]:
    """The regions of `labels` under the groups that `meanings` tells, in its order.

    An area with sides has them as its children; its colour is theirs. Raises `UnreadableFile` for a label that no row
    tells of.
    """
    areas = _areas(ontology, labels, meanings)
    regions: dict[tuple[str, ...], Region] = {(): Region(ontology, _ROOT, "brain", "Brain", color="D0D0D0")}
    groups = dict.fromkeys(meaning.group[: depth + 1] for meaning, _ in areas for depth in range(len(meaning.group)))
    for number, path in enumerate(groups, _ROOT + 1):
        above = regions[path[:-1]].id
        regions[path] = Region(ontology, number, _initials(path[-1]), path[-1], above, color=telling_color(-number))
    made = list(regions.values())
    for number, (meaning, parts) in enumerate(areas):
        made += _area(meaning, parts, regions[meaning.group], telling_color(number))
    return tuple(made)


_Area = tuple[Meaning, list[tuple[NamedLabel, str]]]


def _areas(ontology: str, labels: Iterable[NamedLabel], meanings: Sequence[Meaning]) -> list[_Area]:
    """Each area with its labels and their sides, in the order of `meanings`, then of the labels."""
    found: dict[tuple[int, str], _Area] = {}
    for label in labels:
        core, side = split_side(label.text)
        at = next((i for i, meaning in enumerate(meanings) if fnmatchcase(core, meaning.source)), None)
        if at is None:
            raise UnreadableFile(
                f"the labels of {ontology} have {label.text!r} ({label.label}), which no published one has",
                hint="install the version of the source that the atlas's description names",
            )
        # sources misspell a side, or write one in another case: a row is one area, but for one that tells no name
        same = core.casefold() if meanings[at].name == "=" else ""
        _, parts = found.setdefault((at, same), (_told(meanings[at], core), []))
        parts.append((label, side))
    return [found[key] for key in sorted(found, key=lambda key: (key[0], found[key][1][0][0].label))]


def _told(meaning: Meaning, core: str) -> Meaning:
    acronym = core if meaning.acronym == "=" else meaning.acronym
    name = core.replace("_", " ") if meaning.name == "=" else meaning.name
    return Meaning(meaning.source, acronym, name, meaning.group)


def _area(meaning: Meaning, parts: Sequence[tuple[NamedLabel, str]], group: Region, color: str) -> Iterator[Region]:
    if len(parts) == 1 and not parts[0][1]:
        label = parts[0][0]
        synonyms = _synonyms(label, meaning.name)
        yield Region(
            group.ontology, label.label, meaning.acronym, meaning.name, group.id, color=color, synonyms=synonyms
        )
        return
    area = _AREAS + min(label.label for label, _ in parts)
    yield Region(group.ontology, area, meaning.acronym, meaning.name, group.id, color=color)
    for label, side in sorted(parts, key=lambda part: part[1]):
        name = f"{meaning.name}, {side}"
        yield Region(
            group.ontology,
            label.label,
            f"{meaning.acronym}_{side[0].upper()}",
            name,
            area,
            color=color,
            side=side,
            synonyms=_synonyms(label, name, f"{side} {meaning.name}"),
        )


def _synonyms(label: NamedLabel, name: str, *others: str) -> tuple[str, ...]:
    return tuple(one for one in dict.fromkeys((label.text, *others)) if one != name)


def _initials(name: str) -> str:
    """ "FrontalLobe" for "Frontal lobe": nobody has an acronym for these."""
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", name))
