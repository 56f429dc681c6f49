"""What a search of a server finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pulvinar.client.assets import RemoteAsset

if TYPE_CHECKING:
    from pulvinar.client import Client


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
