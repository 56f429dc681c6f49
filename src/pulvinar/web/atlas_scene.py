"""What the viewer shows of an atlas: its template and annotation, the surface of a region, and data that lie in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.installed import OpenAtlas
from pulvinar.catalogue.collections import get_collection
from pulvinar.catalogue.versions import get_version
from pulvinar.model.access import Actor
from pulvinar.model.atlas import Atlas, PartKind
from pulvinar.model.dataset import Asset, Version
from pulvinar.model.ontology import Region
from pulvinar.model.transform import space_to_world
from pulvinar.model.volume import Triple
from pulvinar.platform import Platform
from pulvinar.web.neuron_sets import ROOT, NeuronSets, forms_of, searched
from pulvinar.web.scene import (
    GEOMETRY_COLOURS,
    NeuronForm,
    Scene,
    SceneLayer,
    SearchSpace,
    ShownNeurons,
    Surfaces,
    build_scene,
)

_SHELL_OPACITY = 0.25
_GUEST_OPACITY = 0.18
"""How much the atlas's labels show where data lie in it: as much as tells where they are."""


def build_atlas_scene(
    atlas: OpenAtlas,
    version: Version,
    regions: Sequence[Region],
    guests: Sequence[tuple[Version, Asset]],
    language: str,
    neurons: Sequence[SceneLayer] = (),
) -> Scene:
    """The scene of an atlas, whose dataset's newest version is `version`.

    The view goes to the first of `regions`, which the viewer shows by their surfaces. `guests` are assets of other
    datasets that lie in the same world, `neurons` the layers of sets of them.
    """
    scene = build_scene(version)
    scene.title = atlas.atlas.label(language)
    scene.attribution = atlas.atlas.licence
    scene.citation = atlas.atlas.citation
    space = atlas.atlas.space
    from_world = (np.linalg.inv(world_of(atlas.atlas))[:3] + 0.0).tolist()
    scene.search = SearchSpace(space=space.name, from_world=from_world, address="/")
    scene.space, scene.chosen = space.name, [str(region.id) for region in regions]
    surfaces = {part.asset_id for part in atlas.atlas.parts if part.kind is PartKind.MESHES}
    layers = [layer for layer in scene.layers if not any(f"/{one}/" in layer.source for one in surfaces)]
    for layer in scene.layers:
        if any(f"/{one}/" in layer.source for one in surfaces):
            scene.surfaces = Surfaces(source=layer.source, transform=_rows(atlas))
            layers += _shell(atlas, layer, language)
    for home, asset in guests:
        own = build_scene(replace(home, assets=()), [(home, asset)])
        layers += own.layers
        scene.position_um = own.position_um
    neurons, scene.without = _with_neurons(neurons)
    layers += neurons
    _tell_apart([layer for layer in layers if layer.kind in ("skeleton", "points", "neurons")])
    if guests or neurons:
        for layer in layers:
            layer.opacity = min(layer.opacity, _GUEST_OPACITY) if layer.kind == "labels" else layer.opacity
    scene.layers = layers
    if regions and atlas.atlas.has(PartKind.ANNOTATION):
        found = extent_of(atlas, regions[0].id)
        scene.position_um = found.place_um if found else scene.position_um
    return scene


def _with_neurons(layers: Sequence[SceneLayer]) -> tuple[list[SceneLayer], list[ShownNeurons]]:
    """The layers whose sets have neurons, and the sets of the others: what has nothing in it is told, not drawn."""
    kept = [layer for layer in layers if layer.neurons is None or layer.neurons.count]
    return kept, [layer.neurons for layer in layers if layer.neurons is not None and not layer.neurons.count]


def shown_set(
    platform: Platform, sets: NeuronSets, actor: Actor, atlas: OpenAtlas, key: str, language: str, asked: str
) -> SceneLayer:
    """The layer that shows a set of neurons, which the address calls `asked`.

    Raises `NotFound` for one that can't be, or may not be seen.
    """
    found = sets.of(actor, atlas, key)
    kind, _, value = key.partition("-")
    name = ""
    if kind in ("ends", "soma"):
        name = atlas.region(value).label(language)
    elif kind == "dataset":
        name = get_version(platform.database, actor, value).record.title
    elif kind == "collection":
        name = get_collection(platform.database, actor, value)[0].title
    elif kind == "search":
        name = searched(key)
    forms = [NeuronForm(tolerance_um=far, nodes=nodes) for far, nodes in forms_of(tuple(found.neurons.values()))]
    return SceneLayer(
        name=name,
        kind="neurons",
        source=f"precomputed:///data/{ROOT}/{quote(atlas.atlas.name)}/{key}",
        neurons=ShownNeurons(kind=kind, key=key, name=name, asked=asked, count=len(found.neurons), forms=forms),
    )


def world_of(atlas: Atlas) -> npt.NDArray[np.float64]:
    """From the atlas's space to the world of its scene, (4, 4), (z, y, x, 1) in um on both sides.

    Where nobody has said which way the axes rise, the world is that of its volumes as they are shown then: along the
    space's own axes, from the middle of the first voxel.
    """
    if atlas.space.orientation:
        return np.array(space_to_world(atlas.space))
    kind = PartKind.ANNOTATION if atlas.has(PartKind.ANNOTATION) else PartKind.TEMPLATE
    voxels = np.array(atlas.part(kind).voxel_to_space_um)
    return np.diag([*np.linalg.norm(voxels[:3, :3], axis=0), 1.0]) @ np.linalg.inv(voxels)


def lies_in(asset: Asset, atlas: OpenAtlas) -> bool:
    """Whether an asset's world is the atlas's, as far as it says."""
    name = atlas.atlas.space.name
    return bool(asset.details.get("space", {}).get("name", name) == name)


@dataclass(frozen=True)
class Extent:
    """Where a region is in the world of its atlas's scene: a place inside it and the box around it, (z, y, x) in um."""

    place_um: Triple
    low_um: Triple
    high_um: Triple


def extent_of(atlas: OpenAtlas, region_id: int) -> Extent | None:
    """Where a region and all below it are; None where it has no voxel."""
    place, box = atlas.annotation.place_of(region_id), atlas.annotation.box_of(region_id)
    if place is None or box is None:
        return None
    rows = world_of(atlas.atlas)
    corners = np.array([[*(box[side][axis] - 0.5 for axis, side in enumerate(at)), 1.0] for at in np.ndindex(2, 2, 2)])
    world = (rows @ np.vstack([np.array(atlas.annotation.voxel_to_space_um)[:3] @ corners.T, np.ones(8)]))[:3]
    return Extent(_triple(rows[:3] @ [*place, 1.0]), _triple(world.min(axis=1)), _triple(world.max(axis=1)))


def _triple(values: npt.NDArray[np.float64]) -> Triple:
    z, y, x = (float(value) for value in values)
    return z, y, x


def _tell_apart(layers: Sequence[SceneLayer]) -> None:
    for index, layer in enumerate(layers):
        layer.color = GEOMETRY_COLOURS[index % len(GEOMETRY_COLOURS)]


def _rows(atlas: OpenAtlas) -> list[list[float]]:
    rows: list[list[float]] = world_of(atlas.atlas)[:3].tolist()
    return rows


def _shell(atlas: OpenAtlas, layer: SceneLayer, language: str) -> list[SceneLayer]:
    """The surface of the whole brain, brought from the atlas's space into the world: what lies in it shows through."""
    whole = atlas.ontology.children(None)[:1]
    update = {"transform": _rows(atlas), "opacity": _SHELL_OPACITY, "color": "C8D0DA"}
    return [
        layer.model_copy(update={**update, "name": one.label(language), "segments": [str(one.id)]}) for one in whole
    ]
