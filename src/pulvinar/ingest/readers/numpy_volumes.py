"""Volumes in NumPy's files: arrays of three to five dimensions, which say nothing of their axes and their scale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import Finding, FoundAsset, OpenVolume, Options, Severity, SourceFile
from pulvinar.ingest.readers.frames import settle
from pulvinar.ingest.readers.numpy_files import NumpyArray, numpy_arrays
from pulvinar.ingest.readers.raw_volume import (
    RawLayout,
    RawVolume,
    check_shape,
    component_channels,
    described,
    name_findings,
)
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import AXES

_USUAL = {3: "zyx", 4: "tzyx", 5: "tczyx"}


def is_volume(array: NumpyArray) -> bool:
    """Whether an array is a volume of numbers that can be read as they lie."""
    return len(array.shape) in _USUAL and array.dtype.kind in "iufb" and array.dtype != np.float16


def found_volume(reader: str, file: SourceFile, array: NumpyArray, options: Options) -> FoundAsset:
    """The volume in an npy file, and what is to be asked of it."""
    return found_array(reader, file, array, options, _USUAL, key=file.name)


def found_array(
    reader: str, file: SourceFile, array: NumpyArray, options: Options, usual: Mapping[int, str], *, key: str
) -> FoundAsset:
    """An array as a volume: `usual` are the axes that are assumed of one of so many dimensions."""
    check_shape(array.shape, file.name)
    layout = layout_of(array, options, file.name, usual)
    size_um, affine_um = settle(None, None, layout.shape[2:], options)
    name = f"{stem_of(file.name)} {array.member}".strip()
    findings = [*_findings(array, options, usual), *name_findings(name, options)]
    return FoundAsset(
        reader,
        key=key,
        name=name,
        kind=AssetKind.VOLUME,
        files=(file.name,),
        volume=described(
            layout,
            options.kind,
            voxel_size_um=size_um,
            affine_um=affine_um,
            channels=component_channels(layout.shape[1], file.name),
            time_step_s=options.time_step_s,
        ),
        findings=tuple(findings),
        metadata={"header": {"shape": list(array.shape), "stored_dtype": str(array.dtype)}},
    )


def open_numpy_volume(asset: FoundAsset, root: Path, options: Options) -> OpenVolume:
    """The volume, read by window where it lies."""
    assert asset.volume is not None
    name = asset.files[0]
    (array,) = numpy_arrays(root / name, name)
    if not is_volume(array):
        raise UnreadableFile(f"{name} has changed since it was found: it is no volume any more")
    return RawVolume(root / name, layout_of(array, options, name, _USUAL), asset.volume.dtype, name)


def letters_of(array: NumpyArray, options: Options, name: str, usual: Mapping[int, str]) -> str:
    """The array's axes in its own order. Raises `Invalid` where `--axes` names more or fewer."""
    letters = options.axes.lower() or usual[len(array.shape)]
    if len(letters) != len(array.shape):
        raise Invalid(f"{name} has {len(array.shape)} axes, --axes {options.axes!r} names {len(letters)}")
    return letters


def layout_of(array: NumpyArray, options: Options, name: str, usual: Mapping[int, str]) -> RawLayout:
    """How the array's values lie in the file."""
    letters = letters_of(array, options, name, usual)
    sizes = dict(zip(letters, array.shape, strict=True))
    t, c, z, y, x = (sizes.get(axis, 1) for axis in AXES)
    stored = "u1" if array.dtype.kind == "b" else array.dtype.str
    order = letters[::-1] if array.fortran else letters
    absent = "".join(axis for axis in AXES if axis not in letters)
    return RawLayout((t, c, z, y, x), stored, array.offset, absent + order)


def _findings(array: NumpyArray, options: Options, usual: Mapping[int, str]) -> list[Finding]:
    findings = []
    taken = usual[len(array.shape)]
    if not options.axes and len(array.shape) == 4:
        text = f"the file does not say what its 4 axes are: as {taken} or {taken.replace('t', 'c')}"
        findings.append(Finding(Severity.QUESTION, text, "--axes"))
    elif not options.axes:
        text = f"the file does not say what its {len(array.shape)} axes are: taken as {taken}"
        findings.append(Finding(Severity.DOUBT, text, "--axes"))
    if options.voxel_size_um is None:
        findings.append(Finding(Severity.QUESTION, "the file does not say the size of its voxels", "--voxel-size"))
    return findings
