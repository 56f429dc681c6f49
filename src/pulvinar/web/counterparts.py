"""Regions of other brains that one region is compared with: for the region's page, the API and brains side by side."""

from __future__ import annotations

from dataclasses import dataclass

from pulvinar.atlases.common_names import regions_meant
from pulvinar.atlases.homology import Homology, Relation, homologues, regions_called
from pulvinar.atlases.installed import OpenAtlas, list_atlases
from pulvinar.atlases.names import chinese_name
from pulvinar.model.access import Actor
from pulvinar.model.atlas import Atlas, PartKind
from pulvinar.model.ontology import Region
from pulvinar.model.record import Species
from pulvinar.platform import Platform
from pulvinar.web.opened_atlases import opened_atlas


@dataclass(frozen=True)
class Compared:
    """A row of the table of homologies as seen from a region, and where the other region is in installed atlases."""

    homology: Homology
    called: str
    sentence: str
    places: tuple[tuple[Atlas, Region], ...]


@dataclass(frozen=True)
class Counterpart:
    """A region of another atlas that stands for `asked`: the region itself, or one below or above it that has one.

    `sentence` says in words how `asked` and `region` compare, and `source` who says so; "" where it is the same tree.
    """

    asked: Region
    region: Region
    relation: Relation
    sentence: str
    source: str


@dataclass(frozen=True)
class Meant:
    """The region that a name means in an atlas."""

    atlas: Atlas
    region: Region


def meant_in_atlases(platform: Platform, actor: Actor, text: str) -> tuple[Meant, ...]:
    """What a name means in each installed atlas that has voxels to show, the species in their order."""
    installed = [
        one
        for one in list_atlases(platform.database, actor)
        if one.atlas.has(PartKind.TERMINOLOGY) and one.atlas.has(PartKind.ANNOTATION)
    ]
    installed.sort(key=lambda one: list(Species).index(one.atlas.species))
    return tuple(
        Meant(one.atlas, region)
        for one in installed
        for region in regions_meant(text, opened_atlas(platform, one).ontology)[:1]
    )


def compared(platform: Platform, actor: Actor, asked: OpenAtlas, region: Region, language: str) -> tuple[Compared, ...]:
    """What a region is compared with in other species, by species and name."""
    others = [opened_atlas(platform, one) for one in list_atlases(platform.database, actor)]
    others = [one for one in others if one.atlas.has(PartKind.TERMINOLOGY)]
    rows = []
    for found in homologues(asked.atlas.species, region):
        places = tuple(
            (other.atlas, there)
            for other in others
            if other.atlas.species is found.b_species
            for there in regions_called(found.b, other.ontology)[:1]
        )
        called = _called(found.b, language)
        rows.append(Compared(found, called, found.explained(language, a=region.label(language), b=called), places))
    return tuple(sorted(rows, key=lambda row: (list(Species).index(row.homology.b_species), row.called)))


def counterparts(asked: OpenAtlas, region: Region, other: OpenAtlas, language: str) -> tuple[Counterpart, ...]:
    """The regions of `other` that stand for a region of `asked`; none where the tree or the table knows none.

    In another species they are those of the table. For a region that has none there, they are those of the regions
    right below it, or else of the nearest region above it.
    """
    if not (asked.atlas.has(PartKind.TERMINOLOGY) and other.atlas.has(PartKind.TERMINOLOGY)):
        return ()
    if asked.atlas.ontology == other.atlas.ontology and region.id in other.ontology:
        return (Counterpart(region, other.ontology.region(region.id), Relation.EXACT, "", ""),)
    below = asked.ontology.children(region.id)
    for tried in ((region,), below, *((one,) for one in asked.ontology.ancestors(region.id))):
        found = {there.region.id: there for one in tried for there in _standing_for(asked, one, other, language)}
        if found:
            return tuple(found.values())
    return ()


def _standing_for(asked: OpenAtlas, region: Region, other: OpenAtlas, language: str) -> tuple[Counterpart, ...]:
    if asked.atlas.species is other.atlas.species:
        same = regions_called(region.name, other.ontology)
        return tuple(Counterpart(region, one, Relation.EXACT, "", "") for one in same)
    rows = homologues(asked.atlas.species, region, to=other.atlas.species)
    found = {
        there.id: Counterpart(
            region,
            there,
            row.relation,
            row.explained(language, a=region.label(language), b=there.label(language)),
            row.source,
        )
        for row in reversed(rows)
        for there in regions_called(row.b, other.ontology)
    }
    return tuple(reversed(found.values()))


def _called(name: str, language: str) -> str:
    chinese = chinese_name(name)
    return chinese.text if language == "zh" and chinese else name
