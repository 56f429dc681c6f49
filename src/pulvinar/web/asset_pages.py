"""Pages of what is neither a volume nor a neuron: a connectivity matrix as a heat map, signals as traces."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Query, Request, Response

from pulvinar.catalogue.anchors import anchors_of
from pulvinar.catalogue.assets import find_asset, resolve
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Invalid
from pulvinar.model.access import Right
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.web.context import AssetId, CurrentActor, CurrentPlatform, DatasetId, WantedVersion
from pulvinar.web.heat_map import heat_map, names_along
from pulvinar.web.holdings import cache_control
from pulvinar.web.reads import count_as, reading_of
from pulvinar.web.rendering import render
from pulvinar.web.stored_tables import (
    read_matrix,
    read_overview,
    read_signals,
    series_names,
    shows_every_cell,
    shows_every_value,
)
from pulvinar.web.traces import HEIGHT, WIDTH, traces

router = APIRouter(include_in_schema=False)

_STRONGEST = 40
_AT_FIRST, _MOST = 6, 24
_LISTED = 200


@router.get("/datasets/{dataset_id}/assets/{asset_id}/matrix")
def matrix(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    asset_id: AssetId,
    version: WantedVersion = None,
) -> Response:
    """A connectivity matrix: its heat map, and its strongest connections as a table."""
    shown = get_version(platform.database, actor, dataset_id, version, Right.READ)
    found = resolve(platform.database, actor, shown.digest, find_asset(shown, asset_id).id)
    asset = found.asset
    count_as(request, reading_of(actor, found))
    if not shows_every_cell(asset):
        low, high = asset.details["range"] or (None, None)
        data = {"strongest": asset.details["strongest"], "low": low, "high": high, "averaged": True}
        data |= {"row_names": None, "column_names": None, "height": 1000}
    else:
        sources, targets, values = read_matrix(platform.store, asset)
        low, high = _range(values)
        data = {"strongest": _strongest(sources, targets, values), "low": low, "high": high, "averaged": False}
        height = 1000 * len(sources) / len(targets)
        data |= {"row_names": names_along(sources, height), "column_names": names_along(targets, 1000)}
        data["height"] = height
    anchors = anchors_of(platform.database, actor, [asset.id]).get(asset.id, ())
    data["views"] = (
        [f"/atlases/{quote(one.atlas)}/view?arcs={asset.id}#l=3d&v=0" for one in anchors]
        if not data["averaged"]
        else []
    )
    return render(request, "matrix.html", {**_common(shown, asset), **data})


@router.get("/datasets/{dataset_id}/assets/{asset_id}/matrix.webp")
def matrix_picture(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    asset_id: AssetId,
    version: WantedVersion = None,
) -> Response:
    """Every cell of a matrix, or of a large one the mean of some, as a square of its colour, WebP without loss."""
    shown = get_version(platform.database, actor, dataset_id, version, Right.READ)
    found = resolve(platform.database, actor, shown.digest, find_asset(shown, asset_id).id)
    asset = found.asset
    count_as(request, reading_of(actor, found))
    is_whole = shows_every_cell(asset)
    values = read_matrix(platform.store, asset)[2] if is_whole else read_overview(platform.store, asset)
    headers = {"cache-control": cache_control(asset, found.tier).decode(), "etag": f'"{asset.digest}"'}
    return Response(heat_map(values), media_type="image/webp", headers=headers)


@router.get("/datasets/{dataset_id}/assets/{asset_id}/traces")
def signals(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    asset_id: AssetId,
    version: WantedVersion = None,
    series: Annotated[list[int] | None, Query()] = None,
    q: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Signals over time: some of them as lines, and the list to choose others from."""
    shown = get_version(platform.database, actor, dataset_id, version, Right.READ)
    found = resolve(platform.database, actor, shown.digest, find_asset(shown, asset_id).id)
    asset = found.asset
    count_as(request, reading_of(actor, found))
    names = series_names(platform.store, asset)
    chosen = list(dict.fromkeys(series or range(min(_AT_FIRST, len(names)))))[:_MOST]
    if any(not 0 <= at < len(names) for at in chosen):
        raise Invalid(f"{asset.name} has no signal {max(chosen)}", hint=f"signals 0 to {len(names) - 1}")
    times, values = read_signals(platform.store, asset, chosen)
    listed = [at for at, name in enumerate(names) if q.casefold() in name.casefold()]
    data = {
        "traces": traces(times, values, chosen, names),
        "chosen": chosen,
        "listed": [(at, names[at]) for at in listed[:_LISTED]],
        "more": max(0, len(listed) - _LISTED),
        "query": q,
        "times": (float(times[0]), float(times[-1])) if len(times) else (0.0, 0.0),
        # how many values are missing can't be told from the spans of an overview
        "counted": shows_every_value(asset),
        "timed": asset.details.get("duration_s") is not None,
        "width": WIDTH,
        "height": HEIGHT,
        "most": _MOST,
    }
    return render(request, "traces.html", {**_common(shown, asset), **data})


def page_of(asset: Asset, version: Version) -> str | None:
    """The address of the page on which `asset` is looked at; None when it has none of its own."""
    page = {AssetKind.CONNECTIVITY: "matrix", AssetKind.TIME_SERIES: "traces", AssetKind.SKELETON: "neuron"}.get(
        asset.kind
    )
    return f"{_address(version, asset)}/{page}?version={version.number}" if page else None


def _common(version: Version, asset: Asset) -> dict[str, Any]:
    return {"version": version, "record": version.record, "asset": asset, "address": _address(version, asset)}


def _address(version: Version, asset: Asset) -> str:
    return f"/datasets/{version.dataset_id}/assets/{asset.id}"


def _range(values: npt.NDArray[np.float64]) -> tuple[float | None, float | None]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (None, None)


def _strongest(sources: list[str], targets: list[str], values: npt.NDArray[np.float64]) -> list[tuple[str, str, float]]:
    """The connections farthest from 0, the strongest first; none of a thing with itself."""
    same = np.array(sources, object)[:, None] == np.array(targets, object)[None, :]
    weight = np.where(np.isfinite(values) & ~same, np.abs(values), -1)
    order = np.argsort(weight, axis=None)[::-1][:_STRONGEST]
    rows, columns = np.unravel_index(order, values.shape)
    return [
        (sources[a], targets[b], float(values[a, b])) for a, b in zip(rows, columns, strict=True) if weight[a, b] > 0
    ]
