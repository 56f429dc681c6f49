"""Images in one file, or in a folder of slices."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import nrrd
import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813
import tifffile
from nibabel.analyze import AnalyzeImage
from pylibCZIrw import czi as zeiss
from tests.ingest.readers import dicom_files
from tests.ingest.sources import VOLUMES
from v3dpy.loaders import Raw

from benchmarks._formats.entry import SIZED, Format, Voxels, brain


def _image() -> Any:
    image = nib.Nifti1Image(brain().T, np.diag([0.5, 0.5, 0.5, 1]))
    image.header.set_xyzt_units("mm")
    return image


def _nifti(folder: Path) -> Path:
    nib.save(_image(), folder / "brain.nii")
    return folder / "brain.nii"


def _nifti_gz(folder: Path) -> Path:
    (folder / "brain.nii.gz").write_bytes(gzip.compress(_image().to_bytes(), 1))
    return folder / "brain.nii.gz"


def _mgz(folder: Path) -> Path:
    content = nib.MGHImage(brain().T.astype(np.int16), np.eye(4)).to_bytes()
    (folder / "brain.mgz").write_bytes(gzip.compress(content, 1))
    return folder / "brain.mgz"


def _nrrd(encoding: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        said = {"spacings": [0.5] * 3, "encoding": encoding}
        nrrd.write(str(folder / "brain.nrrd"), brain().T, said, compression_level=1)
        return folder / "brain.nrrd"

    return make


def _minc(folder: Path) -> Path:
    voxels = brain()
    with h5py.File(folder / "brain.mnc", "w") as file:
        image = file.create_dataset("minc-2.0/image/0/image", data=voxels, chunks=(16, 128, 128), compression=1)
        image.attrs["dimorder"], image.attrs["valid_range"] = (
            np.bytes_("zspace,yspace,xspace"),
            np.array((0.0, 65535.0)),
        )
        # the range of what is meant is that of what is stored, which nibabel must be told
        for word, value in (("min", 0.0), ("max", 65535.0)):
            file[f"minc-2.0/image/0/image-{word}"] = value
        for axis, length in zip(("zspace", "yspace", "xspace"), voxels.shape, strict=True):
            dimension = file.create_dataset(f"minc-2.0/dimensions/{axis}", data=0)
            dimension.attrs["length"], dimension.attrs["step"], dimension.attrs["start"] = length, 0.5, 0.0
    return folder / "brain.mnc"


def _minc_voxels(path: Path) -> Voxels:
    with h5py.File(path) as file:
        voxels: Voxels = file["minc-2.0/image/0/image"][()]
    return voxels[None, None]


def _tiff(**how: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with tifffile.TiffWriter(folder / "brain.tif") as writer:
            for plane in brain():
                writer.write(plane, photometric="minisblack", metadata=None, **how)
        return folder / "brain.tif"

    return make


def _tiff_voxels(path: Path) -> Voxels:
    return np.stack([page.asarray() for page in tifffile.TiffFile(path).pages])[None, None]


def _whole(read: Callable[[Path], Voxels]) -> Callable[[Path], Voxels]:
    """As `read`, and in memory: nibabel maps a file that isn't packed."""
    return lambda path: np.array(read(path))


def _analyze(folder: Path) -> Path:
    (folder / "analyze").mkdir()
    # read as fast as memory is copied: so long that the first block, whose memory is new, is a small part of it
    nib.save(AnalyzeImage(brain(planes=768).T.astype(np.int16), np.eye(4)), folder / "analyze" / "brain.img")
    (folder / "analyze" / "brain.mat").unlink(missing_ok=True)
    return folder / "analyze"


def _metaimage(*, compress: bool) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        sitk.WriteImage(sitk.GetImageFromArray(brain()), str(folder / "brain.mha"), compress, compressionLevel=1)
        return folder / "brain.mha"

    return make


def _metaimage_voxels(path: Path) -> Voxels:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[None, None]


def _v3draw(folder: Path) -> Path:
    Raw().save(str(folder / "brain.v3draw"), brain()[None])
    return folder / "brain.v3draw"


def _dicom(folder: Path) -> Path:
    dicom_files.series(folder / "series", voxels=brain())
    return folder / "series"


def _dicom_voxels(path: Path) -> Voxels:
    slices = [pydicom.dcmread(file) for file in path.iterdir()]
    slices.sort(key=lambda one: float(one.ImagePositionPatient[2]))
    return np.stack([one.pixel_array for one in slices])[None, None]


def _czi(folder: Path) -> Path:
    with zeiss.create_czi(str(folder / "brain.czi"), compression_options="zstd1:ExplicitLevel=1") as file:
        for z, plane in enumerate(brain()):
            file.write(plane[..., None], plane={"T": 0, "C": 0, "Z": z})
        file.write_metadata(scale_x=1e-6, scale_y=1e-6, scale_z=2e-6)
    return folder / "brain.czi"


def _czi_voxels(path: Path) -> Voxels:
    with zeiss.open_czi(str(path)) as file:
        planes = file.total_bounding_box["Z"][1]
        return np.stack([file.read(plane={"T": 0, "C": 0, "Z": z})[..., 0] for z in range(planes)])[None, None]


IMAGES = [
    Format("NIfTI", _nifti, "nibabel", _whole(VOLUMES["nifti"]), samples="nifti"),
    Format("NIfTI, gzip", _nifti_gz, "nibabel", VOLUMES["nifti"]),
    Format("MGH, gzip", _mgz, "nibabel", VOLUMES["mgh"], samples="mgh"),
    Format("Analyze 7.5", _analyze, "nibabel", _whole(lambda path: VOLUMES["nifti"](path / "brain.img"))),
    Format("NRRD", _nrrd("raw"), "pynrrd", _whole(VOLUMES["nrrd"]), samples="nrrd"),
    Format("NRRD, gzip", _nrrd("gzip"), "pynrrd", VOLUMES["nrrd"]),
    Format("MetaImage", _metaimage(compress=False), "SimpleITK", _metaimage_voxels),
    Format("MetaImage, zlib", _metaimage(compress=True), "SimpleITK", _metaimage_voxels),
    Format("MINC2, chunks of gzip", _minc, "h5py", _minc_voxels, samples="minc"),
    Format("TIFF", _tiff(), "tifffile", _tiff_voxels, samples="tiff"),
    Format("TIFF, deflate", _tiff(compression="zlib"), "tifffile", _tiff_voxels),
    Format("TIFF, tiles of LZW", _tiff(compression="lzw", tile=(128, 128)), "tifffile", _tiff_voxels),
    Format("DICOM, 256 files", _dicom, "pydicom", _dicom_voxels, samples="dicom"),
    Format("CZI, zstd", _czi, "pylibCZIrw", _czi_voxels, samples="czi"),
    Format("Vaa3D v3draw", _v3draw, "v3d-py", lambda path: Raw().load(str(path))[None], options=SIZED),
]
