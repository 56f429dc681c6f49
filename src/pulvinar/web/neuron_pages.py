"""The page of one neuron: its picture, its size, where its neurite runs, which others run alike, and its files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Depends, Request, Response

from pulvinar.access.export_rules import check_leaving
from pulvinar.access.visibility import highest_right
from pulvinar.atlases.installed import OpenAtlas, find_atlas
from pulvinar.catalogue.assets import find_asset, resolve
from pulvinar.catalogue.neurons import Neuron, similar_neurons
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.anchor import Role
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.model.export_rule import Way
from pulvinar.model.ontology import Region
from pulvinar.platform import Platform
from pulvinar.storage.store import Store
from pulvinar.web.anchors import NamedAnchor, named_anchors
from pulvinar.web.api.schemas import asset_links
from pulvinar.web.context import AssetId, CurrentActor, CurrentPlatform, DatasetId, WantedVersion
from pulvinar.web.downloads import disposition
from pulvinar.web.holdings import cache_control
from pulvinar.web.limits import costly
from pulvinar.web.opened_atlases import opened_atlas
from pulvinar.web.reads import count_as, reading_of
from pulvinar.web.recipes import of_neuron
from pulvinar.web.rendering import render
from pulvinar.web.stored_tables import read_columns

router = APIRouter(prefix="/datasets/{dataset_id}/assets/{asset_id}", include_in_schema=False)

_ALIKE = 6
_ENOUGH = 3
"""So many neurons with a soma in the same region are enough to compare with; else a larger part of the brain is."""


@dataclass(frozen=True)
class Projection:
    """How much of a neuron lies in a region itself: micrometres, their share of all, their share of the most in one
    region, and ends."""

    region: Region
    length_um: float
    share: float
    of_most: float
    ends: int


@router.get("/neuron", dependencies=[Depends(costly)])
def neuron(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    asset_id: AssetId,
    version: WantedVersion = None,
) -> Response:
    """One neuron."""
    shown = get_version(platform.database, actor, dataset_id, version)
    asset = _neuron(shown, asset_id)
    with platform.database.session() as session:
        right = highest_right(session, actor, dataset_id) or Right.SEE
    anchors = named_anchors(platform, actor, [asset.id]).get(asset.id, ())
    anchor = next((one for one in anchors if Role.LENGTH in one.anchor.shares), None)
    values = {
        "version": shown,
        "record": shown.record,
        "asset": asset,
        "links": asset_links(asset, shown.digest),
        "may_view": right >= Right.VIEW,
        "may_read": right >= Right.READ,
        "extent_um": _extent(asset),
        "anchor": anchor,
        "soma": [one.region for one in anchor.regions if one.role == Role.SOMA] if anchor else [],
        "rows": projections_of(anchor) if anchor else [],
        "alike": _alike(platform, actor, asset, anchor) if anchor else (),
        "address": f"/datasets/{quote(shown.dataset_id)}/assets/{quote(asset.id)}",
        "recipe": of_neuron(str(request.base_url).rstrip("/"), shown, asset),
    }
    return render(request, "neuron.html", values)


@router.get("/neuron.swc", dependencies=[Depends(costly)])
def swc(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    asset_id: AssetId,
    version: WantedVersion = None,
) -> Response:
    """The neuron as SWC: x, y, z and radius in micrometres."""
    shown = get_version(platform.database, actor, dataset_id, version, Right.READ)
    found = resolve(platform.database, actor, shown.digest, _neuron(shown, asset_id).id)
    count_as(request, reading_of(actor, found))
    check_leaving(platform.database, actor, found.dataset_id, found.asset, Way.DOWNLOAD)
    about = f"{found.asset.name}; {shown.record.title}; version {shown.number}, sha256:{shown.digest}"
    headers = {
        "content-disposition": disposition(f"{found.asset.name}.swc"),
        "cache-control": cache_control(found.asset, found.tier).decode(),
    }
    return Response(swc_text(platform.store, found.asset, about), media_type="text/plain", headers=headers)


def swc_text(store: Store, asset: Asset, about: str) -> str:
    """A stored neuron as SWC, after a comment `about` it; a radius that is not known is 0."""
    columns = read_columns(store, asset, "skeleton.parquet")
    ids, rows = columns["node_id"], columns["parent"]
    parents = np.where(rows >= 0, ids[np.maximum(rows, 0)], -1)
    places = np.stack([columns[f"{axis}_um"] for axis in "xyz"] + [np.nan_to_num(columns["radius_um"])], axis=1)
    lines = (
        f"{node} {kind} {x:.6g} {y:.6g} {z:.6g} {radius:.6g} {parent}"
        for node, kind, (x, y, z, radius), parent in zip(ids, columns["type_code"], places, parents, strict=True)
    )
    head = [f"# {' '.join(about.split())}", "# x, y, z, radius: micrometres; licence: see the dataset", *lines]
    return "\n".join(head) + "\n"


def projections_of(anchor: NamedAnchor) -> list[Projection]:
    """The regions that hold neurite or ends, that with most neurite first."""
    lengths = {one.region: one for one in anchor.regions if one.role == Role.LENGTH}
    ends = {one.region: int(one.value) for one in anchor.regions if one.role == Role.END}
    most = max((one.value for one in lengths.values()), default=0.0)
    rows = [
        Projection(
            region,
            lengths[region].value if region in lengths else 0.0,
            (lengths[region].share or 0.0) if region in lengths else 0.0,
            lengths[region].value / most if most and region in lengths else 0.0,
            ends.get(region, 0),
        )
        for region in dict.fromkeys((*lengths, *ends))
    ]
    return sorted(rows, key=lambda one: (-one.length_um, one.region.name))


def _neuron(version: Version, asset_id: str) -> Asset:
    asset = find_asset(version, asset_id)
    if asset.kind is not AssetKind.SKELETON:
        raise NotFound(f"asset {asset.id} is a {asset.kind.value} and no neuron")
    return asset


def _extent(asset: Asset) -> tuple[float, ...] | None:
    """How far the neuron reaches along z, y and x, micrometres."""
    bounds = asset.details.get("bounds_um")
    return tuple(float(high - low) for low, high in zip(*bounds, strict=True)) if bounds else None


def _alike(platform: Platform, actor: Actor, asset: Asset, anchor: NamedAnchor) -> list[dict[str, Any]]:
    """The neurons that run most alike: of those with a soma in the same region, in the one above it, or anywhere."""
    opened = opened_atlas(platform, find_atlas(platform.database, actor, anchor.atlas.name))
    lengths = anchor.anchor.shares[Role.LENGTH]
    found: tuple[tuple[Neuron, float], ...] = ()
    for span in _wider(opened, anchor.anchor.shares.get(Role.SOMA, ())):
        found = similar_neurons(platform.database, actor, anchor.atlas.name, asset.id, lengths, soma=span, limit=_ALIKE)
        if len(found) >= _ENOUGH:
            break
    return [
        {
            "neuron": one,
            "likeness": likeness,
            "soma": [opened.ontology.region(region) for region in one.soma if region in opened.ontology],
        }
        for one, likeness in found
    ]


def _wider(opened: OpenAtlas, somata: Iterable[int]) -> list[tuple[int, int] | None]:
    """Where to look, wider and wider: the region of the soma, the one above it, the whole atlas."""
    region = next((one for one in somata if one in opened.ontology), None)
    line = opened.ontology.ancestors(region, itself=True)[:2] if region is not None else ()
    return [*(opened.ontology.span(one.id) for one in line), None]
