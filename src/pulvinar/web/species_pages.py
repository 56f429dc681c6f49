"""The page of a species, and what the first page says of all four: atlases, data, what is here in numbers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from pulvinar.atlases.installed import list_atlases
from pulvinar.catalogue.asset_search import search_assets
from pulvinar.catalogue.collections import list_collections
from pulvinar.catalogue.datasets import list_datasets
from pulvinar.catalogue.figures import Figures, figures, together
from pulvinar.errors import NotFound
from pulvinar.model.access import ANONYMOUS, Actor
from pulvinar.model.record import Species
from pulvinar.platform import Platform
from pulvinar.web.atlas_pages import atlas_card
from pulvinar.web.cards import viewable_covers
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.kept_answers import kept
from pulvinar.web.limits import costly
from pulvinar.web.rendering import render

router = APIRouter(include_in_schema=False)

_NEWEST = 12
_COLLECTIONS = 6
_KEPT_S = 60.0


@dataclass(frozen=True)
class SpeciesCard:
    """A species, its atlases as `atlas_card` gives them, its figures, and the address of the picture for it ("" without
    one)."""

    species: Species
    atlases: tuple[dict[str, Any], ...]
    figures: Figures
    picture: str

    @property
    def regions(self) -> int:
        """How many regions its atlases name."""
        return sum(one["regions"] for one in self.atlases)


class CountedForVisitors:
    """The figures of what visitors may see, counted once a minute: every first page shows them."""

    def __init__(self) -> None:
        self._counted: dict[Species, Figures] = {}
        self._at_s = float("-inf")

    def figures(self, platform: Platform, actor: Actor) -> dict[Species, Figures]:
        """The figures of each species, for who has signed in counted now."""
        if actor != ANONYMOUS:
            return figures(platform.database, actor)
        now = time.monotonic()
        if now - self._at_s > _KEPT_S:
            self._counted, self._at_s = figures(platform.database, actor), now
        return self._counted


def first_page(request: Request, platform: Platform, actor: Actor) -> dict[str, Any]:
    """What the first page says before anybody searches: a card of each species, and the sum of all."""
    cards = _cards(request, platform, actor)
    return {
        "species_cards": cards,
        "collections": list_collections(platform.database, actor)[:_COLLECTIONS],
        "all": together(one.figures for one in cards),
        "regions": sum(one.regions for one in cards),
        "atlas_count": sum(len(one.atlases) for one in cards),
    }


def _cards(
    request: Request, platform: Platform, actor: Actor, wanted: Iterable[Species] = tuple(Species)
) -> tuple[SpeciesCard, ...]:
    counter: CountedForVisitors = request.app.state.counted
    counted = counter.figures(platform, actor)
    atlases = [atlas_card(platform, actor, one) for one in list_atlases(platform.database, actor)]
    return tuple(
        _card(platform, actor, one, tuple(card for card in atlases if card["atlas"].species is one), counted[one])
        for one in wanted
    )


def _card(
    platform: Platform, actor: Actor, species: Species, atlases: tuple[dict[str, Any], ...], counted: Figures
) -> SpeciesCard:
    # the atlas with most regions is the picture that people know
    pictured = sorted((one for one in atlases if one["cover"]), key=lambda one: -one["regions"])
    shown = [(one["version"].digest, one["cover"].id) for one in pictured[:1]]
    if not shown and counted.datasets:
        newest = list_datasets(platform.database, actor, species=species, limit=_NEWEST)
        cover_of = viewable_covers(platform, actor, newest.items)
        shown = [(one.latest.digest, cover.id) for one in newest.items if one.latest and (cover := cover_of(one))]
    picture = f"/api/v1/assets/{shown[0][0]}/{shown[0][1]}/thumbnail" if shown else ""
    return SpeciesCard(species, atlases, counted, picture)


@router.get("/species/{species}", dependencies=[Depends(costly), Depends(kept)])
def species(request: Request, platform: CurrentPlatform, actor: CurrentActor, species: str) -> Response:
    """One species: its atlases, its newest data, and by what its data can be narrowed down."""
    if species not in list(Species):
        raise NotFound(f"{species[:40]} is no species of this platform", hint=f"known: {', '.join(Species)}")
    chosen = Species(species)
    (card,) = _cards(request, platform, actor, [chosen])
    found = search_assets(platform.database, actor, f"species:{chosen.value}", limit=1, facets=True)
    page = list_datasets(platform.database, actor, species=chosen, limit=_NEWEST)
    values = {
        "card": card,
        "chosen": chosen,
        "page": page,
        "cover_of": viewable_covers(platform, actor, page.items),
        "facets": {name: found.facets[name] for name in ("region", "modality", "kind", "lab") if name in found.facets},
        "asked": lambda query: f"/?{urlencode({'q': query, 'species': chosen.value})}",
    }
    return render(request, "species.html", values)
