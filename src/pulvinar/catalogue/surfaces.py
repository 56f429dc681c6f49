"""Surfaces of a version that are looked at together, and the maps on them: one value or word a vertex.

A surface is one side of a brain in one form (pial, white, inflated, ...). Forms of a side have the same vertices, so a
map that was measured on one is seen on all. Maps come as columns of a surface, as tables with a row a vertex (GIFTI)
and as tables of both sides (CIFTI).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pulvinar.errors import Invalid, NotFound
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.storage.object_file import open_table
from pulvinar.storage.store import Store

_TOKENS = re.compile(r"[^a-z0-9]+|(?<=[a-z])(?=[0-9])")
_SIDES = {"l": "left", "lh": "left", "left": "left", "r": "right", "rh": "right", "right": "right"}
_FORMS: Mapping[str, str] = {
    **dict.fromkeys(("pial", "gray", "grey"), "pial"),
    **dict.fromkeys(("white", "wm", "smoothwm"), "white"),
    **dict.fromkeys(("midthickness", "mid", "graymid", "midgray"), "midthickness"),
    **dict.fromkeys(("inflated", "infl"), "inflated"),
    "flat": "flat",
    "sphere": "sphere",
}
FORMS = ("pial", "midthickness", "white", "inflated", "sphere", "flat")
"""What forms are called, those of the brain as it lies before those that were unfolded."""
_STRUCTURES = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right", "CEREBELLUM_LEFT": "left", "CEREBELLUM_RIGHT": "right"}
_NO_MAP = re.compile(r"vertex|structure|voxel_[ijk]|[xyz]_um")
_VERTEX, _STRUCTURE = "vertex", "structure"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Surface:
    """One side in one form; `side` is "left", "right" or "" where its name says neither, `form` of `FORMS` or its own
    name."""

    asset: Asset
    side: str
    form: str

    @property
    def vertices(self) -> int:
        """How many."""
        return int(self.asset.details["count"])


@dataclass(frozen=True)
class MapPart:
    """Where the values of a map for one side stand."""

    side: str
    asset: Asset
    column: str


@dataclass(frozen=True)
class SurfaceMap:
    """One thing that is known of the vertices of one side or both."""

    name: str
    parts: tuple[MapPart, ...]


@dataclass(frozen=True)
class MapValues:
    """A map on one surface: `values` (vertices,) float32, NaN where nothing is known; of words their positions in
    `words`, whose colours (RRGGBB, "" where none is known) are `colors`."""

    values: Floats
    words: tuple[str, ...] | None
    colors: tuple[str, ...]


def surfaces_of(assets: Sequence[Asset]) -> tuple[Surface, ...]:
    """The surfaces among `assets`: by form, the left side first. A mesh whose name says no form has its name for it."""
    found = [_surface(one) for one in assets if one.kind is AssetKind.MESH and one.details.get("faces")]
    order = {form: at for at, form in enumerate(FORMS)}
    return tuple(sorted(found, key=lambda one: (order.get(one.form, len(order)), one.form, one.side, one.asset.id)))


def maps_of(assets: Sequence[Asset]) -> tuple[SurfaceMap, ...]:
    """The maps that lie on the surfaces among `assets`, both sides of one together, by name."""
    surfaces = surfaces_of(assets)
    parts: dict[str, dict[str, MapPart]] = {}
    for name, part in (*_of_meshes(surfaces), *_of_tables(assets, surfaces)):
        parts.setdefault(name, {}).setdefault(part.side, part)
    return tuple(SurfaceMap(name, tuple(parts[name].values())) for name in sorted(parts))


def read_map(store: Store, asset: Asset, column: str, side: str, vertices: int) -> MapValues:
    """The `column` of `asset` on a surface of that side with so many vertices.

    Raises `NotFound` where there is no such column, `Invalid` where it names vertices that the surface has not.
    """
    if asset.kind not in (AssetKind.MESH, AssetKind.TABLE) or column not in asset.details.get("columns", ()):
        raise NotFound(f"{asset.name} has no map {column}")
    table = open_table(store, f"{asset.prefix}/{_path(asset)}")
    names = [one for one in (_VERTEX, _STRUCTURE) if asset.kind is AssetKind.TABLE and one in _columns(asset)]
    read = table.read(columns=[*names, column])
    kept = np.ones(read.num_rows, bool)
    if _STRUCTURE in names:
        structures = read.column(_STRUCTURE).to_pylist()
        kept = np.array([_STRUCTURES.get(str(one)) == side for one in structures], bool)
    rows = read.column(_VERTEX).to_numpy()[kept] if _VERTEX in names else np.arange(read.num_rows)
    if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < vertices:
        raise Invalid(
            f"{column} of {asset.name} is of {int(rows.max()) + 1} vertices or more, the surface has {vertices}",
            hint="look at it on the surface that it was made for",
        )
    values, words = _numbers(read.column(column))
    placed = np.full(vertices, np.nan, np.float32)
    placed[rows] = values[kept]
    known = _colors(asset.details.get("header", {})) if words else {}
    return MapValues(placed, words, tuple(known.get(word, "") for word in words or ()))


def _surface(asset: Asset) -> Surface:
    tokens = _tokens(asset.name)
    form = next((_FORMS[one] for one in tokens if one in _FORMS), "")
    return Surface(asset, _side(tokens), form or _sideless(asset.name) or asset.name)


def _of_meshes(surfaces: Sequence[Surface]) -> Iterator[tuple[str, MapPart]]:
    for surface in surfaces:
        for column in _maps_in(surface.asset):
            yield column, MapPart(surface.side, surface.asset, column)


def _of_tables(assets: Sequence[Asset], surfaces: Sequence[Surface]) -> Iterator[tuple[str, MapPart]]:
    sizes = {(one.side, one.vertices) for one in surfaces}
    for asset in assets:
        if asset.kind is not AssetKind.TABLE or _VERTEX not in _columns(asset):
            continue
        both = _STRUCTURE in _columns(asset)
        own = _side(_tokens(asset.name))
        sides = [side for side, size in sorted(sizes) if both or (own in ("", side) and size == asset.details["count"])]
        columns = _maps_in(asset)
        for side in dict.fromkeys(sides):
            for column in columns:
                stem = _sideless(asset.name)
                yield (stem if len(columns) == 1 else f"{stem}: {column}"), MapPart(side, asset, column)


def _columns(asset: Asset) -> Sequence[str]:
    return list(asset.details.get("columns", ()))


def _maps_in(asset: Asset) -> list[str]:
    """Its columns that are maps: not places, and of labels their names instead of their numbers."""
    every = _columns(asset)
    numbers = {f"{one} key" for one in every}
    return [one for one in every if one not in numbers and not _NO_MAP.fullmatch(one)]


def _path(asset: Asset) -> str:
    return "vertices.parquet" if asset.kind is AssetKind.MESH else "table.parquet"


def _numbers(column: pa.ChunkedArray[Any]) -> tuple[Floats, tuple[str, ...] | None]:
    """Values as numbers; of words, where each stands among them. "" and "???" say that there is none."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column.to_numpy().astype(np.float32), None
    encoded = column.combine_chunks().dictionary_encode()
    words = [str(word) for word in encoded.dictionary.to_pylist()]
    order = [at for at, word in sorted(enumerate(words), key=lambda one: one[1]) if word not in ("", "???")]
    codes = np.full(len(words) + 1, np.nan, np.float32)
    codes[order] = np.arange(len(order))
    rows = encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    return codes[rows], tuple(words[at] for at in order)


def _colors(header: Mapping[str, Any]) -> dict[str, str]:
    """Which colour (RRGGBB) the file's tables of labels give to a name."""
    listed = [one for entry in header.get("labels", ()) for one in entry.get("labels", (entry,))]
    return {str(one["name"]): str(one["color"]) for one in listed if one.get("name") and one.get("color")}


def _tokens(name: str) -> list[str]:
    return [one for one in _TOKENS.split(name.lower()) if one]


def _side(tokens: Sequence[str]) -> str:
    return next((_SIDES[one] for one in tokens if one in _SIDES), "")


def _sideless(name: str) -> str:
    """A name without what it says of the side and of the format."""
    stem = re.sub(r"(?i)(\.(surf|shape|func|label|dscalar|dlabel|gii|nii|gz))+$", "", name)
    words = [one for one in re.split(r"[._\-\s]+", stem) if one and one.lower() not in {*_SIDES, "hemi"}]
    return " ".join(words)
