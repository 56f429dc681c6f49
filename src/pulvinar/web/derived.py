"""What a page tells of data that a job has made: its pictures, how well it went, and what it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pulvinar.catalogue.versions import get_version
from pulvinar.errors import NotFound
from pulvinar.model.access import Actor
from pulvinar.model.dataset import Asset, Version
from pulvinar.model.derivation import Derivation, made_by_job
from pulvinar.model.job import JobInput
from pulvinar.model.solution import Words
from pulvinar.platform import Platform
from pulvinar.solutions.grids import grid_space_name
from pulvinar.solutions.solution import describe_all
from pulvinar.web.dataset_page import can_show


@dataclass(frozen=True)
class MadePicture:
    """A picture that a solution has drawn of its result."""

    address: str
    title: Words


@dataclass(frozen=True)
class MadeFrom:
    """An input of a job, and the version that it was taken from."""

    role: str
    version: Version
    asset: Asset


@dataclass(frozen=True)
class Overlay:
    """A made asset that lies on a volume of another dataset: the address of the viewer that shows both."""

    name: str
    on: str
    address: str


@dataclass(frozen=True)
class Making:
    """How some assets were made: by one job, of inputs, those left out that may not be seen; `title` is the solution's,
    None where it is not installed any more."""

    derivation: Derivation
    assets: tuple[Asset, ...]
    inputs: tuple[MadeFrom, ...]
    title: Words | None
    overlays: tuple[Overlay, ...]


def pictures_of(asset: Asset, version: Version) -> list[MadePicture]:
    """The pictures that the solution which made `asset` has drawn."""
    root = f"/data/{version.digest}/{asset.id}/objects"
    drawn: list[Mapping[str, Any]] = asset.details.get("pictures", [])
    return [MadePicture(f"{root}/{one['path']}", Words(**one["title"])) for one in drawn]


def makings(platform: Platform, actor: Actor, version: Version) -> list[Making]:
    """How the assets of a version were made, one a job; nothing of those that were brought in."""
    by_job = made_by_job(version.assets)
    titles = {one.name: one.title for one in describe_all()} if by_job else {}
    found = []
    for derivation, assets in by_job:
        inputs = (_input(platform, actor, one) for one in derivation.inputs)
        known = tuple(one for one in inputs if one is not None)
        title = titles.get(derivation.solution)
        found.append(Making(derivation, tuple(assets), known, title, tuple(_overlays(assets, known))))
    return found


def _overlays(assets: Iterable[Asset], inputs: Iterable[MadeFrom]) -> Iterator[Overlay]:
    for one in inputs:
        for asset in assets:
            if asset.details.get("space", {}).get("name") == grid_space_name(one.asset) and can_show(asset):
                address = f"/datasets/{one.version.dataset_id}/view?version={one.version.number}&asset={asset.id}"
                yield Overlay(asset.name, one.asset.name, address)


def _input(platform: Platform, actor: Actor, said: JobInput) -> MadeFrom | None:
    try:
        version = get_version(platform.database, actor, said.dataset_id, said.version)
    except NotFound:
        return None
    # of what was erased by law, the version stays
    asset = next((one for one in version.assets if one.id == said.asset_id), None)
    return MadeFrom(said.name, version, asset) if asset else None
