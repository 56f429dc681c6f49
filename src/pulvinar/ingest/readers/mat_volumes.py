"""Volumes in MATLAB's files: arrays of three to five dimensions that are as large as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import FoundAsset, OpenVolume, Options, SourceFile
from pulvinar.ingest.readers.hdf5_files import open_hdf5
from pulvinar.ingest.readers.hdf5_volume import Hdf5Image, Hdf5Volume
from pulvinar.ingest.readers.mat_files import MatVariable, mat_variables, unpack_mat
from pulvinar.ingest.readers.numpy_files import NumpyArray
from pulvinar.ingest.readers.numpy_volumes import found_array, is_volume, layout_of, letters_of
from pulvinar.ingest.readers.raw_volume import RawVolume

USUAL = {3: "yxz", 4: "yxzt", 5: "yxzct"}
"""The axes of a stack as MATLAB's own functions make it: rows, columns, planes."""
_SMALLEST_SIDE = 16
VOLUME = "#volume"


def is_mat_volume(variable: MatVariable) -> bool:
    """Whether a variable is as large as a volume along three axes; a few small matrices in a stack are none."""
    return variable.is_numeric and is_volume(_array(variable)) and sorted(variable.shape)[-2] >= _SMALLEST_SIDE


def found_mat_volume(reader: str, file: SourceFile, variable: MatVariable, options: Options) -> FoundAsset:
    """The volume, and what is to be asked of it: MATLAB says nothing of axes and scale."""
    return found_array(reader, file, _array(variable), options, USUAL, key=f"{file.name}#{variable.name}{VOLUME}")


def open_mat_volume(asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
    """Read by window: from the file where its values lie there as they are, else from what is unpacked of it."""
    assert asset.volume is not None
    name = asset.files[0]
    part = asset.key.removeprefix(f"{name}#").removesuffix(VOLUME)
    variable = next((one for one in mat_variables(root / name, name) if one.name == part), None)
    if variable is None or not is_mat_volume(variable):
        raise UnreadableFile(f"{name} has changed since it was found: {part} is no volume of it any more")
    array = _array(variable)
    if not variable.stored:
        with open_hdf5(root / name, name) as file:
            image = _image(file, variable, letters_of(array, options, name, USUAL), name)
        return Hdf5Volume(root / name, image, name)
    layout, path = layout_of(array, options, name, USUAL), root / name
    if variable.is_packed:
        path = scratch / "values"
        unpack_mat(root / name, name, variable, path)
    return RawVolume(path, layout, asset.volume.dtype, name)


def _image(file: Any, variable: MatVariable, letters: str, name: str) -> Hdf5Image:
    # MATLAB's first axis is HDF5's last
    return Hdf5Image.of(file, {(0, 0): variable.path}, letters[::-1], name)


def _array(variable: MatVariable) -> NumpyArray:
    """The variable as an array that lies by column, from its place in the file or, unpacked, from the beginning on."""
    offset = 0 if variable.is_packed else variable.place + variable.skip
    return NumpyArray(variable.name, variable.shape, np.dtype(variable.stored or variable.meant), True, offset)
