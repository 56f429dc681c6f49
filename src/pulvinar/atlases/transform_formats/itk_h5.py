"""ITK's HDF5 files of transforms (`Composite.h5` of antsRegistration). Frame and direction: see `itk`.

Groups /TransformGroup/0, 1, ...: the composite itself first, then its transforms in the order in which they were added.
Source: itk::HDF5TransformIO.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.transform_formats.itk import (
    COMPOSITE,
    base_name,
    box_of_planes,
    chain,
    field_grid,
    field_step,
    itk_step,
    planes,
)
from pulvinar.atlases.transform_formats.steps import Ends, Triple, WorldStep, unreadable
from pulvinar.errors import PulvinarError
from pulvinar.model.transform import Transform

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_TRANSFORMS = 64
_MOST_NUMBERS = 4096
# ITK 4 wrote the names with a letter missing
_PARAMETERS = ("TransformParameters", "TranformParameters")
_FIXED = ("TransformFixedParameters", "TranformFixedParameters")


@dataclass(frozen=True)
class _Hdf5Vectors:
    """A field in the file, read plane by plane."""

    path: Path
    dataset: str
    shape: Triple

    def read(self, start: Triple, stop: Triple) -> npt.NDArray[np.floating]:
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                flat = file[self.dataset][planes(self.shape, start, stop)]
        except (OSError, KeyError, RuntimeError) as error:
            raise unreadable(self.path.name, f"can't be read: {error}") from error
        return box_of_planes(flat, self.shape, start, stop)


def read_itk_h5(path: Path, ends: Ends) -> Transform:
    """An ITK HDF5 file: one transform, or one composite. The file has to stay where it is as long as a field of it is
    used: vectors are read when points ask. Raises `UnreadableFile`."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            groups = _groups(file, path.name)
            kinds = [_kind(group, path.name) for group in groups]
            steps = [
                _step(path, group, kind, ends)
                for group, kind in zip(groups, kinds, strict=True)
                if base_name(kind) != COMPOSITE
            ]
    except PulvinarError:
        raise
    except Exception as error:  # h5py raises nearly anything for a damaged file
        raise unreadable(path.name, f"is damaged: {error}") from error
    return chain(steps, kinds, ends, path.name)


def _groups(file: Any, name: str) -> list[Any]:
    top = _member(file, ("TransformGroup",), name)
    if top is None:
        raise unreadable(name, "holds no transform of ITK")
    numbers = sorted(int(key) for key in top if key.isdecimal())
    if len(numbers) > _MOST_TRANSFORMS:
        raise unreadable(name, f"holds {len(numbers)} transforms, more than {_MOST_TRANSFORMS}")
    return [_member(top, (str(number),), name) for number in numbers]


def _kind(group: Any, name: str) -> str:
    held = _member(group, ("TransformType",), name)
    if held is None:
        raise unreadable(name, "holds a transform that does not say what it is")
    said = np.ravel(held[()])[0]
    return said.decode("ascii", "replace") if isinstance(said, bytes) else str(said)


def _step(path: Path, group: Any, kind: str, ends: Ends) -> WorldStep:
    parameters = _member(group, _PARAMETERS, path.name)
    fixed = _numbers(_member(group, _FIXED, path.name), path.name)
    if base_name(kind) != "DisplacementFieldTransform" or not kind.endswith("_3_3"):
        return itk_step(kind, _numbers(parameters, path.name), fixed, ends, path.name)
    shape, voxel_to_lps = field_grid(fixed, path.name)
    if parameters is None or parameters.shape != (3 * prod(shape),) or parameters.dtype.kind != "f":
        raise unreadable(path.name, f"is truncated: it has not three numbers for each voxel of a field of {shape}")
    return field_step(shape, voxel_to_lps, _Hdf5Vectors(path, parameters.name, shape), ends)


def _numbers(held: Any, name: str) -> npt.NDArray[np.float64]:
    if held is None:
        return np.zeros(0)
    if held.size is None or held.size > _MOST_NUMBERS or held.dtype.kind not in "fiu":
        raise unreadable(name, f"has parameters that no transform has: {held.size} of {held.dtype}")
    return np.ravel(held[()]).astype(np.float64)


def _member(group: Any, names: tuple[str, ...], name: str) -> Any:
    """The first member of these names, None where there is none; never one that lies in another file."""
    import h5py

    for key in names:
        link = group.get(key, getlink=True)
        if link is None:
            continue
        if not isinstance(link, h5py.HardLink):
            raise unreadable(name, f"has a link to elsewhere at {key}", "save the file whole")
        held = group[key]
        if isinstance(held, h5py.Dataset) and (held.external or held.is_virtual):
            raise unreadable(name, f"keeps {key} in another file", "save the file whole")
        return held
    return None
