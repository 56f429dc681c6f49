"""What a packer makes of the files of a public source, before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from pulvinar.ingest.reader import Options
from pulvinar.model.ontology import Region
from pulvinar.model.record import Species
from pulvinar.model.space import Affine, Space
from pulvinar.model.volume import Triple, VolumeKind
from pulvinar.storage.sources import VoxelSource


@dataclass(frozen=True)
class PackedVolume:
    """A template or an annotation: its voxels as they come, and where they lie.

    `voxel_to_space_um` maps the voxel index (z, y, x, 1), whole numbers at voxel centres, to micrometres (z, y, x) of
    the atlas's space. Labels of an annotation are the `Region.id`s of the ontology; 0 is outside.
    """

    name: str
    kind: VolumeKind
    source: VoxelSource
    voxel_size_um: Triple
    voxel_to_space_um: Affine
    version: str = ""


@dataclass(frozen=True)
class PackedAtlas:
    """An atlas as a packer hands it over. `findings` say what was measured of its files, and where they lied."""

    name: str
    version: str
    title: str
    title_zh: str
    species: Species
    space: Space
    licence: str
    citation: str
    source: str
    templates: tuple[PackedVolume, ...] = ()
    annotation: PackedVolume | None = None
    regions: tuple[Region, ...] = ()
    ontology_version: str = ""
    midline_um: float | None = None
    findings: tuple[str, ...] = ()


class AtlasSources(Protocol):
    """The files of a source. Each is read by the platform's own readers, in their own process."""

    def names(self) -> tuple[str, ...]:
        """Every file, relative, sorted."""

    def bytes(self, name: str) -> bytes:
        """A small file (a table, a tree), up to 64 MB. Raises `NotFound` with the names that there are."""

    def volume(self, name: str, options: Options | None = None) -> tuple[VoxelSource, Triple, Affine | None]:
        """A volume's voxels, axes (t, c, z, y, x), its voxel size and its affine into the world frame "SAR", both in
        micrometres. It is open until the sources are closed. Raises `NotFound`, `UnreadableFile`."""


class Packer(Protocol):
    """How one public source becomes an atlas. Has no state."""

    name: ClassVar[str]
    """That of the atlas: "allen_mouse_25um"."""
    species: ClassVar[Species]
    title: ClassVar[str]
    licence: ClassVar[str]
    redistributable: ClassVar[bool]
    """Whether its terms allow others to use it commercially: if not it is never part of what Pulvinar ships."""
    where: ClassVar[str]
    """Where a person gets the files: an address, or the package that brings them."""

    def pack(self, sources: AtlasSources) -> PackedAtlas:
        """The atlas, its geometry measured from the voxels. Raises `NotFound` for a missing file, `UnreadableFile` for
        one that isn't what the source publishes."""
