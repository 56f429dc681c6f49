"""`measure`: the figures of the card, measured again.

Every figure says what its truth is. SIM: a warp that is known. SILVER: real brains, and what another tool made of them.
OUTLINE: real brains, and no more than whether their outlines and intensities meet.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.atlases.transforms import apply, invert
from pulvinar.model.transform import FieldGrid
from pulvinar.model.volume import VolumeKind
from pulvinar.solutions.align import reference_brains as brains
from pulvinar.solutions.align.aligner import Aligner
from pulvinar.solutions.align.alignment import Alignment, align
from pulvinar.solutions.align.brain_image import BrainImage, rows_of, work_level
from pulvinar.solutions.align.greedy import GreedyAligner
from pulvinar.solutions.align.known_warps import known_brain
from pulvinar.solutions.align.quality import Labels, dice, local_correlation, region_dice
from pulvinar.solutions.align.warping import warped_array
from pulvinar.solutions.cards import Figure

_LANDMARKS = 2000
_ENGINE = GreedyAligner(threads=1)
"""As the solution runs it: by one thread the same images give the same map, and a card says the same twice."""


@dataclass(frozen=True)
class Known:
    """How well one known warp was found: Dice of the regions before and after, and after with the layers of an area as
    one, None where there are none; landmark errors in voxels, whether the
    orientation was found, and what it took."""

    start_dice: float
    region_dice: float
    area_dice: float | None
    landmark_median: float
    landmark_p95: float
    orientation_found: bool
    within_stated: float
    cpu_s: float


def measure(samples: Path, *, warps: int = 5, species: Sequence[str] = ()) -> Iterator[Figure]:
    """The figures of the card, one after the other, on the sample brains; `warps` for each of the `species`, of which
    one in five is of half a brain. Raises `NotFound` where a sample is missing, and what `align` raises."""
    for name, load in brains.references(samples).items():
        if species and name not in species:
            continue
        reference = load()
        for part, seeds, slab in (("whole", range(warps), False), ("slab", range(100, 100 + -(-warps // 5)), True)):
            found = [known_warp(reference, seed, slab=slab) for seed in seeds]
            yield from _figures(f"{name} {part}", found)
    yield from real_pairs(samples, species)


def known_warp(reference: brains.Reference, seed: int, *, slab: bool = False, aligner: Aligner | None = None) -> Known:
    """Align one brain whose place is known."""
    template, labels, voxel_um = reference.template, reference.labels, reference.voxel_um
    brain = known_brain(template, labels, voxel_um, seed, slab=slab)
    start = time.process_time()
    found = align(template, brain.image, aligner=aligner or _ENGINE)
    cpu_s = time.process_time() - start
    seen = labels_on(brain.image, labels, template, found)
    regions = region_dice(brain.labels, seen)
    before = region_dice(brain.labels, brain.start_labels)
    at = np.argwhere(brain.labels > 0)
    at = at[np.random.default_rng(seed).choice(len(at), _LANDMARKS)]
    belongs = brain.truth(at)
    far = np.linalg.norm(apply(found.transform, brain.points(at)).zyx_um - belongs, axis=1)
    stated = _at(found.uncertainty_um, found.grid, belongs)
    return Known(
        float(np.mean(list(before.values()))),
        float(np.mean(list(regions.values()))),
        _of_areas(brain.labels, seen, reference.areas),
        float(np.median(far)) / voxel_um,
        float(np.percentile(far, 95)) / voxel_um,
        found.orientation.letters == brain.letters,
        float((far <= stated).mean()),
        cpu_s,
    )


def _of_areas(truth: Labels, found: Labels, areas: Mapping[int, int]) -> float | None:
    if not areas:
        return None
    return float(np.mean(list(region_dice(_merged(truth, areas), _merged(found, areas)).values())))


def _merged(labels: Labels, areas: Mapping[int, int]) -> Labels:
    names, index = np.unique(labels, return_inverse=True)
    return np.array([areas.get(name, name) for name in names.tolist()])[index].reshape(labels.shape)


def real_pairs(samples: Path, species: Sequence[str] = ()) -> Iterator[Figure]:
    """Real brains to real templates."""
    if not species or "mouse" in species:
        yield from _mouse(samples)
    if not species or "zebrafish" in species:
        for fish in ("fish1", "fish3"):
            found = align(brains.zbrain(samples), brains.live_fish(samples, fish), aligner=_ENGINE)
            yield _one(f"zebrafish {fish} to Z-Brain: Dice of the outlines within what was imaged", "OUTLINE", found)
    if not species or "macaque" in species:
        for brain in (brains.yerkes19(samples), brains.mebrains(samples), brains.yerkes19(samples, "T2w")):
            found = align(brains.inia19(samples), brain, aligner=_ENGINE)
            yield _one(f"{brain.space.name} to INIA19: Dice of the outlines", "OUTLINE", found)
    if not species or "human" in species:
        yield from _human(samples)


def labels_on(image: BrainImage, labels: Labels, template: BrainImage, found: Alignment) -> Labels:
    """The template's `labels` on the voxels of the brain `image`."""
    grid = FieldGrid(image.voxels.shape, image.voxel_to_space_um)
    return warped_array(labels, template.voxel_to_space_um, found.transform, grid, VolumeKind.LABELS)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a mean, by bootstrap with a fixed seed."""
    picks = np.random.default_rng(0).choice(np.array(values), (2000, len(values))).mean(axis=1)
    low, high = np.percentile(picks, (2.5, 97.5))
    return float(low), float(high)


def boundary_distances(one: Labels, other: Labels, voxel_um: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far each boundary voxel of `one` lies from the nearest one of `other`, micrometres (n,)."""
    edges = [_edges(labels) for labels in (one, other)]
    return np.asarray(ndimage.distance_transform_edt(~edges[1], sampling=voxel_um)[edges[0]])


def _mouse(samples: Path) -> Iterator[Figure]:
    """Against the reference registration, whose map is found again from its result, an image of the same brain."""
    brain, template, annotation = (
        brains.mouse_brain(samples),
        brains.ccf_template(samples),
        brains.ccf_annotation(samples),
    )
    level = work_level(brain, 100.0)
    brain = BrainImage(brain.space, level.voxels, rows_of(level.to_space_um))
    reference = brains.mouse_in_ccf(samples)
    ours = align(template, brain, aligner=_ENGINE)
    theirs = align(reference, brain, voxel_um=100.0, aligner=_ENGINE)
    labels = [labels_on(brain, annotation, reference, found) for found in (theirs, ours)]
    what = "mouse autofluorescence to CCFv3, against the reference registration: "
    regions = list(region_dice(labels[0], labels[1]).values())
    yield _single(f"{what}Dice of the whole brain", "SILVER", dice(labels[0] > 0, labels[1] > 0))
    yield _mean(f"{what}Dice of regions over 500 voxels", "SILVER", regions)
    for whose, found in (("the reference's", theirs), ("ours", ours)):
        at_template = FieldGrid(template.voxels.shape, template.voxel_to_space_um)
        seen = warped_array(brain.voxels, brain.voxel_to_space_um, invert(found.transform), at_template)
        yield _single(f"{what}local correlation with the template, {whose}", "OUTLINE", _alike(template, seen))
    far = float(np.percentile(boundary_distances(labels[1], labels[0], brain.voxel_size_um), 95))
    yield _single(f"{what}boundary distance, 95th percentile", "SILVER", far, "um")


def _alike(template: BrainImage, seen: npt.NDArray[np.generic]) -> float:
    """The mean squared local correlation, 0 to 1, over the template's tissue."""
    level = work_level(template, float(template.voxel_size_um.min()))
    own = work_level(BrainImage(template.space, seen, template.voxel_to_space_um), level.voxel_um)
    return float(local_correlation(level.voxels, own.voxels)[level.tissue].mean())


def _human(samples: Path) -> Iterator[Figure]:
    template, truth = brains.mni152(), brains.mni_tissues()
    head, tissues = brains.human_head(samples)
    found = align(template, head, aligner=_ENGINE)
    yield _one("human T1 to MNI152: Dice of the outlines", "OUTLINE", found)
    grid = FieldGrid(template.voxels.shape, template.voxel_to_space_um)
    seen = warped_array(tissues, head.voxel_to_space_um, invert(found.transform), grid, VolumeKind.LABELS)
    for value, name in ((1, "white matter"), (2, "grey matter")):
        yield _single(f"human T1 to MNI152: Dice of {name}", "SILVER", dice(truth == value, seen == value))


def _one(name: str, truth: str, found: Alignment) -> Figure:
    return _single(name, truth, found.quality.stages[-1].tissue_dice)


def _single(name: str, truth: str, value: float, unit: str = "") -> Figure:
    return Figure(name, truth, value, value, value, unit)


def _mean(name: str, truth: str, values: Sequence[float], unit: str = "") -> Figure:
    return Figure(name, truth, float(np.mean(values)), *interval(values), unit, len(values))


def _figures(what: str, found: Sequence[Known]) -> Iterator[Figure]:
    for name, unit, values in (
        ("Dice of regions over 500 voxels before", "", [one.start_dice for one in found]),
        ("Dice of regions over 500 voxels", "", [one.region_dice for one in found]),
        ("Dice of areas, layers merged", "", [one.area_dice for one in found if one.area_dice is not None]),
        ("landmark error, median", "voxels", [one.landmark_median for one in found]),
        ("landmark error, 95th percentile", "voxels", [one.landmark_p95 for one in found]),
        ("orientation found", "", [float(one.orientation_found) for one in found]),
        ("landmarks within the stated uncertainty", "", [one.within_stated for one in found]),
        ("processor seconds", "s", [one.cpu_s for one in found]),
    ):
        if values:
            yield _mean(f"{what}: {name}", "SIM", values, unit)


def _at(
    values: npt.NDArray[np.float32], grid: FieldGrid, places_um: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    matrix = np.linalg.inv(np.array(grid.voxel_to_space_um))
    index = np.rint(places_um @ matrix[:3, :3].T + matrix[:3, 3]).astype(int)
    return np.asarray(values[tuple(np.clip(index, 0, np.array(grid.shape) - 1).T)])


def _edges(labels: Labels) -> npt.NDArray[np.bool_]:
    edges = np.zeros(labels.shape, bool)
    for axis in range(3):
        before, after = (
            tuple(part if other == axis else slice(None) for other in range(3))
            for part in (slice(0, -1), slice(1, None))
        )
        edges[after] |= labels[after] != labels[before]
    return edges
