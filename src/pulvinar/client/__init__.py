"""A Pulvinar somewhere else, from Python: its datasets as lazy arrays.

    import pulvinar

    brains = pulvinar.connect("http://127.0.0.1:8765")
    for dataset in brains.search("light-sheet 斑马鱼"):
        print(dataset.title)
    volume = dataset.asset("brain").volume(level=2)     # xarray.DataArray, nothing is read yet
    plane = volume.sel(z=4000, method="nearest").compute()

Coordinates are micrometres, axes (t, c, z, y, x). Needs none of the server's packages: HTTP by httpx2, and only once a
volume is opened numpy, dask, xarray and tensorstore; pyarrow for neurons and tables.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pulvinar.client.sign_ins import token_for
from pulvinar.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotAuthenticated,
    NotFound,
    PulvinarError,
    SpaceMismatch,
    TooLarge,
    TooOften,
    Unavailable,
)

if TYPE_CHECKING:
    import httpx2
    import numpy as np
    import numpy.typing as npt
    import xarray

    from pulvinar.client.atlas import RemoteAtlas
    from pulvinar.client.collections import RemoteCollection
    from pulvinar.client.jobs import RemoteJob
    from pulvinar.client.marks import RemoteDocument
    from pulvinar.client.showing import Explorer
    from pulvinar.client.transforms import TransformedPoints
    from pulvinar.client.uploads import RemoteSubmission

TIMEOUT_S = 60.0
BLOCK_BYTES = 64 << 20
_BLOCK_SIDE = 4096
_KINDS: dict[str, type[PulvinarError]] = {
    "not_found": NotFound,
    "not_authenticated": NotAuthenticated,
    "forbidden": Forbidden,
    "conflict": Conflict,
    "too_large": TooLarge,
    "too_often": TooOften,
    "unavailable": Unavailable,
    "invalid": Invalid,
    "query_error": Invalid,
    "space_mismatch": SpaceMismatch,
}


def connect(url: str, token: str | None = None) -> Client:
    """The Pulvinar at `url`; nothing is asked yet.

    `token` is an access token; without one, what `pulvinar login` keeps for this server, and "" is nobody.
    """
    return Client(url, token)


class Client:
    """One Pulvinar. Its failures are those of `pulvinar.errors`; `Unavailable` when it doesn't answer."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._token = token_for(self.url) if token is None else token
        self._http: httpx2.Client | None = None

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def _repr_html_(self) -> str:
        from pulvinar.client.showing import client_html

        return client_html(self)

    def datasets(self, *, species: str | None = None) -> Iterator[RemoteDataset]:
        """Every dataset that you may see, newest first, asked for page by page. Species: zebrafish, mouse, macaque,
        human."""
        return self._listed({"species": species})

    def search(self, words: str, *, species: str | None = None) -> Iterator[RemoteDataset]:
        """The datasets that mention `words`, in Chinese or English, newest first."""
        return self._listed({"q": words, "species": species})

    def find(self, query: str) -> Found:
        """The assets that `query` finds, the best first, in the language of searches:

        `client.find("region:hippocampus species:mouse resolution:<2um")`. Nothing is asked yet.
        """
        return Found(self, query)

    def dataset(self, dataset_id: str) -> RemoteDataset:
        """One dataset; raises `NotFound`."""
        return RemoteDataset(self, self.json(f"/api/v1/datasets/{quote(dataset_id, safe='')}"))

    def asset(self, version_digest: str, asset_id: str) -> RemoteAsset:
        """One asset of one version, which never changes; raises `NotFound`."""
        path = f"/api/v1/assets/{quote(version_digest, safe='')}/{quote(asset_id, safe='')}"
        return RemoteAsset(self, self.json(path))

    def atlases(self) -> list[RemoteAtlas]:
        """The atlases that are installed there, each in its newest version."""
        from pulvinar.client.atlas import RemoteAtlas

        return [RemoteAtlas(self, told) for told in self.json("/api/v1/atlases")]

    def atlas(self, name: str, version: str | None = None) -> RemoteAtlas:
        """One atlas, the newest version unless one is named; raises `NotFound`, naming those that there are."""
        from pulvinar.client.atlas import RemoteAtlas

        asked = {"version": version} if version else {}
        return RemoteAtlas(self, self.json(f"/api/v1/atlases/{quote(name, safe='')}", **asked))

    def transforms(self) -> list[dict[str, Any]]:
        """The transforms between spaces there: from which to which, how sure, whose, and how to cite them."""
        told: list[dict[str, Any]] = self.json("/api/v1/transforms")
        return told

    def transform_points(self, zyx_um: npt.ArrayLike, source: str, target: str) -> TransformedPoints:
        """Points (n, 3), columns (z, y, x), micrometres of the space named `source`, brought to the one named `target`
        by the path of the smallest expected error, which is told with them.

        Raises `NotFound` when no path leads there, naming the spaces that can be reached; `Invalid` for what is no such
        array.
        """
        from pulvinar.client.transforms import transform_points

        return transform_points(self, zyx_um, source, target)

    def run(
        self, solution: str, inputs: Mapping[str, str], parameters: Mapping[str, Any] | None = None, *, title: str = ""
    ) -> RemoteJob:
        """Ask for a processing: `inputs` names an asset for each input, by its identifier or as DATASET:NAME.

        It runs on the server with your rights: `.wait()` waits for it. Raises `Invalid`, `NotFound`, and `TooLarge` for
        what fits nowhere.
        """
        from pulvinar.client.jobs import run

        return run(self, solution, inputs, parameters, title)

    def job(self, job_id: str) -> RemoteJob:
        """One of your jobs; raises `NotFound`."""
        from pulvinar.client.jobs import get_job

        return get_job(self, job_id)

    def jobs(self) -> Iterator[RemoteJob]:
        """Your jobs, newest first."""
        from pulvinar.client.jobs import list_jobs

        return list_jobs(self)

    def collections(self, dataset: RemoteDataset | str | None = None) -> list[RemoteCollection]:
        """The collections that you may see, changed last first; those that hold a dataset where one is named."""
        from pulvinar.client.collections import list_collections

        return list_collections(self, dataset)

    def collection(self, collection_id: str) -> RemoteCollection:
        """One collection; raises `NotFound`."""
        from pulvinar.client.collections import get_collection

        return get_collection(self, collection_id)

    def make_collection(self, title: str, description: str = "") -> RemoteCollection:
        """A new collection, which only you see until you share it. Raises `Forbidden`, `Invalid`."""
        from pulvinar.client.collections import make_collection

        return make_collection(self, title, description)

    def documents(self, *, dataset: str = "", atlas: str = "") -> list[RemoteDocument]:
        """Documents of marks: on a dataset (its identifier), in an atlas's space (its name), else your own."""
        from pulvinar.client.marks import list_documents

        return list_documents(self, dataset, atlas)

    def document(self, document_id: str) -> RemoteDocument:
        """One document of marks; raises `NotFound`."""
        from pulvinar.client.marks import get_document

        return get_document(self, document_id)

    def make_document(self, title: str, *, dataset: str = "", atlas: str = "") -> RemoteDocument:
        """A new document of marks on a dataset, or in an atlas's space. Raises `Forbidden`, `Invalid`, `NotFound`."""
        from pulvinar.client.marks import make_document

        return make_document(self, title, dataset, atlas)

    def _listed(self, wanted: dict[str, str | None]) -> Iterator[RemoteDataset]:
        asked = {name: value for name, value in wanted.items() if value}
        yield from (RemoteDataset(self, item) for item in self.pages("/api/v1/datasets", **asked))

    def upload(
        self,
        *paths: str | PathLike[str],
        title: str = "",
        parallel: int = 4,
        progress: Callable[[int, int], None] = lambda done, total: None,
        by_bucket: bool = False,
    ) -> RemoteSubmission:
        """Hand in files and folders, over any line: what breaks goes on by itself, and when this is called again.

        Every piece is checked by its SHA-256. `progress` is told the bytes that are there, and all of them. What is
        given back has the address at which the data are described and brought in. `by_bucket`: files above 16 MiB go
        to the server's bucket, from which it fetches them. Raises `Unavailable` where nothing
        gets through for ten minutes.
        """
        from pulvinar.client.uploads import upload

        found = [Path(path) for path in paths]
        return upload(self, found, title=title, parallel=parallel, progress=progress, by_bucket=by_bucket)

    def json(self, path: str, **query: str) -> Any:
        """What the API answers at `path`."""
        return self.answer(path, query).json()

    def read(self, path: str) -> bytes:
        """The bytes at `path`."""
        content: bytes = self.answer(path, {}).content
        return content

    def post(self, path: str, data: bytes, **query: str) -> bytes:
        """The bytes that the API answers at `path` to the bytes of `data`."""
        content: bytes = self.answer(path, query, data).content
        return content

    def lines(self, path: str, **query: str) -> Iterator[str]:
        """The lines of a text at `path`, as they come."""
        with self._answering(), self._connected().stream("GET", path, params=query) as answer:
            if answer.status_code != 200:
                answer.read()
                raise _failure(answer)
            yield from answer.iter_lines()

    def me(self) -> dict[str, Any]:
        """Who you are there; raises `NotAuthenticated` when you aren't signed in."""
        told: dict[str, Any] = self.json("/api/v1/me")
        return told

    @property
    def signed_in(self) -> dict[str, str]:
        """The headers that say who asks."""
        return {"authorization": f"Bearer {self._token}"} if self._token else {}

    def close(self) -> None:
        """Let go of connections."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def ask(self, path: str, asked: Any) -> Any:
        """What the API answers at `path` to a question of JSON values."""
        return self.answer(path, {}, json.dumps(asked).encode(), "application/json").json()

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """What the API lists at `path`, asked for page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.json(path, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["next_cursor"]

    def put(self, path: str, said: Any = None) -> None:
        """Have the API set what is at `path` to JSON values."""
        self._change("PUT", path, said)

    def delete(self, path: str) -> None:
        """Have the API take away what is at `path`."""
        self._change("DELETE", path)

    def _change(self, method: str, path: str, said: Any = None) -> None:
        with self._answering():
            answer = self._connected().request(method, path, json=said)
        if answer.status_code != 204:
            raise _failure(answer)

    def answer(
        self,
        path: str,
        query: Mapping[str, str | list[str]],
        data: bytes | None = None,
        kind: str = "application/octet-stream",
    ) -> httpx2.Response:
        """The whole answer at `path`, to `data` of a media type where there is some; raises what the server says is
        wrong."""
        with self._answering():
            method, headers = ("GET", {}) if data is None else ("POST", {"content-type": kind})
            answer = self._connected().request(method, path, params=query, content=data, headers=headers)
        if answer.status_code not in (200, 201, 204):
            raise _failure(answer)
        return answer

    def _connected(self) -> httpx2.Client:
        import httpx2

        if self._http is None:
            self._http = httpx2.Client(base_url=self.url, timeout=TIMEOUT_S, headers=self.signed_in)
        return self._http

    @contextmanager
    def _answering(self) -> Iterator[None]:
        import httpx2

        try:
            yield
        except httpx2.HTTPError as error:
            raise Unavailable(
                f"{self.url} does not answer: {error}", hint="is it running, and the address right?"
            ) from error


def _failure(answer: httpx2.Response) -> PulvinarError:
    """The error that the server told, as the kind it was there."""
    try:
        told = answer.json()["error"]
        kind, message, hint = _KINDS.get(told["code"], PulvinarError), told["message"], told["hint"]
    except (ValueError, KeyError, TypeError):
        return Unavailable(f"{answer.url} answered {answer.status_code}", hint="is it a Pulvinar?")
    return kind(message, hint=hint or f"request {told['request_id']}")


class RemoteDataset:
    """A dataset on a server; `record` is its metadata as plain values."""

    def __init__(self, client: Client, told: dict[str, Any]) -> None:
        self._client = client
        self._latest: dict[str, Any] | None = told["latest"]
        self.id: str = told["id"]
        self.record: dict[str, Any] = told["record"]

    def __repr__(self) -> str:
        return f"RemoteDataset({self.id!r}, {self.title!r})"

    def _repr_html_(self) -> str:
        from pulvinar.client.showing import dataset_html

        return dataset_html(self._client, self)

    @property
    def page(self) -> str:
        """The address of its page."""
        return f"{self._client.url}/datasets/{self.id}"

    def explore(self, *, height: int = 600) -> Explorer:
        """The viewer in a frame of a notebook, for what everyone may view; and a link to it.

        A server shows itself in frames of the origins that its setting `embed_origins` names.
        """
        from pulvinar.client.showing import Explorer

        return Explorer(f"{self.page}/embed", f"{self.page}/view", self.title, height)

    @property
    def title(self) -> str:
        """The record's title."""
        title: str = self.record["title"]
        return title

    def versions(self) -> list[dict[str, Any]]:
        """Its versions, newest first: number, state, digest, when."""
        versions: list[dict[str, Any]] = self._client.json(f"/api/v1/datasets/{self.id}/versions")
        return versions

    def assets(self, version: int | None = None) -> list[RemoteAsset]:
        """What is in a version: the newest, or the one of that number. Raises `NotFound`."""
        if version is None:
            if self._latest is None:
                raise NotFound(f"dataset {self.id} has no version yet")
            version = self._latest["number"]
        told = self._client.json(f"/api/v1/datasets/{self.id}/versions/{version}")
        return [RemoteAsset(self._client, item) for item in told["assets"]]

    def asset(self, name: str, version: int | None = None) -> RemoteAsset:
        """The asset of that name or id; raises `NotFound`, naming those that there are."""
        assets = self.assets(version)
        for asset in assets:
            if name in (asset.name, asset.id):
                return asset
        raise NotFound(f"dataset {self.id} has no asset {name!r}", hint=f"it has {', '.join(a.name for a in assets)}")


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


class FoundAsset(RemoteAsset):
    """An asset that a search found; `why` says by what, `title` is of its dataset."""

    def __init__(self, client: Client, told: dict[str, Any]) -> None:
        super().__init__(client, told["asset"])
        self.dataset_id: str = told["dataset_id"]
        self.version: int = told["version"]
        self.title: str = told["title"]
        self.why: list[dict[str, Any]] = told["why"]


class Found:
    """What a search finds: iterating asks for it page by page."""

    def __init__(self, client: Client, query: str) -> None:
        self._client = client
        self.query = query

    def __repr__(self) -> str:
        return f"Found({self.query!r})"

    def _repr_html_(self) -> str:
        from pulvinar.client.showing import found_html

        return found_html(self._client, self)

    def __iter__(self) -> Iterator[FoundAsset]:
        yield from (FoundAsset(self._client, item) for item in self._client.pages("/api/v1/search", q=self.query))

    def open_all(self) -> Iterator[tuple[FoundAsset, Any]]:
        """Each asset with what it holds, opened when it is reached; voxels of volumes are read when they are used.
        What does not open, as meshes and transforms, is passed over."""
        yield from ((asset, asset.open()) for asset in self if asset.opens)

    def facets(self) -> dict[str, dict[str, int]]:
        """How many of the results (of the newest 1,000) are of each species, modality, kind, region, lab, licence and
        year."""
        told = self._client.json("/api/v1/search", q=self.query, limit="1", facets="true")["facets"]
        return {name: {one["value"]: one["count"] for one in values} for name, values in told.items()}

    def manifest(self) -> Iterator[dict[str, Any]]:
        """Every stored file of what is found, with `url`, `size_bytes` and `sha256`, as they come."""
        lines = self._client.lines("/api/v1/search/manifest", q=self.query)
        yield from (json.loads(line) for line in lines if line)


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
