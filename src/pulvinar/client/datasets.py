"""A dataset of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulvinar.client.assets import RemoteAsset
from pulvinar.errors import NotFound

if TYPE_CHECKING:
    from pulvinar.client import Client
    from pulvinar.client.showing import Explorer


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
