"""A small atlas for questions: a box of tissue in an empty room, cut into regions, in a real store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.annotation import Annotation, open_annotation
from pulvinar.atlases.installed import TERMINOLOGY, Installed, find_atlas, record_atlas
from pulvinar.atlases.label_index import LABEL_INDEX, index_labels, index_to_bytes
from pulvinar.atlases.region_meshes import surface_files
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.ingest.pictures import volume_pictures
from pulvinar.model.atlas import Atlas, AtlasPart, PartKind
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.ontology import Ontology, Region, ontology_to_json
from pulvinar.model.record import Record, Species
from pulvinar.model.space import Space
from pulvinar.model.transform import affine_rows, space_to_world
from pulvinar.model.volume import Channel, Level, Volume, VolumeKind, volume_to_json
from pulvinar.platform import Platform
from pulvinar.storage.pyramid import plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.store import Store
from pulvinar.storage.volumes import open_volume

SPACE = Space("toy", "mouse", "PIR")
VOXEL_UM = (20.0, 25.0, 50.0)


class NoLedger:
    """A shard ledger for what is never resumed."""

    def finished(self):
        return {}

    def record(self, objects):
        pass


def region(id_: int, name: str, parent: int | None = None, **said) -> Region:
    """A region of the toy ontology."""
    return Region("toy", id_, said.pop("acronym", name[:3].upper()), name, parent, **said)


ONTOLOGY = Ontology(
    "toy",
    "1",
    (
        region(997, "root", acronym="root"),
        region(8, "grey matter", 997, name_zh="灰质"),
        region(10, "cortex", 8, name_zh="皮层", synonyms=("pallium",)),
        region(11, "cortex layer 1", 10, acronym="CTX1"),
        region(12, "cortex layer 2", 10, acronym="CTX2"),
        region(614454277, "thalamus", 8, name_zh="丘脑", acronym="TH"),
        region(20, "fiber tracts", 997, acronym="fiber"),
    ),
)


def labels() -> np.ndarray:
    """Axes (z, y, x): four labels in a box, nothing around it, one empty hole inside."""
    voxels = np.zeros((40, 70, 100), np.uint32)
    voxels[5:35, 10:60, 10:90] = 614454277
    voxels[5:10, 10:60, 10:90] = 11
    voxels[10:14, 10:60, 10:90] = 12
    voxels[20:24, 30:34, 10:90] = 20
    voxels[30, 50, 50] = 0
    return voxels


def annotation_of(
    voxels: np.ndarray, store: Store, scratch: Path, affine: np.ndarray, ontology: Ontology
) -> Annotation:
    """`voxels` stored as an annotation, and opened."""
    objects, _ = stored_annotation(voxels, store, scratch, affine, "annotation")
    atlas = toy_atlas(affine, voxels.shape, "annotation", asset_digest(objects))
    return open_annotation(store, atlas, atlas.parts[0], ontology, scratch / "grids")


def stored_annotation(
    voxels: np.ndarray, store: Store, scratch: Path, affine: np.ndarray, asset_id: str
) -> tuple[list[StoredObject], Volume]:
    """Write `voxels` as an annotation's asset: pyramid, documents and index."""
    size = tuple(float(n) for n in np.linalg.norm(affine[:3, :3], axis=0))
    levels = plan_levels((1, 1, *voxels.shape), size, voxels.dtype, VolumeKind.LABELS)  # type: ignore[arg-type]
    volume = Volume(VolumeKind.LABELS, voxels.dtype.name, small_chunks(levels), (Channel("labels"),))
    source = ArraySource(voxels[None, None])
    plan = plan_pyramid(volume, source.block_shape)
    scratch.mkdir(exist_ok=True, parents=True)
    prefix = f"assets/{asset_id}"
    objects = write_pyramid(source, plan, store, prefix, ledger=NoLedger(), scratch=scratch)
    index = index_to_bytes(index_labels(open_volume(store, prefix, volume)))
    return [*objects, put(store, asset_id, LABEL_INDEX, index)], volume


def stored_template(
    voxels: np.ndarray, store: Store, scratch: Path, affine: np.ndarray, asset_id: str
) -> tuple[list[StoredObject], Volume]:
    """An image of the same brain: each label has its grey, and nothing is black."""
    grey = (voxels % 251).astype(np.uint16)[None, None]
    size = tuple(float(n) for n in np.linalg.norm(affine[:3, :3], axis=0))
    levels = plan_levels(grey.shape, size, grey.dtype, VolumeKind.IMAGE)
    channel = Channel("grey", window=(0.0, 251.0))
    volume = Volume(VolumeKind.IMAGE, grey.dtype.name, small_chunks(levels), (channel,))
    source = ArraySource(grey)
    plan = plan_pyramid(volume, source.block_shape)
    prefix = f"assets/{asset_id}"
    objects = write_pyramid(source, plan, store, prefix, ledger=NoLedger(), scratch=scratch)
    pictures = volume_pictures(open_volume(store, prefix, volume), volume, [channel.window])
    return [*objects, *(put(store, asset_id, path, data) for path, data in pictures.items())], volume


def put(store: Store, asset_id: str, path: str, data: bytes) -> StoredObject:
    """Store one object of an asset."""
    store.put_bytes(f"assets/{asset_id}/{path}", data)
    return StoredObject(path, len(data), hashlib.sha256(data).hexdigest())


def toy_atlas(
    affine: np.ndarray,
    shape: tuple[int, ...],
    annotation: str,
    digest: str,
    *others: AtlasPart,
    name: str = "toy",
    species: Species = Species.MOUSE,
    orientation: str = SPACE.orientation,
) -> Atlas:
    """The manifest whose annotation is the asset `annotation`."""
    rows = tuple(tuple(row) for row in affine.tolist())
    part = AtlasPart(PartKind.ANNOTATION, "labels", "1", annotation, digest, rows)
    return Atlas(
        name=name,
        version="1",
        title="A toy brain",
        title_zh="玩具脑",
        species=species,
        space=replace(SPACE, name=name, species=species.value, orientation=orientation),
        ontology=name,
        licence="CC0-1.0",
        citation="nobody",
        midline_um=float(abs(affine[2, 2]) * shape[2]) / 2,
        parts=(part, *others),
    )


def install_toy(
    platform: Platform,
    *,
    published: bool = True,
    name: str = "toy",
    species: Species = Species.MOUSE,
    ontology: Ontology = ONTOLOGY,
    oriented: bool = False,
    surfaces: bool = False,
    template: bool = False,
    orientation: str = SPACE.orientation,
) -> Installed:
    """The toy atlas as a dataset of `platform`; of another name, species or tree for what needs two of them.

    `oriented`: its voxels say how they lie in the world. `surfaces`: its regions have some. `template`: it has an
    image, too.
    """
    voxels, affine = labels(), corner_affine(VOXEL_UM)
    scratch = platform.settings.resolved_scratch()
    ids = new_id(), new_id()
    objects, volume = stored_annotation(voxels, platform.store, scratch, affine, ids[0])
    if oriented:
        volume = replace(volume, affine_um=affine_rows(np.array(space_to_world(SPACE)) @ affine))
    tree = put(platform.store, ids[1], TERMINOLOGY, json.dumps(ontology_to_json(ontology)).encode())
    stored = [
        (_asset(ids[0], "annotation", AssetKind.VOLUME, objects, {"volume": volume_to_json(volume)}), objects),
        (_asset(ids[1], "regions", AssetKind.TABLE, [tree], {}), [tree]),
    ]
    if template:
        image_id = new_id()
        shards, image = stored_template(voxels, platform.store, scratch, affine, image_id)
        details = {"volume": volume_to_json(replace(image, affine_um=volume.affine_um))}
        stored.append((_asset(image_id, "template", AssetKind.VOLUME, shards, details), shards))
    terminology = AtlasPart(PartKind.TERMINOLOGY, "toy", "1", ids[1], stored[1][0].digest)
    said: dict[str, Any] = {"name": name, "species": species, "orientation": orientation}
    atlas = toy_atlas(affine, voxels.shape, ids[0], stored[0][0].digest, terminology, **said)
    if surfaces:
        annotation = open_annotation(platform.store, atlas, atlas.parts[0], ontology, scratch / "grids")
        meshes = new_id()
        made = [put(platform.store, meshes, path, data) for path, data in surface_files(annotation)]
        stored.append((_asset(meshes, "surfaces", AssetKind.MESH, made, {}), made))
        atlas = replace(
            atlas, parts=(*atlas.parts, AtlasPart(PartKind.MESHES, "surfaces", "1", meshes, stored[-1][0].digest))
        )
    with UnitOfWork(platform.database, platform.actor) as work:
        dataset = create_dataset(work, Record("A toy brain", species, "CC0-1.0"), node="local")
        draft = open_draft(work, dataset.id)
        for asset, its in stored:
            add_asset(work, draft.id, asset, its)
        record_atlas(work.session, atlas, dataset.id)
        if published:
            publish(work, draft.id)
    return find_atlas(platform.database, platform.actor, name)


def renamed(name: str, **names: str) -> Ontology:
    """The toy's tree as that of the atlas `name`, in which regions have other names: `r11="hippocampus"`."""
    called = (replace(one, ontology=name, name=names.get(f"r{one.id}", one.name)) for one in ONTOLOGY.regions)
    return Ontology(name, "1", tuple(called))


def _asset(id_: str, name: str, kind: AssetKind, objects: Sequence[StoredObject], details: dict[str, Any]) -> Asset:
    size = sum(item.size_bytes for item in objects)
    return Asset(
        id_, name, kind, f"assets/{id_}", size, len(objects), asset_digest(objects), details | {"findings": []}
    )


def small_chunks(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """As planned: a volume this small has one chunk a level, so its chunks are made smaller."""
    return tuple(replace(level, chunk_shape=(1, 1, 16, 16, 16), shard_shape=(1, 1, 64, 128, 128)) for level in levels)


def corner_affine(size_um: tuple[float, float, float]) -> np.ndarray:
    """Voxel index to micrometres where coordinates begin at the corner of the first voxel."""
    affine = np.diag([*size_um, 1.0])
    affine[:3, 3] = np.array(size_um) / 2
    return affine
