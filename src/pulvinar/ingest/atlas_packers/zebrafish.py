"""The zebrafish templates of Z-Brain. Its region masks are not among them: the atlas of mapzebrain has regions."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pulvinar.ingest.atlas_geometry import blocks
from pulvinar.ingest.atlas_packers.source_files import find_file
from pulvinar.ingest.packing import AtlasSources, PackedAtlas, PackedVolume
from pulvinar.model.record import Species
from pulvinar.model.space import Affine, Space
from pulvinar.model.volume import Triple, VolumeKind
from pulvinar.storage.sources import VoxelSource

_TEMPLATES = {
    "H2B-RFP": "zbrain-H2B-RFP_6dpf_mean10fish_8bit_xyz5um.nrrd",
    "tERK": "zbrain-tERK-8bit_xyz5um.nrrd",
}


class ZBrain:
    """The H2B-RFP and tERK averages of larvae of 6 days, 5 um."""

    name: ClassVar[str] = "zbrain_zebrafish"
    species: ClassVar[Species] = Species.ZEBRAFISH
    title: ClassVar[str] = "Z-Brain templates of the larval zebrafish, 5 µm"
    licence: ClassVar[str] = "Z-Brain: terms of Harvard University (not checked); files from an MIT repository"
    redistributable: ClassVar[bool] = False
    where: ClassVar[str] = (
        "the folder ZBrains of ZebrafishBrainRegistration_Zbrain_ANTs; regions: the BrainGlobe atlas mapzebrain"
    )

    def pack(self, sources: AtlasSources) -> PackedAtlas:
        """The templates. Which axis is left-right is measured by symmetry; where front and top are, nobody says."""
        opened = {name: sources.volume(find_file(sources, file)) for name, file in _TEMPLATES.items()}
        voxels, size, _ = opened["H2B-RFP"]
        depth, height, width = voxels.shape[2:]
        extent = (depth * size[0], height * size[1], width * size[2])
        axis, likeness = _mirror_axis(voxels)
        return PackedAtlas(
            name=self.name,
            version="2015",
            title=self.title,
            title_zh="Z-Brain 斑马鱼幼鱼脑模板，5 微米",
            species=self.species,
            space=Space("zbrain", Species.ZEBRAFISH.value, extent_um=extent),
            licence=self.licence,
            citation=(
                "Randlett O et al. (2015) Whole-brain activity mapping onto a zebrafish brain atlas. "
                "Nat Methods 12:1039-1046, doi:10.1038/nmeth.3581"
            ),
            source=self.where,
            templates=tuple(
                PackedVolume(name, VolumeKind.IMAGE, source, its_size, _from_corner(its_size), "2015")
                for name, (source, its_size, _) in opened.items()
            ),
            midline_um=extent[axis] / 2,
            findings=(
                f"axis {'zyx'[axis]} is left-right: the template and its mirror image correlate by {likeness:.3f} "
                "there, and less along the others",
                "which ends are front and top, and which side is left, the files don't say and can't be measured",
            ),
        )


def _from_corner(size: Triple) -> Affine:
    """Voxel index to micrometres from the corner of the volume, along its own axes."""
    z, y, x = size
    return ((z, 0.0, 0.0, z / 2), (0.0, y, 0.0, y / 2), (0.0, 0.0, x, x / 2), (0.0, 0.0, 0.0, 1.0))


def _mirror_axis(source: VoxelSource) -> tuple[int, float]:
    """The axis along which a brain is most like its mirror image, and how much: a correlation."""
    voxels = np.concatenate([block.astype(np.float32) for _, block in blocks(source)])
    found = [float(np.corrcoef(voxels.ravel(), np.flip(voxels, axis).ravel())[0, 1]) for axis in range(voxels.ndim)]
    best = int(np.argmax(found))
    return best, found[best]
