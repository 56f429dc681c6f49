"""Indexing: a volume that others own becomes a dataset, and its bytes stay where they are.

Read are its metadata, as much of its coarsest level as the pictures need, and a few chunks of its finest, which show
whether they are labels where nobody says it. What is stored here is small: pictures,
and the state in which the source was seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote

import numpy as np

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset, get_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Conflict, MetadataMissing, NotFound, UnreadableFile
from pulvinar.ingest.assets import asset_prefix, put_bytes, size_doubts, volume_channels
from pulvinar.ingest.external_layout import external_levels, level_folders
from pulvinar.ingest.flags import check_options
from pulvinar.ingest.label_look import BLOCKS, as_seen
from pulvinar.ingest.pictures import volume_pictures
from pulvinar.ingest.quality import display_window
from pulvinar.ingest.reader import Finding, FoundAsset, Options, Severity
from pulvinar.ingest.readers.chunked_image import ChunkedImage, image_asset
from pulvinar.ingest.readers.ome_zarr import OmeZarrReader, zarr_images
from pulvinar.ingest.readers.zarr_nodes import ZarrNodes
from pulvinar.ingest.record import RecordAnswers, make_record, questions, refuse_unanswered
from pulvinar.ingest.request import Means
from pulvinar.model.dataset import Asset, AssetKind, Location, Ownership, StoredObject, Version, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record
from pulvinar.model.space import Window
from pulvinar.model.text import plain
from pulvinar.model.volume import Shape5, Volume, VolumeKind, volume_to_json
from pulvinar.storage.external import ExternalSource, ExternalSources
from pulvinar.storage.external_state import DOCUMENT_BYTES, STATE_PATH, SourceState, see
from pulvinar.storage.external_volume import ExternalLayout, ExternalVolume, check_layout
from pulvinar.storage.sources import Voxels

_LOOKED_AT = 64
"""So many chunks of a level are looked at where a source can't be listed."""
_LARGEST_DRAWN_VOXELS = 1 << 28
"""A volume whose coarsest level has more has no pictures: to draw them, too much would be read."""


@dataclass(frozen=True)
class IndexRequest:
    """What is indexed, who owns it, and what a person says of it; fields as in `Request`."""

    url: str
    owner: str
    options: Options = field(default_factory=Options)
    answers: RecordAnswers = field(default_factory=RecordAnswers)
    dataset_id: str | None = None
    name: str = ""
    color: str = ""
    publish: bool = False


@dataclass(frozen=True)
class Indexed:
    """What came of it, with what was noticed."""

    version: Version
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Found:
    """One image of a source, read from its documents."""

    asset: FoundAsset
    volume: Volume
    layout: ExternalLayout
    state: SourceState


def index(means: Means, sources: ExternalSources, request: IndexRequest) -> Indexed:
    """Make a draft version whose volume's bytes stay at `request.url`.

    Raises `Forbidden` for an address that the operator doesn't allow, `NotFound` and `Unavailable` where nothing can be
    read there, `UnreadableFile` for what is no Zarr image or can't be served as it is, `MetadataMissing` naming every
    flag that is needed. Whatever is raised, nothing is visible.
    """
    check_options(request.options)
    if not request.owner.strip():
        raise MetadataMissing("not known: who owns the bytes that stay where they are", hint="answer with --owner")
    source = sources.open(request.url)
    into = get_dataset(means.database, means.actor, request.dataset_id).record if request.dataset_id else None
    found = _as_seen(source, _found(source, request, means.scratch), request.options)
    refuse_unanswered(questions([found.asset], request.answers, into_existing=into is not None))
    if request.dataset_id is not None:
        _refuse_taken_name(means, request.dataset_id, found.asset.name)
    record = into or make_record([found.asset], request.answers, request.options)
    asset_id = new_id(means.node)
    files, details, findings = _described(source, found, record)
    files[STATE_PATH] = found.state.to_text()
    objects = tuple(put_bytes(means, asset_id, path, data) for path, data in sorted(files.items()))
    asset = _asset(asset_id, found, objects, details, source, request.owner)
    version = _make_visible(means, request, record, asset, objects)
    return Indexed(version, tuple(findings))


def _found(source: ExternalSource, request: IndexRequest, scratch: Path) -> _Found:
    options = request.options
    with TemporaryDirectory(prefix="index-", dir=scratch) as folder:
        nodes, documents = _documents(source, Path(folder))
        image = _image(nodes, source.url, options)
        name = request.name or _name(source.url)
        asset = image_asset(OmeZarrReader.name, image, tuple(sorted(documents)), options)
        asset = replace(asset, name=name)
        size_um = asset.volume.voxel_size_um if asset.volume else None
        # what nobody has answered is asked for by the caller; until then any size does
        levels, arrays = external_levels(nodes, image, size_um or (1.0, 1.0, 1.0))
        layout = ExternalLayout(arrays, {path: hashlib.sha256(data).hexdigest() for path, data in documents.items()})
    assert asset.volume is not None
    described = asset.volume
    if described.dtype != np.dtype(image.array.dtype).name:
        raise UnreadableFile(
            f"{image.array.file} has {np.dtype(image.array.dtype).name}, which can't be served as {described.dtype}",
            hint="bring it in by pulvinar ingest instead, or give --kind image",
        )
    volume = Volume(
        kind=described.kind or VolumeKind.IMAGE,
        dtype=described.dtype,
        levels=levels,
        channels=volume_channels(described.channels, described.shape[1], name, request.color),
        affine_um=described.affine_um,
        time_step_s=described.time_step_s,
    )
    check_layout(volume, layout)
    return _Found(asset, volume, layout, see(source, documents, _some_chunks(volume, layout)))


def _as_seen(source: ExternalSource, found: _Found, options: Options) -> _Found:
    """`found` as labels where a few of its chunks show it, and neither its documents nor a person say what it is.

    Floats are served as they are, and labels are none: they stay an image.
    """
    level = found.volume.levels[0]
    voxels = prod(level.chunk_shape) * BLOCKS
    if options.kind or np.dtype(found.volume.dtype).kind == "f" or voxels > _LARGEST_DRAWN_VOXELS:
        return found
    seen = as_seen(found.asset, _Finest(ExternalVolume(source, found.volume, found.layout)), within_blocks=True)
    if seen.volume is None or seen.volume.kind is not VolumeKind.LABELS:
        return found
    return replace(found, asset=seen, volume=replace(found.volume, kind=VolumeKind.LABELS))


class _Finest:
    """The finest level of an external volume as a source of blocks."""

    def __init__(self, stored: ExternalVolume) -> None:
        self._stored, self._level = stored, stored.volume.levels[0]

    @property
    def shape(self) -> Shape5:
        """Voxels an axis."""
        return self._level.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The volume's."""
        return np.dtype(self._stored.volume.dtype)

    @property
    def block_shape(self) -> Shape5:
        """A chunk."""
        return self._level.chunk_shape

    def read(self, window: Window) -> Voxels:
        """The voxels of `window`."""
        return self._stored.read(0, window)

    def release(self, voxels: Voxels) -> None:
        """Nothing: they are a copy."""


def _some_chunks(volume: Volume, layout: ExternalLayout) -> Iterator[str]:
    """Names of chunks, or shards, spread evenly over each level."""
    for level, array in zip(volume.levels, layout.arrays, strict=True):
        grid = tuple(-(-size // shard) for size, shard in zip(level.shape, level.shard_shape, strict=True))
        count = min(prod(grid), _LOOKED_AT)
        for step in range(count):
            t, c, z, y, x = (int(at) for at in np.unravel_index(step * prod(grid) // count, grid))
            yield array.name((t, c, z, y, x))


def _documents(source: ExternalSource, folder: Path) -> tuple[ZarrNodes, dict[str, bytes]]:
    """The documents of the image at the source's root, written to `folder` too. Raises `NotFound` for no Zarr."""
    documents = _node_documents(source, "")
    if not documents:
        raise NotFound(
            f"there is no Zarr at {source.url}", hint="give the address of the folder that holds zarr.json or .zattrs"
        )
    for level in level_folders(_nodes(documents, folder)):
        if level:
            documents |= _node_documents(source, level)
    return _nodes(documents, folder), documents


def _node_documents(source: ExternalSource, folder: str) -> dict[str, bytes]:
    """What describes the node in `folder` of the source: of Zarr 3 one document, of Zarr 2 two."""
    found: dict[str, bytes] = {}
    for names in (("zarr.json",), (".zarray", ".zattrs"), (".zgroup", ".zattrs")):
        for name in names:
            path = f"{folder}/{name}".lstrip("/")
            try:
                found[path] = source.read(path, most=DOCUMENT_BYTES).data
            except NotFound:
                break
        if found:
            return found
    return found


def _nodes(documents: dict[str, bytes], folder: Path) -> ZarrNodes:
    for name, data in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return ZarrNodes({name: folder / name for name in documents})


def _image(nodes: ZarrNodes, url: str, options: Options) -> ChunkedImage:
    images = [image for image in zarr_images(nodes, options) if image.folder == ""]
    if not images:
        raise UnreadableFile(f"{url} is a Zarr group without an image", hint="give the address of one image in it")
    above = url.rpartition("/")[0].rpartition("/")[2]
    return replace(images[0], is_labels=images[0].is_labels or above == "labels")


def _name(url: str) -> str:
    last = unquote(url.rpartition("/")[2])
    return last.removesuffix(".zarr").removesuffix(".ome") or last


def _described(
    source: ExternalSource, found: _Found, record: Record
) -> tuple[dict[str, bytes], dict[str, Any], list[Finding]]:
    """Pictures of the volume, its details for the catalogue, and what is noticed of it."""
    volume, findings = found.volume, [*found.asset.findings]
    stored = ExternalVolume(source, volume, found.layout)
    files: dict[str, bytes] = {}
    if volume.levels[-1].voxels > _LARGEST_DRAWN_VOXELS:
        text = "it has no coarse level, so no pictures are made of it: too much would have to be read"
        findings.append(Finding(Severity.NOTE, text))
    else:
        windows = [_window(stored, channel) for channel in range(len(volume.channels))]
        if volume.kind is VolumeKind.IMAGE:
            channels = zip(volume.channels, windows, strict=True)
            volume = replace(volume, channels=tuple(replace(one, window=one.window or at) for one, at in channels))
        files = volume_pictures(stored, volume, windows)
        findings += size_doubts(stored, volume, record.species)
    details = {
        "volume": volume_to_json(volume),
        "external": {
            **found.layout.to_json(),
            "objects": len(found.state.objects),
            "size_bytes": found.state.size_bytes,
            "complete": found.state.complete,
        },
        "pictured": bool(files),
        "source": {"reader": found.asset.reader, "policy": "external"},
        "header": found.asset.metadata.get("header", {}),
        "findings": [asdict(item) for item in findings if item.severity is not Severity.QUESTION],
    }
    return files, details, findings


def _window(stored: ExternalVolume, channel: int) -> tuple[float, float]:
    """The display range of a channel, from its coarsest level's first time point."""
    number = len(stored.volume.levels) - 1
    shape = stored.volume.levels[number].shape
    voxels = stored.read(number, Window((0, channel, 0, 0, 0), (1, channel + 1, *shape[2:]))).ravel()
    finite = voxels[np.isfinite(voxels)] if voxels.dtype.kind == "f" else voxels
    extremes = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return display_window(finite, extremes)


def _asset(
    asset_id: str,
    found: _Found,
    objects: tuple[StoredObject, ...],
    details: dict[str, Any],
    source: ExternalSource,
    owner: str,
) -> Asset:
    return Asset(
        id=asset_id,
        name=found.asset.name,
        kind=AssetKind.VOLUME,
        prefix=asset_prefix(asset_id),
        size_bytes=sum(item.size_bytes for item in objects),
        object_count=len(objects),
        digest=asset_digest(objects),
        details=details,
        location=Location(Ownership.EXTERNAL, source.url, plain(owner.strip()), datetime.now(UTC)),
    )


def _make_visible(
    means: Means, request: IndexRequest, record: Record, asset: Asset, objects: Sequence[StoredObject]
) -> Version:
    """The one commit: dataset, version, asset and location, together or not at all."""
    assert asset.location is not None
    with UnitOfWork(means.database, means.actor) as work:
        dataset_id = request.dataset_id or create_dataset(work, record, node=means.node).id
        draft = open_draft(work, dataset_id)
        add_asset(work, draft.id, asset, objects)
        work.record_event("index", draft.id, {"url": asset.location.url, "asset": asset.id})
        if request.publish:
            publish(work, draft.id)
    return get_version(means.database, means.actor, dataset_id, draft.number)


def _refuse_taken_name(means: Means, dataset_id: str, name: str) -> None:
    try:
        newest = get_version(means.database, means.actor, dataset_id)
    except NotFound:
        return
    if name in (asset.name for asset in newest.assets):
        raise Conflict(f"dataset {dataset_id} has an asset named {name!r} already", hint="give another --name")
