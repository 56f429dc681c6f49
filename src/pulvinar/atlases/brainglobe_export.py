"""An atlas written as BrainGlobe's programs read it.

Source: brainglobe-atlasapi (BSD-3-Clause), whose release 2.3 reads the second layout (TIFF) and 3.0 the third
(OME-Zarr). Stacks rise to posterior, inferior, left in both ("asr": their first voxel lies at anterior, superior,
right); micrometres begin at that voxel's outer corner.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.brainglobe_files import BrainGlobeVolume, SecondLayout, ThirdLayout
from pulvinar.atlases.installed import OpenAtlas
from pulvinar.atlases.regridded import Index, Matrix, Regridded, turn_of
from pulvinar.errors import Conflict
from pulvinar.model.atlas import AtlasPart, PartKind, atlas_to_json
from pulvinar.model.ontology import Ontology, ontology_to_json
from pulvinar.model.record import Species

_RISING = "PIL"
_NAMES = {
    Species.ZEBRAFISH: "Zebrafish (Danio rerio)",
    Species.MOUSE: "Mouse (Mus musculus)",
    Species.MACAQUE: "Macaque (Macaca mulatta)",
    Species.HUMAN: "Human (Homo sapiens)",
}


@dataclass(frozen=True, eq=False)
class RegionSurface:
    """Of one region: `zyx_um` float64 (n, 3) in the atlas's space, `faces` uint32 (m, 3)."""

    region: int
    zyx_um: npt.NDArray[np.float64]
    faces: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Exported:
    """An atlas on disk: `name` is what `BrainGlobeAtlas` takes, `path` its description, `notes` what is said otherwise
    there than here."""

    name: str
    path: Path
    notes: tuple[str, ...]


def export_brainglobe(
    opened: OpenAtlas, folder: Path, *, layout: int = 3, surfaces: Iterable[RegionSurface] = ()
) -> Exported:
    """Write `opened` into `folder` (BrainGlobe's `brainglobe_dir`), in its second or third layout. Memory: a block.

    The annotation is written voxel by voxel; templates on its grid, between their voxels where theirs is another.
    Raises `NotFound` for an atlas without an annotation or template, `Invalid` for one whose voxels lie oblique to its
    space, `Conflict` when it is there already.
    """
    grid = _grid_of(opened)
    tree, root_note = _with_one_root(opened.ontology)
    metadata, notes = _metadata(opened, grid, tree)
    # each layout has its own version of the files
    writer = (SecondLayout if layout == 2 else ThirdLayout)(folder, metadata)
    if writer.description.exists():
        raise Conflict(f"{writer.description} is there already", hint="name another folder")
    writer.write_structures(_structures(tree))
    writer.write_annotation(grid.annotation)
    if not metadata["symmetric"]:
        writer.write_hemispheres(_Hemispheres(grid, opened.atlas.midline_um))
    for number, part in enumerate(_templates(opened)):
        template, note = _template(opened, part, grid)
        notes += note
        writer.write_reference(template, part.name if number else "")
    for surface in surfaces:
        zyx_um = surface.zyx_um @ grid.from_space[:3, :3].T + grid.from_space[:3, 3]
        mirrored = np.linalg.det(grid.from_space[:3, :3]) < 0
        writer.write_mesh(surface.region, zyx_um, surface.faces[:, ::-1] if mirrored else surface.faces)
    # last: an atlas that is described is whole
    writer.write_description()
    return Exported(writer.name, writer.description, (*root_note, *notes))


@dataclass(frozen=True, eq=False)
class _Grid:
    """The annotation's grid, turned: `to_space_um` maps its index to the atlas's space, `from_space` that space's
    micrometres to BrainGlobe's."""

    annotation: Regridded
    shape: Index
    size_um: tuple[float, float, float]
    to_space_um: Matrix
    from_space: Matrix


def _grid_of(opened: OpenAtlas) -> _Grid:
    annotation = opened.annotation
    z, y, x = annotation.volume.volume.shape[2:]
    turn, shape = turn_of(opened.atlas.space, annotation.voxel_to_space_um, (z, y, x), _RISING)
    to_space_um = annotation.voxel_to_space_um @ turn
    size_um = tuple(float(size) for size in np.linalg.norm(to_space_um[:3, :3], axis=0))
    to_corner_um = np.diag([*size_um, 1.0])
    to_corner_um[:3, 3] = np.array(size_um) / 2
    from_space = to_corner_um @ np.linalg.inv(to_space_um)
    return _Grid(Regridded(annotation.volume, turn, shape), shape, size_um, to_space_um, from_space)  # type: ignore[arg-type]


def _metadata(opened: OpenAtlas, grid: _Grid, tree: Ontology) -> tuple[dict[str, Any], list[str]]:
    """What BrainGlobe wants to know of an atlas, and below "pulvinar" all that there is."""
    atlas = opened.atlas
    # without a unit that names one: the resolution is added again, in BrainGlobe's words
    name = re.sub(r"_[\d.]+(nm|um|mm)$", "", atlas.name)
    numbers = re.match(r"\d+(\.\d+)?$", atlas.version)
    middle = _middle_index(grid, atlas.midline_um)
    notes = [] if numbers else [f"its version {atlas.version} is written as 1.0: BrainGlobe counts"]
    if middle is None:
        notes.append("nobody has said where its middle is: BrainGlobe takes that of the volume")
    said = {
        "name": name,
        "citation": atlas.citation or "unpublished",
        "atlas_link": atlas.source,
        "species": _NAMES[atlas.species],
        "symmetric": middle is None or abs(middle - grid.shape[2] / 2) < 1e-3,
        "resolution": list(grid.size_um),
        "orientation": "asr",
        "shape": list(grid.shape),
        "version": atlas.version if "." in atlas.version and numbers else f"{atlas.version if numbers else 1}.0",
        "licence": atlas.licence,
        "pulvinar": {
            "atlas": atlas_to_json(replace(atlas, parts=())),
            "ontology": ontology_to_json(tree),
            "voxel_to_space_um": grid.to_space_um.tolist(),
        },
    }
    return said, notes


def _middle_index(grid: _Grid, midline_um: float | None) -> float | None:
    """How many voxels of the last axis lie to the right of the middle; None when nobody knows where it is."""
    if midline_um is None:
        return None
    side = int(np.abs(grid.to_space_um[:3, 2]).argmax())
    step = grid.to_space_um[side, 2]
    return float((midline_um - grid.to_space_um[side, 3]) / step + 0.5)


class _Hemispheres:
    """1 to the left of the middle, 2 to the right of it."""

    dtype = np.dtype(np.uint8)

    def __init__(self, grid: _Grid, midline_um: float | None) -> None:
        self.shape = grid.shape
        self._middle = _middle_index(grid, midline_um)

    def read(self, start: Index, stop: Index) -> npt.NDArray[Any]:
        """The sides of the voxels from `start` up to, without, `stop`."""
        assert self._middle is not None
        row = np.where(np.arange(start[2], stop[2]) + 0.5 > self._middle, 1, 2).astype(np.uint8)
        shape = tuple(b - a for a, b in zip(start, stop, strict=True))
        return np.broadcast_to(row, shape)


def _templates(opened: OpenAtlas) -> list[AtlasPart]:
    opened.atlas.part(PartKind.TEMPLATE)
    return [part for part in opened.atlas.parts if part.kind is PartKind.TEMPLATE]


def _template(opened: OpenAtlas, part: AtlasPart, grid: _Grid) -> tuple[BrainGlobeVolume, list[str]]:
    voxel_to_space = np.array(part.voxel_to_space_um, np.float64)
    volume = Regridded(opened.volume(part), np.linalg.inv(voxel_to_space) @ grid.to_space_um, grid.shape)
    if volume.exact:
        return volume, []
    return volume, [f"template {part.name} is interpolated on the annotation's grid, which is another than its own"]


def _with_one_root(ontology: Ontology) -> tuple[Ontology, tuple[str, ...]]:
    """The tree under one root, which BrainGlobe needs."""
    roots = ontology.children(None)
    if len(roots) == 1:
        return ontology, ()
    free = next(number for number in range(997, 2**31) if number not in ontology)
    root = replace(roots[0], id=free, acronym="root", name="root", name_zh="", synonyms=(), side="", color="FFFFFF")
    below = (replace(region, parent=free) if region.parent is None else region for region in ontology.regions)
    note = f"its {len(roots)} uppermost regions lie below a root {free} there, since BrainGlobe needs one"
    return Ontology(ontology.name, ontology.version, (root, *below)), (note,)


def _structures(tree: Ontology) -> list[Mapping[str, Any]]:
    """The regions as BrainGlobe tells them, from the root down. It looks for the root under that acronym."""
    return [
        {
            "id": region.id,
            "acronym": region.acronym if region.parent is not None else "root",
            "name": region.name,
            "structure_id_path": [one.id for one in reversed(tree.ancestors(region.id, itself=True))],
            "rgb_triplet": [int(region.color[at : at + 2], 16) for at in (0, 2, 4)],
        }
        for region in tree.regions
    ]
