"""Measurements of a volume on a server: along a line, and in a box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulvinar.errors import Invalid

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray

    from pulvinar.client import Client, RemoteAsset


def profile(
    client: Client, asset: RemoteAsset, zyx_um: npt.ArrayLike, options: Mapping[str, float | None]
) -> xarray.DataArray:
    """As `RemoteAsset.profile` says."""
    import numpy as np
    import xarray

    corners = np.asarray(zyx_um, np.float64)
    if corners.ndim != 2 or corners.shape[1] != 3:
        raise Invalid(f"places have shape {corners.shape}", hint="expected (n, 3), columns z, y, x")
    query: dict[str, Any] = {"through": [_written(corner) for corner in corners], **_given(options)}
    told = client.answer(f"{asset.links['self']}/profile", query).json()
    values = np.array([[np.nan if one is None else one for one in row] for row in told["values"]])
    places = np.array(told["zyx_um"])
    coordinates: dict[str, Any] = {"channel": told["channels"], "distance_um": told["distance_um"]}
    coordinates |= {f"{axis}_um": ("distance_um", places[:, at]) for at, axis in enumerate("zyx")}
    facts = {"level": told["level"], "width_um": told["width_um"]}
    return xarray.DataArray(values, dims=("channel", "distance_um"), coords=coordinates, name=asset.name, attrs=facts)


def statistics(
    client: Client,
    asset: RemoteAsset,
    low_um: npt.ArrayLike,
    high_um: npt.ArrayLike,
    options: Mapping[str, float | None],
) -> dict[str, Any]:
    """As `RemoteAsset.statistics` says."""
    query = {"low": _written(low_um), "high": _written(high_um), **_given(options)}
    told: dict[str, Any] = client.json(f"{asset.links['self']}/statistics", **query)
    return told


def _written(place: npt.ArrayLike) -> str:
    import numpy as np

    corner = np.asarray(place, np.float64)
    if corner.shape != (3,):
        raise Invalid(f"a place has shape {corner.shape}", hint="expected (z, y, x)")
    return ",".join(repr(float(value)) for value in corner)


def _given(options: Mapping[str, float | None]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items() if value is not None}
