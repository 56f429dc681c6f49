"""OME-Zarr 0.4 and 0.5, and plain Zarr arrays of format 2 and 3, in a folder.

Of an image with several levels the finest is read, for the platform makes its own levels. Sources: the OME-NGFF
specification 0.4 and 0.5 (axes, coordinate transformations, labels, omero), the Zarr specifications 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import FoundAsset, GeometryData, OpenVolume, Options, SourceFile
from pulvinar.ingest.readers.array_attributes import said_by_attributes
from pulvinar.ingest.readers.chunked_image import ChunkedImage, found_images, opened_image
from pulvinar.ingest.readers.chunked_volume import spread
from pulvinar.ingest.readers.references import refuse_references
from pulvinar.ingest.readers.zarr_nodes import ArrayNode, ZarrNodes
from pulvinar.ingest.readers.zarr_said import said_by_image
from pulvinar.model.volume import Shape5, volume_from_json


class OmeZarrReader:
    """Reads images, labels and plain arrays, by the chunks that a window touches."""

    name: ClassVar[str] = "ome_zarr"
    priority: ClassVar[int] = 50

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset an image, one a set of labels; each has the files of its own folder, without those of another.

        Raises `UnreadableFile` for a file of references to chunks elsewhere, as kerchunk writes them.
        """
        refuse_references(files)
        nodes = ZarrNodes.among(files)
        yield from found_images(self.name, list(zarr_images(nodes, options)), nodes, files, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily with tensorstore; nothing is read yet."""
        folder = asset.key.removesuffix("#")
        nodes = ZarrNodes({name: root / name for name in asset.files})
        image = next(image for image in zarr_images(nodes, options) if image.folder == folder)
        return opened_image(image, asset, root)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def zarr_images(nodes: ZarrNodes, options: Options) -> Iterator[ChunkedImage]:
    """Every image of every hierarchy, in the order of folders; arrays of one axis, as coordinates are, are none."""
    spoken_for: set[str] = set()
    for folder in nodes.groups():
        attributes = nodes.attributes(folder)
        listed = multiscales(attributes)
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
        affine = _own_affine(attributes, spread(said.letters, array.shape))
        yield ChunkedImage(folder, array, said, is_labels, affine, tuple(_coarser(datasets[1:], array, folder, nodes)))
    for folder in nodes.arrays():
        if any(folder == group or folder.startswith(f"{group}/") or not group for group in spoken_for):
            continue
        if nodes.axis_count(folder) != 1:
            array = nodes.array(folder)
            yield ChunkedImage(folder, array, said_by_attributes(nodes.attributes(folder), array, options))


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


def multiscales(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    """The images that a group's attributes speak of."""
    listed = _ome(attributes).get("multiscales")
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _own_affine(attributes: dict[str, Any], shape: Shape5) -> npt.NDArray[np.float64] | None:
    """The map to the world that Pulvinar itself has written beside a volume of this shape."""
    try:
        volume = volume_from_json(attributes["pulvinar"])
        affine = np.asarray(volume.affine_um, np.float64)
    except (KeyError, Invalid, IndexError, TypeError, ValueError):
        return None
    fits = volume.levels and volume.shape == shape and affine.shape == (4, 4) and np.isfinite(affine).all()
    return affine if fits and abs(np.linalg.det(affine[:3, :3])) > 0 else None
