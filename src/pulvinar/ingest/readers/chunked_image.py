"""Images of Zarr and N5 hierarchies: what one is, and the asset that is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.reader import Finding, FoundAsset, Options, Severity, SourceFile, VolumeDescription
from pulvinar.ingest.readers.blosc_sizes import check_blosc
from pulvinar.ingest.readers.chunked_volume import (
    ChunkedSource,
    ChunkedVolume,
    refuse_links,
    spec_of,
    spread,
)
from pulvinar.ingest.readers.frames import settle
from pulvinar.ingest.readers.raw_volume import check_shape, meaning_dtype, name_findings
from pulvinar.ingest.readers.zarr_absent import absent_chunk_findings
from pulvinar.ingest.readers.zarr_nodes import ArrayNode, ZarrNodes
from pulvinar.ingest.readers.zarr_said import ImageSaid
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES, VolumeKind


@dataclass(frozen=True)
class ChunkedImage:
    """One image: its finest array, what is said of it, and whether that calls it labels.

    `affine` maps its voxels to the world in micrometres, (4, 4), where something says it. `coarser` are the other
    levels of the same image.
    """

    folder: str
    array: ArrayNode
    said: ImageSaid
    is_labels: bool = False
    affine: npt.NDArray[np.float64] | None = None
    coarser: tuple[ArrayNode, ...] = ()


def found_images(
    reader: str, images: Sequence[ChunkedImage], nodes: ZarrNodes, files: Sequence[SourceFile], options: Options
) -> Iterator[FoundAsset]:
    """An asset for each image, with the files of its own folder and without those of another. Raises `UnreadableFile`
    for a chunk that is a link."""
    mine = nodes.shared_out([image.folder for image in images])
    for image in images:
        refuse_links(files, image.array.folder, image.array.file)
        absent = absent_chunk_findings(image.array, image.coarser, nodes, options)
        yield image_asset(reader, image, tuple(mine[image.folder]), options, absent)


def opened_image(image: ChunkedImage, asset: FoundAsset, root: Path) -> ChunkedVolume:
    """The image's finest array, open; nothing is read yet."""
    assert asset.volume is not None
    array = image.array
    spec = spec_of(array, root / array.folder)
    source = ChunkedSource(spec, image.said.letters, root, array.file, asset.name, reverse=array.driver == "n5")
    if array.blosc_at >= 0:
        return _BloscVolume(source, asset.volume.dtype, array)
    return ChunkedVolume(source, asset.volume.dtype)


class _BloscVolume(ChunkedVolume):
    """A volume whose chunks are packed by blosc: how large they say they are is checked before they are unpacked."""

    def __init__(self, source: ChunkedSource, dtype: str, array: ArrayNode) -> None:
        super().__init__(source, dtype)
        self._array = array
        self._folder = source.root / array.folder
        self._letters = source.letters

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        bounds = dict(zip(AXES, zip(window.start, window.stop, strict=True), strict=True))
        touched = [
            range(bounds[axis][0] // chunk, -(-bounds[axis][1] // chunk))
            for axis, chunk in zip(self._letters, self._array.chunks, strict=True)
        ]
        check_blosc(self._array, self._folder, touched)
        super().read_into(window, out)


def image_asset(
    reader: str, image: ChunkedImage, mine: tuple[str, ...], options: Options, doubts: Sequence[Finding] = ()
) -> FoundAsset:
    """The asset that `image` makes: with the files `mine`, and `doubts` beside what is asked of a person."""
    array, said = image.array, image.said
    kind = options.kind or (VolumeKind.LABELS if image.is_labels else None)
    shape = spread(said.letters, array.shape)
    check_shape(shape, array.file)
    findings = [*said.findings, *doubts]
    size_um = said.voxel_size_um
    if size_um is None and options.voxel_size_um is None:
        findings.append(Finding(Severity.QUESTION, said.missing, "--voxel-size"))
    size_um, affine_um = settle(size_um, image.affine, shape[2:], options)
    stem = image.folder.rpartition("/")[2] or "array"
    name = stem.removesuffix(".n5").removesuffix(".zarr").removesuffix(".ome") or stem
    header = {"format": array.driver, "axes": said.letters, "stored_dtype": array.dtype}
    return FoundAsset(
        reader,
        key=f"{image.folder}#",
        name=name,
        kind=AssetKind.VOLUME,
        files=mine,
        volume=VolumeDescription(
            shape,
            meaning_dtype(array.dtype, kind),
            spread(said.letters, [min(pair) for pair in zip(array.chunks, array.shape, strict=True)]),
            size_um,
            affine_um,
            kind,
            channels=said.channels if len(said.channels) == shape[1] else (),
            time_step_s=options.time_step_s or (said.time_step_s if shape[0] > 1 else None),
        ),
        findings=(*findings, *name_findings(name, replace(options, kind=kind))),
        metadata={"header": header} | ({"title": said.title} if said.title else {}),
    )
