"""What the viewer is to show of a dataset's version: layers, their places in the world, and where to look first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from pulvinar.catalogue.assets import find_home
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Invalid
from pulvinar.model.access import Right
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.model.volume import Triple, Volume, VolumeKind, volume_from_json
from pulvinar.solutions.grids import grid_space_name
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, WantedVersion
from pulvinar.web.dataset_page import can_show, citation
from pulvinar.web.version_pages import lasting_address

router = APIRouter(prefix="/scenes", tags=["scenes"])

MOST_VISIBLE_CHANNELS = 4
# Each colour after the sixth is the one farthest from those before it, to eyes that see all colours, red-blind ones and
# green-blind ones, among those bright enough on black.
GEOMETRY_COLOURS = (
    *("6FD0C0", "FFB454", "8AB4FF", "F27EA9", "B8E06E", "C9A0FF", "AA00FF", "E60028", "00FFAA"),
    *("E600AA", "AAFF00", "AA8C6E", "FFE6FF", "FF6E00", "AA50E6", "8CC8E6", "FF6E50", "6E6EAA"),
)
_BOTH_SIDES, _NEAR_ZERO = 0.1, 0.05
"""Of a statistic, as shares of its largest size: what its other side reaches at least, and where its median lies."""
_NOWHERE: tuple[Triple, Triple] = ((0.0, 0.0, 0.0), (1000.0, 1000.0, 1000.0))

Kind = Literal["image", "labels", "skeleton", "neurons", "mesh", "points"]
Matrix = npt.NDArray[np.float64]


class Overview(BaseModel):
    """A form of a skeleton with fewer nodes, good while a pixel is larger than what it strays from the exact one."""

    segment: str
    tolerance_um: float


class NeuronForm(BaseModel):
    """One form of all neurons of a set: how far it strays at most, and how many nodes they have in it together."""

    tolerance_um: float
    nodes: int


class ShownNeurons(BaseModel):
    """A set of neurons that is shown as one layer; `name` is that of the region, dataset or collection, or the
    question."""

    kind: Literal["ends", "soma", "dataset", "collection", "search", "all"]
    key: str = Field(description="What the set is asked for by.")
    name: str
    asked: str = Field("", description="What the address asks for it by, where that is not its key.")
    count: int
    forms: list[NeuronForm] = Field(description="Segment 4 n + i of the source is neuron n in form i.")


class SceneLayer(BaseModel):
    """One thing to draw. Lengths are micrometres, triples and matrices are in (z, y, x)."""

    name: str
    kind: Kind
    source: str = Field(description="zarr3:// or precomputed:// and an address on this server.")
    channel: int = 0
    window: tuple[float, float] | None = Field(None, description="The values to show black and white.")
    range: tuple[float, float] | None = Field(None, description="The lowest and the highest value.")
    statistic: bool = Field(False, description="Whether the values lie on both sides of zero, most of them near it.")
    color: str = Field("FFFFFF", description="RRGGBB.")
    opacity: float = 1.0
    transform: list[list[float]] | None = Field(
        None, description="Three rows of four: from voxel index (of geometry: micrometres) to the world."
    )
    voxel_size_um: Triple | None = None
    times: int = 1
    time_step_s: float | None = None
    visible: bool = True
    names: str | None = Field(None, description="A folder with Neuroglancer's segment properties.")
    segments: list[str] = Field(default_factory=list, description="What to show of a skeleton or mesh source.")
    overview: Overview | None = Field(None, description="What to show of a skeleton from afar.")
    asset: str = Field("", description="Identifier of the asset of another dataset that it was asked for by.")
    neurons: ShownNeurons | None = Field(None, description="Of a layer that shows a set of neurons: which.")


class Surfaces(BaseModel):
    """The surfaces of an atlas's regions, each under its region's number."""

    source: str
    transform: list[list[float]] = Field(description="Three rows of four: from its micrometres to the world.")


class SearchSpace(BaseModel):
    """The atlas's space that what is shown lies in, and how its places are found from the world's."""

    space: str
    from_world: list[list[float]] = Field(description="Three rows of four: from the world to the space, (z, y, x).")
    address: str = Field(description="The page of searches, which takes a question as `q`.")


class Scene(BaseModel):
    """A view of one version."""

    title: str
    layers: list[SceneLayer]
    voxel_size_um: Triple
    position_um: Triple
    bounds_um: tuple[Triple, Triple]
    oriented: bool = Field(description="Whether the world's axes are anatomy: superior, anterior, right.")
    attribution: str
    citation: str = Field("", description="How to cite what is shown.")
    search: SearchSpace | None = Field(None, description="Where one can search by place.")
    space: str = Field("", description="The space that the world stands for, where it is known.")
    surfaces: Surfaces | None = None
    chosen: list[str] = Field(default_factory=list, description="Regions that were asked for, by their numbers.")
    without: list[ShownNeurons] = Field(
        default_factory=list, description="Sets that were asked for and have no neuron."
    )


@router.get("/{dataset_id}")
def get_scene(
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    version: WantedVersion = None,
    asset: Annotated[
        list[str] | None, Query(max_length=50, description="Assets of other datasets that lie on its volumes.")
    ] = None,
) -> Scene:
    """What the viewer shows of a dataset: of its newest version, or of the one with that number."""
    shown = get_version(platform.database, actor, dataset_id, version, Right.VIEW)
    guests = [find_home(platform.database, actor, one, Right.VIEW) for one in asset or () if one]
    hosts = {grid_space_name(one) for one in shown.assets} | {_space_of(one) for one in shown.assets} - {""}
    for _, guest in guests:
        if _space_of(guest) not in hosts:
            raise Invalid(
                f"{guest.name} does not lie on a volume of dataset {dataset_id}",
                hint="it is shown on the page of its own dataset",
            )
    scene = build_scene(shown, guests)
    scene.citation = citation(shown, lasting_address(platform, shown))
    return scene


def build_scene(version: Version, guests: Sequence[tuple[Version, Asset]] = ()) -> Scene:
    """The scene of `version`: all of its assets that can be drawn, the first image and the first labels switched on.

    What is known to lie in another space than the first is there to be switched on. `guests` are assets of other
    datasets that lie on a volume of this one: they are shown.
    """
    parts = [_Part(asset, version.digest) for asset in version.assets if can_show(asset)]
    parts.sort(key=lambda part: _ORDER.index(part.kind))
    apart = [part for part in parts if part.space != parts[0].space and part.space]
    parts = [part for part in parts if part not in apart]
    invited = [_Part(asset, home.digest) for home, asset in guests if can_show(asset)]
    parts += invited
    layers = [layer for part in parts for layer in part.layers(asked=part in invited)]
    _choose_visible(layers)
    hidden = [layer for part in apart for layer in part.layers()]
    for layer in hidden:
        layer.visible = False
    layers += hidden
    for index, layer in enumerate(layer for layer in layers if layer.kind in ("skeleton", "mesh", "points")):
        layer.color = GEOMETRY_COLOURS[index % len(GEOMETRY_COLOURS)]
    shown = [part for part in parts if part.reference] or parts
    bounds = _union([part.bounds() for part in shown])
    low, high = bounds
    z, y, x = ((a + b) / 2 for a, b in zip(low, high, strict=True))
    return Scene(
        title=version.record.title,
        layers=layers,
        voxel_size_um=parts[0].voxel_size_um if parts else (1.0, 1.0, 1.0),
        position_um=(z, y, x),
        bounds_um=bounds,
        space=parts[0].space if parts else "",
        oriented=bool(parts) and _is_oriented(parts[0], version),
        attribution=" · ".join(text for text in (version.record.lab, version.record.licence) if text),
    )


def _is_oriented(part: _Part, version: Version) -> bool:
    """Whether the world of `part` is anatomy: a volume has a map to it; places were turned into it if one said how."""
    return part.transform is not None if part.reference else bool(version.record.acquisition.orientation)


_SHOWN_AS: dict[AssetKind, Kind] = {
    AssetKind.SKELETON: "skeleton",
    AssetKind.TRACTS: "skeleton",
    AssetKind.MESH: "mesh",
    AssetKind.POINTS: "points",
}
_ORDER: tuple[Kind, ...] = ("image", "labels", "mesh", "points", "skeleton")


def _space_of(asset: Asset) -> str:
    """The name of the space that an asset is known to lie in, "" where nobody said."""
    return str(asset.details.get("space", {}).get("name", ""))


class _Part:
    """One asset as the viewer sees it."""

    def __init__(self, asset: Asset, version_digest: str) -> None:
        self._asset = asset
        self._root = f"/data/{version_digest}/{asset.id}"
        self._volume = volume_from_json(asset.details["volume"]) if asset.kind is AssetKind.VOLUME else None
        self.kind: Kind = self._volume.kind.value if self._volume else _SHOWN_AS[asset.kind]
        self.space = _space_of(asset)
        self.reference = self.kind in ("image", "labels")
        self.transform = self._transform()

    @property
    def voxel_size_um(self) -> Triple:
        """The volume's voxel size; for geometry, a thousandth of its largest extent, a fair step to move by."""
        if self._volume:
            return self._volume.voxel_size_um
        low, high = self.bounds()
        step = max(max(b - a for a, b in zip(low, high, strict=True)) / 1000, 1e-3)
        return (step, step, step)

    def _transform(self) -> Matrix | None:
        rows = self._volume.affine_um if self._volume else self._asset.details.get("to_world_um")
        return None if rows is None else np.asarray(rows, np.float64)[:3]

    def bounds(self) -> tuple[Triple, Triple]:
        """The box around everything, in the world."""
        if self._volume:
            corners = [(-0.5, size - 0.5) for size in self._volume.shape[2:]]
            matrix = self.transform if self.transform is not None else _scaling(self._volume.voxel_size_um)
        else:
            low, high = self._asset.details.get("bounds_um", _NOWHERE)
            corners = list(zip(low, high, strict=True))
            matrix = self.transform if self.transform is not None else _scaling((1.0, 1.0, 1.0))
        grid = np.array(np.meshgrid(*corners, [1.0], indexing="ij")).reshape(4, -1)
        places = matrix @ grid
        return _triple(places.min(axis=1)), _triple(places.max(axis=1))

    def layers(self, *, asked: bool = False) -> list[SceneLayer]:
        """The layers of this asset: one a channel of an image, else one. `asked`: it is of another dataset."""
        found = self._layers()
        for layer in found:
            layer.asset = self._asset.id if asked else ""
        return found

    def _layers(self) -> list[SceneLayer]:
        rows = self.transform.tolist() if self.transform is not None else None
        if self._volume is None:
            source = f"precomputed://{self._root}/objects/{self._asset.details['precomputed']}"
            layer = SceneLayer(name=self._asset.name, kind=self.kind, source=source, transform=rows)
            layer.segments = [] if self.kind == "points" else ["1"]
            if overview := self._asset.details.get("overview"):
                layer.overview = Overview(segment=str(overview["segment"]), tolerance_um=overview["tolerance_um"])
            return [layer]
        return [self._volume_layer(self._volume, channel, rows) for channel in range(self._channels(self._volume))]

    def _channels(self, volume: Volume) -> int:
        return len(volume.channels) if volume.kind is VolumeKind.IMAGE else 1

    def _volume_layer(self, volume: Volume, index: int, rows: list[list[float]] | None) -> SceneLayer:
        channel = volume.channels[index]
        figures = self._asset.details.get("quality", {}).get("channels", [])
        single = self._channels(volume) == 1
        names = self._asset.details.get("segments", {}).get("path")
        return SceneLayer(
            name=self._asset.name if single else f"{self._asset.name}: {channel.name}",
            kind=self.kind,
            source=f"zarr3://{self._root}/chunks/",
            channel=index,
            window=channel.window,
            range=_range(figures[index]) if index < len(figures) else None,
            statistic=volume.dtype.startswith("float") and index < len(figures) and _is_statistic(figures[index]),
            color=channel.color,
            transform=rows,
            voxel_size_um=volume.voxel_size_um,
            times=volume.shape[0],
            time_step_s=volume.time_step_s,
            visible=index < MOST_VISIBLE_CHANNELS,
            names=f"{self._root}/objects/{names}" if names else None,
        )


def _range(figures: dict[str, Any]) -> tuple[float, float] | None:
    """The lowest and highest value; None where no voxel has a finite one."""
    low, high = figures["minimum"], figures["maximum"]
    return None if low is None or high is None else (low, high)


def _is_statistic(figures: dict[str, Any]) -> bool:
    """Whether values are spread as those of t and z maps are: far on both sides of zero, and as often above as below.

    Images of which zero is only one grey among others (Hounsfield units, normalised intensities) have their middle
    elsewhere, mostly at that of the air.
    """
    shares = figures.get("percentiles", {})
    low, middle, high = (shares.get(share, 0.0) for share in ("0.1", "50", "99.9"))
    if not low < 0 < high:
        return False
    return bool(min(-low, high) > _BOTH_SIDES * max(-low, high) and abs(middle) < _NEAR_ZERO * max(-low, high))


def _choose_visible(layers: Sequence[SceneLayer]) -> None:
    """Show the first image asset and the first labels: several brains over each other show none of them.

    Who adds another image asset sees through it.
    """
    images = [layer for layer in layers if layer.kind == "image"]
    labels = [layer for layer in layers if layer.kind == "labels"]
    for layer in images:
        layer.visible = layer.visible and layer.source == images[0].source
        layer.opacity = 1.0 if layer.source == images[0].source else 0.7
    for layer in labels:
        layer.visible = layer is labels[0]
        layer.opacity = 0.35 if images else 0.9


def _scaling(voxel_size_um: Triple) -> Matrix:
    return np.hstack([np.diag(voxel_size_um), np.zeros((3, 1))])


def _union(boxes: Sequence[tuple[Triple, Triple]]) -> tuple[Triple, Triple]:
    if not boxes:
        return _NOWHERE
    low = np.min([box[0] for box in boxes], axis=0)
    high = np.max([box[1] for box in boxes], axis=0)
    return _triple(low), _triple(high)


def _triple(values: npt.NDArray[np.float64]) -> Triple:
    z, y, x = (float(value) for value in values)
    return z, y, x
