"""How a transform departs from the affine map that is nearest to it: what a picture of a deformation shows.

Between two spaces everything moves, by their origins, sizes and directions alone. What is worth a look is what is left.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.annotation import Annotation
from pulvinar.atlases.transforms import apply, invert, is_invertible
from pulvinar.errors import Invalid
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import Transform

Floats = npt.NDArray[np.float64]
_LATTICE = 24
"""Places a side of the lattice in a brain's box by which the affine map is found."""
_FEWEST = 12


def seen_from(transform: Transform, space: Space) -> Transform:
    """`transform` with `space` as its source: itself or its inverse. Raises `Invalid` where neither is possible."""
    if transform.source.name == space.name:
        return transform
    if transform.target.name == space.name and is_invertible(transform):
        return invert(transform)
    ends = f"{transform.source.name} to {transform.target.name}"
    raise Invalid(
        f"a transform from {ends} can't be shown in {space.name}",
        hint="it is shown in the atlas that it leads from, or to where it can be inverted",
    )


def departure(transform: Transform, places: Points, brain: Points) -> Floats:
    """Where `places` (n, 3) move over the affine map nearest to `transform`, as vectors (n, 3) in the source's um.

    The map is the one of least squares over `brain`, places (m, 3) of the source. NaN where the transform knows no
    place. Raises `Invalid` where it knows too few of the brain.
    """
    known = apply(transform, brain).zyx_um
    kept = np.isfinite(known).all(axis=1)
    if np.count_nonzero(kept) < _FEWEST:
        raise Invalid(f"the transform to {transform.target.name} covers next to nothing of {transform.source.name}")
    rows = np.hstack([brain.zyx_um[kept], np.ones((np.count_nonzero(kept), 1))])
    matrix = np.linalg.lstsq(rows, known[kept], rcond=None)[0]
    moved = apply(transform, places).zyx_um
    back: Floats = (moved - matrix[3]) @ np.linalg.inv(matrix[:3])
    return back - places.zyx_um


def places_in_brain(annotation: Annotation) -> Points:
    """A lattice of places (n, 3) of the atlas's space that lie in some region."""
    shape = annotation.volume.volume.levels[0].shape[2:]
    steps = [np.linspace(0, size - 1, min(size, _LATTICE)) for size in shape]
    voxels = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    rows = annotation.voxel_to_space_um[:3]
    lattice = Points(annotation.space, voxels @ rows[:, :3].T + rows[:, 3])
    return Points(annotation.space, lattice.zyx_um[annotation.regions_at(lattice) != 0])
