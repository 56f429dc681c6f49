"""What tracing programs draw, as it comes out of their files: trees that grow point by point, and outlines of cell
bodies."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Finding, Options, Severity, SkeletonData
from pulvinar.ingest.readers.forests import (
    APICAL,
    AXON,
    DENDRITE,
    SOMA,
    Floats,
    skeleton_data,
    skeleton_findings,
    soma_of_outlines,
)

Point = tuple[float, float, float, float]
"""x, y, z and diameter in micrometres."""
_TYPES = {"axon": AXON, "dendrite": DENDRITE, "apical": APICAL, "apicaldendrite": APICAL, "cellbody": SOMA}
_MOST_NODES = 50_000_000


def type_of(word: str) -> int | None:
    """The type of node that a word means ("Axon", "Apical Dendrite"); None for other words."""
    return _TYPES.get(word.strip().lower().replace(" ", ""))


@dataclass(eq=False)
class Branch:
    """Where a tree grows: the row of the last point, and whether no point has come yet since the tree forked."""

    tip: int = -1
    begins: bool = False


@dataclass(eq=False)
class Tree:
    """One tree; `values` has the four numbers of each point one after another, `parents` its row, -1 at the root."""

    type_code: int = 0
    values: array[float] = field(default_factory=lambda: array("d"))
    parents: array[int] = field(default_factory=lambda: array("q"))

    def grow(self, branch: Branch, point: Point) -> None:
        """Put a point on a branch; the point of the fork, which many programs repeat, is not taken twice."""
        at = 4 * branch.tip
        repeated = branch.begins and at >= 0 and tuple(self.values[at : at + 3]) == point[:3]
        branch.begins = False
        if repeated:
            return
        self.parents.append(branch.tip)
        self.values.extend(point)
        branch.tip = len(self.parents) - 1

    def grow_by(self, branch: Branch, points: Floats) -> None:
        """As `grow`, by points (n, 4) that follow each other."""
        x, y, z, diameter = points[0].tolist()
        self.grow(branch, (x, y, z, diameter))
        if len(points) > 1:
            row, last = len(self.parents), len(self.parents) + len(points) - 2
            self.parents.append(branch.tip)
            self.parents.extend(range(row, last))
            self.values.frombytes(points[1:].tobytes())
            branch.tip = last

    def nodes(self) -> Floats:
        """All points, (n, 4)."""
        return np.array(self.values).reshape(-1, 4)


@dataclass(eq=False)
class Tracing:
    """All of a file; `left_out` says how many of what were not taken."""

    trees: list[Tree] = field(default_factory=list)
    outlines: list[Floats] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, what: str) -> None:
        """Count one of `what` that is not taken."""
        self.left_out[what] = self.left_out.get(what, 0) + 1


def skeleton_of(tracing: Tracing, name: str, options: Options) -> tuple[SkeletonData, list[Finding]]:
    """The neuron: its trees begin at the cell body, where one is drawn; and what is to be said of it.

    Raises `UnreadableFile` for a file without a node, or with one that is not finite.
    """
    findings: list[Finding] = []
    nodes, parents, types = [np.empty((0, 4))], [np.empty(0, np.int64)], [np.empty(0, np.int16)]
    if tracing.outlines:
        soma, findings = soma_of_outlines(tracing.outlines)
        nodes, parents, types = [soma[None]], [np.array([-1])], [np.array([SOMA], np.int16)]
    count = origin = len(nodes[0])
    for tree in tracing.trees:
        points, own = tree.nodes(), np.array(tree.parents, np.int64)
        nodes.append(points * [1, 1, 1, 0.5])
        parents.append(np.where(own < 0, origin - 1, own + count))
        types.append(np.full(len(points), tree.type_code, np.int16))
        count += len(points)
        if count > _MOST_NODES:
            raise TooLarge(f"{name} has more than {_MOST_NODES} nodes", hint="split the file")
    if not count:
        raise UnreadableFile(f"{name} has no tree and no cell body", hint="leave the file out, or export it again")
    every = np.concatenate(nodes)
    finite = np.isfinite(every).all(axis=1)
    if not finite.all():
        raise UnreadableFile(f"{name}: the point {every[int(np.argmin(finite))].tolist()} is not finite")
    skeleton = skeleton_data(every, np.concatenate(parents), np.concatenate(types), options)
    if tracing.left_out:
        told = ", ".join(f"{what} ({number})" for what, number in tracing.left_out.items())
        findings.append(Finding(Severity.NOTE, f"what is no part of the neuron is left out: {told}"))
    return skeleton, findings + skeleton_findings(skeleton, options)
