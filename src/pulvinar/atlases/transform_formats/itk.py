"""What ITK's transforms mean, and the files in which ITK and ANTs keep them: text (.tfm, .txt), MATLAB 4 (.mat).

Frame: (x, y, z) millimetres rising to left, posterior and superior (LPS). ITK maps the points of the fixed image to
those of the moving one: `Ends.source` is the space of the fixed image, `Ends.target` that of the moving one. (ANTs says
that such a file takes the moving image to the fixed one: it speaks of images, which go against the points. Its inverse
warp is for points of the moving image: for that file, `Ends.source` is the moving image's space.)
Source: the ITK Software Guide, and the documentation of itk::TransformBase, MatrixOffsetTransformBase,
CompositeTransform and DisplacementFieldTransform.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.transform_formats.steps import (
    Ends,
    FieldStep,
    RawVectors,
    Triple,
    WorldStep,
    affine_in_world,
    to_transform,
    unreadable,
)
from pulvinar.errors import TooLarge
from pulvinar.model.transform import Matrix, Outside, Transform

Numbers = npt.NDArray[np.float64]
MAGIC = b"#Insight Transform File"
COMPOSITE = "CompositeTransform"
_MOST_TEXT_BYTES = 64 << 20
_MOST_VOXELS = 1 << 33


@dataclass(frozen=True, eq=False)
class Interleaved:
    """ITK's parameters of a field: the three components of a voxel together, x fastest. `flat` is an array of numbers
    in memory."""

    flat: npt.NDArray[np.floating]
    shape: Triple

    def read(self, start: Triple, stop: Triple) -> npt.NDArray[np.floating]:
        """As `RawVectors.read` says."""
        return box_of_planes(self.flat[planes(self.shape, start, stop)], self.shape, start, stop)


def read_itk_text(path: Path, ends: Ends) -> Transform:
    """An ITK text file: one transform, or one composite. Raises `UnreadableFile`."""
    if path.stat().st_size > _MOST_TEXT_BYTES:
        raise TooLarge(f"{path.name} has more than {_MOST_TEXT_BYTES >> 20} MiB of text", hint="save it as .h5")
    found: list[tuple[str, dict[str, Numbers]]] = []
    for line in path.read_text("utf-8", "replace").splitlines():
        word, _, rest = line.partition(":")
        if line.startswith("#") or not rest:
            continue
        if word == "Transform":
            found.append((rest.strip(), {}))
        elif found:
            found[-1][1][word] = _numbers(rest, path.name)
    steps = [
        itk_step(kind, said.get("Parameters", _NONE), said.get("FixedParameters", _NONE), ends, path.name)
        for kind, said in found
        if base_name(kind) != COMPOSITE
    ]
    return chain(steps, [kind for kind, _ in found], ends, path.name)


def read_itk_mat(path: Path, ends: Ends) -> Transform:
    """An ITK or ANTs affine in a MATLAB 4 file, `*GenericAffine.mat`. Raises `UnreadableFile`."""
    if path.stat().st_size > 1 << 20:
        raise TooLarge(f"{path.name} is too large for an affine transform")
    matrices = _matlab4(path.read_bytes(), path.name)
    kinds = [name for name in matrices if name != "fixed"]
    fixed = matrices.get("fixed", _NONE)
    steps = [itk_step(kind, matrices[kind], fixed, ends, path.name) for kind in kinds]
    return chain(steps, kinds, ends, path.name)


def chain(steps: Sequence[WorldStep], kinds: Sequence[str], ends: Ends, name: str) -> Transform:
    """The transform of a file whose transforms are of `kinds`, in its order. A composite applies the last one first."""
    if not steps:
        raise unreadable(name, "holds no transform")
    if len(steps) > 1 and base_name(kinds[0]) != COMPOSITE:
        raise unreadable(name, f"holds {len(steps)} transforms and does not say how they follow each other")
    return to_transform(steps[::-1], ends, name)


def itk_step(kind: str, parameters: Numbers, fixed: Numbers, ends: Ends, name: str) -> WorldStep:
    """One transform of class `kind` ("AffineTransform_double_3_3"). Raises `UnreadableFile` for what is not known."""
    base = base_name(kind)
    if not kind.endswith("_3_3"):
        raise unreadable(name, f"holds a {kind}, which is not of three dimensions", "only volumes are aligned here")
    if base == "DisplacementFieldTransform":
        shape, voxel_to_lps = field_grid(fixed, name)
        if parameters.size != 3 * np.prod(shape):
            raise unreadable(name, f"is truncated: {parameters.size} numbers for a field of {shape}")
        return field_step(shape, voxel_to_lps, Interleaved(parameters, shape), ends)
    for numbers in (parameters, fixed):
        if not np.isfinite(numbers).all():
            raise unreadable(name, f"has a {base} with parameters that are no numbers")
    wanted = _PARAMETERS.get(base)
    if wanted is None:
        raise unreadable(
            name,
            f"holds a {base}, which is not read",
            "save it as an affine transform or a displacement field: ANTs' antsApplyTransforms -o [field.nii.gz,1]",
        )
    if parameters.size != wanted:
        raise unreadable(name, f"is damaged: a {base} has {wanted} parameters, not {parameters.size}")
    if fixed.size < 3 and base not in _WITHOUT_CENTER:
        raise unreadable(name, f"is truncated: a {base} has a centre among its fixed parameters")
    return affine_in_world(_affine(base, parameters, fixed), ends.from_lps())


def field_step(shape: Triple, voxel_to_lps: Matrix, vectors: RawVectors, ends: Ends) -> FieldStep:
    """A field of displacements. `voxel_to_lps` maps the index (x, y, z, 1)."""
    index = np.eye(4)[[2, 1, 0, 3]]
    return FieldStep(shape, ends.from_lps() @ voxel_to_lps @ index, vectors, ends.from_lps(), Outside.IDENTITY)


def field_grid(fixed: Numbers, name: str) -> tuple[Triple, Matrix]:
    """Shape (z, y, x), and the map from a voxel's index (x, y, z, 1) to LPS, of a field's fixed parameters: size,
    origin, spacing, direction by rows."""
    if fixed.size != 18 or not np.isfinite(fixed).all():
        raise unreadable(name, "has a displacement field that does not say where it lies")
    size = fixed[:3]
    if (size < 1).any() or (size != np.floor(size)).any() or size.prod() > _MOST_VOXELS:
        raise unreadable(name, f"declares a field of {size.tolist()} voxels")
    matrix = np.eye(4)
    matrix[:3, :3] = fixed[9:].reshape(3, 3) * fixed[6:9]
    matrix[:3, 3] = fixed[3:6]
    x, y, z = (int(n) for n in size)
    return (z, y, x), matrix


def planes(shape: Triple, start: Triple, stop: Triple) -> slice:
    """Where the planes of a box lie in a field's parameters."""
    plane = 3 * shape[1] * shape[2]
    return slice(start[0] * plane, stop[0] * plane)


def box_of_planes(
    flat: npt.NDArray[np.floating], shape: Triple, start: Triple, stop: Triple
) -> npt.NDArray[np.floating]:
    """The box (component, z, y, x) of its planes."""
    whole = flat.reshape(stop[0] - start[0], shape[1], shape[2], 3)
    return np.moveaxis(whole[:, start[1] : stop[1], start[2] : stop[2]], 3, 0)


def base_name(kind: str) -> str:
    """The class without the types of its numbers: "AffineTransform"."""
    return kind.partition("_")[0]


_NONE: Numbers = np.zeros(0)
_PARAMETERS = {
    "AffineTransform": 12,
    "MatrixOffsetTransformBase": 12,
    "Euler3DTransform": 6,
    "VersorRigid3DTransform": 6,
    "Similarity3DTransform": 7,
    "TranslationTransform": 3,
    "ScaleTransform": 3,
    "IdentityTransform": 0,
}
_WITHOUT_CENTER = ("TranslationTransform", "IdentityTransform")


def _affine(base: str, parameters: Numbers, fixed: Numbers) -> Matrix:
    """The 4x4 map of (x, y, z, 1): y = M (p - c) + c + t, with the centre c first among the fixed parameters."""
    linear, shift = np.eye(3), np.zeros(3)
    if base in ("AffineTransform", "MatrixOffsetTransformBase"):
        linear, shift = parameters[:9].reshape(3, 3), parameters[9:]
    elif base == "Euler3DTransform":
        linear, shift = _euler(parameters[:3], fixed), parameters[3:]
    elif base == "VersorRigid3DTransform":
        linear, shift = _versor(parameters[:3]), parameters[3:]
    elif base == "Similarity3DTransform":
        linear, shift = _versor(parameters[:3]) * parameters[6], parameters[3:6]
    elif base == "TranslationTransform":
        shift = parameters
    elif base == "ScaleTransform":
        linear = np.diag(parameters)
    center = fixed[:3] if fixed.size >= 3 else np.zeros(3)
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = center + shift - linear @ center
    return matrix


def _versor(vector: Numbers) -> Numbers:
    """The rotation whose unit quaternion has the vector part (x, y, z)."""
    x, y, z = vector
    w = np.sqrt(max(0.0, 1 - float(vector @ vector)))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _euler(angles: Numbers, fixed: Numbers) -> Numbers:
    """Rotations about x, y and z; in the order z x y, or z y x where the fourth fixed parameter says so."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    if fixed.size > 3 and fixed[3]:
        return np.asarray(about_z @ about_y @ about_x)
    return np.asarray(about_z @ about_x @ about_y)


def _numbers(text: str, name: str) -> Numbers:
    try:
        return np.array(text.split(), np.float64)
    except ValueError as error:
        raise unreadable(name, f"has a line of numbers that holds something else: {text.strip()[:40]!r}") from error


def _matlab4(data: bytes, name: str) -> dict[str, Numbers]:
    """The matrices of a MATLAB 4 file by name, column by column. Source: "MAT-File Format", The MathWorks, Level 4."""
    found: dict[str, Numbers] = {}
    at = 0
    while at < len(data):
        if len(data) < at + 20:
            raise unreadable(name, "is truncated: it ends within a header")
        kind, rows, columns, imaginary, length = struct.unpack_from("<5i", data, at)
        item = {0: "<f8", 10: "<f4"}.get(kind)
        if item is None or imaginary or not 0 < length <= 256 or min(rows, columns) < 0 or rows * columns > 1 << 16:
            raise unreadable(name, "is no MATLAB 4 file with a transform", "ITK's other formats are .tfm and .h5")
        start = at + 20 + length
        at = start + rows * columns * np.dtype(item).itemsize
        if len(data) < at:
            raise unreadable(name, "is truncated: it ends within its numbers")
        key = data[start - length : start].split(b"\0")[0].decode("ascii", "replace")
        found[key] = np.frombuffer(data[start:at], item).astype(np.float64)
    return found
