"""The files of BrainGlobe's second and third layout, written block by block."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.regridded import Index
from pulvinar.errors import Invalid
from pulvinar.storage.plain_zarr import PlainZarr

_SLAB_BYTES = 64 << 20
_CHUNK = 128
"""Voxels of a chunk along each axis, as BrainGlobe has them."""
_MOST_PARENT = 65535
_LABELS = np.dtype(np.uint32)
_AXES = [
    ("z", "anterior-to-posterior"),
    ("y", "superior-to-inferior"),
    ("x", "right-to-left"),
]


class BrainGlobeVolume(Protocol):
    """What can be read in BrainGlobe's axes."""

    shape: Index
    dtype: np.dtype[Any]

    def read(self, start: Index, stop: Index) -> npt.NDArray[Any]:
        """The voxels from `start` up to, without, `stop`."""


class SecondLayout:
    """One folder `NAME_RESOLUTION_vVERSION`: JSON, TIFF and OBJ."""

    def __init__(self, folder: Path, metadata: Mapping[str, Any]) -> None:
        self._metadata = {**metadata, "additional_references": list[str]()}
        self.name = f"{metadata['name']}_{metadata['resolution'][0]:g}um"
        self._folder = folder / f"{self.name}_v{metadata['version']}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.description = self._folder / "metadata.json"

    def write_structures(self, structures: Sequence[Mapping[str, Any]]) -> None:
        """The tree."""
        (self._folder / "structures.json").write_text(json.dumps(structures), encoding="utf-8")

    def write_annotation(self, volume: BrainGlobeVolume) -> None:
        """The regions."""
        self._write("annotation.tiff", volume, _LABELS)

    def write_hemispheres(self, volume: BrainGlobeVolume) -> None:
        """The sides."""
        self._write("hemispheres.tiff", volume, volume.dtype)

    def write_reference(self, volume: BrainGlobeVolume, name: str) -> None:
        """A template; "" names the first."""
        self._write(f"{name or 'reference'}.tiff", volume, np.dtype(np.uint16))
        if name:
            self._metadata["additional_references"].append(name)

    def write_mesh(self, region: int, zyx_um: npt.NDArray[np.float64], faces: npt.NDArray[np.uint32]) -> None:
        """The surface of a region, in BrainGlobe's micrometres; the columns of its file are the axes of the stacks."""
        (self._folder / "meshes").mkdir(exist_ok=True)
        with (self._folder / "meshes" / f"{region}.obj").open("w", encoding="ascii") as file:
            np.savetxt(file, zyx_um, "v %.3f %.3f %.3f")
            # its columns are z, y, x where others expect x, y, z: a mirror, which turns triangles inside out
            np.savetxt(file, faces[:, ::-1].astype(np.int64) + 1, "f %d %d %d")

    def write_description(self) -> None:
        """The metadata."""
        self.description.write_text(json.dumps(self._metadata, ensure_ascii=False), encoding="utf-8")

    def _write(self, name: str, volume: BrainGlobeVolume, dtype: np.dtype[Any]) -> None:
        import tifffile

        fit = _fitting(volume, dtype)
        planes = (plane for _, slab in _slabs(volume) for plane in fit(slab))
        tifffile.imwrite(
            self._folder / name,
            planes,
            shape=volume.shape,
            dtype=dtype,
            photometric="minisblack",
            compression="zlib",
            # how much smaller it gets is known too late
            bigtiff=prod(volume.shape) * dtype.itemsize >= 1 << 32,
        )


class ThirdLayout:
    """Parts with versions of their own below `brainglobe-atlasapi`: JSON, CSV, OME-Zarr 0.5 and Draco."""

    def __init__(self, folder: Path, metadata: Mapping[str, Any]) -> None:
        self._root = folder / "brainglobe-atlasapi"
        self._version = str(metadata["version"]).replace(".", "_")
        self.name = f"{metadata['name']}_{metadata['resolution'][0]:g}um"
        self.description = self._root / "atlases" / self.name / self._version / "manifest.json"
        self._size_um = metadata["resolution"]
        # resolutions of one atlas have parts of their own here: they were made apart
        part = self.name.replace("_", "-")
        template, terminology = self._part("templates", f"{part}-template"), self._part("terminologies", part)
        self._metadata = {
            **metadata,
            "location": f"/atlases/{self.name}/{self._version}",
            "atlas_packager": "Pulvinar",
            "additional_references": list[dict[str, str]](),
            "template": template,
            "terminology": terminology,
            "coordinate_space": {**self._part("coordinate-spaces", f"{part}-space"), "template": template},
            "annotation_set": {
                **self._part("annotation-sets", f"{part}-annotation"),
                "template": template,
                "terminology": terminology,
            },
        }

    def write_structures(self, structures: Sequence[Mapping[str, Any]]) -> None:
        """The tree, and the space that the manifest of an atlas names."""
        terminology = self._place("terminology") / "terminology.csv"
        with terminology.open("w", encoding="utf-8", newline="") as file:
            columns = [
                "identifier",
                "parent_identifier",
                "annotation_value",
                "name",
                "abbreviation",
                "color_hex_triplet",
            ]
            table = csv.writer(file)
            table.writerow([*columns, "root_identifier_path"])
            for one in structures:
                path = one["structure_id_path"]
                color = "#" + "".join(f"{part:02X}" for part in one["rgb_triplet"])
                # BrainGlobe's reader has 16 bits for a parent, and takes the tree from the path
                parent = path[-2] if len(path) > 1 and path[-2] <= _MOST_PARENT else ""
                table.writerow([one["id"], parent, one["id"], one["name"], one["acronym"], color, path])
        space = self._place("coordinate_space") / "manifest.json"
        space.write_text(json.dumps(self._metadata["coordinate_space"], indent=2), encoding="utf-8")

    def write_annotation(self, volume: BrainGlobeVolume) -> None:
        """The regions."""
        self._write(self._place("annotation_set") / "annotations_compressed.ome.zarr", volume, _LABELS)

    def write_hemispheres(self, volume: BrainGlobeVolume) -> None:
        """The sides."""
        self._write(self._place("annotation_set") / "hemispheres.ome.zarr", volume, volume.dtype)

    def write_reference(self, volume: BrainGlobeVolume, name: str) -> None:
        """A template; "" names the first."""
        part = self._metadata["template"]
        if name:
            part = {**self._part("templates", f"{self.name.replace('_', '-')}-{name}-template"), "name": name}
            self._metadata["additional_references"].append(part)
        place = self._root / part["location"].lstrip("/")
        self._write(place / "template.ome.zarr", volume, np.dtype(np.uint16))

    def write_mesh(self, region: int, zyx_um: npt.NDArray[np.float64], faces: npt.NDArray[np.uint32]) -> None:
        """The surface of a region, from BrainGlobe's micrometres: x, y, z in nanometres there."""
        import DracoPy

        folder = self._place("annotation_set") / "annotations.precomputed" / "mesh"
        folder.mkdir(parents=True, exist_ok=True)
        xyz_nm = np.ascontiguousarray(zyx_um[:, ::-1] * 1000, np.float32)
        (folder / str(region)).write_bytes(DracoPy.encode(xyz_nm, faces.astype(np.uint32), quantization_bits=16))

    def write_description(self) -> None:
        """The manifest."""
        self.description.parent.mkdir(parents=True, exist_ok=True)
        self.description.write_text(json.dumps(self._metadata, indent=1, ensure_ascii=False), encoding="utf-8")

    def _part(self, kind: str, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "version": str(self._version).replace("_", "."),
            "location": f"/{kind}/{name}/{self._version}",
        }

    def _place(self, part: str) -> Path:
        place = self._root / str(self._metadata[part]["location"]).lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _write(self, zarr: Path, volume: BrainGlobeVolume, dtype: np.dtype[Any]) -> None:
        zarr.mkdir(parents=True)
        (zarr / "zarr.json").write_text(json.dumps(_group([size / 1000 for size in self._size_um])), encoding="utf-8")
        array = PlainZarr(zarr / "s0", volume.shape, dtype, (_CHUNK,) * 3, [axis for axis, _ in _AXES])
        fit = _fitting(volume, dtype)
        for start, stop in _blocks(volume.shape):
            array.write(start, fit(volume.read(start, stop)))


def _group(size_mm: Sequence[float]) -> dict[str, Any]:
    """The attributes of an OME-Zarr image of one level, in millimetres."""
    axes = [
        {"name": name, "type": "space", "unit": "millimeter", "orientation": {"type": "anatomical", "value": to}}
        for name, to in _AXES
    ]
    datasets = [{"path": "s0", "coordinateTransformations": [{"type": "scale", "scale": list(size_mm)}]}]
    image = {"version": "0.5", "multiscales": [{"name": "/", "axes": axes, "datasets": datasets}]}
    return {"zarr_format": 3, "node_type": "group", "attributes": {"ome": image}}


def _blocks(shape: Index) -> Iterator[tuple[Index, Index]]:
    for z, y, x in np.ndindex(*(-(-n // _CHUNK) for n in shape)):
        start = (z * _CHUNK, y * _CHUNK, x * _CHUNK)
        far_z, far_y, far_x = (min(a + _CHUNK, n) for a, n in zip(start, shape, strict=True))
        yield start, (far_z, far_y, far_x)


def _slabs(volume: BrainGlobeVolume) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Some planes at a time, and the number of the first."""
    depth, height, width = volume.shape
    thick = max(1, _SLAB_BYTES // max(1, height * width * volume.dtype.itemsize))
    for first in range(0, depth, thick):
        yield first, volume.read((first, 0, 0), (min(first + thick, depth), height, width))


class _Fit:
    """Brings values into a type of whole numbers: as they are when they fit, else its whole range is used."""

    def __init__(self, dtype: np.dtype[Any], low: float = 0.0, step: float = 1.0) -> None:
        self._dtype, self._low, self._step = dtype, low, step

    def __call__(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._step == 1.0 and self._low == 0.0:
            return np.ascontiguousarray(values, self._dtype)
        scaled = np.rint((np.nan_to_num(values.astype(np.float64)) - self._low) / self._step)
        return np.ascontiguousarray(scaled, self._dtype)


def _fitting(volume: BrainGlobeVolume, dtype: np.dtype[Any]) -> _Fit:
    if np.can_cast(volume.dtype, dtype):
        return _Fit(dtype)
    ends = [(float(np.nanmin(slab)), float(np.nanmax(slab))) for _, slab in _slabs(volume)]
    low, high = min(a for a, _ in ends), max(b for _, b in ends)
    most = float(np.iinfo(dtype).max)
    if volume.dtype.kind in "iu" and low >= 0 and high <= most:
        return _Fit(dtype)
    if dtype == _LABELS:
        raise Invalid(f"its regions have numbers from {low:.0f} to {high:.0f}", hint="BrainGlobe has 32 bits for them")
    return _Fit(dtype, low, (high - low) / most or 1.0)
