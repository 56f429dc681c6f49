"""OME-Zarr 0.4 and 0.5, and plain Zarr arrays of format 2 and 3, in a folder.

Of an image with several levels the finest is read, for the platform makes its own levels. Sources: the OME-NGFF
specification 0.4 and 0.5 (axes, coordinate transformations, labels, omero), the Zarr specifications 2 and 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, PulvinarError, UnreadableFile
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
from pulvinar.ingest.readers.frames import settle
from pulvinar.ingest.readers.raw_volume import as_labels, check_shape, name_findings
from pulvinar.ingest.readers.zarr_absent import absent_chunk_findings
from pulvinar.ingest.readers.zarr_nodes import ArrayNode, ZarrNodes, open_array
from pulvinar.ingest.readers.zarr_said import ImageSaid, said_by_image
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES, Shape5, VolumeKind, volume_from_json


@dataclass(frozen=True)
class _Image:
    """One image: its finest array, what the group around it says, and whether that calls it labels."""

    folder: str
    array: ArrayNode
    said: ImageSaid
    is_labels: bool
    coarser: tuple[ArrayNode, ...] = ()

    def spread(self, sizes: Sequence[int]) -> Shape5:
        """`sizes` of the array's axes as (t, c, z, y, x), 1 where it has no such axis."""
        t, c, z, y, x = (dict(zip(self.said.letters, sizes, strict=True)).get(axis, 1) for axis in AXES)
        return t, c, z, y, x

    def dtype(self, kind: VolumeKind | None) -> str:
        """What reading gives."""
        stored = np.dtype(self.array.dtype)
        if kind is VolumeKind.LABELS and stored.kind == "f":
            return "uint32"
        if stored.kind == "b":
            return "uint8"
        return "float32" if stored == np.float16 else stored.newbyteorder("=").name


class OmeZarrReader:
    """Reads images, labels and plain arrays, by the chunks that a window touches."""

    name: ClassVar[str] = "ome_zarr"
    priority: ClassVar[int] = 50

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset an image, one a set of labels; each has the files of its own folder, without those of another."""
        nodes = ZarrNodes.among(files)
        images = list(_images(nodes, options))
        mine = nodes.shared_out([image.folder for image in images])
        for image in images:
            yield _asset(image, tuple(mine[image.folder]), nodes, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily with tensorstore; nothing is read yet."""
        assert asset.volume is not None
        folder = asset.key.removesuffix("#")
        nodes = ZarrNodes({name: root / name for name in asset.files})
        image = next(image for image in _images(nodes, options) if image.folder == folder)
        return _ZarrVolume(root, image, asset.volume.dtype, asset.name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def _images(nodes: ZarrNodes, options: Options) -> Iterator[_Image]:
    """Every image of every hierarchy, in the order of folders."""
    spoken_for: set[str] = set()
    for folder in nodes.groups():
        attributes = nodes.attributes(folder)
        listed = _multiscales(attributes)
        if not listed:
            continue
        spoken_for.add(folder)
        # a group with several multiscales says the same image in several ways
        datasets = listed[0].get("datasets")
        if not isinstance(datasets, list) or not datasets or not isinstance(datasets[0], dict):
            raise UnreadableFile(f"{nodes.file_of(folder)}: its multiscales list no datasets", hint="save it again")
        array = nodes.array(nodes.child(folder, datasets[0].get("path")))
        said = said_by_image(attributes, listed[0], datasets[0], array, options)
        is_labels = "image-label" in _ome(attributes) or folder.rpartition("/")[0].rpartition("/")[2] == "labels"
        yield _Image(folder, array, said, is_labels, tuple(_coarser(datasets[1:], array, folder, nodes)))
    for folder in nodes.arrays():
        if not any(folder == group or folder.startswith(f"{group}/") or not group for group in spoken_for):
            array = nodes.array(folder)
            yield _Image(folder, array, said_by_image({}, {}, {}, array, options), is_labels=False)


def _coarser(datasets: Sequence[Any], finest: ArrayNode, folder: str, nodes: ZarrNodes) -> Iterator[ArrayNode]:
    """The other levels of an image, as far as they are there and have its axes."""
    for dataset in datasets:
        with suppress(UnreadableFile):
            array = nodes.array(nodes.child(folder, dataset.get("path") if isinstance(dataset, dict) else None))
            if len(array.shape) == len(finest.shape):
                yield array


def _ome(attributes: dict[str, Any]) -> dict[str, Any]:
    """Where the metadata lies: 0.5 has it below "ome", 0.4 at the top."""
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def _multiscales(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    listed = _ome(attributes).get("multiscales")
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _asset(image: _Image, mine: tuple[str, ...], nodes: ZarrNodes, options: Options) -> FoundAsset:
    array, said = image.array, image.said
    kind = options.kind or (VolumeKind.LABELS if image.is_labels else None)
    shape = image.spread(array.shape)
    check_shape(shape, array.file)
    findings = [*said.findings, *absent_chunk_findings(array, image.coarser, nodes, options)]
    size_um = said.voxel_size_um
    affine = _own_affine(nodes.attributes(image.folder), shape)
    if size_um is None and options.voxel_size_um is None:
        findings.append(Finding(Severity.QUESTION, said.missing, "--voxel-size"))
    size_um, affine_um = settle(size_um, affine, shape[2:], options)
    stem = image.folder.rpartition("/")[2] or "array"
    name = stem.removesuffix(".zarr").removesuffix(".ome") or stem
    return FoundAsset(
        OmeZarrReader.name,
        key=f"{image.folder}#",
        name=name,
        kind=AssetKind.VOLUME,
        files=mine,
        volume=VolumeDescription(
            shape,
            image.dtype(kind),
            image.spread([min(pair) for pair in zip(array.chunks, array.shape, strict=True)]),
            size_um,
            affine_um,
            kind,
            channels=said.channels if len(said.channels) == shape[1] else (),
            time_step_s=options.time_step_s or (said.time_step_s if shape[0] > 1 else None),
        ),
        findings=(*findings, *name_findings(name, replace(options, kind=kind))),
        metadata={"header": {"zarr_format": array.format, "axes": said.letters, "stored_dtype": array.dtype}}
        | ({"title": said.title} if said.title else {}),
    )


def _own_affine(attributes: dict[str, Any], shape: Shape5) -> npt.NDArray[np.float64] | None:
    """The map to the world that Pulvinar itself has written beside a volume of this shape."""
    try:
        volume = volume_from_json(attributes["pulvinar"])
        affine = np.asarray(volume.affine_um, np.float64)
    except (KeyError, Invalid, IndexError, TypeError, ValueError):
        return None
    fits = volume.levels and volume.shape == shape and affine.shape == (4, 4) and np.isfinite(affine).all()
    return affine if fits and abs(np.linalg.det(affine[:3, :3])) > 0 else None


class _ZarrVolume:
    """An `OpenVolume` over one array."""

    def __init__(self, root: Path, image: _Image, dtype: str, name: str) -> None:
        self._root = root
        self._name = name
        self._letters = image.said.letters
        self._dtype = np.dtype(dtype)
        try:
            self._store = open_array(root / image.array.folder, image.array)
        except ValueError as error:
            raise UnreadableFile(
                f"{image.array.file}: {_first_line(error)}", hint="save it with other codecs"
            ) from error

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        slices = dict(zip(AXES, window.slices, strict=True))
        wanted = tuple(slices[letter] for letter in self._letters)
        try:
            stored = np.asarray(self._store[wanted].read().result())
        except PulvinarError:
            raise
        except Exception as error:
            raise self._damage(_first_line(error)) from error
        order = [self._letters.index(axis) for axis in AXES if axis in self._letters]
        values = stored.transpose(order).reshape(window.shape)
        if self._dtype.kind in "iu" and values.dtype.kind == "f":
            values = as_labels(values.astype(np.float64), self._dtype, self._name)
        out[...] = values

    def _damage(self, said: str) -> UnreadableFile:
        """What tensorstore says of a chunk, in plain words and without this machine's folders."""
        places = re.findall('local file "([^"]*)"', said)
        reason = re.split('local file "[^"]*":? ?', said)[-1].split("; at byte")[0]
        if "checksum" in reason or "Digest" in reason:
            reason = "its checksum is wrong"
        elif "runcated" in reason or "byte range" in reason:
            reason = "it is cut off"
        if not places:
            return UnreadableFile(f"{self._name} can't be read: {reason}", hint="copy it again")
        chunk = Path(places[-1])
        shown = chunk.relative_to(self._root) if chunk.is_relative_to(self._root) else chunk.name
        return UnreadableFile(f"{self._name}: its chunk {shown} is damaged: {reason}", hint="copy that file again")

    def close(self) -> None:
        """Let go of the array."""
        del self._store


def _first_line(error: Exception) -> str:
    """What tensorstore says, without its list of source lines and this machine's folders."""
    text = str(error).split(" [source locations=")[0].split(" [tensorstore_spec=")[0]
    return re.sub("^[A-Z_]+: ", "", text.splitlines()[0])[:1000] if text else type(error).__name__
