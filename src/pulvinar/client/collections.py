"""Collections on a server: datasets that somebody put together, in an order, under a title.

paper = brains.make_collection("Figure 3", "What the figure was made of")
paper.add(dataset)
paper.share()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pulvinar.client.showing import cards

if TYPE_CHECKING:
    from pulvinar.client import Client, RemoteDataset


class RemoteCollection:
    """A collection; of its datasets you see those that you may see anyway. `told` is what the server says of it."""

    def __init__(self, client: Client, told: dict[str, Any]) -> None:
        self._client = client
        self.id: str = told["id"]
        self.told = told

    def __repr__(self) -> str:
        return f"RemoteCollection({self.id!r}, {self.title!r})"

    def _repr_html_(self) -> str:
        return cards(self._client, self.datasets(), self.title)

    @property
    def title(self) -> str:
        """Its title."""
        return str(self.told["title"])

    @property
    def description(self) -> str:
        """What its maker says of it."""
        return str(self.told["description"])

    @property
    def page(self) -> str:
        """The address of its page."""
        return f"{self._client.url}/collections/{self.id}"

    def datasets(self) -> list[RemoteDataset]:
        """Its datasets, in its order."""
        return [self._client.dataset(one) for one in self._asked()["datasets"]]

    def add(self, dataset: RemoteDataset | str) -> RemoteCollection:
        """Put a dataset at its end; one that is there stays in its place. Raises `NotFound`, `Forbidden`."""
        self._client.put(f"{self._path}/datasets/{_id_of(dataset)}")
        return self._renewed()

    def remove(self, dataset: RemoteDataset | str) -> RemoteCollection:
        """Take a dataset out."""
        self._client.delete(f"{self._path}/datasets/{_id_of(dataset)}")
        return self._renewed()

    def describe(self, title: str, description: str = "") -> RemoteCollection:
        """Give it another title and description. Raises `Invalid`, `Forbidden`."""
        self._client.put(self._path, {"title": title, "description": description})
        return self._renewed()

    def share(self, *, public: bool = True) -> RemoteCollection:
        """Show it to everyone, or no longer. Raises `Forbidden`."""
        self._client.put(f"{self._path}/audience", {"public": public})
        return self._renewed()

    def delete(self) -> None:
        """Have it be no more; its datasets stay. Raises `Forbidden`."""
        self._client.delete(self._path)

    @property
    def _path(self) -> str:
        return f"/api/v1/collections/{quote(self.id, safe='')}"

    def _asked(self) -> dict[str, Any]:
        told: dict[str, Any] = self._client.json(self._path)
        return told

    def _renewed(self) -> RemoteCollection:
        self.told = self._asked()
        return self


def _id_of(dataset: RemoteDataset | str) -> str:
    return quote(dataset if isinstance(dataset, str) else dataset.id, safe="")


def list_collections(client: Client, dataset: RemoteDataset | str | None) -> list[RemoteCollection]:
    """As `Client.collections` says."""
    asked = {"dataset": _id_of(dataset)} if dataset else {}
    return [RemoteCollection(client, told) for told in client.json("/api/v1/collections", **asked)]


def get_collection(client: Client, collection_id: str) -> RemoteCollection:
    """As `Client.collection` says."""
    return RemoteCollection(client, client.json(f"/api/v1/collections/{quote(collection_id, safe='')}"))


def make_collection(client: Client, title: str, description: str) -> RemoteCollection:
    """As `Client.make_collection` says."""
    return RemoteCollection(client, client.ask("/api/v1/collections", {"title": title, "description": description}))
