"""Files of a source by their own name, wherever in its folder they are."""

from __future__ import annotations

from dataclasses import replace

from pulvinar.errors import NotFound, UnreadableFile
from pulvinar.ingest.packing import AtlasSources
from pulvinar.ingest.reader import Options
from pulvinar.model.space import Affine
from pulvinar.model.volume import Triple, VolumeKind
from pulvinar.storage.sources import VoxelSource


def find_file(sources: AtlasSources, name: str) -> str:
    """The file called `name`, the one highest up of several. Raises `NotFound`."""
    found = [one for one in sources.names() if one.rpartition("/")[2] == name]
    if not found:
        here = ", ".join(sources.names()[:6])
        raise NotFound(f"the source's file {name} is not there", hint=f"there is {here or 'nothing'}")
    return min(found, key=lambda one: (one.count("/"), one))


def open_image(sources: AtlasSources, name: str, options: Options | None = None) -> tuple[VoxelSource, Triple, Affine]:
    """An image by its file's name: voxels, voxel size, and affine into the world. Raises `NotFound`,
    `UnreadableFile`."""
    return _open(sources, name, replace(options or Options(), kind=VolumeKind.IMAGE))


def open_labels(sources: AtlasSources, name: str, options: Options | None = None) -> tuple[VoxelSource, Triple, Affine]:
    """A label volume by its file's name, as whole numbers. Raises `NotFound`, `UnreadableFile`."""
    return _open(sources, name, replace(options or Options(), kind=VolumeKind.LABELS))


def _open(sources: AtlasSources, name: str, options: Options) -> tuple[VoxelSource, Triple, Affine]:
    voxels, size, affine = sources.volume(find_file(sources, name), options)
    if affine is None and options.voxel_size_um is None:
        raise UnreadableFile(f"{name} does not say how it lies", hint="is it the source's own file?")
    z, y, x = size
    along: Affine = ((z, 0.0, 0.0, 0.0), (0.0, y, 0.0, 0.0), (0.0, 0.0, x, 0.0), (0.0, 0.0, 0.0, 1.0))
    return voxels, size, affine or along
