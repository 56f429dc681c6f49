"""What the readers of neurons have in common: nodes in an order in which parents come first, and what is doubtful."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.reader import Finding, FoundAsset, Options, Severity, SkeletonData, SourceFile
from pulvinar.ingest.readers.places import mean_step_um, places_zyx_um, step_um
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Triple

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SOMA, AXON, DENDRITE, APICAL = 1, 2, 3, 4
"""Types of nodes, as in SWC."""


def depths(parent: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """How many nodes lie above each, by pointer doubling, and which of them go in a circle."""
    depth = (parent >= 0).astype(np.int64)
    above = parent.copy()
    for _ in range(len(parent).bit_length() + 1):
        going = np.flatnonzero(above >= 0)
        if not going.size:
            break
        depth[going] += depth[above[going]]
        above[going] = above[above[going]]
    return depth, above >= 0


def parents_come_first(parent: Ints) -> bool:
    """Whether each node comes behind its parent: then none goes in a circle."""
    return bool((parent < np.arange(len(parent))).all())


def skeleton_data(
    nodes: Floats,
    parent: Ints,
    type_code: npt.NDArray[np.int16],
    options: Options,
    *,
    scale: Triple = (1.0, 1.0, 1.0),
    node_id: Ints | None = None,
) -> SkeletonData:
    """A neuron of `nodes` (n, 4): x, y, z and radius, in units of `scale` micrometres (x, y, z) unless `--unit` says
    otherwise.

    `parent` are rows, -1 at a root, and no node is its own ancestor; parents may come behind their children. Nodes
    without a `node_id` are counted from 1. Radii that are not positive become NaN.
    """
    count = len(nodes)
    ids = np.arange(1, count + 1, dtype=np.int64) if node_id is None else node_id
    if not parents_come_first(parent):
        order = np.argsort(depths(parent)[0], kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(count)
        nodes, type_code, ids = nodes[order], type_code[order], ids[order]
        parent = np.where(parent[order] < 0, -1, place[parent[order]])
    step = step_um(options)
    radius = (nodes[:, 3] * mean_step_um(step) * mean_step_um(scale)).astype(np.float32)
    radius[~(nodes[:, 3] > 0)] = np.nan
    zyx_um = places_zyx_um(nodes[:, :3] * np.asarray(scale), options, step)
    return SkeletonData(zyx_um, radius, parent, type_code, ids)


def neuron_asset(reader: str, file: SourceFile, skeleton: SkeletonData, findings: Sequence[Finding]) -> FoundAsset:
    """The one neuron of a file as an asset of `reader`."""
    return FoundAsset(
        reader,
        key=file.name,
        name=stem_of(file.name),
        kind=AssetKind.SKELETON,
        files=(file.name,),
        findings=tuple(findings),
        metadata={
            "header": {"nodes": len(skeleton.parent), "roots": int(np.count_nonzero(skeleton.parent < 0))},
        },
    )


def skeleton_findings(skeleton: SkeletonData, options: Options) -> list[Finding]:
    """What is to be said of a neuron whatever its file: several roots, radii that are none."""
    findings = []
    roots = int(np.count_nonzero(skeleton.parent < 0))
    unknown = int(np.count_nonzero(np.isnan(skeleton.radius_um)))
    if roots > 1:
        findings.append(Finding(Severity.NOTE, f"the neuron has {roots} roots: {roots} trees"))
    if unknown:
        said = f"{unknown} of {len(skeleton.parent)} radii are not positive"
        findings.append(
            Finding(Severity.NOTE, f"{said}: they are taken as not known", "--radius-unknown")
            if options.radius_unknown
            else Finding(Severity.QUESTION, f"{said}: are they not known, or lost?", "--radius-unknown")
        )
    if _radii_are_no_lengths(skeleton):
        text = "its radii are as large as the neuron: they may be something else; they are kept as they are"
        findings.append(Finding(Severity.DOUBT, text))
    return findings


def _radii_are_no_lengths(skeleton: SkeletonData) -> bool:
    """Whether a common radius is a twentieth of the neuron's whole extent."""
    radii = skeleton.radius_um[np.isfinite(skeleton.radius_um)]
    # axis by axis: along rows of three it takes ten times as long
    extent = max(float(np.ptp(along)) for along in skeleton.zyx_um.T)
    return len(radii) > 100 and 2 * int(np.count_nonzero(radii > extent / 20)) > len(radii)


def soma_of_outlines(outlines: Sequence[Floats]) -> tuple[Floats, list[Finding]]:
    """The node (4,) that stands for a cell body drawn as outlines (n, 4: x, y, z, diameter), and what is said of it.

    Its place is the mean of all their points, its radius the mean distance from an outline's middle, of the largest
    one; an outline of one point is a ball. Source: `SomaSimpleContour` of NeuroM (Blue Brain Project).
    """
    points = np.concatenate(outlines)
    if len(points) == 1:
        return np.array([*points[0, :3], points[0, 3] / 2]), []
    middles = [outline[:, :3].mean(axis=0) for outline in outlines]
    radii = [
        float(np.linalg.norm(outline[:, :3] - middle, axis=1).mean())
        for outline, middle in zip(outlines, middles, strict=True)
    ]
    radius = max(radii)
    text = f"the outline of its cell body, {len(points)} points, becomes one node of the radius {radius:.3g}"
    findings = [Finding(Severity.NOTE, text)]
    apart = max(float(np.linalg.norm((middle - middles[0])[:2])) for middle in middles)
    if apart > 2 * radius:
        text = f"the outlines of its cell bodies lie up to {apart:.3g} apart: they are taken as one"
        findings.append(Finding(Severity.DOUBT, text))
    return np.array([*points[:, :3].mean(axis=0), radius]), findings
