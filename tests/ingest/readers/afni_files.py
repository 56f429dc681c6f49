"""Writes AFNI's pairs of files, as its README.attributes says."""

import gzip

import numpy as np

AFFINE_DICOM = ((-2.0, 0.1, 0.0, 30.0), (0.1, 2.0, 0.0, -20.0), (0.0, 0.0, 3.0, 5.0))
_CODES = {"uint8": 0, "int16": 1, "float32": 3}


def attribute(kind, name, values):
    """One attribute; text for a string, else numbers."""
    if kind == "string":
        return f"\ntype = string-attribute\nname = {name}\ncount = {len(values) + 1}\n'{values}~\n"
    numbers = " ".join(map(str, values))
    return f"\ntype = {kind}-attribute\nname = {name}\ncount = {len(values)}\n {numbers}\n"


def write_afni(stem, voxels, *, factors=None, packed=True, time=True, order="<", more=(), without=()):
    """`voxels` (t or c, 1, z, y, x) as `stem`.HEAD and .BRIK; `without` leaves attributes out, `more` adds some."""
    bricks, _, z, y, x = voxels.shape
    attributes = [
        ("string", "TYPESTRING", "3DIM_HEAD_ANAT"),
        ("string", "TEMPLATE_SPACE", "ORIG"),
        ("integer", "DATASET_RANK", [3, bricks, 0, 0, 0, 0, 0, 0]),
        ("integer", "DATASET_DIMENSIONS", [x, y, z, 0, 0]),
        ("integer", "BRICK_TYPES", [_CODES[voxels.dtype.name]] * bricks),
        ("float", "BRICK_FLOAT_FACS", factors or [0] * bricks),
        ("string", "BYTEORDER_STRING", "LSB_FIRST" if order == "<" else "MSB_FIRST"),
        ("float", "IJK_TO_DICOM_REAL", np.ravel(AFFINE_DICOM).tolist()),
        ("float", "DELTA", np.linalg.norm(np.array(AFFINE_DICOM)[:, :3], axis=0).tolist()),
        ("string", "BRICK_LABS", "~".join(f"brick {number}" for number in range(bricks))),
    ]
    if time:
        attributes += [("integer", "TAXIS_NUMS", [bricks, 0, 77002]), ("float", "TAXIS_FLOATS", [0, 2.5, 0, 0, 0])]
    kept = [one for one in (*attributes, *more) if one[1] not in without]
    stem.with_name(f"{stem.name}.HEAD").write_text("".join(attribute(*one) for one in kept))
    content = voxels.astype(voxels.dtype.newbyteorder(order)).tobytes()
    end, content = (".BRIK.gz", gzip.compress(content)) if packed else (".BRIK", content)
    stem.with_name(f"{stem.name}{end}").write_bytes(content)
