"""What a dataset's page says of its assets, computed from the catalogue alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from pulvinar.catalogue.metadata_formats import FORMATS as METADATA_FORMATS
from pulvinar.ingest.conformance import Level as RuleLevel
from pulvinar.ingest.conformance import Outcome, check, checked_version
from pulvinar.ingest.record import orientation_of
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.model.volume import Level, Volume, volume_from_json
from pulvinar.web.api.schemas import has_picture
from pulvinar.web.findings import in_chinese

FORMATS = (("nii.gz", "NIfTI"), ("tif", "TIFF"), ("npy", "NumPy"), ("zarr", "Zarr"))
_FAILURES = 5
"""So many failures of one rule are named."""
_PLANES = {"S": "axial", "I": "axial", "A": "coronal", "P": "coronal", "L": "sagittal", "R": "sagittal"}


@dataclass(frozen=True)
class LevelDownload:
    """One resolution as files: its links by format, or none when it is more than the server cuts out at once."""

    index: int
    level: Level
    size_bytes: int
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Download:
    """How to get one volume: whole levels as files, any box by a form, and its addresses for programs.

    `zarr` is "" for a volume that others own: its shards are not served.
    """

    levels: tuple[LevelDownload, ...]
    cutout: str
    start: str
    stop: str
    level: int
    zarr: str
    chunks: str


@dataclass(frozen=True)
class Measures:
    """The figures of one volume's channels, with the shape that they belong to."""

    volume: Volume
    channels: tuple[dict[str, Any], ...]


def can_show(asset: Asset) -> bool:
    """Whether the viewer has a way to show `asset`."""
    return asset.kind is AssetKind.VOLUME or "precomputed" in asset.details


def cover_of(assets: Iterable[Asset]) -> Asset | None:
    """The asset whose picture stands for all: the first image, else labels, a mesh, a neuron, points, tracts, ..."""
    order = ("image", "labels", "mesh", "skeleton", "points", "tracts", "connectivity", "time_series")
    pictured = [asset for asset in assets if has_picture(asset)]
    return min(pictured, key=lambda asset: order.index(_rank(asset)), default=None)


def _rank(asset: Asset) -> str:
    return str(asset.details["volume"]["kind"]) if asset.kind is AssetKind.VOLUME else str(asset.kind)


def citation(version: Version, address: str) -> str:
    """How to cite exactly these bytes: the record's own citation or its names, the version's digest, and the `address`
    of its persistent identifier, which a draft has not."""
    record = version.record
    names = ", ".join(person.name for person in record.contributors) or record.lab
    year = (version.published or version.created).year
    said = record.citation or ". ".join(
        part for part in (f"{names} ({year})" if names else str(year), record.title) if part
    )
    lasting = f". {address}" if version.published else ""
    return f"{said.rstrip('.')}. Version {version.number}, sha256:{version.digest}{lasting}"


def metadata_links(version: Version) -> list[tuple[str, str]]:
    """The metadata of a version as files: each format's name, and its address."""
    address = f"/api/v1/datasets/{version.dataset_id}/metadata?version={version.number}&format="
    return [(known.title, address + name.value) for name, known in METADATA_FORMATS.items()]


@dataclass(frozen=True)
class UnmetRule:
    """What a rule asks and what fails, in one language; `more` failures are not named."""

    what: str
    failures: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class Profile:
    """How a version stands to the profile: rules met of those that apply, and what the others ask, must first."""

    met: int
    asked: int
    conforms: bool
    unmet: tuple[UnmetRule, ...]


def profile_of(version: Version, language: str) -> Profile:
    """How `version` stands to the profile, said in "en" or "zh"."""
    found = check(checked_version(version, in_chinese))
    asked = [one for one in found.outcomes if one.applies]
    unmet = tuple(_unmet(one, language) for level in RuleLevel for one in found.failed(level))
    return Profile(sum(one.met for one in asked), len(asked), found.conforms, unmet)


def _unmet(outcome: Outcome, language: str) -> UnmetRule:
    shown, more = outcome.failures[:_FAILURES], max(len(outcome.failures) - _FAILURES, 0)
    if language == "zh":
        return UnmetRule(outcome.rule.what_zh, tuple(one.zh for one in shown), more)
    return UnmetRule(outcome.rule.what, tuple(one.en for one in shown), more)


def plane_of(volume: Volume, axis: str) -> str:
    """The anatomical plane of the section across `axis`, a key of `phrases.PLANES`; "" where nobody said."""
    letters = orientation_of(volume.affine_um)
    return _PLANES[letters["zyx".index(axis)]] if letters else ""


def measures(asset: Asset) -> Measures | None:
    """The quality figures of a volume; None for what has none."""
    if asset.kind is not AssetKind.VOLUME:
        return None
    channels = asset.details.get("quality", {}).get("channels", [])
    return Measures(volume_from_json(asset.details["volume"]), tuple(channels))


def shared_findings(assets: Iterable[Asset]) -> list[tuple[dict[str, str], list[str]]]:
    """What was noticed of `assets`, each once, with the names of those of which it is said: often of all neurons."""
    shared: dict[str, tuple[dict[str, str], list[str]]] = {}
    for asset in assets:
        for finding in asset.details.get("findings", ()):
            shared.setdefault(finding["message"], (finding, []))[1].append(asset.name)
    return list(shared.values())


def downloads(asset: Asset, version: Version, base: str, budget_bytes: int) -> Download | None:
    """How to get a volume from the server at `base`; None for other assets, whose objects are files already."""
    if asset.kind is not AssetKind.VOLUME:
        return None
    volume = volume_from_json(asset.details["volume"])
    cutout = f"/api/v1/assets/{version.digest}/{asset.id}/cutout"
    found = tuple(_level(volume, index, cutout, budget_bytes) for index in range(len(volume.levels)))
    fits = next((item.index for item in found if item.links), len(found) - 1)
    data = f"{base}/data/{version.digest}/{asset.id}"
    return Download(
        levels=found,
        cutout=cutout,
        start="0,0,0",
        stop=_corner(volume.levels[fits]),
        level=fits,
        zarr=f"{data}/objects/image.ome.zarr/" if asset.location is None else "",
        chunks=f"{data}/chunks/",
    )


def _level(volume: Volume, index: int, cutout: str, budget_bytes: int) -> LevelDownload:
    level = volume.levels[index]
    size = prod(level.shape) * np.dtype(volume.dtype).itemsize
    query = f"{cutout}?level={index}&start=0,0,0&stop={_corner(level)}&format="
    links = tuple((name, query + suffix) for suffix, name in FORMATS) if size <= budget_bytes else ()
    return LevelDownload(index, level, size, links)


def _corner(level: Level) -> str:
    return ",".join(str(size) for size in level.shape[2:])
