"""Where assets lie, with the names of the regions: for the API and the pages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pulvinar.atlases.installed import Installed, list_atlases
from pulvinar.catalogue.anchors import anchors_of
from pulvinar.model.access import Actor
from pulvinar.model.anchor import Anchor, Certainty, Role
from pulvinar.model.atlas import Atlas, PartKind
from pulvinar.model.ontology import Region
from pulvinar.platform import Platform
from pulvinar.web.opened_atlases import opened_atlas
from pulvinar.web.phrases import mark

CERTAINTIES = {
    Certainty.MEASURED: mark("Measured"),
    Certainty.STATED: mark("Stated by the lab"),
    Certainty.NAME: mark("By name only"),
}
_TOLD = (Role.SOMA, Role.SHARE, Role.COUNT, Role.PARCEL, Role.NAMED, Role.LENGTH)
"""What is told first of where an asset lies."""
_PARTS = {Role.SHARE, Role.LENGTH, Role.COUNT}
_MOST_REGIONS = 4


@dataclass(frozen=True)
class RegionValue:
    """What an asset has in a region: `share` is its part of the whole, None where that says nothing."""

    role: str
    region: Region
    value: float
    share: float | None


@dataclass(frozen=True)
class NamedAnchor:
    """An anchor, the atlas that it is in, and its regions by name, of each role the largest first."""

    anchor: Anchor
    atlas: Atlas
    regions: tuple[RegionValue, ...]

    @property
    def certainty(self) -> str:
        """How it is known, a message."""
        return CERTAINTIES[self.anchor.certainty]

    @property
    def first(self) -> tuple[RegionValue, ...]:
        """The few regions that say where it is: of the soma before all others."""
        role = next((one for one in _TOLD if one in self.anchor.shares), None)
        return tuple(one for one in self.regions if one.role == role)[:_MOST_REGIONS]


def named_anchors(platform: Platform, actor: Actor, asset_ids: Collection[str]) -> dict[str, tuple[NamedAnchor, ...]]:
    """Where each of the assets lies, of those that `actor` may see, in the atlases that `actor` may see."""
    found = anchors_of(platform.database, actor, asset_ids)
    if not found:
        return {}
    installed = {one.atlas.name: one for one in list_atlases(platform.database, actor)}
    named: dict[str, tuple[NamedAnchor, ...]] = {}
    for asset_id, anchors in found.items():
        known = [one for one in anchors if one.atlas in installed]
        named[asset_id] = tuple(
            NamedAnchor(one, installed[one.atlas].atlas, _regions(platform, installed[one.atlas], one)) for one in known
        )
    return {asset_id: anchors for asset_id, anchors in named.items() if anchors}


def _regions(platform: Platform, installed: Installed, anchor: Anchor) -> tuple[RegionValue, ...]:
    if not anchor.shares or not installed.atlas.has(PartKind.TERMINOLOGY):
        return ()
    ontology = opened_atlas(platform, installed).ontology
    told = []
    for role, values in anchor.shares.items():
        whole = sum(values.values()) + anchor.details.get("outside", {}).get(role, 0.0)
        for region_id, value in sorted(values.items(), key=lambda one: -one[1]):
            if region_id in ontology:
                share = value if role == Role.SHARE else value / whole if role in _PARTS else None
                told.append(RegionValue(role, ontology.region(region_id), value, share))
    return tuple(told)
