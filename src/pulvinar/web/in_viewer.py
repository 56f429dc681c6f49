"""Links to the viewer with an atlas: neurons of a collection or a search together, and how a transform deforms it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote

from pulvinar.atlases.installed import Installed, list_atlases
from pulvinar.catalogue.anchors import anchors_of
from pulvinar.catalogue.neuron_sets import NeuronFilter, neurons_of_set
from pulvinar.model.access import Actor
from pulvinar.model.dataset import Asset, AssetKind, Dataset
from pulvinar.platform import Platform


@dataclass(frozen=True)
class InViewer:
    """Something in the viewer, in one atlas; `count` of neurons is None where nobody counted them."""

    atlas: Installed
    address: str
    count: int | None = None


def of_datasets(platform: Platform, actor: Actor, key: str, datasets: Collection[Dataset]) -> list[InViewer]:
    """The set `key` of the neurons of some datasets, once for each atlas that has some of them."""
    wanted = NeuronFilter(datasets=frozenset(one.id for one in datasets))
    species = {one.record.species for one in datasets}
    found = []
    for one in list_atlases(platform.database, actor):
        if one.atlas.species in species:
            count = len(neurons_of_set(platform.database, actor, one.atlas.name, wanted))
            found += [InViewer(one, _address(one, key), count)] if count else []
    return found


def of_assets(platform: Platform, actor: Actor, key: str, neurons: Collection[str]) -> list[InViewer]:
    """The set `key`, of which some `neurons` are known by their assets, once for each atlas that these lie in."""
    anchors = anchors_of(platform.database, actor, neurons)
    names = {anchor.atlas for several in anchors.values() for anchor in several}
    return [
        InViewer(one, _address(one, key))
        for one in (list_atlases(platform.database, actor) if names else ())
        if one.atlas.name in names
    ]


def deformed_atlases(platform: Platform, actor: Actor, assets: Collection[Asset]) -> dict[str, list[InViewer]]:
    """Of each transform among `assets` the atlases that it leads from or to, as far as these are installed."""
    transforms = [one for one in assets if one.kind is AssetKind.TRANSFORM]
    atlases = list_atlases(platform.database, actor) if transforms else ()
    return {
        one.id: [
            InViewer(atlas, f"/atlases/{quote(atlas.atlas.name)}/view?warp={quote(one.id)}")
            for atlas in atlases
            if atlas.atlas.space.name in (one.details.get("from"), one.details.get("to"))
        ]
        for one in transforms
    }


def _address(one: Installed, key: str) -> str:
    return f"/atlases/{quote(one.atlas.name)}/view?neurons={quote(key)}#l=3d&v=0&c3=0"
