"""Bringing a transform in: the files of other programs become one asset of a published dataset.

Nothing is visible before the one commit at the end; what a killed run has written is left to the sweep. A transform of
a name that is there already becomes a new version of its dataset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.displacement import store_field
from pulvinar.atlases.installed import grids_in, list_atlases, open_atlas
from pulvinar.atlases.inversion import store_inverse
from pulvinar.atlases.transform_formats import (
    Ends,
    ImageGrid,
    read_chain,
    read_flirt,
    read_image_grid,
    read_niftyreg_affine,
    read_transform,
)
from pulvinar.atlases.transform_json import transform_to_json
from pulvinar.atlases.transforms import compose, steps_of
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft, remove_asset, set_record
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.transforms import StoredTransform, kind_of, list_transforms, spaces_of
from pulvinar.errors import Invalid
from pulvinar.ingest.assets import asset_prefix, put_bytes
from pulvinar.ingest.progress import Progress, Silent, watched
from pulvinar.ingest.record import species_of
from pulvinar.ingest.request import Means
from pulvinar.ingest.workplace import held_workplace
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.atlas import Atlas
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Acquisition, Record, Species
from pulvinar.model.space import Affine, Space
from pulvinar.model.transform import DisplacementTransform, Step, Transform, affine_rows, space_to_world

DOCUMENT = "transform.json"
"""The object of a transform's asset that says what it is and where its fields lie."""


class TransformFormat(StrEnum):
    """Whose files they are."""

    ITK = "itk"
    NIFTYREG = "niftyreg"
    FLIRT = "flirt"


@dataclass(frozen=True)
class End:
    """One end of a transform: its space by name.

    `orientation` is needed for a space that no installed atlas is of and no other transform leads from or to. `image`
    is the NIfTI image of that side as it was handed to the program that aligned: FLIRT's matrices mean nothing without
    it, and other files need it where its header puts the voxels elsewhere than the space of the atlas does.
    """

    space: str
    orientation: str = ""
    image: Path | None = None


@dataclass(frozen=True)
class TransformFiles:
    """What is handed in. `files` are one, or the parts of a chain in the order in which points meet them.

    Points go from `source` to `target`: from the fixed (reference) image to the moving (floating) one for ITK, ANTs and
    NiftyReg, from the input to the reference for FLIRT. `obtained` says in words how the transform was made.
    `inverses` are made of its fields unless it is False, so that points can go back too.
    """

    files: tuple[Path, ...]
    format: TransformFormat
    source: End
    target: End
    licence: str
    expected_error_um: float | None = None
    name: str = ""
    citation: str = ""
    obtained: str = ""
    species: str = ""
    inverses: bool = True


def add_transform(means: Means, handed: TransformFiles, progress: Progress | None = None) -> StoredTransform:
    """Read, store and publish a transform; one that is there already and the same changes nothing.

    Raises `UnreadableFile` for files that are no transform of their format, `Invalid` for a space that nothing is known
    of or an image that is not its own, `Conflict` when another process adds the same.
    """
    if not handed.licence.strip():
        raise Invalid("a transform without a licence can't be published", hint="--licence, as CC-BY-4.0")
    ends = _ends(means, handed)
    name = handed.name or f"{ends.source.name} to {ends.target.name}"
    means.scratch.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(f"transform\n{name}".encode()).hexdigest()[:24]
    with held_workplace(means.scratch, key) as scratch:
        read = _read(handed, ends, scratch)
        asset_id = new_id(means.node)
        with watched(progress or Silent(), f"{name}: fields"):
            stored, objects = _stored(means, read, asset_id, scratch, inverses=handed.inverses)
    document = transform_to_json(stored, f"{asset_prefix(asset_id)}/")
    data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    objects = [*objects, put_bytes(means, asset_id, DOCUMENT, data)]
    asset = Asset(
        id=asset_id,
        name=name,
        kind=AssetKind.TRANSFORM,
        prefix=asset_prefix(asset_id),
        size_bytes=sum(one.size_bytes for one in objects),
        object_count=len(objects),
        digest=asset_digest(objects),
        details={
            "from": stored.source.name,
            "to": stored.target.name,
            "kind": kind_of(stored),
            "expected_error_um": stored.expected_error_um,
            "obtained": stored.provenance,
            "transform": document,
            "findings": [],
        },
    )
    return _published(means, asset, objects, _record(handed, ends, name))


def _read(handed: TransformFiles, ends: Ends, scratch: Path) -> Transform:
    if handed.format is TransformFormat.ITK:
        return read_chain(handed.files, ends, scratch)
    if len(handed.files) != 1:
        raise Invalid(f"{len(handed.files)} files of {handed.format} are given", hint="a chain is only read of ITK")
    (path,) = handed.files
    if handed.format is TransformFormat.FLIRT:
        return read_flirt(path, ends, _image(handed.source, "from"), _image(handed.target, "to"))
    if path.name.endswith((".nii", ".nii.gz")):
        return read_transform(path, ends, scratch)
    return read_niftyreg_affine(path, ends)


def _image(end: End, side: str) -> ImageGrid:
    if end.image is None:
        raise Invalid(
            f"a matrix of FLIRT says nothing without the image of {end.space}", hint=f"--{side}-image IMAGE.nii.gz"
        )
    return read_image_grid(end.image)


def _stored(
    means: Means, read: Transform, asset_id: str, scratch: Path, *, inverses: bool
) -> tuple[Transform, list[StoredObject]]:
    """`read` with its fields in the store, and the objects of them."""
    parts: list[Step] = []
    objects: list[StoredObject] = []
    for number, step in enumerate(steps_of(read)):
        if isinstance(step, DisplacementTransform):
            place = f"{number}/field"
            prefix = f"{asset_prefix(asset_id)}/{place}"
            field, written = store_field(step.field, step.source, means.store, prefix, scratch)
            objects += _within(place, written)
            step = replace(step, field=field)
            if inverses:
                back = f"{number}/inverse"
                made = store_inverse(step, means.store, f"{asset_prefix(asset_id)}/{back}", scratch)
                objects += _within(back, made.objects)
                step = made.transform
        parts.append(step)
    return compose(*parts), objects


def _within(folder: str, objects: tuple[StoredObject, ...]) -> list[StoredObject]:
    return [replace(one, path=f"{folder}/{one.path}") for one in objects]


def _published(means: Means, asset: Asset, objects: list[StoredObject], record: Record) -> StoredTransform:
    before = {one.name: one for one in list_transforms(means.database, means.store, means.actor)}.get(asset.name)
    if before is not None and before.asset.digest == asset.digest and before.record == record:
        for item in objects:
            means.store.delete(f"{asset.prefix}/{item.path}")
        return before
    with UnitOfWork(means.database, means.actor) as work:
        dataset_id = before.dataset_id if before else create_dataset(work, record, node=means.node).id
        draft = open_draft(work, dataset_id)
        add_asset(work, draft.id, asset, objects)
        if before is not None:
            remove_asset(work, draft.id, before.asset.id)
        set_record(work, draft.id, record)
        publish(work, draft.id)
        work.record_event("add-transform", draft.id, {"asset": asset.id, "name": asset.name})
    found = list_transforms(means.database, means.store, means.actor)
    return next(one for one in found if one.asset.id == asset.id)


def _record(handed: TransformFiles, ends: Ends, name: str) -> Record:
    return Record(
        title=name,
        species=Species(ends.target.species),
        licence=handed.licence,
        description=handed.obtained,
        acquisition=Acquisition(modality="transform"),
        keywords=("transform", *dict.fromkeys((ends.source.name, ends.target.name))),
        citation=handed.citation,
    )


def _ends(means: Means, handed: TransformFiles) -> Ends:
    atlases = {one.atlas.space.name: one.atlas for one in reversed(list_atlases(means.database, means.actor))}
    # every space by name, whoever may read the transforms of it: two of one name would lead points astray
    known = spaces_of(list_transforms(means.database, means.store, LOCAL_OWNER))
    known = {name: one.space for name, one in atlases.items()} | known
    species = species_of(handed.species).value if handed.species else _species_of(handed, known)
    source, target = (
        _space(end, side, known, species) for end, side in ((handed.source, "from"), (handed.target, "to"))
    )
    if source.name == target.name:
        raise Invalid(f"both ends are in {source.name}", hint="a transform leads from one space to another")
    files = ", ".join(path.name for path in handed.files)
    return Ends(
        source=source,
        target=target,
        source_to_world_um=_lies(means, handed.source, source, atlases),
        target_to_world_um=_lies(means, handed.target, target, atlases),
        expected_error_um=handed.expected_error_um,
        provenance="; ".join(part for part in (handed.obtained, f"{handed.format.value}: {files}") if part),
    )


def _species_of(handed: TransformFiles, known: Mapping[str, Space]) -> str:
    for end in (handed.target, handed.source):
        if end.space in known:
            return known[end.space].species
    raise Invalid(
        f"nobody says of which species {handed.source.space} and {handed.target.space} are",
        hint="--species zebrafish, mouse, macaque or human",
    )


def _space(end: End, side: str, known: Mapping[str, Space], species: str) -> Space:
    space = known.get(end.space)
    if space is None and not end.orientation:
        raise Invalid(
            f"nothing is known of the space {end.space!r}",
            hint=f"--{side}-orientation says to which sides its axes (z, y, x) rise, as SAR; known spaces: "
            f"{', '.join(sorted(known)) or 'none'}",
        )
    if space is None:
        return Space(end.space, species, end.orientation)
    if end.orientation not in ("", space.orientation):
        raise Invalid(
            f"--{side}-orientation {end.orientation}: {space.name} has the orientation {space.orientation!r}",
            hint="leave it out, or give the space another name",
        )
    return space


def _lies(means: Means, end: End, space: Space, atlases: Mapping[str, Atlas]) -> Affine | None:
    """The map from `space` to the world of the headers that the files speak of; None where it lies as its name says."""
    atlas = atlases.get(space.name)
    if end.image is None or atlas is None:
        return None
    image = read_image_grid(end.image)
    opened = open_atlas(means.database, means.store, means.actor, atlas.name, cache=grids_in(means.scratch))
    shapes = []
    for part in atlas.parts:
        if part.voxel_to_space_um is not None:
            shapes.append(opened.volume(part).volume.shape[2:])
            if shapes[-1] == image.shape:
                lies = np.array(image.voxel_to_world_um) @ np.linalg.inv(np.array(part.voxel_to_space_um))
                lies[3] = (0, 0, 0, 1)
                return _turned_alike(affine_rows(lies), end, space)
    raise Invalid(
        f"{end.image.name} has the shape {image.shape}, no volume of {atlas.name} has",
        hint=f"volumes of {atlas.name} have {', '.join(map(str, dict.fromkeys(shapes)))}: give the image of the atlas "
        "that was aligned",
    )


def _turned_alike(lies: Affine, end: End, space: Space) -> Affine:
    """`lies`, where the axes of the image's header rise as those of `space` do."""
    if space.orientation and end.image is not None:
        ours, theirs = np.array(space_to_world(space))[:3, :3], np.array(lies)[:3, :3]
        alike = (ours * theirs / np.linalg.norm(theirs, axis=0)).sum(axis=0)
        if alike.min() < 0.7:
            raise Invalid(
                f"the header of {end.image.name} says that its axes rise elsewhere than those of {space.name}",
                hint="give the image as the atlas has it, with the header that the program saw",
            )
    return lies
