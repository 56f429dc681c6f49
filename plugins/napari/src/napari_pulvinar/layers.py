"""Assets of a Pulvinar as napari's layers, placed in the world in micrometres, axes (z, y, x)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.client import RemoteAsset
from pulvinar.errors import Invalid

Layer = tuple[Any, dict[str, Any], str]
"""What napari's readers give: data, the layer's arguments, and its type."""

_UNITS = ("micrometer",) * 3


def layers_of(asset: RemoteAsset) -> list[Layer]:
    """The layers that show `asset`: one a channel of an image, one of labels, points or neurites.

    Voxels come when napari draws them. Raises `pulvinar.errors.Invalid` for what napari has no layer for.
    """
    make = _MAKERS.get(asset.kind)
    if make is None:
        shown = ", ".join(sorted(_MAKERS))
        raise Invalid(f"{asset.name} is a {asset.kind}, for which napari has no layer", hint=f"it shows {shown}")
    return make(asset)


def _volume(asset: RemoteAsset) -> list[Layer]:
    about = asset.details["volume"]
    levels = [asset.volume(level).data for level in range(len(about["levels"]))]
    moving = levels[0].shape[0] > 1
    place = _place(about["affine_um"], about["levels"][0]["voxel_size_um"], about["time_step_s"] if moving else None)
    if about["kind"] == "labels":
        shown = [_channel(level, 0, moving) for level in levels]
        names = {"features": _names(asset), "metadata": _told(asset)}
        return [(shown, {"name": asset.name, "multiscale": True, **place, **names}, "labels")]
    several = len(about["channels"]) > 1
    layers: list[Layer] = []
    for number, channel in enumerate(about["channels"]):
        arguments = {
            "name": f"{asset.name}: {channel['name']}" if several else asset.name,
            "multiscale": True,
            "colormap": f"#{channel['color']}" if several else "gray",
            "blending": "additive" if several else "translucent",
            "contrast_limits": channel["window"],
            "metadata": _told(asset),
            **place,
        }
        layers.append(([_channel(level, number, moving) for level in levels], arguments, "image"))
    return layers


def _channel(level: Any, number: int, moving: bool) -> Any:
    """One channel (z, y, x) of a level (t, c, z, y, x); (t, z, y, x) where time passes."""
    return level[:, number] if moving else level[0, number]


def _place(rows: Any, voxel_size_um: Any, time_step_s: float | None) -> dict[str, Any]:
    """Where voxels lie in the world: napari's affine, with time before it where there is time."""
    affine = np.diag([*voxel_size_um, 1.0]) if rows is None else np.vstack([np.asarray(rows)[:3], [0, 0, 0, 1]])
    if time_step_s is None:
        return {"affine": affine, "units": _UNITS}
    whole = np.eye(5)
    whole[1:, 1:] = affine
    whole[0, 0] = time_step_s or 1.0
    return {"affine": whole, "units": ("second", *_UNITS)}


def _names(asset: RemoteAsset) -> Any:
    """The regions' names by label as napari shows them under the mouse; None where there are none."""
    import pandas

    segments = asset.details.get("segments")
    if not segments:
        return None
    table = json.loads(asset.read(f"{segments['path']}/names.json"))
    # The first row stands for the background: napari counts rows as labels where there is no column "index".
    rows = [{"index": 0, "region": ""}, *({"index": item["id"], "region": item["name"]} for item in table)]
    return pandas.DataFrame(rows)


def _points(asset: RemoteAsset) -> list[Layer]:
    columns = asset.table()
    places = np.stack([columns.pop(f"{axis}_um") for axis in "zyx"], axis=1)
    size = float(np.max(np.ptp(places, axis=0))) / 200 if len(places) else 1.0
    arguments = {"name": asset.name, "features": columns, "size": size, "metadata": _told(asset), **_world(asset)}
    return [(places, arguments, "points")]


def _skeleton(asset: RemoteAsset) -> list[Layer]:
    """Each piece of a neurite from a node to its parent, as an arrow without a head."""
    neuron = asset.skeleton()
    child = np.flatnonzero(neuron.parent >= 0)
    ends = neuron.zyx_um[neuron.parent[child]]
    vectors = np.stack([neuron.zyx_um[child], ends - neuron.zyx_um[child]], axis=1)
    return [_lines(asset, vectors, {"radius_um": neuron.radius_um[child]})]


def _tracts(asset: RemoteAsset) -> list[Layer]:
    lines = asset.tracts()
    pieces = [np.stack([line[:-1], np.diff(line, axis=0)], axis=1) for line in lines]
    of = np.repeat(np.arange(len(lines)), [len(piece) for piece in pieces])
    return [_lines(asset, np.concatenate(pieces), {"line": of})]


def _lines(asset: RemoteAsset, vectors: npt.NDArray[np.float64], features: dict[str, Any]) -> Layer:
    """`vectors` (n, 2, 3): where each piece begins, and how far it goes, in micrometres."""
    look = {"vector_style": "line", "edge_width": float(np.max(np.ptp(vectors[:, 0], axis=0))) / 500 or 1.0}
    arguments = {"name": asset.name, "features": features, "metadata": _told(asset), **look, **_world(asset)}
    return vectors, arguments, "vectors"


def _world(asset: RemoteAsset) -> dict[str, Any]:
    rows = asset.details.get("to_world_um")
    return {"units": _UNITS} if rows is None else {"affine": np.vstack([np.asarray(rows)[:3], [0, 0, 0, 1]])}


def _told(asset: RemoteAsset) -> dict[str, Any]:
    return {"pulvinar": {"asset": asset.id, "digest": asset.digest}}


_MAKERS: dict[str, Callable[[RemoteAsset], list[Layer]]] = {
    "volume": _volume,
    "points": _points,
    "skeleton": _skeleton,
    "tracts": _tracts,
}
