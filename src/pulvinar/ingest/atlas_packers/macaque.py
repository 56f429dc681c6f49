"""Macaque atlases: INIA19, Yerkes19 and the template of MEBRAINS, each in the world of its own files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.atlas_geometry import (
    LabelPlace,
    label_places,
    measured_orientation,
    orientation_of_affine,
)
from pulvinar.ingest.atlas_packers.side_regions import NamedLabel, read_meanings, side_tree
from pulvinar.ingest.atlas_packers.source_files import find_file, open_image, open_labels
from pulvinar.ingest.packing import AtlasSources, PackedAtlas, PackedVolume
from pulvinar.model.ontology import Region
from pulvinar.model.record import Species
from pulvinar.model.space import Affine, Space
from pulvinar.model.transform import affine_rows
from pulvinar.model.volume import VolumeKind


def macaque_space(name: str) -> Space:
    """A space whose micrometres are those of the files' own world, rising to superior, anterior and right."""
    return Space(name, Species.MACAQUE.value, "SAR")


class Inia19:
    """INIA19: a T1 average of 19 rhesus macaques and the NeuroMaps labels, 0.5 mm."""

    name: ClassVar[str] = "inia19_macaque"
    species: ClassVar[Species] = Species.MACAQUE
    title: ClassVar[str] = "INIA19 rhesus macaque atlas with NeuroMaps labels, 0.5 mm"
    licence: ClassVar[str] = "BSD-3-Clause as Debian's mricron-data says; INIA19's own terms not checked"
    redistributable: ClassVar[bool] = False
    where: ClassVar[str] = (
        "the folder of inia19-NeuroMaps.nii.gz, inia19-t1-brain.nii.gz (Debian mricron-data) and inia19-NeuroMaps.txt"
    )

    def pack(self, sources: AtlasSources) -> PackedAtlas:
        """The atlas, with left and right as the labels called l_ and r_ lie."""
        labels, size, affine = open_labels(sources, "inia19-NeuroMaps.nii.gz")
        places = label_places(labels)
        named = list(_neuromaps(sources.bytes(find_file(sources, "inia19-NeuroMaps.txt")).decode("utf-8")))
        regions = side_tree("inia19", named, read_meanings("inia19"))
        measured = _checked(places, affine, _landmarks(named))
        voxels, template_size, template_affine = open_image(sources, "inia19-t1-brain.nii.gz")
        return PackedAtlas(
            name=self.name,
            version="2012",
            title=self.title,
            title_zh="INIA19 恒河猴脑图谱（NeuroMaps 标注），0.5 毫米",
            species=self.species,
            space=macaque_space("inia19"),
            licence=self.licence,
            citation=(
                "Rohlfing T et al. (2012) The INIA19 template and NeuroMaps atlas for primate brain image parcellation "
                "and spatial normalization. Front Neuroinform 6:27, doi:10.3389/fninf.2012.00027"
            ),
            source=self.where,
            templates=(PackedVolume("T1", VolumeKind.IMAGE, voxels, template_size, template_affine, "2012"),),
            annotation=PackedVolume("annotation", VolumeKind.LABELS, labels, size, affine, "2012"),
            regions=regions,
            ontology_version="2012",
            midline_um=_midline(places, regions, affine),
            findings=(measured,),
        )


def _neuromaps(text: str) -> Iterator[NamedLabel]:
    """Lines of a number, a name that begins with its side, and a colour."""
    sides = {"l_": "Left_", "r_": "Right_"}
    for line in text.splitlines():
        parts = line.split()
        if len(parts) >= 2 and parts[0].isdecimal():
            yield NamedLabel(int(parts[0]), sides.get(parts[1][:2], "") + parts[1][2:])


def _landmarks(labels: Sequence[NamedLabel]) -> dict[str, list[int]]:
    """Labels that are known to lie at a side of the brain, by the words of their names."""
    words = {
        "L": "^Left_",
        "R": "^Right_",
        "A": "olfactory_bulb|straight_gyrus|frontopolar|middle_frontal_gyrus",
        "P": "occipital|cuneus|lingual",
        "S": "paracentral|precentral_gyrus|superior_parietal|superior_frontal",
        "I": "temporal_gyrus|medulla$|uncinate|inferior_olivary",
    }
    return {letter: [one.label for one in labels if re.search(pattern, one.text)] for letter, pattern in words.items()}


def _checked(places: dict[int, LabelPlace], affine: Affine, landmarks: dict[str, list[int]]) -> str:
    """What the voxels say of their own orientation. Raises `UnreadableFile` when their header says another."""
    measured, stated = measured_orientation(places, landmarks), orientation_of_affine(affine)
    if measured != stated:
        raise UnreadableFile(
            f"the labels lie {measured} by anatomy and {stated} by their header", hint="is it the source's own file?"
        )
    return f"the voxels' axes rise to {measured}: measured from named regions, and as their header says"


def _midline(places: dict[int, LabelPlace], regions: Sequence[Region], affine: Affine) -> float:
    """Halfway between the left and the right regions, on the right-going axis of the world."""
    matrix = np.array(affine)
    means = []
    for side in ("left", "right"):
        mine = [places[one.id] for one in regions if one.side == side and one.id in places]
        center = np.average([one.center for one in mine], axis=0, weights=[one.count for one in mine])
        means.append(float((matrix @ [*center, 1.0])[2]))
    return sum(means) / 2


class Yerkes19:
    """Yerkes19: averages of T1 and T2 of 19 macaques, and FreeSurfer's segmentation of them, 0.5 mm."""

    name: ClassVar[str] = "yerkes19_macaque"
    species: ClassVar[Species] = Species.MACAQUE
    title: ClassVar[str] = "Yerkes19 macaque atlas, FreeSurfer labels, 0.5 mm"
    licence: ClassVar[str] = "HCP pipelines licence"
    redistributable: ClassVar[bool] = False
    where: ClassVar[str] = (
        "the folder of mri_aseg.mgz, mri_norm.mgz, Avgwmparc.nii.gz, FreeSurferAllLut.txt and "
        "MacaqueYerkes19_T1w_0.5mm_brain.nii.gz (global/templates of the non-human primate HCP pipelines)"
    )

    def pack(self, sources: AtlasSources) -> PackedAtlas:
        """The atlas. Its FreeSurfer volumes say voxels of 1 mm; how large they are is measured against the same
        structures in the NIfTI file of the average parcellation, which says 0.5 mm."""
        labels, said, affine = open_labels(sources, "mri_aseg.mgz")
        places = label_places(labels)
        scale = self._scale(sources, places, said[0])
        size = (said[0] * scale, said[1] * scale, said[2] * scale)
        named = _lookup_table(sources.bytes(find_file(sources, "FreeSurferAllLut.txt")).decode("utf-8"))
        there = [label for label in named if label.label in places]
        regions = side_tree("freesurfer_macaque", there, read_meanings("freesurfer_macaque"))
        norm, _, norm_affine = open_image(sources, "mri_norm.mgz")
        t1, t1_size, t1_affine = open_image(sources, "MacaqueYerkes19_T1w_0.5mm_brain.nii.gz")
        lies = _scaled(affine, scale)
        return PackedAtlas(
            name=self.name,
            version="1.2",
            title=self.title,
            title_zh="Yerkes19 猕猴脑图谱（FreeSurfer 标注），0.5 毫米",
            species=self.species,
            space=macaque_space("yerkes19"),
            licence=self.licence,
            citation=(
                "Donahue CJ et al. (2016) Using diffusion tractography to predict cortical connection strength and "
                "distance: a quantitative comparison with tracers in the monkey. J Neurosci 36:6758-6770"
            ),
            source=self.where,
            templates=(
                PackedVolume("T1, normalised", VolumeKind.IMAGE, norm, size, _scaled(norm_affine, scale), "1.2"),
                PackedVolume("T1w, average of 19", VolumeKind.IMAGE, t1, t1_size, t1_affine, "1.2"),
            ),
            annotation=PackedVolume("annotation", VolumeKind.LABELS, labels, size, lies, "1.2"),
            regions=regions,
            ontology_version="1.2",
            midline_um=_midline(places, regions, lies),
            findings=(
                _checked(places, lies, _free_surfer_landmarks(there)),
                f"the FreeSurfer volumes say voxels of {said[0] / 1000:g} mm; by the distances of the same structures "
                f"in Avgwmparc.nii.gz they have {size[0] / 1000:g} mm: their headers lie",
            ),
        )

    def _scale(self, sources: AtlasSources, places: dict[int, LabelPlace], said_um: float) -> float:
        """By what the stated voxel size is to be multiplied: a power of two, as near as the structures tell."""
        others, size, _ = open_labels(sources, "Avgwmparc.nii.gz")
        known = label_places(others)
        both = sorted(label for label in set(places) & set(known) if known[label].count > _WELL_KNOWN)
        spreads = [
            float(np.std([found[label].center for label in both], axis=0).sum()) * voxel_um
            for found, voxel_um in ((known, size[0]), (places, said_um))
        ]
        scale = float(2.0 ** round(np.log2(spreads[0] / spreads[1])))
        if abs(spreads[0] / spreads[1] / scale - 1) > _TOLERATED:
            raise UnreadableFile(
                f"the structures of mri_aseg.mgz lie {spreads[0] / spreads[1]:.2f} times as far apart as it says",
                hint="is it the source's own file?",
            )
        return scale


_WELL_KNOWN = 300
"""Voxels of a structure whose middle is sure."""
_TOLERATED = 0.15
"""How far two segmentations of one brain may differ in their distances."""


def _scaled(affine: Affine, scale: float) -> Affine:
    """The same world with all lengths multiplied: FreeSurfer's origin is in the middle of its volume."""
    matrix = np.array(affine)
    matrix[:3] *= scale
    return affine_rows(matrix)


def _lookup_table(text: str) -> Iterator[NamedLabel]:
    """Pairs of lines: a name, then its number and colour."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for name, numbers in zip(lines[::2], lines[1::2], strict=False):
        first = numbers.split()[0]
        if first.isdecimal() and int(first):
            yield NamedLabel(int(first), _capitals(name))


def _capitals(name: str) -> str:
    """ "LEFT-CEREBRAL-CORTEX" as FreeSurfer writes it: "Left-Cerebral-Cortex"."""
    sided = re.match(r"(LEFT|RIGHT)([-_])(.*)", name)
    if sided:
        return f"{sided[1].capitalize()}{sided[2]}{sided[3].title()}"
    return name.title()


def _free_surfer_landmarks(labels: Sequence[NamedLabel]) -> dict[str, list[int]]:
    words = {
        "L": "^Left",
        "R": "^Right",
        "A": "Caudate|Accumbens",
        "P": "Cerebellum",
        "S": "Caudate|Lateral-Ventricle$",
        "I": "Brain-Stem|Amygdala",
    }
    return {letter: [one.label for one in labels if re.search(pattern, one.text)] for letter, pattern in words.items()}


class Mebrains:
    """The T1 template of MEBRAINS, 0.4 mm; its areas come as parcels of a surface, and not as voxels."""

    name: ClassVar[str] = "mebrains_macaque"
    species: ClassVar[Species] = Species.MACAQUE
    title: ClassVar[str] = "MEBRAINS macaque template, 0.4 mm"
    licence: ClassVar[str] = "none stated"
    redistributable: ClassVar[bool] = False
    where: ClassVar[str] = "the folder of MEBRAINS_T1_masked.nii.gz (RheMAP-Surf)"

    def pack(self, sources: AtlasSources) -> PackedAtlas:
        """The template, in the world that its file states: without labels nothing can be measured."""
        voxels, size, affine = open_image(sources, "MEBRAINS_T1_masked.nii.gz")
        return PackedAtlas(
            name=self.name,
            version="1",
            title=self.title,
            title_zh="MEBRAINS 猕猴脑模板，0.4 毫米",
            species=self.species,
            space=macaque_space("mebrains"),
            licence=self.licence,
            citation=(
                "Balan PF et al. (2024) MEBRAINS 1.0: a new population-based macaque atlas. Imaging Neuroscience 2:1-26"
            ),
            source=self.where,
            templates=(PackedVolume("T1", VolumeKind.IMAGE, voxels, size, affine, "1"),),
            findings=(f"its axes rise to {orientation_of_affine(affine)}, as its header says: not measured",),
        )
