"""An asset of a server, opened as what it is: a lazy array, a skeleton, a table, a matrix."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pulvinar.errors import Invalid

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import xarray

    from pulvinar.client import Client


BLOCK_BYTES = 64 << 20
_BLOCK_SIDE = 4096


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A neuron. `zyx_um` float64 (n, 3), micrometres; `radius_um` float32 (n,); `parent` int64 (n,), -1 at a root."""

    zyx_um: npt.NDArray[np.float64]
    radius_um: npt.NDArray[np.float32]
    parent: npt.NDArray[np.int64]


_OPENED_BY = {
    "volume": "volume",
    "skeleton": "skeleton",
    "points": "table",
    "table": "table",
    "time_series": "time_series",
    "connectivity": "connectivity",
    "tracts": "tracts",
}
"""The method that opens an asset of each kind."""


class RemoteAsset:
    """One thing in a dataset: a volume, a neuron, a table.

    `details` is what the server knows of it, `links` where its parts are on the server; null for what it doesn't have.
    """

    def __init__(self, client: Client, told: dict[str, Any]) -> None:
        self._client = client
        self.links: dict[str, Any] = told["links"]
        self.id: str = told["id"]
        self.name: str = told["name"]
        self.kind: str = told["kind"]
        self.size_bytes: int = told["size_bytes"]
        self.digest: str = told["digest"]
        self.details: dict[str, Any] = told["details"]

    def __repr__(self) -> str:
        return f"RemoteAsset({self.name!r}, {self.kind})"

    def _repr_html_(self) -> str:
        from pulvinar.client.showing import asset_html

        return asset_html(self._client, self)

    def read(self, path: str) -> bytes:
        """The bytes of one of its stored objects; raises `NotFound`."""
        return self._client.read(self.links["objects"] + quote(path))

    def open(self) -> Any:
        """What it holds, by its kind: a lazy volume, a neuron, columns, signals, a matrix, streamlines.

        Raises `Invalid` for what has no array, as a mesh or a transform, and is read object by object.
        """
        if not self.opens:
            raise Invalid(f"{self.name} is a {self.kind}, which has no array", hint="read its objects")
        return getattr(self, _OPENED_BY[self.kind])()

    @property
    def opens(self) -> bool:
        """Whether `open` gives something of its kind."""
        return self.kind in _OPENED_BY

    def anchors(self) -> list[dict[str, Any]]:
        """Where it lies: one entry an atlas, with `certainty`, `error_um`, `box_um` (z, y, x) and `regions`, each with
        its names, its role and a value."""
        anchors: list[dict[str, Any]] = self._client.json(f"{self.links['self']}/anchors")
        return anchors

    def volume(self, level: int = 0) -> xarray.DataArray:
        """One level of a volume, read lazily: axes (t, c, z, y, x), coordinates of z, y, x in micrometres from the
        centre of level 0's first voxel, of t in seconds where the time step is known. Raises `Invalid` when it isn't a
        volume or has no such level."""
        if self.kind != "volume":
            raise Invalid(f"{self.name} is a {self.kind}, not a volume")
        levels = self.details["volume"]["levels"]
        if not 0 <= level < len(levels):
            raise Invalid(f"{self.name} has no level {level}", hint=f"levels 0 to {len(levels) - 1}")
        return _lazy(self._client, f"{self.links['chunks']}{level}/", self, level)

    def profile(
        self, zyx_um: npt.ArrayLike, *, width_um: float = 0.0, level: int | None = None, time: int = 0
    ) -> xarray.DataArray:
        """A volume along a line through places (n, 3), columns (z, y, x), micrometres of the world: an array
        (channel, distance_um), NaN outside; its attributes say the level. Raises `Invalid` and `TooLarge`."""
        from pulvinar.client.measuring import profile

        return profile(self._client, self, zyx_um, {"width_um": width_um, "level": level, "time": time})

    def statistics(
        self, low_um: npt.ArrayLike, high_um: npt.ArrayLike, *, level: int | None = None, time: int = 0
    ) -> dict[str, Any]:
        """The voxels whose centres lie in a box, corners (z, y, x) in micrometres of the world: `level`, `voxels`,
        `volume_mm3` and of each of `channels` the mean, sd, median and histogram; of `labels` how many of each."""
        from pulvinar.client.measuring import statistics

        return statistics(self._client, self, low_um, high_um, {"level": level, "time": time})

    def skeleton(self) -> Skeleton:
        """A neuron's nodes. Raises `Invalid` when it isn't one."""
        import numpy as np

        if self.kind != "skeleton":
            raise Invalid(f"{self.name} is a {self.kind}, not a skeleton")
        columns = self._table("skeleton.parquet")
        return Skeleton(
            np.stack([columns[f"{axis}_um"] for axis in "zyx"], axis=1), columns["radius_um"], columns["parent"]
        )

    def table(self) -> dict[str, npt.NDArray[Any]]:
        """The columns of a table or of points by name; places are `z_um`, `y_um`, `x_um`. Raises `Invalid`."""
        if self.kind not in ("points", "table"):
            raise Invalid(f"{self.name} is a {self.kind}, not a table")
        return self._table(f"{self.kind}.parquet")

    def time_series(self) -> xarray.DataArray:
        """Signals as an array (time, series), with their times and what is known of each; many are read lazily.

        Raises `Invalid`."""
        import numpy as np
        import xarray

        self._must_be("time_series")
        array = self._array()
        if array is not None:
            series = self._table("series.parquet")
            times = self._table("times.parquet")["time_s"] if self.details["duration_s"] is not None else None
        else:
            values, series = self._tables("values", "series")
            times = values.pop("time_s", None)
            array = np.stack(list(values.values()), axis=1)
        coordinates: dict[str, Any] = {name: ("series", column) for name, column in series.items()}
        coordinates["time"] = times if times is not None else np.arange(self.details["count"])
        unit = {"unit": self.details["unit"]}
        return xarray.DataArray(array, dims=("time", "series"), coords=coordinates, name=self.name, attrs=unit)

    def connectivity(self) -> xarray.DataArray:
        """A matrix (source, target) with the names of both, a large one read lazily. Raises `Invalid`."""
        import numpy as np
        import xarray

        self._must_be("connectivity")
        array = self._array()
        if array is not None:
            sources, targets = self._tables("sources", "targets")
            coordinates = {"source": sources["name"], "target": targets["name"]}
        else:
            matrix, targets = self._tables("matrix", "targets")
            coordinates = {"source": matrix.pop("source"), "target": targets["name"]}
            array = np.stack(list(matrix.values()), axis=1)
        measure = {"measure": self.details["measure"]}
        return xarray.DataArray(array, dims=("source", "target"), coords=coordinates, name=self.name, attrs=measure)

    def tracts(self) -> list[npt.NDArray[Any]]:
        """The streamlines, each an array (points, 3) of z, y, x in micrometres. Raises `Invalid`."""
        import numpy as np

        self._must_be("tracts")
        (lines,) = self._tables("tracts")
        places = zip(lines["z_um"], lines["y_um"], lines["x_um"], strict=True)
        return [np.stack(line, axis=1) for line in places]

    def _must_be(self, kind: str) -> None:
        if self.kind != kind:
            raise Invalid(f"{self.name} is a {self.kind}, not a {kind}")

    def _array(self) -> Any:
        """The values that are stored as an array, lazily; None where they are a table."""
        if "array" not in self.details:
            return None
        import dask.array

        path = f"{self.links['objects']}{self.details['array']['path']}/"
        reader = _Reader(_opened(self._client, path))
        blocks = tuple(min(size, _BLOCK_SIDE) for size in reader.shape)
        return dask.array.from_array(reader, chunks=blocks, name=f"{self.digest}-values", asarray=False)

    def _tables(self, *names: str) -> list[dict[str, npt.NDArray[Any]]]:
        return [self._table(f"{name}.parquet") for name in names]

    def _table(self, path: str) -> dict[str, npt.NDArray[Any]]:
        from pyarrow import parquet

        table = parquet.read_table(io.BytesIO(self.read(path)))
        return {name: table.column(name).to_numpy() for name in table.column_names}


def _lazy(client: Client, path: str, asset: RemoteAsset, level: int) -> xarray.DataArray:
    import dask.array
    import numpy as np
    import xarray

    store = _opened(client, path)
    volume = asset.details["volume"]
    about = volume["levels"][level]
    array = dask.array.from_array(
        _Reader(store),
        chunks=_block(tuple(about["chunk_shape"]), store.dtype.numpy_dtype.itemsize),
        name=f"{asset.digest}-{level}",
        asarray=False,
    )
    coordinates: dict[str, Any] = {
        axis: shift + size * np.arange(count)
        for axis, shift, size, count in zip(
            "zyx", about["translation_um"], about["voxel_size_um"], about["shape"][2:], strict=True
        )
    }
    coordinates["c"] = [channel["name"] for channel in volume["channels"]]
    if volume["time_step_s"]:
        coordinates["t"] = volume["time_step_s"] * np.arange(about["shape"][0])
    facts = {"unit": "micrometer", "voxel_size_um": about["voxel_size_um"], "affine_um": volume["affine_um"]}
    return xarray.DataArray(array, dims=("t", "c", "z", "y", "x"), coords=coordinates, name=asset.name, attrs=facts)


def _opened(client: Client, path: str) -> Any:
    import tensorstore

    headers = [f"{name}: {value}" for name, value in client.signed_in.items()]
    served = {"driver": "http", "base_url": client.url, "path": path, "headers": headers}
    return tensorstore.open({"driver": "zarr3", "kvstore": served}, open=True, read=True).result()


def _block(chunk: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The block of one dask task: stored chunks, doubled in z, y and x while it stays within `BLOCK_BYTES`, so that a
    volume of terabytes doesn't become millions of tasks."""
    times = 1
    while prod(chunk) * itemsize * (2 * times) ** 3 <= BLOCK_BYTES:
        times *= 2
    return (*chunk[:2], *(side * times for side in chunk[2:]))


class _Reader:
    """A tensorstore array as dask reads one: indexing gives voxels."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.shape: tuple[int, ...] = store.shape
        self.ndim: int = store.ndim
        self.dtype: np.dtype[Any] = store.dtype.numpy_dtype

    def __getitem__(self, index: Any) -> Any:
        return self._store[index].read().result()
