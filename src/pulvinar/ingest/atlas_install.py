"""Installing an atlas: its parts become the assets of a published dataset, and a manifest names them.

Nothing is visible before the one commit at the end. What a killed run has finished is used by the next; a part whose
bytes an earlier version of the atlas has already is shared with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.annotation import open_annotation
from pulvinar.atlases.installed import TERMINOLOGY, Installed, find_atlas, list_atlases, record_atlas
from pulvinar.atlases.label_index import LABEL_INDEX, index_labels, index_to_bytes
from pulvinar.atlases.names import with_chinese_names
from pulvinar.atlases.region_meshes import FOLDER, surface_files
from pulvinar.atlases.trees import keep_tree
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_assets, open_draft, remove_asset, set_record
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Invalid, NotFound
from pulvinar.ingest.assets import asset_prefix, described_volume, put_bytes
from pulvinar.ingest.canonical import parquet
from pulvinar.ingest.label_names import LabelName
from pulvinar.ingest.packing import PackedAtlas, PackedVolume
from pulvinar.ingest.progress import Progress, Silent, watched
from pulvinar.ingest.quality import QualityObserver
from pulvinar.ingest.request import Means
from pulvinar.ingest.sessions import AssetLedger, IngestSession, finish, forget, held_session, known_assets
from pulvinar.ingest.workplace import held_workplace
from pulvinar.model.atlas import Atlas, AtlasPart, PartKind
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, Version, asset_digest
from pulvinar.model.ontology import Ontology, Region, ontology_to_json
from pulvinar.model.record import Acquisition, Record
from pulvinar.model.space import Affine, Window
from pulvinar.model.transform import affine_rows, space_to_world
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage.pyramid import finished_voxels, load_kernels, plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import VoxelSource
from pulvinar.storage.volumes import open_volume

Objects = list[StoredObject]
_PLANES = 16
"""So many planes of a volume are held for its digest."""


@dataclass(frozen=True)
class _Part:
    """One part to be made: what it is called, and how."""

    kind: PartKind
    name: str
    version: str
    asset_kind: AssetKind
    make: Callable[[str, AssetLedger], tuple[Objects, dict[str, Any]]]
    voxel_to_space_um: Affine | None = None


def install_atlas(
    means: Means, packed: PackedAtlas, progress: Progress | None = None, *, surfaces: bool = True
) -> Installed:
    """Install `packed`, with `surfaces` of its regions. A version that is installed already is made anew; parts that
    come out the same stay, and where all of it does nothing changes.

    Raises `Invalid` for an ontology that is no tree, `Conflict` when another process installs the same, `Unavailable`
    when a disk is full. Whatever is raised, nothing is visible.
    """
    progress = progress or Silent()
    load_kernels()
    packed = replace(packed, regions=with_chinese_names(packed.regions))
    name = packed.regions[0].ontology if packed.regions else packed.name
    ontology = Ontology(name, packed.ontology_version or packed.version, packed.regions)
    fingerprint = _fingerprint(packed)
    with held_workplace(means.scratch, fingerprint[:24]) as scratch:
        install = _Install(means, packed, ontology, scratch, progress, surfaces=surfaces)
        forget(means.database, fingerprint)
        with held_session(means.database, fingerprint, f"atlas {packed.name}", means.node) as session:
            made = [(part, *install.made(session, part)) for part in install.parts()]
            return _unchanged(means, packed, ontology, session, made) or _make_visible(
                means, packed, ontology, session, made
            )


def _fingerprint(packed: PackedAtlas) -> str:
    """Of what is installed: a run that goes on uses nothing of one that had other regions, voxels or places."""
    tree = json.dumps([asdict(region) for region in packed.regions], ensure_ascii=False)
    volumes = [*packed.templates, *([packed.annotation] if packed.annotation else [])]
    places = [(one.name, one.kind.value, one.voxel_size_um, one.voxel_to_space_um) for one in volumes]
    said = f"atlas\n{packed.name}\n{packed.version}\n{packed.space}\n{tree}\n{packed.findings}\n{places}"
    digest = hashlib.sha256(said.encode())
    for one in volumes:
        _digest_voxels(one.source, digest)
    return digest.hexdigest()


def _digest_voxels(source: VoxelSource, digest: hashlib._Hash) -> None:
    """Add a volume's voxels, some planes at a time."""
    digest.update(f"{source.shape} {source.dtype}".encode())
    times, channels, depth, height, width = source.shape
    step = max(_PLANES, source.block_shape[2])
    for time, start in product(range(times), range(0, depth, step)):
        stop = min(start + step, depth)
        voxels = source.read(Window((time, 0, start, 0, 0), (time + 1, channels, stop, height, width)))
        digest.update(np.ascontiguousarray(voxels).data)
        source.release(voxels)


class _Install:
    """The parts of one atlas, and the making of each."""

    def __init__(
        self,
        means: Means,
        packed: PackedAtlas,
        ontology: Ontology,
        scratch: Path,
        progress: Progress,
        *,
        surfaces: bool,
    ) -> None:
        self._means, self._packed, self._ontology = means, packed, ontology
        self._scratch, self._progress, self._with_surfaces = scratch, progress, surfaces
        self._annotation: Asset | None = None

    def parts(self) -> list[_Part]:
        """In the order in which they are made: meshes come from the annotation."""
        packed = self._packed
        parts = [self._volume_part(PartKind.TEMPLATE, one) for one in packed.templates]
        if packed.annotation is not None:
            parts.append(self._volume_part(PartKind.ANNOTATION, packed.annotation))
        if packed.regions:
            version = self._ontology.version
            parts.append(_Part(PartKind.TERMINOLOGY, "regions", version, AssetKind.TABLE, self._terminology))
        if packed.annotation is not None and self._with_surfaces:
            parts.append(_Part(PartKind.MESHES, "surfaces", packed.version, AssetKind.MESH, self._surfaces))
        return parts

    def made(self, session: IngestSession, part: _Part) -> tuple[Asset, Objects]:
        """The asset of `part`: of an earlier run where it is whole, else made now."""
        key = hashlib.sha256(f"{part.kind.value}\n{part.name}".encode()).hexdigest()
        (state,) = known_assets(self._means.database, session, [key], self._means.node)
        ledger = AssetLedger(self._means.database, session, state.id)
        if state.whole:
            objects, details = list(ledger.finished().values()), state.details
        else:
            objects, details = part.make(state.id, ledger)
            ledger.whole(objects, details)
        size = sum(item.size_bytes for item in objects)
        digest = asset_digest(objects)
        prefix = asset_prefix(state.id)
        asset = Asset(state.id, part.name, part.asset_kind, prefix, size, len(objects), digest, details)
        if part.kind is PartKind.ANNOTATION:
            self._annotation = asset
        return asset, objects

    def _volume_part(self, kind: PartKind, one: PackedVolume) -> _Part:
        return _Part(
            kind,
            one.name,
            one.version or self._packed.version,
            AssetKind.VOLUME,
            lambda asset_id, ledger: self._volume(one, asset_id, ledger),
            one.voxel_to_space_um,
        )

    def _volume(self, one: PackedVolume, asset_id: str, ledger: AssetLedger) -> tuple[Objects, dict[str, Any]]:
        means, source = self._means, one.source
        if one.kind is VolumeKind.LABELS and source.dtype.kind not in "iu":
            raise Invalid(f"the labels of {self._packed.name} are {source.dtype}", hint="labels are whole numbers")
        volume = Volume(
            kind=one.kind,
            dtype=source.dtype.name,
            levels=plan_levels(source.shape, one.voxel_size_um, source.dtype, one.kind),
            channels=(Channel(one.name),),
            affine_um=self._world(one.voxel_to_space_um),
        )
        observer = QualityObserver(volume.shape, volume.dtype)
        ledger.observe_with(observer)
        title = f"{self._packed.name}: {one.name}"
        with self._progress.task(
            title, prod(volume.shape), "voxels", finished_voxels(volume, ledger.finished())
        ) as task:
            written = write_pyramid(
                source,
                plan_pyramid(volume, source.block_shape),
                means.store,
                asset_prefix(asset_id),
                ledger=ledger,
                scratch=self._scratch,
                threads=means.threads,
                observe=observer,
                progress=lambda done, total: task.update(done),
            )
        with watched(self._progress, f"{title}: figures and pictures"):
            names = self._names() if one.kind is VolumeKind.LABELS else ()
            files, details, doubts = described_volume(
                means.store, asset_prefix(asset_id), volume, observer, names, self._packed.species
            )
            if one.kind is VolumeKind.LABELS:
                index = index_labels(open_volume(means.store, asset_prefix(asset_id), volume))
                files[LABEL_INDEX] = index_to_bytes(index)
        objects = {item.path: item for item in written}
        objects |= {path: put_bytes(means, asset_id, path, data) for path, data in files.items()}
        details["findings"] = [{"severity": "doubt", "message": one.message, "flag": ""} for one in doubts]
        return [objects[path] for path in sorted(objects)], details

    def _world(self, voxel_to_space_um: Affine) -> Affine | None:
        """Voxel index to the world; None where nobody says which way the space's axes go."""
        if not self._packed.space.orientation:
            return None
        return affine_rows(np.array(space_to_world(self._packed.space)) @ np.array(voxel_to_space_um))

    def _names(self) -> tuple[LabelName, ...]:
        return tuple(LabelName(one.id, one.name, one.acronym, one.color.upper()) for one in self._packed.regions)

    def _terminology(self, asset_id: str, ledger: AssetLedger) -> tuple[Objects, dict[str, Any]]:
        tree = ontology_to_json(self._ontology)
        columns = _columns(self._ontology.regions)
        files = {
            TERMINOLOGY: json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode(),
            "table.parquet": parquet(columns),
        }
        objects = [put_bytes(self._means, asset_id, path, data) for path, data in sorted(files.items())]
        return objects, {"count": len(self._ontology), "columns": list(columns), "findings": []}

    def _surfaces(self, asset_id: str, ledger: AssetLedger) -> tuple[Objects, dict[str, Any]]:
        asset, packed = self._annotation, self._packed.annotation
        if asset is None or packed is None:
            raise NotFound(f"atlas {self._packed.name} has no annotation to make surfaces of")
        part = AtlasPart(PartKind.ANNOTATION, asset.name, "", asset.id, asset.digest, packed.voxel_to_space_um)
        atlas = _manifest(self._packed, self._ontology, (part,))
        annotation = open_annotation(self._means.store, atlas, part, self._ontology, self._scratch)
        objects = []
        with self._progress.task(f"{self._packed.name}: surfaces", 0, "regions") as task:
            for path, data in surface_files(annotation, lambda done, total: task.update(done)):
                objects.append(put_bytes(self._means, asset_id, path, data))
        objects.sort(key=lambda item: item.path)
        return objects, {"precomputed": FOLDER, "pictured": False, "findings": []}


def _columns(regions: Sequence[Region]) -> dict[str, Any]:
    """The regions as a table for people and programs."""
    texts = ("acronym", "name", "name_zh", "name_zh_state", "name_zh_source", "color", "side")
    columns: dict[str, Any] = {"id": np.array([one.id for one in regions], np.int64)}
    columns["parent"] = np.array([-1 if one.parent is None else one.parent for one in regions], np.int64)
    return columns | {name: np.array([str(getattr(one, name)) for one in regions], object) for name in texts}


def _unchanged(
    means: Means,
    packed: PackedAtlas,
    ontology: Ontology,
    session: IngestSession,
    made: Sequence[tuple[_Part, Asset, Objects]],
) -> Installed | None:
    """What is installed already, where it says and holds the same: then what was made is let go of."""
    parts = tuple(
        AtlasPart(one.kind, one.name, one.version, "", its.digest, one.voxel_to_space_um) for one, its, _ in made
    )
    wanted = _manifest(packed, ontology, parts)
    for known in list_atlases(means.database, means.actor, all_versions=True):
        held = tuple(replace(part, asset_id="") for part in known.atlas.parts)
        if replace(known.atlas, parts=held) == wanted:
            newest = get_version(means.database, means.actor, known.dataset_id)
            with means.database.writing() as sql:
                finish(sql, session, known.dataset_id, newest.id)
            _delete(means, [(asset, objects) for _, asset, objects in made])
            return known
    return None


def _delete(means: Means, made: Iterable[tuple[Asset, Objects]]) -> None:
    """Remove what was written once more and is held already: it is nobody's."""
    for asset, objects in made:
        for item in objects:
            means.store.delete(f"{asset.prefix}/{item.path}")


def _make_visible(
    means: Means,
    packed: PackedAtlas,
    ontology: Ontology,
    session: IngestSession,
    made: Sequence[tuple[_Part, Asset, Objects]],
) -> Installed:
    """The one commit: dataset, version, manifest and the end of the session, together or not at all."""
    home, record = _home(means, packed), _record(packed)
    before = {one.digest: one for one in home.assets} if home else {}
    with UnitOfWork(means.database, means.actor) as work:
        dataset_id = home.dataset_id if home else create_dataset(work, record, node=means.node).id
        draft = open_draft(work, dataset_id)
        add_assets(work, draft.id, [(asset, objects) for _, asset, objects in made if asset.digest not in before])
        parts = []
        for part, asset, _ in made:
            kept = before.get(asset.digest, asset)
            parts.append(AtlasPart(part.kind, part.name, part.version, kept.id, kept.digest, part.voxel_to_space_um))
        for old in before.values():
            if old.id not in {part.asset_id for part in parts}:
                remove_asset(work, draft.id, old.id)
        set_record(work, draft.id, record)
        publish(work, draft.id)
        record_atlas(work.session, _manifest(packed, ontology, tuple(parts)), dataset_id)
        if ontology.regions:
            keep_tree(work.session, packed.name, packed.version, dataset_id, ontology)
        finish(work.session, session, dataset_id, draft.id)
        work.record_event("install-atlas", draft.id, {"name": packed.name, "version": packed.version})
    _delete(means, [(asset, objects) for _, asset, objects in made if asset.digest in before])
    return find_atlas(means.database, means.actor, packed.name, packed.version)


def _home(means: Means, packed: PackedAtlas) -> Version | None:
    """The newest version of the dataset that holds an atlas of this name already."""
    for one in list_atlases(means.database, means.actor):
        if one.atlas.name == packed.name:
            return get_version(means.database, means.actor, one.dataset_id)
    return None


def _record(packed: PackedAtlas) -> Record:
    return Record(
        title=packed.title,
        species=packed.species,
        licence=packed.licence,
        description=" ".join(f"{one[0].upper()}{one[1:]}." for one in packed.findings),
        acquisition=Acquisition(modality="atlas"),
        keywords=("atlas", packed.name, packed.space.name, *((packed.title_zh,) if packed.title_zh else ())),
        citation=packed.citation,
        source=packed.source,
    )


def _manifest(packed: PackedAtlas, ontology: Ontology, parts: tuple[AtlasPart, ...]) -> Atlas:
    return Atlas(
        name=packed.name,
        version=packed.version,
        title=packed.title,
        species=packed.species,
        space=packed.space,
        ontology=ontology.name,
        licence=packed.licence,
        citation=packed.citation,
        title_zh=packed.title_zh,
        source=packed.source,
        midline_um=packed.midline_um,
        parts=parts,
        details={"findings": list(packed.findings)},
    )
