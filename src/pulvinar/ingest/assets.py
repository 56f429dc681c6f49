"""Writing one asset whole: its pyramid or its tables, its pictures and its originals, each recorded when durable."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.errors import Invalid
from pulvinar.ingest.canonical import GeometryFiles
from pulvinar.ingest.flags import colours_of
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.label_look import as_seen
from pulvinar.ingest.label_names import LabelName, label_name_files, read_label_names
from pulvinar.ingest.large_matrices import is_large, store_large
from pulvinar.ingest.matrices import stays_in_its_file
from pulvinar.ingest.pictures import volume_pictures
from pulvinar.ingest.plausibility import implausible_size, tissue_extent_um
from pulvinar.ingest.progress import Progress, watched
from pulvinar.ingest.quality import QualityObserver, quality_findings, quality_to_json
from pulvinar.ingest.reader import ConnectivityData, Finding, FoundAsset, GeometryData, Severity, TimeSeriesData
from pulvinar.ingest.readers.text import encoding_findings, encoding_of
from pulvinar.ingest.remote_source import RemoteSource
from pulvinar.ingest.request import Means, Originals, Request
from pulvinar.ingest.sandbox import ReaderHost
from pulvinar.ingest.sessions import AssetLedger
from pulvinar.ingest.submission import Submission
from pulvinar.model.anchor import stated_space
from pulvinar.model.dataset import AssetKind, StoredObject
from pulvinar.model.record import Species
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel, Volume, VolumeKind, volume_to_json
from pulvinar.storage.pyramid import finished_voxels, plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import VoxelSource
from pulvinar.storage.space import room_in
from pulvinar.storage.store import Store
from pulvinar.storage.volumes import ReadableVolume, open_volume, volume_documents

_PIECE_BYTES = 4 << 20
_WHITE = "FFFFFF"
_CHANNEL_COLOURS = ("64FF64", "FF64FF", "64C8FF", "FFC864", "FF6464", "6464FF")


@dataclass(frozen=True)
class Bench:
    """Where assets are made: the opened submission, its reader process, and what the whole ingest shares."""

    means: Means
    request: Request
    submission: Submission
    host: ReaderHost
    species: Species
    scratch: Path
    progress: Progress


@dataclass(frozen=True)
class WrittenAsset:
    """All objects of one asset, and what the catalogue is to hold of it."""

    objects: tuple[StoredObject, ...]
    details: dict[str, Any]


def asset_prefix(asset_id: str) -> str:
    """Where the objects of an asset lie in the store."""
    return f"assets/{asset_id}"


def write_volume_asset(bench: Bench, found: FoundAsset, asset_id: str, ledger: AssetLedger) -> WrittenAsset:
    """Write a volume: pyramid, figures, pictures and names of labels; what `ledger` has recorded is not redone."""
    means, prefix = bench.means, asset_prefix(asset_id)
    with _opened(bench, found) as (found, source):
        volume = planned_volume(found, bench.request)
        observer = QualityObserver(volume.shape, volume.dtype)
        ledger.observe_with(observer)
        plan = plan_pyramid(volume, source.block_shape)
        before = finished_voxels(volume, ledger.finished())
        with bench.progress.task(found.name, prod(volume.shape), "voxels", before) as task:
            written = write_pyramid(
                source,
                plan,
                means.store,
                prefix,
                ledger=ledger,
                scratch=bench.scratch,
                threads=means.threads,
                observe=observer,
                progress=lambda done, total: task.update(done),
            )
    with watched(bench.progress, f"{found.name}: figures and pictures"):
        files, details, doubts = _described(bench, asset_id, volume, observer)
    return _finished(bench, found, asset_id, {item.path: item for item in written}, files, details, doubts)


def _described(
    bench: Bench, asset_id: str, volume: Volume, observer: QualityObserver
) -> tuple[dict[str, bytes], dict[str, Any], list[Finding]]:
    names = _label_names(bench.request, volume)
    files, details, doubts = described_volume(
        bench.means.store, asset_prefix(asset_id), volume, observer, names, bench.species
    )
    if names and bench.request.label_names is not None:
        encoding = encoding_of(bench.request.label_names.read_bytes())
        doubts += encoding_findings(encoding, "the table of label names", "--label-names")
    return files, details, doubts


def described_volume(
    store: Store,
    prefix: str,
    volume: Volume,
    observer: QualityObserver,
    names: tuple[LabelName, ...],
    species: Species,
) -> tuple[dict[str, bytes], dict[str, Any], list[Finding]]:
    """What a volume shows of itself once its voxels are stored below `prefix`: small files, details for the catalogue,
    and doubts."""
    stored = open_volume(store, prefix, volume)
    figures = [observer.figures(channel, volume, stored) for channel in range(len(volume.channels))]
    if volume.kind is VolumeKind.IMAGE:
        windows = [item.window for item in figures]
        channels = [replace(item, window=at) for item, at in zip(volume.channels, windows, strict=True)]
        volume = replace(volume, channels=tuple(channels))
    colours = {item.id: item.color for item in names if item.color}
    files = {
        **volume_documents(volume),
        **volume_pictures(stored, volume, [item.window for item in figures], colours),
        **(label_name_files(names) if names else {}),
    }
    details: dict[str, Any] = {"volume": volume_to_json(volume), "quality": quality_to_json(figures, volume.kind)}
    if names:
        details["segments"] = {"path": "segments", "count": len(names)}
    return files, details, [*size_doubts(stored, volume, species), *quality_findings(figures, volume)]


@contextmanager
def _opened(bench: Bench, found: FoundAsset) -> Iterator[tuple[FoundAsset, VoxelSource]]:
    """The open volume, and `found` with its kind as the voxels show it where nobody says it."""
    with _read_by_host(bench, found) as source:
        seen = found if bench.request.options.kind else as_seen(found, source)
        if seen.volume is None or np.dtype(seen.volume.dtype) == source.dtype:
            yield seen, source
            return
    with _read_by_host(bench, seen) as source:
        yield seen, source


def _read_by_host(bench: Bench, found: FoundAsset) -> RemoteSource:
    """The voxels of `found`, for which its reader may have to unpack a file."""
    host, said = bench.host, found.volume
    size = prod(said.shape) * np.dtype(said.dtype).itemsize if said else 0
    before = host.unpacked_bytes()
    growth = lambda: host.unpacked_bytes() - before  # noqa: E731
    with watched(bench.progress, f"{found.name}: opening", growth, total=size, unit="bytes"):
        return host.open_volume(found)


def write_geometry_asset(bench: Bench, found: FoundAsset, asset_id: str) -> WrittenAsset:
    """Write what is no volume: its canonical file or array, its view and its thumbnail."""
    with watched(bench.progress, f"{found.name}: reading"):
        data = bench.host.read_geometry(found)
    objects: dict[str, StoredObject] = {}
    made = _stored_large(bench, found, asset_id, data, objects) if is_large(data) else geometry_files(data, found.name)
    doubts = [*_place_doubts(made.details), *_value_notes(found, made.details)]
    return _finished(bench, found, asset_id, objects, made.files, dict(made.details), doubts)


def _stored_large(
    bench: Bench, found: FoundAsset, asset_id: str, data: GeometryData, objects: dict[str, StoredObject]
) -> GeometryFiles:
    """Store signals or connectivity of any size; their shards are put into `objects`."""

    def put(path: str, shard: bytes) -> None:
        objects[path] = put_bytes(bench.means, asset_id, path, shard)

    matrix = stays_in_its_file(data)
    with closing(matrix) if matrix is not None else nullcontext():
        size = prod(data.values.shape) if isinstance(data, TimeSeriesData | ConnectivityData) else 0
        with bench.progress.task(found.name, size, "values") as task:
            return store_large(data, put, task.update)


def planned_volume(found: FoundAsset, request: Request) -> Volume:
    """The volume that `found` will become: its levels, channels and kind."""
    description = found.volume
    if description is None or description.voxel_size_um is None:
        raise Invalid(f"{found.name}: its voxel size is not known", hint="--voxel-size")
    kind = request.options.kind or description.kind or VolumeKind.IMAGE
    if kind is VolumeKind.LABELS and np.dtype(description.dtype).kind == "f":
        raise Invalid(
            f"{found.name}: labels are whole numbers, and this file has {description.dtype}", hint="--kind image"
        )
    return Volume(
        kind=kind,
        dtype=description.dtype,
        levels=plan_levels(description.shape, description.voxel_size_um, description.dtype, kind),
        channels=volume_channels(description.channels, description.shape[1], found.name, request.color),
        affine_um=description.affine_um,
        time_step_s=request.options.time_step_s or description.time_step_s,
    )


def put_bytes(means: Means, asset_id: str, path: str, data: bytes) -> StoredObject:
    """Store `data` as the object `path` of an asset."""
    means.store.put_bytes(f"{asset_prefix(asset_id)}/{path}", data)
    return StoredObject(path, len(data), hashlib.sha256(data).hexdigest())


def volume_channels(said: Sequence[Channel], count: int, name: str, color: str) -> tuple[Channel, ...]:
    """The channels as the file says them; `color` overrules it, and a palette is for what nobody says of several."""
    names = [name] if count == 1 else [f"channel {index + 1}" for index in range(count)]
    channels = said if len(said) == count else [Channel(one, "") for one in names]
    if color:
        return tuple(replace(one, color=c) for one, c in zip(channels, _asked_colours(color, count, name), strict=True))
    if count == 1:
        return (replace(channels[0], color=channels[0].color or _WHITE),)
    # Bio-Formats writes white where its user has chosen no colour: channels that are all white can't be told apart
    silent = {"", _WHITE} if all(one.color in ("", _WHITE) for one in channels) else {""}
    palette = itertools.cycle(_CHANNEL_COLOURS)
    return tuple(
        replace(one, color=other) if one.color in silent else one for one, other in zip(channels, palette, strict=False)
    )


def _asked_colours(color: str, count: int, name: str) -> list[str]:
    """`--color` as one RRGGBB for each of the `count` channels."""
    asked = colours_of(color)
    if len(asked) != count:
        channels = "1 channel" if count == 1 else f"{count} channels"
        raise Invalid(
            f"--color {color} names {len(asked)}, {name} has {channels}", hint="one a channel: --color 64FF64,FF64FF"
        )
    return asked


def _label_names(request: Request, volume: Volume) -> tuple[LabelName, ...]:
    if request.label_names is None or volume.kind is not VolumeKind.LABELS:
        return ()
    return read_label_names(request.label_names)


def _place_doubts(details: Mapping[str, Any]) -> tuple[Finding, ...]:
    """A doubt about rows of a table of places that have none."""
    without = details.get("rows_without_place", 0)
    if not without:
        return ()
    total = details["count"] + without
    text = f"{without} of its {total} rows have no place: they are kept in the table, and are not among its points"
    return (Finding(Severity.DOUBT, text),)


def _value_notes(found: FoundAsset, details: Mapping[str, Any]) -> tuple[Finding, ...]:
    """A note about values of signals or of a matrix that are not finite."""
    missing = details.get("missing", 0)
    text = f"of its values, {missing} are not a finite number"
    said = any(item.message == text for item in found.findings)
    return (Finding(Severity.NOTE, text),) if missing and not said else ()


def size_doubts(stored: ReadableVolume, volume: Volume, species: Species) -> tuple[Finding, ...]:
    """A doubt about the voxel size when the tissue in the coarsest level doesn't fit the species."""
    if volume.kind is VolumeKind.LABELS:
        return ()
    index = len(volume.levels) - 1
    level = volume.levels[index]
    first = np.asarray(stored.read(index, Window((0, 0, 0, 0, 0), (1, 1, *level.shape[2:]))))[0, 0]
    doubt = implausible_size(species, tissue_extent_um(first, level.voxel_size_um))
    return (doubt,) if doubt else ()


def _finished(
    bench: Bench,
    found: FoundAsset,
    asset_id: str,
    objects: dict[str, StoredObject],
    files: Mapping[str, bytes],
    details: dict[str, Any],
    doubts: Sequence[Finding],
) -> WrittenAsset:
    """Store the small files of an asset and its originals, and put together what is known of it."""
    for path, data in files.items():
        objects[path] = put_bytes(bench.means, asset_id, path, data)
    sources, kept = _originals(bench, found, asset_id)
    objects.update({item.path: item for item in kept})
    findings = [*found.findings, *doubts]
    details |= {
        "source": {
            "reader": found.reader,
            "policy": bench.request.originals.value,
            "files": sources,
            "options": {key: value for key, value in asdict(bench.request.options).items() if value},
        },
        **stated_space(bench.request.space),
        "header": found.metadata.get("header", {}),
        "findings": [asdict(item) for item in findings if item.severity is not Severity.QUESTION],
    }
    return WrittenAsset(tuple(objects[path] for path in sorted(objects)), details)


def _originals(bench: Bench, found: FoundAsset, asset_id: str) -> tuple[list[dict[str, Any]], list[StoredObject]]:
    """What is recorded of the files that an asset came from, and the objects that keep them."""
    policy, files = bench.request.originals, {item.name: item for item in bench.submission.files}
    mine = [files[name] for name in found.files if name in files]
    if policy is Originals.DISCARD:
        return [{"name": item.name, "size_bytes": item.size_bytes} for item in mine], []
    total = sum(item.size_bytes for item in mine)
    hashed, title = _Hashing(), f"{found.name}: checksums of its files"
    with (
        watched(bench.progress, title, lambda: hashed.done, total=total, unit="bytes"),
        ThreadPoolExecutor(4) as pool,  # hashing lets go of the interpreter's lock
    ):
        hashes = list(pool.map(lambda item: hashed.sha256(item.path), mine))
    entries = [
        StoredObject(f"original/{item.name}", item.size_bytes, digest)
        for item, digest in zip(mine, hashes, strict=True)
    ]
    if policy is Originals.KEEP:
        _keep(bench, found.name, asset_id, [(item.path, entry) for item, entry in zip(mine, entries, strict=True)])
    recorded = [
        {"name": item.name, "size_bytes": item.size_bytes, "sha256": digest}
        for item, digest in zip(mine, hashes, strict=True)
    ]
    return recorded, entries if policy is Originals.KEEP else []


def _keep(bench: Bench, name: str, asset_id: str, files: Sequence[tuple[Path, StoredObject]]) -> None:
    """Copy the files that an asset came from into the store."""
    store, total = bench.means.store, sum(entry.size_bytes for _, entry in files)
    kept, copy = 0, None

    def position() -> int:
        with suppress(OSError):
            return kept + (copy.stat().st_size if copy else 0)
        return kept

    with watched(bench.progress, f"{name}: keeping its files", position, total=total, unit="bytes"):
        for path, entry in files:
            key = f"{asset_prefix(asset_id)}/{entry.path}"
            copy = store.scratch_for(key, bench.scratch)
            try:
                with room_in(copy.parent):
                    shutil.copyfile(path, copy)
                store.put_file(key, copy)
            finally:
                copy.unlink(missing_ok=True)
            kept += entry.size_bytes


class _Hashing:
    """SHA-256 of files, in several threads; `done` bytes so far."""

    def __init__(self) -> None:
        self.done = 0
        self._counting = threading.Lock()

    def sha256(self, path: Path) -> str:
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
                with self._counting:
                    self.done += len(piece)
        return digest.hexdigest()


def asset_key(found: FoundAsset) -> str:
    """How a found asset is found again in the same submission: SHA-256, in hex, of its reader and key."""
    return hashlib.sha256(f"{found.reader}\n{found.key}".encode()).hexdigest()


def write_asset(bench: Bench, found: FoundAsset, asset_id: str, ledger: AssetLedger) -> WrittenAsset:
    """Write `found` whole, whatever its kind."""
    if found.kind is AssetKind.VOLUME:
        return write_volume_asset(bench, found, asset_id, ledger)
    return write_geometry_asset(bench, found, asset_id)
