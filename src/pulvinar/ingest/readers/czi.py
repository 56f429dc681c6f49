"""CZI: images of Zeiss microscopes, with scenes, mosaics, pyramids, phases and views.

Each scene is an asset, at full resolution: the coarser levels that a file may hold are left, for the platform makes its
own. What CZI has beside time, channel and space (phases of structured light, elements of an Airyscan detector, views of
a light sheet) becomes channels. Sources: see `czi_container` and `czi_metadata`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, ClassVar

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    VolumeDescription,
)
from pulvinar.ingest.readers.absence import missing_pieces
from pulvinar.ingest.readers.czi_container import MAGIC, Container, Tile, read_container
from pulvinar.ingest.readers.czi_metadata import CziChannel, CziSaid, said_by_czi, time_step_s
from pulvinar.ingest.readers.czi_tiles import Scene, SceneVolume, check_tile
from pulvinar.ingest.readers.frames import settle, size_of_sides, unknown_orientation, unknown_step
from pulvinar.ingest.readers.raw_volume import (
    MOST_CHANNELS,
    check_believable,
    check_shape,
    meaning_dtype,
    name_findings,
)
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Channel, Shape5

_FURTHER = {"H": "phase", "I": "illumination", "R": "rotation", "V": "view", "B": "block"}
_COLOURS = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"), ("alpha", "FFFFFF"))


class CziReader:
    """Reads the scenes of CZI files, a tile at a time."""

    name: ClassVar[str] = "czi"
    priority: ClassVar[int] = 210

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a scene."""
        for file in files:
            if file.head.startswith(MAGIC):
                container = read_container(file.path, file.name)
                said = said_by_czi(container.xml, file.name)
                scenes = _scenes(container, file.size_bytes, file.name)
                for scene in scenes:
                    yield _asset(file, scene, container, said, options, is_alone=len(scenes) == 1)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily: tiles are unpacked as windows touch them."""
        assert asset.volume is not None
        name = asset.files[0]
        container = read_container(root / name, name)
        number = int(asset.key.rpartition("#")[2])
        scenes = _scenes(container, (root / name).stat().st_size, name)
        scene = next((scene for scene in scenes if scene.number == number), None)
        if scene is None:
            raise UnreadableFile(f"{name} has no scene {number} any more", hint="copy it again")
        return SceneVolume(root / name, scene, asset.volume.dtype, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def _scenes(container: Container, size_bytes: int, name: str) -> list[Scene]:
    """The scenes by number, each with the tiles of its full resolution."""
    full: dict[int, list[Tile]] = {}
    for tile in container.tiles:
        if tile.is_full:
            full.setdefault(tile.place.get("S", 0), []).append(tile)
    if not container.tiles:
        raise UnreadableFile(f"{name} is a CZI without an image", hint="copy it again")
    # a coarser level over all scenes belongs to none
    for tile in container.tiles:
        number = tile.place.get("S")
        if not full or (number is not None and number not in full):
            (high, wide), (rows, columns) = tile.size, tile.stored
            raise UnreadableFile(
                f"{name}: scene {number or 0} has no tile at full resolution: {rows} x {columns} pixels are stored "
                f"for {high} x {wide}",
                hint="save it in ZEN with all its pixels",
            )
    found = []
    for number, tiles in sorted(full.items()):
        for tile in tiles:
            check_tile(tile, size_bytes, name)
        scene = Scene.of(number, tiles)
        _check_scene(scene, size_bytes, name)
        found.append(scene)
    return found


def _check_scene(scene: Scene, size_bytes: int, name: str) -> None:
    check_shape(scene.shape, name)
    if len(scene.components) > MOST_CHANNELS:
        raise UnreadableFile(f"{name}: it has {len(scene.components)} channels, {MOST_CHANNELS} are read")
    declared = prod(scene.shape) * scene.dtype.itemsize
    check_believable(declared, size_bytes, f"{name}: scene {scene.number}, of shape {scene.shape},")


def _asset(
    file: SourceFile, scene: Scene, container: Container, said: CziSaid, options: Options, *, is_alone: bool
) -> FoundAsset:
    shape = scene.shape
    size_um, findings = size_of_sides(said.sides_um, shape[2], options)
    size_um, affine_um = settle(size_um, None, shape[2:], options)
    step_s = options.time_step_s or said.step_s or time_step_s(said.times_s, shape[0])
    step_s = step_s or time_step_s(container.times_s, shape[0])
    findings += unknown_step(shape[0], step_s)
    stem = stem_of(file.name)
    scene_name = said.scenes.get(scene.number, f"scene {scene.number + 1}")
    name = stem if is_alone else f"{stem} {scene_name}"
    header: dict[str, Any] = {**said.header, "stored_dtype": scene.dtype.name}
    header |= {"channels": [channel.to_json() for channel in said.channels]} if said.channels else {}
    return FoundAsset(
        CziReader.name,
        key=f"{file.name}#{scene.number}",
        name=name,
        kind=AssetKind.VOLUME,
        files=(file.name,),
        volume=VolumeDescription(
            shape,
            meaning_dtype(scene.dtype, options.kind),
            _block_shape(scene),
            size_um,
            affine_um,
            options.kind,
            _channels(scene, said.channels),
            step_s if shape[0] > 1 else None,
        ),
        findings=(
            *findings,
            *_doubts(scene, container, options),
            *unknown_orientation(options),
            *name_findings(stem, options),
        ),
        metadata={"header": header} | ({"title": said.title} if said.title else {}),
    )


def _block_shape(scene: Scene) -> Shape5:
    """The largest tile, with all samples of a pixel where every channel has as many."""
    high, wide = (max(tile.size[axis] for tile in scene.tiles) for axis in (0, 1))
    samples = {tile.pixels.samples for tile in scene.tiles}
    return 1, samples.pop() if len(samples) == 1 else 1, 1, high, wide


def _channels(scene: Scene, said: Sequence[CziChannel]) -> tuple[Channel, ...]:
    found = []
    colourful = {component.key for component in scene.components if component.sample > 0}
    for component in scene.components:
        number = component.key[0]
        about = said[number] if 0 <= number < len(said) else CziChannel()
        wave = f"{about.emission_nm:g} nm" if about.emission_nm else f"channel {number}"
        words = [about.name or wave]
        words += [f"{_FURTHER.get(n, n)} {i}" for n, i in zip(scene.further, component.key[1:], strict=True)]
        channel = Channel(", ".join(words), about.color)
        if component.key in colourful:
            name, color = _COLOURS[component.sample]
            channel = replace(channel, name=name if len(colourful) == 1 else f"{channel.name} {name}", color=color)
        found.append(channel)
    return tuple(found)


def _doubts(scene: Scene, container: Container, options: Options) -> list[Finding]:
    """What the directory shows to be missing, and what became of dimensions that a volume doesn't have."""
    findings = []
    if container.is_unfinished:
        findings.append(Finding(Severity.DOUBT, "the file was being written when it was closed: tiles may be missing"))
    planes = scene.planes()
    keys = {component.key for component in scene.components}
    total = scene.shape[0] * len(keys) * scene.shape[2]
    most = max(len(tiles) for tiles in planes.values())
    lacking = total - sum(len(tiles) == most for tiles in planes.values())
    if lacking:
        text = f"{lacking} of its {total} planes are not stored, or not all of their tiles"
        findings.append(missing_pieces(text, "0 there", options))
    for name, index in zip(scene.further, range(1, len(scene.further) + 1), strict=True):
        count = len({key[index] for key in keys})
        what = _FURTHER.get(name, name)
        findings.append(Finding(Severity.NOTE, f"its {count} values of the dimension {what} become channels"))
    return findings
