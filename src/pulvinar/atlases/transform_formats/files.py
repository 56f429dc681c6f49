"""A file of whichever program, known by what it holds; and several that follow each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from pulvinar.atlases.transform_formats.itk import MAGIC, read_itk_mat, read_itk_text
from pulvinar.atlases.transform_formats.itk_h5 import SIGNATURE, read_itk_h5
from pulvinar.atlases.transform_formats.nifti_fields import read_nifti_field
from pulvinar.atlases.transform_formats.steps import Ends, ends_between
from pulvinar.atlases.transforms import compose, invert
from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.model.transform import Transform


# numbers that overflow are refused as what they become
@np.errstate(over="ignore", invalid="ignore")
def read_transform(path: Path, ends: Ends, scratch: Path) -> Transform:
    """The transform in a file of ITK or ANTs (.tfm, .txt, .mat, .h5, a field in NIfTI) or a field of NiftyReg, known by
    what it holds. Fields are read when points ask: the file, and `scratch`, where a compressed field is unpacked, have
    to stay as long as the transform is used, or until `store_field` has stored it.

    Raises `UnreadableFile` for anything else; four rows of four numbers are for `read_niftyreg_affine` and
    `read_flirt`.
    """
    with path.open("rb") as file:
        head = file.read(540)
    if head.startswith(SIGNATURE):
        return read_itk_h5(path, ends)
    if head.startswith(MAGIC):
        return read_itk_text(path, ends)
    if head[:2] == b"\x1f\x8b" or head[344:347] == b"n+1" or head[4:7] == b"n+2":
        return read_nifti_field(path, ends, scratch)
    if head[:4] in (b"\0\0\0\0", b"\x0a\0\0\0"):
        return read_itk_mat(path, ends)
    raise UnreadableFile(
        f"{path.name} is no transform of ITK, ANTs or NiftyReg",
        hint="for four rows of four numbers, say whose they are: read_niftyreg_affine or read_flirt",
    )


def read_chain(paths: Sequence[Path], ends: Ends, scratch: Path, inverted: Collection[Path] = ()) -> Transform:
    """Several files, the one that points meet first first: the order in which `antsApplyTransforms` takes them after
    `-t`, so that a warp comes before the affine of the same alignment. Those of `inverted` go the other way, as those
    that ANTs is given as `[file,1]`.

    Raises as `read_transform` does, and `Invalid` for no file and for a field among `inverted`.
    """
    if not paths:
        raise Invalid("a chain of no files has no transform")
    parts = []
    for place, path in enumerate(paths):
        between = ends_between(ends, place, len(paths))
        if path in inverted:
            parts.append(invert(read_transform(path, between.reversed(), scratch)))
        else:
            parts.append(read_transform(path, between, scratch))
    return compose(*parts)
