"""Real atlases of three species, stored as they are installed, with their templates ready to be measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tests.atlases.stored_atlas import open_packed

from pulvinar.atlases.installed import OpenAtlas
from pulvinar.catalogue.measuring import Measured
from pulvinar.ingest.atlas_packers import packer
from pulvinar.ingest.atlas_sources import FolderSources
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.atlas import PartKind
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.space import Affine, Window

SOURCES = {
    "mouse": ("dsurqe_mouse_200um", "mouse/dsurqe_mri_200um"),
    "macaque": ("inia19_macaque", "macaque/inia19"),
    "human": ("aal2_human_2mm", ""),
}
PLENTY = 1 << 30


@dataclass(frozen=True)
class Brain:
    """An atlas, its template as it is stored, and the voxels that went in, (z, y, x)."""

    atlas: OpenAtlas
    template: Measured
    voxels: np.ndarray
    labels: np.ndarray


def brain_of(species: str, sample: Callable[[str], Path], folder: Path) -> Brain:
    """One of `SOURCES`."""
    name, where = SOURCES[species]
    chosen = packer(name)
    if where:
        source = sample(where)
    else:
        source = folder / "fetched"
        source.mkdir()
        chosen.fetch(source)
    with FolderSources(source, scratch=folder / "reading", limits=Limits()) as sources:
        packed = chosen.pack(sources)
        atlas = open_packed(packed, folder)
        voxels, labels = (_voxels(one.source) for one in (packed.templates[0], packed.annotation))
    part = atlas.atlas.part(PartKind.TEMPLATE)
    assert part.voxel_to_space_um is not None
    return Brain(atlas, measured(atlas, part.asset_id, part.voxel_to_space_um), voxels, labels)


def measured(atlas: OpenAtlas, asset_id: str, affine_um: Affine, budget_bytes: int = PLENTY) -> Measured:
    """A volume of the atlas's store, whose world is reached by `affine_um`."""
    part = next(one for one in atlas.atlas.parts if one.asset_id == asset_id)
    stored = atlas.volume(part)
    asset = Asset(asset_id, part.name, AssetKind.VOLUME, f"assets/{asset_id}", 0, 0, "", {})
    return Measured(asset, replace(stored.volume, affine_um=affine_um), stored, budget_bytes)


def _voxels(source) -> np.ndarray:
    return source.read(Window.whole(source.shape))[0, 0].copy()
