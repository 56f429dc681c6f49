"""What the viewer shows of an atlas: its template and annotation, the surface of a region, and data that lie in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.annotation import Annotation
from pulvinar.atlases.installed import OpenAtlas
from pulvinar.model.atlas import PartKind
from pulvinar.model.dataset import Asset, Version
from pulvinar.model.ontology import Region
from pulvinar.model.transform import space_to_world, world_to_space
from pulvinar.model.volume import Triple
from pulvinar.web.scene import Scene, SceneLayer, SearchSpace, build_scene

_GUEST_OPACITY = 0.18
"""How much the atlas's labels show where data lie in it: as much as tells where they are."""


def build_atlas_scene(
    atlas: OpenAtlas,
    version: Version,
    regions: Sequence[Region],
    guests: Sequence[tuple[Version, Asset]],
    language: str,
) -> Scene:
    """The scene of an atlas, whose dataset's newest version is `version`.

    The surfaces of `regions` are shown in their colours, and the view goes to the first; without any the whole brain's
    is there. `guests` are assets of other datasets that lie in the same world.
    """
    scene = build_scene(version)
    scene.title = atlas.atlas.label(language)
    scene.attribution = atlas.atlas.licence
    scene.citation = atlas.atlas.citation
    space = atlas.atlas.space
    scene.search = SearchSpace(
        space=space.name, from_world=[list(row) for row in world_to_space(space)[:3]], address="/"
    )
    surfaces = {part.asset_id for part in atlas.atlas.parts if part.kind is PartKind.MESHES}
    layers = [layer for layer in scene.layers if not any(f"/{one}/" in layer.source for one in surfaces)]
    for layer in scene.layers:
        if any(f"/{one}/" in layer.source for one in surfaces):
            layers += _surfaces(atlas, layer, regions or atlas.ontology.children(None)[:1], language)
    for home, asset in guests:
        own = build_scene(replace(home, assets=(asset,)))
        layers += own.layers
        scene.position_um = own.position_um
    if guests:
        for layer in layers:
            layer.opacity = min(layer.opacity, _GUEST_OPACITY) if layer.kind == "labels" else layer.opacity
    scene.layers = layers
    if regions and atlas.atlas.has(PartKind.ANNOTATION):
        place = place_in(atlas.annotation, regions[0].id)
        if place is not None:
            z, y, x, _ = np.array(space_to_world(atlas.atlas.space)) @ [*place, 1.0]
            scene.position_um = (float(z), float(y), float(x))
    return scene


def _surfaces(atlas: OpenAtlas, layer: SceneLayer, regions: Sequence[Region], language: str) -> list[SceneLayer]:
    """One layer a region, each in its colour, brought from the atlas's space into the world."""
    rows = [list(row) for row in space_to_world(atlas.atlas.space)[:3]]
    return [
        layer.model_copy(
            update={
                "name": region.label(language),
                "segments": [str(region.id)],
                "color": region.color.upper(),
                "transform": rows,
                "opacity": 1.0 if region.parent is not None else 0.35,
            }
        )
        for region in regions
    ]


def place_in(annotation: Annotation, region_id: int) -> Triple | None:
    """A place (z, y, x) of the space well inside a region or one below it: the middle of the chunk with most of its
    voxels, where the mean of a region with two sides would lie between them. None when it has no voxel."""
    rows: npt.NDArray[np.int64] = annotation.index.rows(annotation.labels_of(region_id))
    if not len(rows):
        return None
    best = rows[int(np.argmax(annotation.index.count[rows]))]
    z, y, x, _ = annotation.voxel_to_space_um @ [*annotation.index.center[best], 1.0]
    return float(z), float(y), float(x)
