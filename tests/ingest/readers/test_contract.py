"""Every reader that comes with the platform keeps the promises that plugins must keep."""

import gzip
import json
import shutil
from pathlib import Path

import h5py
import nibabel as nib
import nibabel.testing
import nrrd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
import SimpleITK as sitk  # noqa: N813
import tensorstore as ts
import tifffile
import trimesh
import z5py
import zarr
from nibabel.analyze import AnalyzeImage
from pylibCZIrw import czi as zeiss
from tests.ingest.readers import nwb_files, test_cifti, test_freesurfer, test_gifti, test_morphologies, test_tractograms
from tests.ingest.readers.afni_files import write_afni
from tests.ingest.readers.bids_tree import small_tree
from tests.ingest.readers.companions import write_companion
from tests.ingest.readers.dicom_files import enhanced, mosaic, save, series, volumes
from tests.ingest.readers.hdf5_writers import write_bigdataviewer, write_imaris
from tests.ingest.readers.lif_writer import write_lif
from tests.ingest.readers.nd2_writer import write_nd2
from tests.ingest.readers.test_h5ad import cells
from tests.ingest.readers.test_matrices import write_each
from v3dpy.loaders import PBD, Raw

from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import ReaderContract
from pulvinar.ingest.readers.afni import AfniReader
from pulvinar.ingest.readers.analyze import AnalyzeReader
from pulvinar.ingest.readers.bids import BidsReader
from pulvinar.ingest.readers.bigdataviewer import BigDataViewerReader
from pulvinar.ingest.readers.cifti import CiftiReader
from pulvinar.ingest.readers.czi import CziReader
from pulvinar.ingest.readers.dicom import DicomReader
from pulvinar.ingest.readers.freesurfer import FreesurferReader
from pulvinar.ingest.readers.gifti import GiftiReader
from pulvinar.ingest.readers.h5ad import H5adReader
from pulvinar.ingest.readers.hdf5 import Hdf5Reader
from pulvinar.ingest.readers.imaris import ImarisReader
from pulvinar.ingest.readers.lif import LifReader
from pulvinar.ingest.readers.matrices import MatrixReader
from pulvinar.ingest.readers.metaimage import MetaImageReader
from pulvinar.ingest.readers.mgh import MghReader
from pulvinar.ingest.readers.minc import MincReader
from pulvinar.ingest.readers.morphology_h5 import MorphologyH5Reader
from pulvinar.ingest.readers.n5 import N5Reader
from pulvinar.ingest.readers.nd2 import Nd2Reader
from pulvinar.ingest.readers.neurolucida import NeurolucidaReader
from pulvinar.ingest.readers.neuroml import NeuromlReader
from pulvinar.ingest.readers.nifti import NiftiReader
from pulvinar.ingest.readers.nrrd import NrrdReader
from pulvinar.ingest.readers.nwb import NwbReader
from pulvinar.ingest.readers.obj import ObjReader
from pulvinar.ingest.readers.ome_companion import OmeCompanionReader
from pulvinar.ingest.readers.ome_zarr import OmeZarrReader
from pulvinar.ingest.readers.parrec import ParRecReader
from pulvinar.ingest.readers.ply import PlyReader
from pulvinar.ingest.readers.precomputed import PrecomputedReader
from pulvinar.ingest.readers.stl import StlReader
from pulvinar.ingest.readers.swc import SwcReader
from pulvinar.ingest.readers.tables import TableReader
from pulvinar.ingest.readers.tck import TckReader
from pulvinar.ingest.readers.text_matrices import TextMatrixReader
from pulvinar.ingest.readers.tiff import TiffReader
from pulvinar.ingest.readers.trk import TrkReader
from pulvinar.ingest.readers.vaa3d import Vaa3dReader

AFFINE = np.array([[-2.0, 0.1, 0, 30], [0.1, 2, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])


def voxels(*shape, dtype="int16"):
    return np.random.default_rng(1).integers(0, 1000, shape).astype(dtype)


class TestAfni(ReaderContract):
    reader = AfniReader()

    def write_samples(self, folder):
        write_afni(folder / "plain+orig", voxels(3, 1, 5, 6, 7), packed=False)
        write_afni(folder / "packed+orig", voxels(3, 1, 5, 6, 7), factors=(0.5, 0.25, 2.0))


class TestParRec(ReaderContract):
    reader = ParRecReader()

    def write_samples(self, folder):
        for path in sorted(Path(nib.testing.data_path).glob("phantom_[Ev]*.???")):
            shutil.copy(path, folder)


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


class TestAnalyze(ReaderContract):
    reader = AnalyzeReader()

    def write_samples(self, folder):
        nib.save(AnalyzeImage(voxels(11, 12, 13), np.diag([2, 3, 4, 1])), folder / "volume.img")
        nib.save(AnalyzeImage(voxels(5, 6, 7, 4, dtype="f4"), np.diag([2, 3, 4, 1])), folder / "series.img")


class TestBids(ReaderContract):
    reader = BidsReader()

    def write_samples(self, folder):
        small_tree(folder)


class TestDicom(ReaderContract):
    reader = DicomReader()

    def write_samples(self, folder):
        series(folder / "series", SeriesInstanceUID="1.2.3")
        volumes(folder / "volumes", SeriesInstanceUID="1.2.4", SeriesDescription="bold", RescaleSlope=0.5)
        save(folder / "enhanced", enhanced(voxels(2, 3, 6, 7, dtype="u2"), SeriesInstanceUID="1.2.5"))
        save(folder / "mosaic", mosaic(voxels(5, 6, 7, dtype="u2"), SeriesInstanceUID="1.2.6"))


class TestMetaImage(ReaderContract):
    reader = MetaImageReader()

    def write_samples(self, folder):
        for name, packed in (("plain.mha", False), ("packed.mha", True), ("parted.mhd", False), ("zipped.mhd", True)):
            sitk.WriteImage(sitk.GetImageFromArray(voxels(11, 12, 13)), str(folder / name), packed)
        sitk.WriteImage(sitk.GetImageFromArray(voxels(5, 6, 7, 3), isVector=True), str(folder / "vectors.mha"))
        header = "ObjectType = Image\nNDims = 3\nDimSize = 7 6 2\nElementType = MET_USHORT\nElementSpacing = 1 1 1\n"
        (folder / "listed.mhd").write_text(f"{header}ElementDataFile = LIST\none.raw\ntwo.raw\n")
        for name in ("one", "two"):
            (folder / f"{name}.raw").write_bytes(voxels(6, 7, dtype="u2").tobytes())


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


class TestN5(ReaderContract):
    reader = N5Reader()

    def write_samples(self, folder):
        file = z5py.File(folder / "lab.n5", mode="w", use_zarr_format=False)
        file.create_dataset("plain", data=voxels(20, 21, 22, dtype="u2"), chunks=(8, 9, 10), compression="gzip")
        for level in range(2):
            made = file.create_dataset(
                f"brain/s{level}", data=voxels(3, 9, 8, 7), chunks=(1, 4, 4, 4), compression="zstd"
            )
            made.attrs["pixelResolution"] = {"dimensions": [0.5, 0.5, 2.0], "unit": "um"}


class TestPrecomputed(ReaderContract):
    reader = PrecomputedReader()

    def write_samples(self, folder):
        for name, sharding in (
            ("plain", None),
            ("sharded", {"minishard_bits": 1, "shard_bits": 1, "preshift_bits": 1}),
        ):
            scale = {
                "size": [22, 21, 20],
                "resolution": [4, 4, 40],
                "chunk_size": [8, 8, 8],
                "encoding": "raw",
                "key": "4",
            }
            if sharding:
                scale["sharding"] = {"@type": "neuroglancer_uint64_sharded_v1", "hash": "identity"} | sharding
            spec = {
                "driver": "neuroglancer_precomputed",
                "kvstore": {"driver": "file", "path": f"{folder}/{name}/"},
                "multiscale_metadata": {"type": "image", "data_type": "uint16", "num_channels": 2},
                "scale_metadata": scale,
            }
            ts.open(spec, create=True, delete_existing=True).result()[...] = voxels(22, 21, 20, 2, dtype="u2")
        (folder / "skeletons").mkdir(exist_ok=True)
        (folder / "skeletons" / "info").write_text(json.dumps({"@type": "neuroglancer_skeletons"}))
        edges = np.stack([np.arange(1, 90), np.arange(1, 90) // 2], axis=1).astype("<u4")
        nodes = np.arange(270, dtype="<f4").tobytes()
        (folder / "skeletons" / "5").write_bytes(np.array([90, 89], "<u4").tobytes() + nodes + edges.tobytes())
        (folder / "meshes").mkdir(exist_ok=True)
        (folder / "meshes" / "info").write_text(json.dumps({"@type": "neuroglancer_legacy_mesh"}))
        (folder / "meshes" / "5:0").write_text(json.dumps({"fragments": ["5.part"]}))
        corners, faces = np.arange(12, dtype="<f4"), np.array([[0, 1, 2], [1, 2, 3]], "<u4")
        (folder / "meshes" / "5.part").write_bytes(b"\x04\0\0\0" + corners.tobytes() + faces.tobytes())


class TestCzi(ReaderContract):
    reader = CziReader()

    def write_samples(self, folder):
        for name, packing in (("plain", "uncompressed:"), ("packed", "zstd1:PreProcess=HiLoByteUnpack")):
            with zeiss.create_czi(str(folder / f"{name}.czi"), exist_ok=True, compression_options=packing) as file:
                for t, c, x in np.ndindex(2, 2, 3):
                    place = {"plane": {"T": t, "C": c, "Z": 0}, "scene": x // 2, "location": (x * 30, 0)}
                    file.write(voxels(25, 36, dtype="u2"), **place)
                file.write_metadata(scale_x=1e-6, scale_y=1e-6, scale_z=1e-6)
        with zeiss.create_czi(str(folder / "colours.czi"), exist_ok=True) as file:
            file.write(voxels(25, 36, 3, dtype="u1"), plane={"T": 0, "C": 0, "Z": 0})


class TestImaris(ReaderContract):
    reader = ImarisReader()

    def write_samples(self, folder):
        write_imaris(folder / "padded.ims")
        write_imaris(folder / "floats.ims", voxels(1, 1, 4, 15, 16, dtype="f4"), pad=5, packing=None)


class TestBigDataViewer(ReaderContract):
    reader = BigDataViewerReader()

    def write_samples(self, folder):
        write_bigdataviewer(folder)
        write_bigdataviewer(folder, voxels(1, 1, 2, 4, 11, 12, dtype="u2"), file="alone.h5", xml=False)


class TestHdf5(ReaderContract):
    reader = Hdf5Reader()
    options = Options(axes="zyx")

    def write_samples(self, folder):
        with h5py.File(folder / "a.h5", "w") as file:
            file.create_dataset("raw", data=voxels(9, 11, 12, dtype=">i2"), chunks=(4, 5, 6), compression=4)
            file.create_dataset("checked", data=voxels(9, 11, 12, dtype="f2"), chunks=(4, 5, 6), fletcher32=True)
        with h5py.File(folder / "behind", "w", userblock_size=512) as file:
            file["whole"] = voxels(7, 8, 9)


class TestOmeCompanion(ReaderContract):
    reader = OmeCompanionReader()

    def write_samples(self, folder):
        write_companion(folder)
        (folder / "deep").mkdir(exist_ok=True)
        write_companion(folder / "deep", order="XYTZC", compression="zlib")


class TestVaa3d(ReaderContract):
    reader = Vaa3dReader()

    def write_samples(self, folder):
        for dtype in ("u1", "u2"):
            Raw().save(str(folder / f"{dtype}.v3draw"), voxels(2, 5, 11, 13, dtype=dtype))
            PBD().save(str(folder / f"{dtype}.v3dpbd"), voxels(2, 5, 11, 13, dtype=dtype) // 50)


class TestLif(ReaderContract):
    reader = LifReader()

    def write_samples(self, folder):
        images = {"stack": (voxels(3, 2, 9, 11, dtype="u2"), "zcyx"), "movie": (voxels(4, 9, 11, dtype="u1"), "tyx")}
        write_lif(folder / "several.lif", images)
        write_lif(folder / "tiles.lif", {"tiles": (voxels(2, 3, 9, 11, dtype="f4"), "mzyx")})


class TestNd2(ReaderContract):
    reader = Nd2Reader()

    def write_samples(self, folder):
        write_nd2(folder / "plain.nd2", voxels(2, 3, 9, 11, 2, dtype="u2"), pad=4)
        write_nd2(folder / "packed.nd2", voxels(3, 2, 9, 11, 1, dtype="f4"), "pz", packed=True)


class TestGifti(ReaderContract):
    reader = GiftiReader()

    def write_samples(self, folder):
        nib.save(test_gifti.surface(), folder / "lh.mid.surf.gii")
        nib.save(test_gifti.values(np.arange(4, dtype="f4")), folder / "lh.mid.shape.gii")
        areas = test_gifti.labels([0, 1, 1, 0, 1], {0: ("???", (1, 1, 1)), 1: ("V1", (1, 0, 0))})
        nib.save(areas, folder / "rh.label.gii")
        series = test_gifti.values(*np.ones((4, 90), "f4"), intent="NIFTI_INTENT_TIME_SERIES")
        (folder / "rh.func.gii.gz").write_bytes(gzip.compress(series.to_bytes()))


class TestCifti(ReaderContract):
    reader = CiftiReader()

    def write_samples(self, folder):
        brain, parcels = test_cifti.BRAIN, test_cifti.PARCELS
        test_cifti.save(folder / "a.dscalar.nii", (test_cifti.ScalarAxis(["thickness", "myelin"]), brain))
        test_cifti.save(folder / "a.dtseries.nii", (test_cifti.SeriesAxis(0, 2, 9, "SECOND"), brain))
        test_cifti.save(folder / "a.pconn.nii", (parcels, parcels), "f8")
        keys = test_cifti.LabelAxis(["areas"], [{0: ("???", (1, 1, 1, 0)), 1: ("V1", (1, 0, 0, 1))}])
        test_cifti.save(folder / "a.plabel.nii", (keys, parcels), values=np.array([[0, 1]], "f4"))


class TestPly(ReaderContract):
    reader = PlyReader()

    def write_samples(self, folder):
        mesh = trimesh.creation.icosphere(subdivisions=2, radius=50)
        mesh.export(folder / "text.ply", encoding="ascii")
        mesh.export(folder / "binary.ply", encoding="binary")
        trimesh.PointCloud(mesh.vertices).export(folder / "cloud.ply")


class TestStl(ReaderContract):
    reader = StlReader()

    def write_samples(self, folder):
        mesh = trimesh.creation.icosphere(subdivisions=2, radius=50)
        mesh.export(folder / "binary.stl", file_type="stl")
        mesh.export(folder / "text.stl", file_type="stl_ascii")


class TestTrk(ReaderContract):
    reader = TrkReader()

    def write_samples(self, folder):
        test_tractograms.save(folder / "plain.trk", test_tractograms.lines(30))
        test_tractograms.save(folder / "values.trk", test_tractograms.lines(9), values=True)
        (folder / "packed.trk.gz").write_bytes(gzip.compress((folder / "plain.trk").read_bytes()))


class TestTck(ReaderContract):
    reader = TckReader()

    def write_samples(self, folder):
        test_tractograms.save(folder / "plain.tck", test_tractograms.lines(30))
        (folder / "packed.tck.gz").write_bytes(gzip.compress((folder / "plain.tck").read_bytes()))


class TestNeurolucida(ReaderContract):
    reader = NeurolucidaReader()

    def write_samples(self, folder):
        (folder / "neuron.asc").write_text(test_morphologies.ASC)
        (folder / "neuron.xml").write_text(test_morphologies.XML)


class TestMorphologyH5(ReaderContract):
    reader = MorphologyH5Reader()

    def write_samples(self, folder):
        test_morphologies.write_h5(folder / "neuron.h5")
        test_morphologies.write_h5(folder / "packed.h5", chunks=True, compression="gzip", shuffle=True)


class TestNeuroml(ReaderContract):
    reader = NeuromlReader()

    def write_samples(self, folder):
        test_morphologies.write_neuroml(folder / "cell.nml")
        test_morphologies.write_neuroml(folder / "cells.nml", cells=2)


class TestFreesurfer(ReaderContract):
    reader = FreesurferReader()

    def write_samples(self, folder):
        test_freesurfer.save(folder / "lh.white", test_freesurfer.volume()[0])
        test_freesurfer.save(folder / "lh.pial")
        nib.freesurfer.write_morph_data(folder / "lh.sulc", np.arange(90, dtype="f4"))
