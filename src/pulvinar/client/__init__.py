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

from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pulvinar.client.assets import BLOCK_BYTES, RemoteAsset, Skeleton
from pulvinar.client.connection import TIMEOUT_S, Connection
from pulvinar.client.datasets import RemoteDataset
from pulvinar.client.found import Found, FoundAsset

if TYPE_CHECKING:
    import numpy.typing as npt

    from pulvinar.client.atlas import RemoteAtlas
    from pulvinar.client.collections import RemoteCollection
    from pulvinar.client.jobs import RemoteJob
    from pulvinar.client.marks import RemoteDocument
    from pulvinar.client.transforms import TransformedPoints
    from pulvinar.client.uploads import RemoteSubmission

__all__ = [
    "BLOCK_BYTES",
    "TIMEOUT_S",
    "Client",
    "Found",
    "FoundAsset",
    "RemoteAsset",
    "RemoteDataset",
    "Skeleton",
    "connect",
]


def connect(url: str, token: str | None = None) -> Client:
    """The Pulvinar at `url`; nothing is asked yet.

    `token` is an access token; without one, what `pulvinar login` keeps for this server, and "" is nobody.
    """
    return Client(url, token)


class Client(Connection):
    """One Pulvinar. Its failures are those of `pulvinar.errors`; `Unavailable` when it doesn't answer."""

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

    def me(self) -> dict[str, Any]:
        """Who you are there; raises `NotAuthenticated` when you aren't signed in."""
        told: dict[str, Any] = self.json("/api/v1/me")
        return told
