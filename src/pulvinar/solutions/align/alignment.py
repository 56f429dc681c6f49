"""`align`: a brain to the template of its atlas, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.atlases.displacement import ArrayField
from pulvinar.atlases.inversion import InversionError, inverse_in_memory
from pulvinar.atlases.transforms import invert
from pulvinar.errors import Invalid
from pulvinar.model.transform import DisplacementTransform, FieldGrid, Outside
from pulvinar.model.volume import Triple
from pulvinar.solutions.align.aligner import Aligner, Metric, Pair
from pulvinar.solutions.align.brain_image import BrainImage, Gray, Mask, Matrix, WorkLevel, rows_of, work_level
from pulvinar.solutions.align.doubts import Doubt, doubts_of
from pulvinar.solutions.align.greedy import GreedyAligner
from pulvinar.solutions.align.orientation import Orientation, Pose, Turn, find_pose
from pulvinar.solutions.align.quality import Quality, alikeness, carried, concordance, jacobian, measured_stage
from pulvinar.solutions.align.uncertainty import uncertainty_um

WORK_VOXELS = 4_500_000
"""A level of at most some so many voxels is aligned when nobody says otherwise: an error of so many voxels is a smaller
part of a region where they are finer."""
_ROUGH_VOXELS = 1_000_000
"""The affine map, which has 12 numbers to learn, is found on so many; a template with fewer is aligned on finer voxels
than its own, for between them there is more to be told."""
_FINER = 2.0
"""But never on ones finer by more than this."""
_COARSE_TISSUE = 6_000
"""How a brain lies is looked for where its template has so many voxels of tissue."""
_RIM = 3
"""So many voxels around tissue are compared too: the outline tells much."""
_HOLE = 3
"""A part is missing where tissue should be and isn't, further in than this many voxels from what there is."""
_SAME_COLOURS = 0.5
"""From here on, of -1 to 1, two images are of one modality."""
_FAINT = 0.35
"""A mean local correlation below this leaves much to chance."""
_LARGER = 1.3
"""A brain with so many times the template's tissue has a head around it."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """A brain brought to its atlas.

    `transform` brings points of the brain to the atlas, and `invert` gives the way back. `grid` is the template's level
    that was aligned, and on it: `template` and `seen`, the intensities of the template and of the brain as seen there,
    between 0 and 1; `compared`, where the brain could tell anything; `uncertainty_um`, how far off a point is to be
    expected, float32. All have axes (z, y, x).
    """

    transform: DisplacementTransform
    grid: FieldGrid
    template: Gray
    seen: Gray
    compared: Mask
    uncertainty_um: npt.NDArray[np.float32]
    orientation: Orientation
    quality: Quality
    inversion: InversionError
    doubts: tuple[Doubt, ...]

    @property
    def look_at_this(self) -> bool:
        """Whether a person should look before anybody builds on it; `doubts` says why."""
        return bool(self.doubts)


def align(
    template: BrainImage, brain: BrainImage, *, voxel_um: float | None = None, aligner: Aligner | None = None
) -> Alignment:
    """Bring `brain` to `template`: how it lies is found, then an affine map, then a smooth deformation, all on cubes of
    `voxel_um` (by default the template's own, or such that it has 4.5 million).

    Neither the brain's orientation nor its completeness is believed: what is missing is left out of the comparison.
    Raises `Invalid` when the template's orientation isn't known or an image is flat, `TooLarge` for a level that
    doesn't fit, `Unavailable` without an engine, and `JobFailed` where it fails.
    """
    if not template.space.orientation:
        raise Invalid(
            f"nobody has said how the template {template.space.name} lies", hint="a template's space has an orientation"
        )
    engine = aligner or GreedyAligner()
    voxel_um = voxel_um or fitting_voxel_um(template)
    fixed, moving = work_level(template, voxel_um), work_level(brain, voxel_um)
    coarse_um = max(voxel_um, voxel_um * (fixed.voxels.size / _ROUGH_VOXELS) ** (1 / 3))
    coarse_fixed, coarse_moving = _at(coarse_um, template, fixed), _at(coarse_um, brain, moving)
    pose = _posed(coarse_fixed, coarse_moving, template, brain, engine)
    moving, coarse_moving = _turned(moving, pose.turn), _turned(coarse_moving, pose.turn)
    start = _indices(pose.template_to_brain_um, coarse_fixed, coarse_moving)
    found = _affine(coarse_fixed, coarse_moving, start, engine)
    found_um = coarse_moving.to_space_um @ found @ np.linalg.inv(coarse_fixed.to_space_um)
    rough, affine = (_indices(one, fixed, moving) for one in (pose.template_to_brain_um, found_um))
    compared = comparable(fixed, moving, affine)
    metric = _metric(fixed, moving, affine, compared)
    alike = alikeness(fixed.voxels, moving.voxels, fixed.tissue & compared, affine)
    pair = Pair(fixed.voxels, moving.voxels, metric, None if compared.all() else compared, alike < _FAINT)
    vectors = engine.field(pair, affine)
    return _told(template, brain, fixed, moving, rough, affine, vectors, compared, pose.orientation, engine)


def fitting_voxel_um(template: BrainImage) -> float:
    """The edge of the cubes to align at: the template's own, larger where those are too many, smaller where they are
    few."""
    z, y, x = template.voxel_size_um.tolist()
    return fitting_edge_um((z, y, x), template.voxels.shape)


def fitting_edge_um(voxel_size_um: Triple, shape: tuple[int, ...]) -> float:
    """The same of a template with `shape` voxels (z, y, x) of that size."""
    volume, own = prod(voxel_size_um) * prod(shape), min(voxel_size_um)
    finest, rough = (float(np.cbrt(volume / voxels)) for voxels in (WORK_VOXELS, _ROUGH_VOXELS))
    return max(finest, min(own, max(rough, own / _FINER)))


def _at(voxel_um: float, image: BrainImage, level: WorkLevel) -> WorkLevel:
    """A coarser level, of a level of `image`."""
    if voxel_um <= level.voxel_um:
        return level
    return work_level(BrainImage(image.space, level.voxels, rows_of(level.to_space_um), level.known), voxel_um)


def _turned(level: WorkLevel, turn: Turn) -> WorkLevel:
    voxels, known, tissue = (
        np.ascontiguousarray(turn.turned(one)) for one in (level.voxels, level.known, level.tissue)
    )
    return WorkLevel(voxels, known, tissue, level.to_space_um @ turn.to_array(level.voxels.shape), level.voxel_um)


def _indices(map_um: Matrix, fixed: WorkLevel, moving: WorkLevel) -> Matrix:
    """A map of micrometres as one of indices."""
    return np.asarray(np.linalg.inv(moving.to_space_um) @ map_um @ fixed.to_space_um)


def _posed(fixed: WorkLevel, moving: WorkLevel, template: BrainImage, brain: BrainImage, engine: Aligner) -> Pose:
    coarse_um = max(fixed.voxel_um, fixed.voxel_um * float(fixed.tissue.sum() / _COARSE_TISSUE) ** (1 / 3))
    levels = [_at(coarse_um, image, level) for image, level in ((template, fixed), (brain, moving))]
    return find_pose(levels[0], levels[1], template.stated_orientation, brain.stated_orientation, engine)


def _affine(fixed: WorkLevel, moving: WorkLevel, rough: Matrix, engine: Aligner) -> Matrix:
    """From the brain's side, so that a brain of which a part is missing isn't blown up to fill the template; where it
    and the template may have something in common.

    Mutual information finds the way from afar and across modalities; where it goes astray, local correlation is asked.
    """
    start: Matrix = np.asarray(np.linalg.inv(rough), np.float64)
    reach = 2 * _RIM
    here = ndimage.binary_dilation(moving.tissue, iterations=reach) & moving.known
    there = _carried(ndimage.binary_dilation(fixed.tissue, iterations=reach), start, moving.voxels.shape)
    where = here & there if _is_head(fixed, moving, rough) else here
    alike = alikeness(moving.voxels, fixed.voxels, where, start)
    for metric in (Metric.MUTUAL_INFORMATION, Metric.LOCAL_CORRELATION):
        tried = engine.affine(Pair(moving.voxels, fixed.voxels, metric, where), start)
        if alikeness(moving.voxels, fixed.voxels, where, tried) > alike:
            return np.asarray(np.linalg.inv(tried), np.float64)
    return rough


def _metric(fixed: WorkLevel, moving: WorkLevel, affine: Matrix, compared: Mask) -> Metric:
    """Local correlation, which sees more, where one image mostly brightens where the other does; else mutual
    information."""
    inner = ndimage.binary_erosion(fixed.tissue & compared, iterations=_RIM)
    agrees = concordance(carried(moving.voxels, affine, fixed.voxels.shape), fixed.voxels, inner)
    return Metric.LOCAL_CORRELATION if agrees > _SAME_COLOURS else Metric.MUTUAL_INFORMATION


def comparable(fixed: WorkLevel, moving: WorkLevel, affine: Matrix) -> Mask:
    """Where the template can be compared with the brain: within what was imaged and is trusted, not where a part of
    the brain is missing, and not out in the head."""
    shape = fixed.voxels.shape
    imaged = _carried(moving.known, affine, shape)
    tissue = _carried(moving.tissue, affine, shape)
    missing = fixed.tissue & imaged & ~ndimage.binary_dilation(tissue, iterations=_HOLE)
    if missing.any():
        imaged &= ~ndimage.binary_dilation(missing, iterations=_HOLE + 1)
    if _is_head(fixed, moving, affine):
        imaged &= ndimage.binary_dilation(fixed.tissue, iterations=1)
    return imaged


def _is_head(fixed: WorkLevel, moving: WorkLevel, affine: Matrix) -> bool:
    grown = abs(float(np.linalg.det(affine[:3, :3])))
    return float(moving.tissue.sum()) > _LARGER * grown * float(fixed.tissue.sum())


def _carried(mask: Mask, affine: Matrix, shape: tuple[int, ...]) -> Mask:
    return carried(mask.astype(np.float32), affine, shape) > 0.5


def _told(
    template: BrainImage,
    brain: BrainImage,
    fixed: WorkLevel,
    moving: WorkLevel,
    rough: Matrix,
    affine: Matrix,
    vectors: npt.NDArray[np.float32],
    compared: Mask,
    orientation: Orientation,
    engine: Aligner,
) -> Alignment:
    """The maps of indices as transforms of points, and everything that can be said of them."""
    index = np.indices(fixed.voxels.shape, dtype=np.float32)
    stages, seen = [], fixed.voxels
    for name, matrix, moved in (("rough", rough, index), ("affine", affine, index), ("field", affine, index + vectors)):
        places = np.einsum("ij,jzyx->izyx", matrix[:3, :3], moved) + matrix[:3, 3][:, None, None, None]
        seen = ndimage.map_coordinates(moving.voxels, places, order=1)
        tissue = ndimage.map_coordinates(moving.tissue.astype(np.float32), places, order=1) > 0.5
        stages.append(measured_stage(name, fixed, seen, tissue, compared))
    grown = jacobian(np.moveaxis(places, 0, -1), np.ones(3)) / abs(np.linalg.det(affine[:3, :3]))
    inner = (fixed.tissue & compared)[1:-1, 1:-1, 1:-1]
    uncertain = uncertainty_um(fixed, seen, compared)
    quality = Quality.of(tuple(stages), grown[inner], float((compared & fixed.tissue).sum() / fixed.tissue.sum()))
    grid = FieldGrid(fixed.voxels.shape, rows_of(fixed.to_space_um), Outside.NEAREST)
    to_um = moving.to_space_um @ affine
    forth = DisplacementTransform(
        template.space,
        brain.space,
        ArrayField(grid, np.einsum("ij,jzyx->izyx", to_um[:3, :3], vectors).astype(np.float32)),
        rows_of(to_um @ np.linalg.inv(fixed.to_space_um)),
        float(np.median(uncertain[fixed.tissue])),
        f"aligned at {fixed.voxel_um:g} um with {engine.version}",
    )
    back = FieldGrid(moving.voxels.shape, rows_of(moving.to_space_um), Outside.NEAREST)
    forth, error = inverse_in_memory(forth, back, 0.02 * fixed.voxel_um)
    doubts = doubts_of(orientation, quality, error, fixed.voxel_um)
    return Alignment(invert(forth), grid, fixed.voxels, seen, compared, uncertain, orientation, quality, error, doubts)
