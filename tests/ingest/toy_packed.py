"""A small atlas as a packer hands it over: the toy's tissue and tree, and a template that is bright where tissue is."""

from dataclasses import replace

import numpy as np
from tests.atlases.toy import ONTOLOGY, SPACE, VOXEL_UM, corner_affine, labels

from pulvinar.ingest.packing import PackedAtlas, PackedVolume
from pulvinar.model.record import Species
from pulvinar.model.volume import VolumeKind
from pulvinar.storage.sources import ArraySource

MIDLINE_UM = 2_500.0
"""The toy is 100 voxels of 50 um wide, and the same on both sides of its middle."""


def volume(name, kind, voxels, lies=None):
    affine = corner_affine(VOXEL_UM) if lies is None else lies
    return PackedVolume(
        name, kind, ArraySource(voxels[None, None]), VOXEL_UM, tuple(tuple(row) for row in affine.tolist())
    )


def bright(voxels):
    """Tissue at 200 with some texture, nothing around it."""
    texture = np.arange(voxels.size, dtype=np.uint8).reshape(voxels.shape) % 7
    return np.where(voxels > 0, 200 + texture, texture).astype(np.uint8)


def packed(voxels=None, template=None, **said):
    """The toy; `voxels` are its labels, and `said` replaces what the packer says."""
    voxels = labels() if voxels is None else voxels
    atlas = PackedAtlas(
        name="toy",
        version="1",
        title="A toy brain",
        title_zh="玩具脑",
        species=Species.MOUSE,
        space=SPACE,
        licence="CC0-1.0",
        citation="nobody",
        source="made up",
        templates=(volume("average", VolumeKind.IMAGE, bright(labels()) if template is None else template),),
        annotation=volume("annotation", VolumeKind.LABELS, voxels),
        regions=ONTOLOGY.regions,
        ontology_version="1",
        midline_um=MIDLINE_UM,
    )
    return replace(atlas, **said)
