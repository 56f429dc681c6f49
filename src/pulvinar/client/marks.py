"""Documents of marks on a server: read them, and put points, lines and boxes into them.

notes = brains.make_document("Cells to look at", dataset=dataset.id)
notes.add_points([[4000, 3000, 2500]], text="here")   # (z, y, x), micrometres of the world
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from pulvinar.errors import Invalid

if TYPE_CHECKING:
    import numpy.typing as npt

    from pulvinar.client import Client

MOST_AT_ONCE = 500
"""So many marks go into one operation, which is undone as one."""


class RemoteDocument:
    """A document of marks; `told` is what the server says of it."""

    def __init__(self, client: Client, told: dict[str, Any]) -> None:
        self._client = client
        self.id: str = told["id"]
        self.title: str = told["title"]
        self.told = told

    def __repr__(self) -> str:
        return f"RemoteDocument({self.id!r}, {self.title!r})"

    def marks(self) -> dict[str, dict[str, Any]]:
        """Its marks by their identifiers: `kind`, `places_um` (z, y, x) and `text`."""
        found: dict[str, dict[str, Any]] = {}
        after: str | None = ""
        while after is not None:
            page = self._client.json(f"{self._path}/marks", after=after)
            found |= {one["id"]: one["mark"] for one in page["marks"]}
            after = page["next_after"]
        return found

    def add(self, marks: Iterable[dict[str, Any]]) -> list[str]:
        """Put marks in, each a dictionary as `marks` gives them; their identifiers. Raises `Invalid`, `Forbidden`."""
        named = {uuid4().hex: mark for mark in marks}
        self._change([{"id": name, "mark": mark} for name, mark in named.items()])
        return list(named)

    def remove(self, names: Iterable[str]) -> None:
        """Take marks away by their identifiers. Raises `Forbidden`."""
        self._change([{"id": name, "mark": None} for name in names])

    def _change(self, changes: Sequence[dict[str, Any]]) -> None:
        for first in range(0, len(changes), MOST_AT_ONCE):
            part = changes[first : first + MOST_AT_ONCE]
            self._client.ask(f"{self._path}/operations", {"changes": part, "key": uuid4().hex})

    def add_points(self, zyx_um: npt.ArrayLike, *, text: str = "") -> list[str]:
        """Points (n, 3), columns (z, y, x), micrometres of the world, as marks. Raises `Invalid`, `Forbidden`."""
        return self.add({"kind": "point", "places_um": [place], "text": text} for place in _places(zyx_um))

    def add_line(self, zyx_um: npt.ArrayLike, *, text: str = "") -> str:
        """A line through places (n, 3), columns (z, y, x), micrometres of the world."""
        (made,) = self.add([{"kind": "polyline", "places_um": _places(zyx_um), "text": text}])
        return made

    def add_box(self, low_um: npt.ArrayLike, high_um: npt.ArrayLike, *, text: str = "") -> str:
        """A box by its corners (z, y, x), micrometres of the world."""
        (made,) = self.add([{"kind": "box", "places_um": _places([low_um, high_um]), "text": text}])
        return made

    @property
    def page(self) -> str:
        """The viewer with this document open."""
        told = self.told
        where = f"/atlases/{told['atlas']}" if told["atlas"] else f"/datasets/{told['dataset']}"
        return f"{self._client.url}{where}/view#marks={self.id}"

    @property
    def _path(self) -> str:
        return f"/api/v1/documents/{quote(self.id, safe='')}"


def _places(zyx_um: Any) -> list[list[float]]:
    import numpy as np

    places = np.asarray(zyx_um, np.float64)
    if places.ndim != 2 or places.shape[1] != 3:
        raise Invalid(f"places have shape {places.shape}", hint="expected (n, 3), columns z, y, x")
    rows: list[list[float]] = places.tolist()
    return rows


def get_document(client: Client, document_id: str) -> RemoteDocument:
    """As `Client.document` says."""
    return RemoteDocument(client, client.json(f"/api/v1/documents/{quote(document_id, safe='')}"))


def list_documents(client: Client, dataset: str, atlas: str) -> list[RemoteDocument]:
    """As `Client.documents` says."""
    asked = {name: value for name, value in (("dataset", dataset), ("atlas", atlas)) if value}
    return [RemoteDocument(client, told) for told in client.pages("/api/v1/documents", **asked)]


def make_document(client: Client, title: str, dataset: str, atlas: str) -> RemoteDocument:
    """As `Client.make_document` says."""
    asked = {"title": title, "dataset": dataset, "atlas": atlas}
    return RemoteDocument(client, client.ask("/api/v1/documents", asked))
