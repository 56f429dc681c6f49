"""Volumes in NumPy's files: arrays of three to five dimensions, which say nothing of their axes and their scale."""

from __future__ import annotations

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
    check_shape(array.shape, file.name)
    layout = _layout(array, options, file.name)
    size_um, affine_um = settle(None, None, layout.shape[2:], options)
    stem = stem_of(file.name)
    findings = [*_findings(array, options), *name_findings(stem, options)]
    return FoundAsset(
        reader,
        key=file.name,
        name=stem,
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
    return RawVolume(root / name, _layout(array, options, name), asset.volume.dtype, name)


def _letters(array: NumpyArray, options: Options, name: str) -> str:
    letters = options.axes.lower() or _USUAL[len(array.shape)]
    if len(letters) != len(array.shape):
        raise Invalid(f"{name} has {len(array.shape)} axes, --axes {options.axes!r} names {len(letters)}")
    return letters


def _layout(array: NumpyArray, options: Options, name: str) -> RawLayout:
    letters = _letters(array, options, name)
    sizes = dict(zip(letters, array.shape, strict=True))
    t, c, z, y, x = (sizes.get(axis, 1) for axis in AXES)
    stored = "u1" if array.dtype.kind == "b" else array.dtype.str
    order = letters[::-1] if array.fortran else letters
    absent = "".join(axis for axis in AXES if axis not in letters)
    return RawLayout((t, c, z, y, x), stored, array.offset, absent + order)


def _findings(array: NumpyArray, options: Options) -> list[Finding]:
    findings = []
    usual = _USUAL[len(array.shape)]
    if not options.axes and len(array.shape) == 4:
        text = "the file does not say what its 4 axes are, slowest first: as tzyx or czyx"
        findings.append(Finding(Severity.QUESTION, text, "--axes"))
    elif not options.axes:
        text = f"the file does not say what its {len(array.shape)} axes are: taken as {usual}"
        findings.append(Finding(Severity.DOUBT, text, "--axes"))
    if options.voxel_size_um is None:
        findings.append(Finding(Severity.QUESTION, "the file does not say the size of its voxels", "--voxel-size"))
    return findings
