"""Is an installed atlas what it says? One function a check; each says what was found, and what to do where it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.installed import OpenAtlas
from pulvinar.errors import Invalid, NotFound
from pulvinar.ingest.atlas_geometry import LabelPlace, measured_orientation
from pulvinar.model.atlas import PartKind
from pulvinar.model.ontology import Ontology, folded_name
from pulvinar.model.space import Points, Window
from pulvinar.storage.volumes import StoredVolume

LEAST_OVERLAP = 0.9
_LARGEST = 40_000_000
"""Voxels of the level at which a template is compared with an annotation."""
_PLANES = 32
"""So many planes of it are held at once."""
_MIDDLE = 1.0
"""How far from the middle plane, in voxels, the two sides of a symmetric atlas may balance."""
_BEYOND = 0.02
"""How much of the sided regions may lie on the other side of it."""

Surfaces = Callable[[OpenAtlas], frozenset[int]]
"""The regions that an atlas has a surface of."""


@dataclass(frozen=True)
class CheckResult:
    """What one check found. `passed` is None where there is nothing to check."""

    name: str
    passed: bool | None
    found: str
    hint: str = ""


def check_atlas(atlas: OpenAtlas, surfaces: Surfaces | None = None) -> tuple[CheckResult, ...]:
    """Every check, in a fixed order; one that can't even be made has failed."""
    checks: list[Callable[[OpenAtlas], CheckResult]] = [
        tree_is_a_tree,
        labels_have_regions,
        names_are_unique,
        terms_are_stated,
        sides_are_right,
        template_overlaps,
        no_mirror_image_fits_better,
        midline_is_the_middle,
    ]
    if surfaces is not None:
        checks.append(lambda one: regions_have_surfaces(one, surfaces))
    return tuple(_made(check, atlas) for check in checks)


def _made(check: Callable[[OpenAtlas], CheckResult], atlas: OpenAtlas) -> CheckResult:
    try:
        return check(atlas)
    except (Invalid, NotFound) as error:
        name = getattr(check, "__name__", "check").replace("_", " ")
        return CheckResult(name, False, error.message, error.hint)


def tree_is_a_tree(atlas: OpenAtlas) -> CheckResult:
    """The terminology reads as a tree: parents are there, and nothing is above itself."""
    name = "the regions are a tree"
    if not atlas.atlas.has(PartKind.TERMINOLOGY):
        return CheckResult(name, None, "no terminology")
    ontology = atlas.ontology
    roots = ontology.children(None)
    return CheckResult(name, len(roots) == 1, f"{len(ontology)} regions, {len(roots)} roots", "give it one root")


def labels_have_regions(atlas: OpenAtlas) -> CheckResult:
    """Every label of the annotation is a region of the terminology."""
    name = "every label has a region"
    if not atlas.atlas.has(PartKind.ANNOTATION):
        return CheckResult(name, None, "no annotation")
    labels = atlas.annotation.index.labels.tolist()
    stray = [label for label in labels if label not in atlas.ontology]
    found = f"{len(labels)} labels" + (f", without a region: {stray[:10]}" if stray else "")
    return CheckResult(name, not stray, found, "the terminology is of another version than the annotation")


def names_are_unique(atlas: OpenAtlas) -> CheckResult:
    """No two regions share a name in English; nor, on one side of one parent, in Chinese."""
    name = "names are unique"
    if not atlas.atlas.has(PartKind.TERMINOLOGY):
        return CheckResult(name, None, "no terminology")
    twice = [*_twice(atlas.ontology, chinese=False), *_twice(atlas.ontology, chinese=True)]
    found = f"twice: {', '.join(twice[:5])}" if twice else f"{len(atlas.ontology)} names"
    return CheckResult(name, not twice, found, "tell the regions apart by name")


def _twice(ontology: Ontology, *, chinese: bool) -> list[str]:
    names = Counter(
        (folded_name(one.name_zh), one.parent, one.side) if chinese else (folded_name(one.name), None, one.side)
        for one in ontology.regions
        if not chinese or one.name_zh
    )
    return [str(key[0]) for key, count in names.items() if count > 1 and key[0]]


def terms_are_stated(atlas: OpenAtlas) -> CheckResult:
    """Licence and citation are there to be shown."""
    lacking = [what for what in ("licence", "citation", "source") if not getattr(atlas.atlas, what)]
    found = f"no {', no '.join(lacking)}" if lacking else atlas.atlas.licence
    return CheckResult("licence, citation and source are stated", not lacking, found, "say them in the packer")


def sides_are_right(atlas: OpenAtlas) -> CheckResult:
    """Regions of the left side lie to the left of those of the right, by the letters of the space."""
    name = "left is left"
    if not atlas.atlas.has(PartKind.ANNOTATION):
        return CheckResult(name, None, "no annotation")
    sides = {
        letter: [one.id for one in atlas.ontology.regions if one.side == side]
        for letter, side in (("L", "left"), ("R", "right"))
    }
    if not all(sides.values()):
        return CheckResult(name, None, "its labels are the same on both sides: not measurable")
    measured = measured_orientation(_places(atlas), sides)
    stated = atlas.atlas.space.orientation
    axis = next(i for i, letter in enumerate(measured) if letter in "LR")
    right = stated[axis : axis + 1] == measured[axis]
    found = f"the space says {stated or 'nothing'}, sided regions say {measured} (z, y, x)"
    return CheckResult(name, right, found, "the annotation is mirrored, or its affine is")


def _places(atlas: OpenAtlas) -> Mapping[int, LabelPlace]:
    """The labels' middles in micrometres of the space, from the index."""
    index = atlas.annotation.index
    matrix = atlas.annotation.voxel_to_space_um
    found = {}
    for label in index.labels.tolist():
        rows = index.rows(np.array([label]))
        count = int(index.count[rows].sum())
        mean = np.average(index.center[rows], axis=0, weights=index.count[rows])
        found[label] = LabelPlace(count, matrix[:3, :3] @ mean + matrix[:3, 3])
    return found


def template_overlaps(atlas: OpenAtlas) -> CheckResult:
    """Template and annotation agree on where the brain is: their Dice, of the template where it is brighter than the
    threshold that fits best. Of an atlas that labels a part of the brain, such as its cortex, what counts is how much
    of the annotation lies within the template's tissue, which is told from the template alone."""
    name = "template and annotation overlap"
    if not _has_both(atlas):
        return CheckResult(name, None, "no template, or no annotation")
    template, labelled = _side_by_side(atlas)
    dice, _ = _best_overlap(template, labelled)
    within = float((template[labelled] > _tissue_threshold(template)).mean()) if labelled.any() else 0.0
    partial = within >= LEAST_OVERLAP and dice < LEAST_OVERLAP
    found = f"Dice {dice:.3f}; {within:.1%} of the labels within the template's tissue"
    if partial:
        return CheckResult(name, True, f"{found}: it labels a part of the brain")
    return CheckResult(name, dice >= LEAST_OVERLAP, found, "one of them is turned or moved: measure their affines")


def no_mirror_image_fits_better(atlas: OpenAtlas) -> CheckResult:
    """The annotation fits its template better as it lies than mirrored front to back or top to bottom: else one of the
    two is turned. Left and right are `sides_are_right`'s: a brain is too much like its own mirror image."""
    name = "no mirror image fits better"
    if not _has_both(atlas) or not atlas.atlas.space.orientation:
        return CheckResult(name, None, "no template, no annotation, or nobody says where the space's axes go")
    template, labelled = _side_by_side(atlas)
    if not labelled.any():
        return CheckResult(name, False, "no label lies in the template", "one of them is moved: measure their affines")
    dice, threshold = _best_overlap(template, labelled)
    tissue = template > threshold
    matrix = np.abs(np.array(atlas.atlas.part(PartKind.TEMPLATE).voxel_to_space_um)[:3, :3])
    mirrored = {}
    for axis in range(labelled.ndim):
        letter = atlas.atlas.space.orientation[int(np.argmax(matrix[:, axis]))]
        if letter not in "LR":
            mirrored[letter] = max(_dice(tissue, one) for one in (np.flip(labelled, axis), _mirrored(labelled, axis)))
    better = [letter for letter, other in mirrored.items() if other > dice]
    said = ", ".join(f"{other:.3f} along {letter}" for letter, other in mirrored.items())
    return CheckResult(name, not better, f"Dice {dice:.3f}; mirrored {said}", "measure which way the voxels' axes rise")


def _has_both(atlas: OpenAtlas) -> bool:
    return atlas.atlas.has(PartKind.ANNOTATION) and atlas.atlas.has(PartKind.TEMPLATE)


def _mirrored(labelled: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.bool_]:
    """The labelled voxels mirrored within their own box, so that nothing but the direction changes."""
    there = np.flatnonzero(labelled.any(axis=tuple(other for other in range(labelled.ndim) if other != axis)))
    box = (slice(None),) * axis + (slice(int(there[0]), int(there[-1]) + 1),)
    turned = labelled.copy()
    turned[box] = np.flip(labelled[box], axis)
    return turned


def _side_by_side(atlas: OpenAtlas) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The template's values, and whether there is a label, at the voxels of a level of the template."""
    part = atlas.atlas.part(PartKind.TEMPLATE)
    volume = atlas.volume(part)
    number = _comparable_level(volume)
    level, finest = volume.volume.levels[number], volume.volume.levels[0]
    values = volume.read(number, Window((0, 0, 0, 0, 0), (1, 1, *level.shape[2:])))[0, 0].astype(np.float32)
    factor = np.divide(level.voxel_size_um, finest.voxel_size_um)
    matrix = np.array(part.voxel_to_space_um)
    labelled = np.zeros(values.shape, np.bool_)
    for z, plane in enumerate(labelled):
        index = np.stack(np.meshgrid([z], *(np.arange(n) for n in plane.shape), indexing="ij"), axis=-1).reshape(-1, 3)
        at_finest = (index + 0.5) * factor - 0.5
        plane[:] = _labelled(atlas, at_finest @ matrix[:3, :3].T + matrix[:3, 3]).reshape(plane.shape)
    return values, labelled


def _comparable_level(volume: StoredVolume) -> int:
    """The finest level of a volume that can be looked at as a whole."""
    fits = [n for n, level in enumerate(volume.volume.levels) if np.prod(level.shape[2:]) <= _LARGEST]
    return fits[0] if fits else len(volume.volume.levels) - 1


def _labelled(atlas: OpenAtlas, zyx_um: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return np.asarray(atlas.annotation.regions_at(Points(atlas.atlas.space, zyx_um)) != 0)


def _best_overlap(values: npt.NDArray[np.float32], labelled: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The best Dice over thresholds of the values, and that threshold."""
    edges = np.unique(np.quantile(values, np.linspace(0.02, 0.98, 49)))
    return max((_dice(values > edge, labelled), float(edge)) for edge in edges)


def _dice(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    both = int(np.count_nonzero(one & other))
    return 2 * both / max(1, int(np.count_nonzero(one)) + int(np.count_nonzero(other)))


def _tissue_threshold(values: npt.NDArray[np.float32]) -> float:
    """Where values part best into dark and bright: Otsu (1979), "A threshold selection method from gray-level
    histograms"."""
    from skimage.filters import threshold_otsu

    low, high = float(values.min()), float(values.max())
    return float(threshold_otsu(values)) if low < high else high


def midline_is_the_middle(atlas: OpenAtlas) -> CheckResult:
    """The plane that the atlas calls its middle parts left from right: hardly a sided voxel lies beyond it. Where
    labels have no sides, the two halves balance on it."""
    name = "the midline is the middle"
    space, midline = atlas.atlas.space, atlas.atlas.midline_um
    axis = next((i for i, letter in enumerate(space.orientation) if letter in "LR"), None)
    if midline is None or axis is None or not atlas.atlas.has(PartKind.ANNOTATION):
        return CheckResult(name, None, "no annotation, or no midline is stated")
    sides = {side: [one.id for one in atlas.ontology.regions if one.side == side] for side in ("left", "right")}
    if not any(sides.values()):
        index, matrix = atlas.annotation.index, atlas.annotation.voxel_to_space_um
        across = (index.center @ matrix[:3, :3].T + matrix[:3, 3])[:, axis] - midline
        off = abs(float(np.average(across, weights=index.count))) / float(np.abs(matrix[axis, :3]).max())
        return CheckResult(name, off <= _MIDDLE, f"the labels balance {off:.2f} voxels from it", "measure it anew")
    low, high = ("left", "right") if space.orientation[axis] == "R" else ("right", "left")
    share = _beyond(atlas, axis, sides[low], sides[high])
    return CheckResult(name, share <= _BEYOND, f"{share:.2%} of the sided voxels lie beyond it", "measure it anew")


def _beyond(atlas: OpenAtlas, axis: int, low: list[int], high: list[int]) -> float:
    """The share of the sided voxels that lie on the other side of the midline: of `low` above it, of `high` below.

    Read some planes at a time, at a level that is small enough."""
    volume, matrix = atlas.annotation.volume, atlas.annotation.voxel_to_space_um
    number = _comparable_level(volume)
    level = volume.volume.levels[number]
    factor = np.divide(level.voxel_size_um, volume.volume.levels[0].voxel_size_um)
    _, _, depth, height, width = level.shape
    wrong, sided = 0, 0
    for start in range(0, depth, _PLANES):
        stop = min(start + _PLANES, depth)
        labels = volume.read(number, Window((0, 0, start, 0, 0), (1, 1, stop, height, width)))[0, 0]
        grid = np.ogrid[start:stop, 0:height, 0:width]
        across = sum(
            (matrix[axis, i] * ((part + 0.5) * factor[i] - 0.5) for i, part in enumerate(grid)), matrix[axis, 3]
        )
        above = across > (atlas.atlas.midline_um or 0.0)
        is_low, is_high = np.isin(labels, low), np.isin(labels, high)
        wrong += int(np.count_nonzero(is_low & above)) + int(np.count_nonzero(is_high & ~above))
        sided += int(np.count_nonzero(is_low | is_high))
    return wrong / max(1, sided)


def regions_have_surfaces(atlas: OpenAtlas, surfaces: Surfaces) -> CheckResult:
    """Every region with voxels, its own or of what is below it, has a surface."""
    name = "every region with voxels has a surface"
    if not atlas.atlas.has(PartKind.MESHES):
        return CheckResult(name, None if not atlas.atlas.has(PartKind.ANNOTATION) else False, "no surfaces")
    there = surfaces(atlas)
    labels = atlas.annotation.index.labels.tolist()
    needed = {one.id for label in labels for one in atlas.ontology.ancestors(label, itself=True)}
    lacking = sorted(needed - there)
    found = f"{len(needed)} regions with voxels" + (f", {len(lacking)} without: {lacking[:5]}" if lacking else "")
    return CheckResult(name, not lacking, found, "install the atlas once more")
