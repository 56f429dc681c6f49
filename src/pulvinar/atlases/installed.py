"""The atlases of a platform: which there are, and one opened for questions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from pulvinar.access.visibility import visible
from pulvinar.atlases.annotation import Annotation, open_annotation
from pulvinar.atlases.common_names import region_meant, search_regions
from pulvinar.atlases.tables import atlas as atlas_table
from pulvinar.errors import NotFound
from pulvinar.model.access import Actor
from pulvinar.model.atlas import Atlas, AtlasPart, PartKind, atlas_from_json, atlas_to_json
from pulvinar.model.ontology import Ontology, Region, ontology_from_json
from pulvinar.storage.database import Database
from pulvinar.storage.mesh_format import Faces, Vertices
from pulvinar.storage.store import Store
from pulvinar.storage.volumes import StoredVolume, open_volume

TERMINOLOGY = "terminology.json"
"""The object of the terminology's asset that holds the tree."""


def grids_in(scratch: Path) -> Path:
    """Where the grids of annotations are kept: they can be made anew at any time."""
    return scratch / "grids"


@dataclass(frozen=True)
class Installed:
    """An atlas and the dataset that its parts are assets of."""

    atlas: Atlas
    dataset_id: str
    installed: datetime


def record_atlas(session: Session, atlas: Atlas, dataset_id: str) -> None:
    """Write down that `atlas` is installed as a dataset; one of the same name and version is replaced."""
    same = (atlas_table.c.name == atlas.name) & (atlas_table.c.version == atlas.version)
    session.execute(delete(atlas_table).where(same))
    values = {"name": atlas.name, "version": atlas.version, "species": atlas.species.value, "dataset_id": dataset_id}
    session.execute(insert(atlas_table).values(**values, manifest=atlas_to_json(atlas), installed=datetime.now(UTC)))


def list_atlases(database: Database, actor: Actor, *, all_versions: bool = False) -> tuple[Installed, ...]:
    """The atlases that `actor` may see, by species and name; of each the one installed last, or every version."""
    wanted = (
        select(atlas_table)
        .where(visible(actor, atlas_table.c.dataset_id))
        .order_by(atlas_table.c.species, atlas_table.c.name, atlas_table.c.installed.desc())
    )
    with database.session() as session:
        rows = session.execute(wanted).all()
    found = [Installed(atlas_from_json(row.manifest), row.dataset_id, row.installed) for row in rows]
    if all_versions:
        return tuple(found)
    newest: dict[str, Installed] = {}
    for one in found:
        newest.setdefault(one.atlas.name, one)
    return tuple(newest.values())


def find_atlas(database: Database, actor: Actor, name: str, version: str | None = None) -> Installed:
    """One atlas that `actor` may see, the version installed last when none is named. Raises `NotFound`."""
    found = list_atlases(database, actor, all_versions=True)
    for one in found:
        if one.atlas.name == name and version in (None, one.atlas.version):
            return one
    known = ", ".join(dict.fromkeys(one.atlas.name for one in found)) or "none"
    what = f"atlas {name}" + (f" of version {version}" if version else "")
    raise NotFound(f"there is no {what}", hint=f"installed: {known}; pulvinar atlas install brings one in")


class OpenAtlas:
    """An installed atlas, opened lazily: its tree, its annotation as a `ReadableVolume` and as a grid for questions.

    `cache` is a folder for the grid, which is made once a digest and shared by every process of the machine.
    """

    def __init__(self, installed: Installed, store: Store, cache: Path) -> None:
        self.atlas = installed.atlas
        self.dataset_id = installed.dataset_id
        self._store = store
        self._cache = cache

    @cached_property
    def ontology(self) -> Ontology:
        """The tree of regions. Raises `NotFound` for an atlas that has none."""
        part = self.atlas.part(PartKind.TERMINOLOGY)
        return ontology_from_json(json.loads(self._store.read(f"assets/{part.asset_id}/{TERMINOLOGY}")))

    def region(self, text: str) -> Region:
        """The region of that identifier, acronym, name in either language, or common name. Raises `NotFound`."""
        return region_meant(text, self.ontology)

    def search(self, text: str) -> tuple[Region, ...]:
        """The regions that `text` means, then those of which some name has every word of it."""
        return search_regions(text, self.ontology)

    @cached_property
    def annotation(self) -> Annotation:
        """The regions as a grid of voxels. Raises `NotFound` for an atlas that has none."""
        part = self.atlas.part(PartKind.ANNOTATION)
        return open_annotation(self._store, self.atlas, part, self.ontology, self._cache)

    def mesh_of(self, region_id: int, level: int = 0) -> tuple[Vertices, Faces]:
        """The surface of a region and all below it: vertices (n, 3) in micrometres (z, y, x) of the space, faces
        (m, 3) whose corners run counter-clockwise seen from outside in (x, y, z). `level` 0 is the finest, 2 the
        coarsest at most. Raises `NotFound` for an atlas, a region or a level without."""
        from pulvinar.atlases.region_meshes import read_surface

        region = self.ontology.region(region_id)
        return read_surface(self._store, f"assets/{self.atlas.part(PartKind.MESHES).asset_id}", region.id, level)

    def volume(self, part: AtlasPart) -> StoredVolume:
        """The voxels of a template or an annotation, at every level."""
        return open_volume(self._store, f"assets/{part.asset_id}")


def open_atlas(
    database: Database, store: Store, actor: Actor, name: str, *, cache: Path, version: str | None = None
) -> OpenAtlas:
    """An atlas that `actor` may see, for questions; nothing is read yet. Raises `NotFound`."""
    return OpenAtlas(find_atlas(database, actor, name, version), store, cache)
