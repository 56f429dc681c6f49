"""How things are printed: short plain lines for people, JSON for scripts."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pulvinar.model.text import plain

if TYPE_CHECKING:
    from pulvinar.ingest.reader import Finding, FoundAsset, VolumeDescription
    from pulvinar.model.dataset import Asset, Dataset, Location, Version


def print_json(value: Any) -> None:
    """`value` as indented JSON on standard output."""
    # piece by piece: there may be ten thousand assets in it
    for piece in json.JSONEncoder(ensure_ascii=False, indent=2, default=_as_json).iterencode(value):
        # a file name that is no Unicode: JSON has escapes for what UTF-8 can't write
        sys.stdout.write(
            piece if piece.isascii() else re.sub("[\ud800-\udfff]", lambda found: ascii(found[0])[1:-1], piece)
        )
    print()


def _as_json(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else str(value)


def print_table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> None:
    """Columns lined up by their width on the screen; Chinese letters count as two."""
    widths = [max(_width(row[index]) for row in [head, *rows]) for index in range(len(head))]
    for row in [head, *rows]:
        cells = [cell + " " * (widths[index] - _width(cell)) for index, cell in enumerate(row)]
        print("  ".join(cells).rstrip())


def size(count: float) -> str:
    """Bytes in readable form: `size(2.15e9)` is "2.15 GB"."""
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return f"{count:.0f} B"


def describe_found(asset: FoundAsset) -> Iterable[str]:
    """The lines that say what was found in a file."""
    yield plain(f"{asset.name}  [{asset.kind.value}, read by {asset.reader}, {_files(asset.files)}]")
    if asset.volume is not None:
        yield from (f"  {line}" for line in _describe_volume(asset.volume))
    for finding in asset.findings:
        yield f"  {describe_finding(finding)}"


def describe_finding(finding: Finding) -> str:
    """One finding, with the flag that settles it."""
    flag = f" ({finding.flag})" if finding.flag else ""
    return plain(f"{finding.severity.value}: {finding.message}{flag}")


def _describe_volume(volume: VolumeDescription) -> Iterable[str]:
    from pulvinar.ingest.record import orientation_of

    axes = "  ".join(f"{axis}={extent}" for axis, extent in zip("tczyx", volume.shape, strict=True))
    yield f"shape {axes}  {volume.dtype}{f'  {volume.kind.value}' if volume.kind else ''}"
    if volume.voxel_size_um:
        z, y, x = volume.voxel_size_um
        yield f"voxel size z={z:g} y={y:g} x={x:g} um"
    yield f"orientation {orientation_of(volume.affine_um) or 'not known'} (rising z, y, x)"
    if volume.kind is None and volume.shape[1] == 1:
        yield "image or labels: told by its voxels at ingest, or by --kind"
    if volume.channels:
        yield plain("channels " + ", ".join(channel.name for channel in volume.channels))
    if volume.time_step_s:
        yield f"time step {volume.time_step_s:g} s"


def dataset_row(dataset: Dataset) -> list[str]:
    """One line of `pulvinar list`."""
    latest = dataset.latest
    state = f"v{latest.number} {latest.state.value}" if latest else ""
    return [dataset.id, dataset.record.species.value, state, dataset.record.title]


def dataset_to_json(dataset: Dataset) -> dict[str, Any]:
    """A dataset as JSON values."""
    from pulvinar.model.record import record_to_json

    return {
        "id": dataset.id,
        "record": record_to_json(dataset.record),
        "created": dataset.created.isoformat(),
        "latest": version_to_json(dataset.latest) if dataset.latest else None,
    }


def version_to_json(version: Version) -> dict[str, Any]:
    """A version as JSON values."""
    from pulvinar.model.record import record_to_json

    return {
        "id": version.id,
        "dataset_id": version.dataset_id,
        "number": version.number,
        "state": version.state.value,
        "digest": version.digest,
        "created": version.created.isoformat(),
        "published": version.published.isoformat() if version.published else None,
        "record": record_to_json(version.record),
        "assets": [asset_to_json(asset) for asset in version.assets],
    }


def asset_to_json(asset: Asset) -> dict[str, Any]:
    """An asset as JSON values."""
    return {
        "id": asset.id,
        "name": asset.name,
        "kind": asset.kind.value,
        "size_bytes": asset.size_bytes,
        "objects": asset.object_count,
        "digest": asset.digest,
        "details": asset.details,
        "location": _location_to_json(asset.location) if asset.location else None,
    }


def _location_to_json(place: Location) -> dict[str, Any]:
    return {
        "ownership": place.ownership.value, "url": place.url, "owner": place.owner, "seen": place.seen.isoformat()
    }  # fmt: skip


def print_version(version: Version) -> None:
    """A version for a person."""
    record = version.record
    print(f"{record.title}")
    facts = {
        "dataset": version.dataset_id,
        "version": f"{version.number} ({version.state.value})",
        "digest": version.digest,
        "species": record.species.value,
        "licence": record.licence,
        "modality": record.acquisition.modality,
        "stains": ", ".join(record.acquisition.stains),
        "lab": record.lab,
        "citation": record.citation,
        "source": record.source,
        "doi": record.doi,
        "keywords": ", ".join(record.keywords),
    }
    for name, value in facts.items():
        if value:
            print(f"  {name:9} {value}")
    for asset in version.assets:
        print(f"  - {asset.name}  [{asset.kind.value}, {size(asset.size_bytes)}, {asset.object_count} objects]")
        if asset.location is not None:
            print(f"      external, owned by {plain(asset.location.owner)}: {plain(asset.location.url)}")
        for line in asset.details.get("findings", []):
            flag = f" ({line['flag']})" if line["flag"] else ""
            print(f"      {line['severity']}: {line['message']}{flag}")


def _files(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{len(files)} files"


def _width(text: str) -> int:
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
