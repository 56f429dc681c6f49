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
from pulvinar.model.space import Window

LEAST_OVERLAP = 0.9
_LARGEST = 40_000_000
"""Voxels of the level at which a template is compared with an annotation."""
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
    of the annotation lies within the template's tissue."""
    name = "template and annotation overlap"
    if not (atlas.atlas.has(PartKind.ANNOTATION) and atlas.atlas.has(PartKind.TEMPLATE)):
        return CheckResult(name, None, "no template, or no annotation")
    template, labelled = _side_by_side(atlas)
    dice, within = _best_overlap(template, labelled)
    partial = within >= LEAST_OVERLAP and dice < LEAST_OVERLAP
    found = f"Dice {dice:.3f}; {within:.1%} of the labels within the template's tissue"
    if partial:
        return CheckResult(name, True, f"{found}: it labels a part of the brain")
    return CheckResult(name, dice >= LEAST_OVERLAP, found, "one of them is turned or moved: measure their affines")


def _side_by_side(atlas: OpenAtlas) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The template's values, and whether there is a label, at the voxels of a level of the template."""
    part = atlas.atlas.part(PartKind.TEMPLATE)
    volume = atlas.volume(part)
    fits = [n for n, level in enumerate(volume.volume.levels) if np.prod(level.shape[2:]) <= _LARGEST]
    number = fits[0] if fits else len(volume.volume.levels) - 1
    level, finest = volume.volume.levels[number], volume.volume.levels[0]
    values = volume.read(number, Window((0, 0, 0, 0, 0), (1, 1, *level.shape[2:])))[0, 0].astype(np.float32)
    factor = np.divide(level.voxel_size_um, finest.voxel_size_um)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in values.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    at_finest = (index + 0.5) * factor - 0.5
    matrix = np.array(part.voxel_to_space_um)
    labelled = np.zeros(len(index), np.bool_)
    for start in range(0, len(index), 1 << 20):
        part_of = slice(start, start + (1 << 20))
        labelled[part_of] = _labelled(atlas, at_finest[part_of] @ matrix[:3, :3].T + matrix[:3, 3])
    return values.ravel(), labelled


def _labelled(atlas: OpenAtlas, zyx_um: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    from pulvinar.model.space import Points

    return np.asarray(atlas.annotation.regions_at(Points(atlas.atlas.space, zyx_um)) != 0)


def _best_overlap(values: npt.NDArray[np.float32], labelled: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The best Dice over thresholds, and the share of labels above the threshold that splits the values best."""
    edges = np.quantile(values, np.linspace(0.02, 0.98, 49))
    best, within = 0.0, 0.0
    for edge in np.unique(edges):
        tissue = values > edge
        both = float(np.count_nonzero(tissue & labelled))
        dice = 2 * both / max(1.0, float(tissue.sum() + labelled.sum()))
        if dice > best:
            best, within = dice, both / max(1.0, float(labelled.sum()))
    return best, within


def midline_is_the_middle(atlas: OpenAtlas) -> CheckResult:
    """The plane that the atlas calls its middle parts left from right: hardly a sided voxel lies beyond it. Where
    labels have no sides, the two halves balance on it."""
    name = "the midline is the middle"
    space, midline = atlas.atlas.space, atlas.atlas.midline_um
    axis = next((i for i, letter in enumerate(space.orientation) if letter in "LR"), None)
    if midline is None or axis is None or not atlas.atlas.has(PartKind.ANNOTATION):
        return CheckResult(name, None, "no annotation, or no midline is stated")
    index, matrix = atlas.annotation.index, atlas.annotation.voxel_to_space_um
    across = (index.center @ matrix[:3, :3].T + matrix[:3, 3])[:, axis] - midline
    sides = {one.id: one.side for one in atlas.ontology.regions if one.side}
    side = np.array([sides.get(label, "") for label in index.label.tolist()])
    if not side.any():
        voxel = float(np.abs(matrix[axis, :3]).max())
        off = abs(float(np.average(across, weights=index.count))) / voxel
        return CheckResult(name, off <= _MIDDLE, f"the labels balance {off:.2f} voxels from it", "measure it anew")
    rising = "right" if space.orientation[axis] == "R" else "left"
    beyond = ((side == rising) & (across < 0)) | ((side != rising) & (side != "") & (across > 0))
    share = float(index.count[beyond].sum() / index.count[side != ""].sum())
    return CheckResult(name, share <= _BEYOND, f"{share:.2%} of the sided voxels lie beyond it", "measure it anew")


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
