"""An atlas on a server, from Python.

atlas = brains.atlas("allen_mouse_25um")
atlas.volume_of("海马")                   # cubic millimetres
atlas.regions_at(points)                 # points (n, 3) z, y, x in micrometres -> int64 (n,), 0 is outside
atlas.nearest_region(points)             # the nearest region of each, and how far it is
atlas.at(points)                         # the same with names
mask, start = atlas.mask_of("CA1", level=1)
vertices, faces = atlas.mesh_of("CA1")
atlas.statistics(["CA1", "海马"], image=asset.id)
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pulvinar.errors import Invalid, SpaceMismatch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pulvinar.client import Client
    from pulvinar.model.space import Points

_BATCH = 40_000
"""So many places go into one request: what a server takes at once is limited."""


class RemoteAtlas:
    """One atlas; `about` is its manifest as plain values. Places are (z, y, x), micrometres of its space."""

    def __init__(self, client: Client, about: dict[str, Any]) -> None:
        self._client = client
        self.about = about
        self.name: str = about["name"]
        self.version: str = about["version"]
        self._path = f"/api/v1/atlases/{quote(self.name, safe='')}"

    def __repr__(self) -> str:
        return f"RemoteAtlas({self.name!r}, {self.version!r})"

    def _repr_html_(self) -> str:
        from pulvinar.client.showing import atlas_html

        return atlas_html(self._client, self)

    def region(self, name: str | int) -> dict[str, Any]:
        """A region by identifier, acronym, name in either language or common name: names, tree, volume, place.
        Raises `NotFound`, naming the regions where several are meant."""
        told: dict[str, Any] = self._client.json(self._region(name), version=self.version)
        return told

    def search(self, words: str) -> list[dict[str, Any]]:
        """The regions whose names have these words, in English or Chinese, the exact name first."""
        return self._regions(q=words)

    def regions(self) -> list[dict[str, Any]]:
        """Every region, from the top of the tree down."""
        return self._regions()

    def children(self, name: str | int) -> list[dict[str, Any]]:
        """The regions right below one."""
        return self._regions(parent=str(name))

    def descendants(self, name: str | int) -> list[dict[str, Any]]:
        """Everything below a region, from the top down."""
        return self._regions(below=str(name))

    def ancestors(self, name: str | int) -> list[dict[str, Any]]:
        """All that hold a region, the nearest first."""
        above: list[dict[str, Any]] = self.region(name)["ancestors"]
        return above

    def volume_of(self, name: str | int) -> float | None:
        """The volume of a region and all below it, cubic millimetres; None for an atlas without voxels."""
        volume: float | None = self.region(name)["volume_mm3"]
        return volume

    def regions_at(self, zyx_um: npt.ArrayLike | Points) -> npt.NDArray[np.int64]:
        """The region of each place (n, 3), int64 (n,); 0 is outside. `Points` know their space: of another than the
        atlas's they raise `SpaceMismatch`. Raises `Invalid` for what is no such array."""
        import numpy as np

        places = self._places(zyx_um)
        path = f"{self._path}/regions-at/binary"
        batches = (places[first : first + _BATCH].tobytes() for first in range(0, len(places), _BATCH))
        answers = [np.frombuffer(self._client.post(path, data, version=self.version), "<i8") for data in batches]
        return np.concatenate(answers) if answers else np.zeros(0, np.int64)

    def at(self, zyx_um: npt.ArrayLike | Points) -> list[dict[str, Any]]:
        """What is at each place (n, 3): the names and the colour of its region, as `region` tells them, and
        `distance_um`, 0 inside of it; outside of all, the nearest one. Raises as `regions_at` does."""
        return [
            {**told["known"][str(region)], "distance_um": distance}
            for told in self._asked_at(zyx_um)
            for region, distance in zip(told["nearest"], told["distance_um"], strict=True)
        ]

    def nearest_region(self, zyx_um: npt.ArrayLike | Points) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The nearest region of each place (n, 3), int64 (n,), and how far it is, float64 (n,), micrometres: 0 inside
        of one. Raises as `regions_at` does."""
        import numpy as np

        region, distance = [np.zeros(0, np.int64)], [np.zeros(0)]
        for told in self._asked_at(zyx_um):
            region.append(np.array(told["nearest"], np.int64))
            distance.append(np.array(told["distance_um"], np.float64))
        return np.concatenate(region), np.concatenate(distance)

    def _asked_at(self, zyx_um: npt.ArrayLike | Points) -> Iterator[dict[str, Any]]:
        places = self._places(zyx_um)
        for first in range(0, len(places), _BATCH):
            asked = json.dumps({"points": places[first : first + _BATCH].tolist()}).encode()
            path, query = f"{self._path}/regions-at", {"version": self.version}
            yield self._client.answer(path, query, asked, "application/json").json()

    def mirror(self, zyx_um: npt.ArrayLike | Points) -> npt.NDArray[np.float64]:
        """The same places (n, 3) on the other side, float64 (n, 3). Raises as `regions_at` does, and `Invalid` for an
        atlas whose middle nobody knows."""
        middle, orientation = self.about["midline_um"], self.about["space"]["orientation"]
        axis = next((at for at, letter in enumerate(orientation) if letter in "LR"), None)
        if axis is None or middle is None:
            raise Invalid(f"nobody has said where the middle of {self.name} is", hint="use an atlas that says it")
        mirrored = self._places(zyx_um).copy()
        mirrored[:, axis] = 2 * middle - mirrored[:, axis]
        return mirrored

    def statistics(
        self, regions: Sequence[str | int], *, children: bool = True, image: str = "", cells: str = "", **more: int
    ) -> list[dict[str, Any]]:
        """Each of `regions` in figures: `voxels`, `volume_mm3`; `signal` of an image and `cells` with their density,
        where the asset of an image or of points in the atlas's space is named. `level` and `time` are the image's."""
        asked = {"children": str(children).lower(), "image": image, "cells": cells, **more}
        query: dict[str, Any] = {name: str(value) for name, value in asked.items() if value != ""}
        query |= {"region": [str(one) for one in regions], "version": self.version}
        rows: list[dict[str, Any]] = self._client.answer(f"{self._path}/statistics", query).json()["rows"]
        return rows

    def mask_of(self, name: str | int, level: int = 0) -> tuple[npt.NDArray[np.bool_], tuple[int, int, int]]:
        """A region and all below it: bool (z, y, x) over its box, and the voxel of `level` at which the box begins.

        Raises `NotFound` for a region without voxels, `TooLarge` for a box beyond what the server gives at once.
        """
        import numpy as np

        asked = {"version": self.version, "level": str(level), "format": "npy"}
        answer = self._client.answer(f"{self._region(name)}/mask", asked)
        voxels = np.load(io.BytesIO(answer.content))[0, 0] != 0
        z, y, x = (int(part) for part in answer.headers["x-box-start"].split(","))
        return voxels, (z, y, x)

    def mesh_of(self, name: str | int, level: int = 0) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint32]]:
        """The surface of a region and all below it: vertices (n, 3) in micrometres (z, y, x) of the atlas's space, and
        faces (m, 3), rows of these, counter-clockwise seen from outside in (x, y, z). `level` 0 is the finest.

        Raises `NotFound` for a region without voxels, and for an atlas or a level without surfaces.
        """
        import numpy as np

        asked = {"version": self.version, "level": str(level), "format": "npz"}
        told = np.load(io.BytesIO(self._client.answer(f"{self._region(name)}/surface", asked).content))
        return told["zyx_um"], told["faces"]

    def _places(self, places: npt.ArrayLike | Points) -> npt.NDArray[np.float64]:
        """As an array (n, 3). Raises `Invalid` for what is none, `SpaceMismatch` for points of another space."""
        import numpy as np

        from pulvinar.model.space import Points

        if isinstance(places, Points):
            own = self.about["space"]["name"]
            if places.space.name != own:
                raise SpaceMismatch(
                    f"the points are in {places.space.name}, the atlas is in {own}",
                    hint=f"transform_points(points, {places.space.name!r}, {own!r}) brings them there",
                )
            places = places.zyx_um
        found = np.ascontiguousarray(places, "<f8")
        if found.ndim != 2 or found.shape[1] != 3:
            raise Invalid(f"places have shape {found.shape}", hint="expected (n, 3), columns z, y, x")
        return found

    def _region(self, name: str | int) -> str:
        return f"{self._path}/regions/{quote(str(name), safe='')}"

    def _regions(self, **query: str) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = self._client.json(
            f"{self._path}/regions", version=self.version, limit="5000", **query
        )
        return told
