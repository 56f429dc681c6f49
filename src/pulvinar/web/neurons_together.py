"""Links to the viewer that show neurons together: those of a collection, and those that a search finds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote

from pulvinar.atlases.installed import Installed, list_atlases
from pulvinar.catalogue.anchors import anchors_of
from pulvinar.catalogue.neuron_sets import NeuronFilter, neurons_of_set
from pulvinar.model.access import Actor
from pulvinar.model.dataset import Dataset
from pulvinar.platform import Platform


@dataclass(frozen=True)
class Together:
    """Neurons in the viewer, in one atlas; `count` is None where counting them would take as long as finding them."""

    atlas: Installed
    address: str
    count: int | None


def of_datasets(platform: Platform, actor: Actor, key: str, datasets: Collection[Dataset]) -> list[Together]:
    """The set `key` of the neurons of some datasets, once for each atlas that has some of them."""
    wanted = NeuronFilter(datasets=frozenset(one.id for one in datasets))
    species = {one.record.species for one in datasets}
    found = []
    for one in list_atlases(platform.database, actor):
        if one.atlas.species in species:
            count = len(neurons_of_set(platform.database, actor, one.atlas.name, wanted))
            found += [Together(one, _address(one, key), count)] if count else []
    return found


def of_assets(platform: Platform, actor: Actor, key: str, neurons: Collection[str]) -> list[Together]:
    """The set `key`, of which some `neurons` are known by their assets, once for each atlas that these lie in."""
    anchors = anchors_of(platform.database, actor, neurons)
    names = {anchor.atlas for several in anchors.values() for anchor in several}
    return [
        Together(one, _address(one, key), None)
        for one in (list_atlases(platform.database, actor) if names else ())
        if one.atlas.name in names
    ]


def _address(one: Installed, key: str) -> str:
    return f"/atlases/{quote(one.atlas.name)}/view?neurons={quote(key)}#l=3d&v=0&c3=0"
