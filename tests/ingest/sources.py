"""What samples hold, read by other code than the readers': nibabel, pynrrd, tifffile, GDCM, pylibCZIrw, MorphIO, pynwb,
scipy, numpy, csv."""

import csv
import gzip
import io
import json
import os
import shutil
import tempfile
from pathlib import Path

import morphio
import nibabel as nib
import nrrd
import numpy as np
import scipy.io
import SimpleITK as sitk  # noqa: N813
import tifffile
from pylibCZIrw import czi as zeiss

from pulvinar.ingest.geometry_wire import on_the_wire
from pulvinar.ingest.reader import TimeSeriesData

SAMPLES = Path(os.environ.get("PULVINAR_SAMPLES", Path(__file__).parents[3] / "shared" / "samples"))
FORMATS = {
    ".nii": "nifti", ".nii.gz": "nifti", ".mgz": "mgh", ".nrrd": "nrrd", ".mnc": "minc", ".tif": "tiff",
    ".tiff": "tiff", ".tif.gz": "tiff", ".tif.lzma": "tiff", ".swc": "swc", ".swc.gz": "swc", ".obj": "obj",
    ".csv": "tables", ".csv.gz": "tables", ".tsv": "tables", ".czi": "czi", ".gii": "gifti", ".dscalar.nii": "cifti",
    ".dlabel.nii": "cifti", ".asc": "neurolucida", ".h5": "morphology_h5",
    "_assembly_assignments.csv": "text_matrices", "_moest.txt": "text_matrices", "attributes.txt": "text_matrices",
}  # fmt: skip
ASSETS = {"formats/czi/S3_1Pos_2Mosaic_T1_Z1_CH1.czi": 3}
"""How many assets a file holds where it isn't one."""
DICOM = {"human/dicom_struct_T1_384slices.tar.gz": 384, "human/dicom_func_1block_dicoms.tar.gz": 630}
"""Archives of one series each, and how many images it has."""
RTOL_SCALED = 1e-6
"""Scaled integers are float32; a source that computes in float64 differs in the last bit."""


def format_of(name):
    return next((FORMATS[end] for end in sorted(FORMATS, key=len, reverse=True) if name.endswith(end)), None)


def manifest():
    listed = SAMPLES / "MANIFEST.tsv"
    if not listed.is_file():
        return ["MANIFEST.tsv"]
    with listed.open() as file:
        names = [row["file"] for row in csv.DictReader(file, delimiter="\t")]
    return [name for name in names if format_of(name)]


def of_several():
    listed = SAMPLES / "MANIFEST.tsv"
    if not listed.is_file():
        return ["MANIFEST.tsv"]
    with listed.open() as file:
        return [row["file"] for row in csv.DictReader(file, delimiter="\t") if row["file"].endswith(tuple(SEVERAL))]


def assert_same_voxels(found, expected):
    """`found` is the source's, to the bit where nothing was scaled."""
    assert found.shape == expected.shape
    if found.dtype == expected.dtype.newbyteorder("="):
        assert np.array_equal(found, expected, equal_nan=found.dtype.kind == "f")
    else:
        assert np.allclose(found, expected, rtol=RTOL_SCALED, atol=RTOL_SCALED * np.abs(expected).max())


def nibabel_voxels(path):
    data = np.asanyarray(nib.load(path).dataobj)
    data = data.reshape(*data.shape, *[1] * (5 - data.ndim))
    return data.transpose(3, 4, 2, 1, 0)


def minc_voxels(path):
    return np.asanyarray(nib.load(path).dataobj)[None, None]


def nrrd_voxels(path):
    return nrrd.read(str(path))[0].T[None, None]


def tiff_voxels(path):
    data = tifffile.imread(path)
    if data.ndim > 2 and data.shape[-1] in (3, 4):
        return np.moveaxis(data, -1, 0).reshape(1, data.shape[-1], 1, *data.shape[-3:-1])
    return data.reshape(1, 1, -1, *data.shape[-2:])


def dicom_voxels(path):
    """The one series in the folder of `path`, as GDCM reads each file, by time and by place along the normal."""
    planes = {}
    for file in path.parent.iterdir():
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(file))
        image = reader.Execute()
        normal = np.reshape(image.GetDirection(), (3, 3))[:, 2]
        time = int(reader.GetMetaData("0020|0100")) if reader.HasMetaDataKey("0020|0100") else 0
        planes[time, round(float(np.dot(image.GetOrigin(), normal)), 3)] = sitk.GetArrayFromImage(image)[0]
    times = sorted({time for time, _ in planes})
    return np.stack([np.stack([planes[key] for key in sorted(planes) if key[0] == time]) for time in times])[:, None]


VOLUMES = {
    "nifti": nibabel_voxels, "mgh": nibabel_voxels, "minc": minc_voxels, "nrrd": nrrd_voxels, "tiff": tiff_voxels,
    "dicom": dicom_voxels,
}  # fmt: skip


def czi_voxels(path, key):
    """One scene, plane by plane; each combination of a channel with a phase, view and so on is a channel."""
    scene, places = int(key.rpartition("#")[2]), []
    with zeiss.open_czi(str(path)) as file:
        file.enumerate_subblocks(lambda index, tile: places.append(tile.coordinate.to_dict()) or True)
        mine = [place for place in places if place.get("S", 0) == scene]
        times, planes = ({place.get(name, 0) for place in mine} for name in "TZ")
        channels = sorted({tuple(sorted((n, i) for n, i in place.items() if n not in "TZS")) for place in mine})
        known = {"scene": scene} if file.scenes_bounding_rectangle else {}
        voxels = [
            [[file.read(plane={"T": t, "Z": z, **dict(c)}, **known)[..., 0] for z in sorted(planes)] for c in channels]
            for t in sorted(times)
        ]
    return np.asarray(voxels)


PARTS = {"czi": czi_voxels}
"""Of formats whose files hold several volumes: the voxels of the one that has this key."""


def text_of(path):
    content = path.read_bytes()
    return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()


def same_neuron(data, path):
    rows = np.loadtxt(io.StringIO(text_of(path)), comments="#", ndmin=2)[:, :7]
    order = {number: row for row, number in enumerate(data.node_id.tolist())}
    mine = [order[number] for number in rows[:, 0].astype(int).tolist()]
    assert np.allclose(data.zyx_um[mine][:, ::-1], rows[:, 2:5], rtol=1e-12)
    assert np.array_equal(data.type_code[mine], rows[:, 1])
    radius = np.where(rows[:, 5] > 0, rows[:, 5], np.nan).astype("f4")
    assert np.array_equal(data.radius_um[mine], radius, equal_nan=True)
    parents = data.parent[mine]
    numbers = np.where(parents < 0, -1, data.node_id[np.maximum(parents, 0)])
    assert np.array_equal(numbers, rows[:, 6])


def same_mesh(data, path):
    vertices, faces = [], []
    for line in text_of(path).splitlines():
        words = line.split()
        if words[:1] == ["v"]:
            vertices.append([float(word) for word in words[1:4]])
        elif words[:1] == ["f"]:
            faces.append([int(word.split("/")[0]) - 1 for word in words[1:]])
    assert np.array_equal(data.zyx_um[:, ::-1], vertices)
    assert data.faces.tolist() == faces


def same_table(data, path):
    text = text_of(path)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter="\t" if path.suffix == ".tsv" else ",") if row]
    columns = list(data.columns.values())
    rows = rows[len(rows) - len(columns[0]) :]
    assert len(columns) == len(rows[0])
    for index, column in enumerate(columns):
        cells = [row[index] for row in rows]
        if not isinstance(column, np.ndarray):
            assert column.to_pylist() == cells
        elif column.dtype.kind in "if":
            assert np.array_equal(column, [float(cell) if cell.strip() else np.nan for cell in cells], equal_nan=True)
        elif column.dtype.kind == "b":
            assert [str(value).lower() for value in column.tolist()] == [cell.lower() for cell in cells]
        else:
            assert column.tolist() == cells


def same_vertices(data, path):
    image = nib.load(path)
    expected = {array.meta["Name"]: array.data for array in image.darrays}
    assert list(data.columns) == ["vertex", *expected]
    assert all(np.array_equal(data.columns[title], values, equal_nan=True) for title, values in expected.items())
    assert np.array_equal(data.columns["vertex"], np.arange(len(image.darrays[0].data)))


def same_grayordinates(data, path):
    image = nib.load(path)
    maps, brain = (image.header.get_axis(place) for place in range(2))
    assert data.columns["structure"].tolist() == [name.removeprefix("CIFTI_STRUCTURE_") for name in brain.name]
    assert np.array_equal(data.columns["vertex"], brain.vertex)
    for place, (title, values) in enumerate(zip(maps.name, np.asarray(image.dataobj), strict=True)):
        if isinstance(maps, nib.cifti2.LabelAxis):
            assert data.columns[title].tolist() == [maps.label[place][key][0] for key in values.astype(int).tolist()]
            assert np.array_equal(data.columns[f"{title} key"], values)
        else:
            assert np.array_equal(data.columns[title], values)


def same_morphology(data, path):
    """MorphIO has the cell body beside the sections, and the point of a fork in each of its sections."""
    neuron = morphio.Morphology(path)
    assert np.allclose(data.zyx_um[0, ::-1], neuron.soma.center, atol=1e-5)
    assert np.allclose(data.radius_um[0], np.linalg.norm(neuron.soma.points - neuron.soma.center, axis=1).mean())
    last, row = {}, 1
    for section in neuron.sections:
        first = 0 if section.is_root else 1
        places, end = section.points[first:], row + len(section.points) - first
        assert np.allclose(data.zyx_um[row:end, ::-1], places, atol=1e-4)
        assert np.allclose(data.radius_um[row:end] * 2, section.diameters[first:])
        assert set(data.type_code[row:end].tolist()) == {int(section.type)}
        parents = [0 if section.is_root else last[section.parent.id], *range(row, end - 1)]
        assert data.parent[row:end].tolist() == parents
        last[section.id], row = end - 1, end
    assert row == len(data.parent)


def same_numbers(data, path):
    """Lists of numbers as a long table, or a matrix of numbers as signals or a table."""
    rows = [[float(word) for word in line.replace(",", " ").split()] for line in text_of(path).splitlines()]
    if "item" in getattr(data, "columns", {}):
        found = [data.columns["item"][data.columns["list"] == number + 1].tolist() for number in range(len(rows))]
        assert found == rows
    elif isinstance(data, TimeSeriesData):
        assert np.array_equal(data.values, rows)
    else:
        assert np.array_equal(np.stack(list(data.columns.values()), axis=1), rows)


GEOMETRY = {
    "swc": same_neuron, "obj": same_mesh, "tables": same_table, "gifti": same_vertices, "cifti": same_grayordinates,
    "neurolucida": same_morphology, "morphology_h5": same_morphology, "text_matrices": same_numbers,
}  # fmt: skip


def same_recordings(found, path):
    """Every sweep of an NWB file, by pynwb; and its table of sweeps."""
    from pynwb import NWBHDF5IO

    with tempfile.TemporaryDirectory() as folder, NWBHDF5IO(shutil.copy(path, folder), "r") as opened:
        file = opened.read()
        theirs = {**file.acquisition, **file.stimulus}
        names = []
        for data in found:
            if not isinstance(data, TimeSeriesData):
                numbers = list(file.sweep_table.to_dataframe()["sweep_number"])
                assert data.columns["sweep_number"].tolist() == numbers
                continue
            for column, name in enumerate(data.columns["name"].tolist()):
                assert np.array_equal(data.values[:, column], theirs[name].get_data_in_units())
                assert np.array_equal(data.times_s, theirs[name].get_timestamps())
                assert data.unit == theirs[name].unit
                names.append(name)
    assert sorted(names) == sorted(theirs)


def same_variables(found, path):
    """The matrix of activity, the coordinates of cells, and their assemblies, by SciPy's reader of whole files."""
    theirs = scipy.io.loadmat(path)
    signals, places, assemblies = found
    lists = [cell.ravel() for cell in theirs["detected_assemblies"].ravel(order="F")]
    assert np.array_equal(assemblies.columns["value"], np.concatenate(lists))
    assert np.array_equal(signals.values, theirs["activity_matrix"].T)
    assert np.array_equal(places.zyx_um[:, ::-1][:, :2], theirs["cell_coordinates"])


SEVERAL = {".nwb": ("nwb", same_recordings), ".mat": ("matrices", same_variables)}
"""Formats of several assets a file: the reader, and what compares all of them with the source."""


def through_memory(described, parts):
    """What crosses to the platform, as its other side gets it: a description and the bytes of all arrays."""
    return json.loads(json.dumps(described)), memoryview(bytearray(b"".join(on_the_wire(parts))))
