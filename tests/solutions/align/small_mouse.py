"""The Allen template at 200 um as an atlas that is installed in a second, and a brain that belongs to it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.packing import PackedAtlas, PackedVolume
from pulvinar.model.ontology import Region
from pulvinar.model.record import Species
from pulvinar.model.volume import VolumeKind
from pulvinar.solutions.align.brain_image import BrainImage, rows_of
from pulvinar.solutions.align.known_warps import KnownBrain
from pulvinar.solutions.align.reference_brains import Reference, references
from pulvinar.storage.sources import ArraySource


def small_mouse(samples: Path) -> Reference:
    """The mouse that is measured, on every second of its voxels."""
    fine = references(samples)["mouse"]()
    to_um = np.array(fine.template.voxel_to_space_um) @ np.diag([2.0, 2.0, 2.0, 1.0])
    every = (slice(None, None, 2),) * 3
    # cubes reach a little below 0, which no camera does
    voxels = np.maximum(fine.template.voxels[every], 0)
    template = BrainImage(fine.template.space, voxels, rows_of(to_um))
    return replace(fine, template=template, labels=fine.labels[every], voxel_um=2 * fine.voxel_um)


def small_atlas(mouse: Reference) -> PackedAtlas:
    """`mouse` as a packer hands it over: a root, and each label a region below it."""
    template = mouse.template
    z, y, x = template.voxel_size_um.tolist()

    def volume(name: str, kind: VolumeKind, voxels: npt.NDArray[Any]) -> PackedVolume:
        return PackedVolume(name, kind, ArraySource(voxels[None, None]), (z, y, x), template.voxel_to_space_um)

    ids = [int(one) for one in np.unique(mouse.labels) if one]
    root = Region("small", 10**9, "root", "root")
    return PackedAtlas(
        name="small_mouse",
        version="1",
        title="A small mouse",
        title_zh="小鼠",
        species=Species.MOUSE,
        space=template.space,
        licence="CC-BY-4.0",
        citation="nobody",
        source="a sample",
        templates=(volume("average", VolumeKind.IMAGE, np.asarray(template.voxels).astype(np.uint16)),),
        annotation=volume("annotation", VolumeKind.LABELS, mouse.labels.astype(np.uint32)),
        regions=(root, *(Region("small", one, f"r{one}", f"region {one}", root.id) for one in ids)),
        ontology_version="1",
    )


def as_microscope(known: KnownBrain) -> npt.NDArray[np.uint16]:
    """The voxels of a known brain as a microscope stores them, axes (t, c, z, y, x)."""
    gray = known.image.voxels - known.image.voxels.min()
    return (gray * (4000 / gray.max())).astype(np.uint16)[None, None]
