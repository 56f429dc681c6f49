"""Every reader that comes with the platform keeps the promises that plugins must keep."""

import gzip

import h5py
import nibabel as nib
import nrrd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
import tifffile
import zarr
from tests.ingest.readers import nwb_files
from tests.ingest.readers.test_h5ad import cells
from tests.ingest.readers.test_matrices import write_each

from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import ReaderContract
from pulvinar.ingest.readers.h5ad import H5adReader
from pulvinar.ingest.readers.matrices import MatrixReader
from pulvinar.ingest.readers.mgh import MghReader
from pulvinar.ingest.readers.minc import MincReader
from pulvinar.ingest.readers.nifti import NiftiReader
from pulvinar.ingest.readers.nrrd import NrrdReader
from pulvinar.ingest.readers.nwb import NwbReader
from pulvinar.ingest.readers.obj import ObjReader
from pulvinar.ingest.readers.ome_zarr import OmeZarrReader
from pulvinar.ingest.readers.swc import SwcReader
from pulvinar.ingest.readers.tables import TableReader
from pulvinar.ingest.readers.text_matrices import TextMatrixReader
from pulvinar.ingest.readers.tiff import TiffReader

AFFINE = np.array([[-2.0, 0.1, 0, 30], [0.1, 2, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])


def voxels(*shape, dtype="int16"):
    return np.random.default_rng(1).integers(0, 1000, shape).astype(dtype)


class TestNifti(ReaderContract):
    reader = NiftiReader()

    def write_samples(self, folder):
        scaled = nib.Nifti1Image(voxels(11, 12, 13), AFFINE)
        scaled.header.set_slope_inter(0.5, 3)
        nib.save(scaled, folder / "scaled.nii")
        nib.save(nib.Nifti1Image(voxels(7, 8, 9, 5), AFFINE), folder / "series.nii.gz")
        nib.save(nib.Nifti2Image(voxels(7, 8, 9, 1, 3, dtype="f4"), AFFINE), folder / "vectors.nii")
        colours = voxels(6, 5, 4, 3, dtype="u1").view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
        nib.save(nib.Nifti1Image(colours, AFFINE), folder / "colours.nii.gz")
        nib.save(nib.Nifti1Pair(voxels(5, 6, 7), AFFINE), folder / "pair.img")


class TestMgh(ReaderContract):
    reader = MghReader()

    def write_samples(self, folder):
        nib.save(nib.MGHImage(voxels(11, 12, 13), AFFINE), folder / "plain.mgh")
        nib.save(nib.MGHImage(voxels(7, 8, 9, 4, dtype="f4"), AFFINE), folder / "frames.mgz")


class TestNrrd(ReaderContract):
    reader = NrrdReader()

    def write_samples(self, folder):
        header = {"space": "left-posterior-superior", "space directions": np.diag([2.0, 3, 4]), "encoding": "gzip"}
        header |= {"space units": ["um", "um", "um"]}
        nrrd.write(str(folder / "packed.nrrd"), voxels(11, 12, 13), header)
        nrrd.write(str(folder / "raw.nrrd"), voxels(9, 8, 7), {"encoding": "raw", "spacings": [1.0, 2, 3]})
        colours = {"encoding": "bzip2", "kinds": ["RGB-color", "domain", "domain", "domain"]}
        nrrd.write(str(folder / "colours.nrrd"), voxels(3, 9, 8, 7, dtype="u1"), colours)
        nrrd.write(str(folder / "parted.nhdr"), voxels(9, 8, 7), {"encoding": "raw"}, detached_header=True)


def write_minc(path, data, dimorder, low=None, high=None, **attributes):
    with h5py.File(path, "w") as file:
        image = file.create_group("minc-2.0/image/0")
        stored = image.create_dataset("image", data=data, chunks=tuple(min(n, 5) for n in data.shape), compression=4)
        stored.attrs["dimorder"] = np.bytes_(dimorder)
        stored.attrs["valid_range"] = np.array([0.0, 1000.0])
        if low is not None:
            image["image-min"], image["image-max"] = low, high
        for index, axis in enumerate(dimorder.split(",")):
            dimension = file.create_dataset(f"minc-2.0/dimensions/{axis}", data=0)
            dimension.attrs["step"], dimension.attrs["start"] = 0.1 * (index + 1), -3.0
            for key, value in attributes.items():
                dimension.attrs[key] = value


class TestMinc(ReaderContract):
    reader = MincReader()

    def write_samples(self, folder):
        write_minc(folder / "labels.mnc", voxels(11, 12, 13, dtype="u2"), "zspace,yspace,xspace")
        low, high = np.linspace(0, 1, 11), np.linspace(2, 9, 11)
        write_minc(folder / "scaled.mnc", voxels(11, 12, 13, dtype="u2"), "yspace,zspace,xspace", low, high)
        write_minc(folder / "series.mnc", voxels(3, 5, 6, 7, dtype="f4"), "time,zspace,yspace,xspace")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
class TestNwb(ReaderContract):
    reader = NwbReader()

    def write_samples(self, folder):
        file = nwb_files.new_file()
        nwb_files.add_electrodes(file)
        nwb_files.add_imaging(file)
        nwb_files.write(file, folder / "imaging.nwb")
        file = nwb_files.new_file()
        nwb_files.add_tables(file)
        nwb_files.add_sweeps(file, count=4)
        nwb_files.write(file, folder / "sweeps.nwb")


class TestSwc(ReaderContract):
    reader = SwcReader()

    def write_samples(self, folder):
        rng = np.random.default_rng(2)
        lines = ["# a neuron", "1 1 0 0 0 5 -1"]
        lines += [f"{i} 3 {i * 0.5} {i * 0.25} 7 {rng.random() - 0.1:.3f} {rng.integers(1, i)}" for i in range(2, 300)]
        (folder / "neuron.swc").write_text("\n".join(lines) + "\n")
        backwards = [lines[1], *reversed(lines[2:])]
        (folder / "backwards.swc.gz").write_bytes(gzip.compress("\r\n".join(backwards).encode()))


class TestObj(ReaderContract):
    reader = ObjReader()

    def write_samples(self, folder):
        corners = [f"v {x} {y} {z}" for x in (0, 1) for y in (0, 1) for z in (0, 1)]
        faces = ["f 1 2 4 3", "f 5//1 6//1 8//1", "f -1/1/1 -2/1/1 -3/1/1", "f 1/2 3/2 7/2 5/2"]
        text = ["# cube", "mtllib ../secret.mtl", "o cube", *corners, "vn 0 0 1", "s off", *faces, ""]
        (folder / "cube.obj").write_text("\n".join(text))


class TestTables(ReaderContract):
    reader = TableReader()
    options = Options(unit="um")

    def write_samples(self, folder):
        rows = [f"cell {i},{i * 1.5},{i * 2},{'' if i % 7 == 0 else i},{i % 2 == 0}" for i in range(50)]
        (folder / "cells.csv").write_text("\n".join(["name,x_um,y_um,z_um,active", *rows, ""]))
        (folder / "volumes.tsv").write_text("region\tmm3\nSTR\t1.5\nCTX\t2.5\nTH\t3\n")
        (folder / "semi.csv.gz").write_bytes(gzip.compress(b"x;y;z\n1;2;3\n4;5;6\n7;8;9\n"))
        columns = {"X": [1.0, 2.0], "Y": [3, 4], "name": ["a", None], "flag": [True, False], "big": [2**40, None]}
        pq.write_table(pa.table(columns), folder / "points.parquet")


class TestH5ad(ReaderContract):
    reader = H5adReader()

    def write_samples(self, folder):
        cells().write_h5ad(folder / "cells.h5ad")
        cells(spatial=False).write_h5ad(folder / "packed.h5ad", compression="gzip")


class TestMatrices(ReaderContract):
    reader = MatrixReader()
    options = Options(time_step_s=0.5)

    def write_samples(self, folder):
        write_each(folder, "weights", np.random.default_rng(3).random((12, 12)))
        # version 4 has no words that it begins with
        (folder / "weights_4.mat").unlink()
        np.save(folder / "stack.npy", voxels(5, 6, 7))
        places, signals = np.random.default_rng(4).random((20, 2)), np.random.default_rng(5).random((20, 50))
        scipy.io.savemat(folder / "cells.mat", {"coordinates": places, "traces": signals, "who": "me"})


class TestTextMatrices(ReaderContract):
    reader = TextMatrixReader()

    def write_samples(self, folder):
        values = np.random.default_rng(3).random((12, 12))
        np.savetxt(folder / "weights.csv", values, delimiter=",")
        np.savetxt(folder / "spaced.txt", values[:, :5])
        np.savetxt(folder / "packed.txt.gz", values)


class TestTiff(ReaderContract):
    reader = TiffReader()

    def write_samples(self, folder):
        tifffile.imwrite(folder / "plain.tif", voxels(6, 17, 19), metadata=None, photometric="minisblack")
        tiles = {"tile": (16, 16), "compression": "zlib", "predictor": True}
        tifffile.imwrite(
            folder / "tiles.ome.tif", voxels(2, 3, 40, 30, dtype="u2"), ome=True, metadata={"axes": "CZYX"}, **tiles
        )
        about = {"axes": "TZYX", "spacing": 2.0, "unit": "um"}
        tifffile.imwrite(folder / "series.tif", voxels(3, 4, 12, 13, dtype="u2"), imagej=True, metadata=about)
        colours = {"photometric": "rgb", "compression": "lzw", "byteorder": ">", "bigtiff": True}
        tifffile.imwrite(folder / "colours.tif", voxels(30, 20, 3, dtype="u1"), **colours)
        (folder / "planes").mkdir()
        for number in range(4):
            tifffile.imwrite(folder / f"planes/p{number:03d}.tif", voxels(21, 22, dtype="u1"))


class TestOmeZarr(ReaderContract):
    reader = OmeZarrReader()

    def write_samples(self, folder):
        axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
        scale = [{"type": "scale", "scale": [2.0, 0.5, 0.5]}]
        multiscale = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
        new = zarr.open_group(folder / "new.ome.zarr", mode="w")
        new.create_array("0", data=voxels(20, 21, 22, dtype="u2"), chunks=(8, 8, 8), shards=(16, 16, 16))
        new.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
        old = zarr.open_group(folder / "old.zarr", mode="w", zarr_format=2)
        old.create_array("0", data=voxels(9, 8, 7, dtype=">i2"), chunks=(4, 4, 4))
        old.attrs["multiscales"] = [multiscale]
