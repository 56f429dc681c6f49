"""Which way leads from one space to another: spaces are the nodes, transforms the edges."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from pulvinar.atlases.transforms import compose, identity, invert, is_invertible, steps_of
from pulvinar.errors import Conflict, NotFound, SpaceMismatch
from pulvinar.model.space import Space
from pulvinar.model.transform import Transform

_Cost = tuple[int, float, int]


@dataclass(frozen=True, eq=False)
class Edge:
    """One way between two spaces: the transform that was added as number `origin`, or its inverse."""

    transform: Transform
    origin: int
    inverted: bool


class SpaceGraph:
    """Spaces and the transforms between them; each transform that can be inverted is a way back too.

    The best path is the one of fewest steps whose error is unknown, then of the smallest expected error (the errors of
    its steps added in quadrature: as the root of the sum of squares, as independent ones add), then of fewest steps. So
    an error that is unknown counts as worse than any that is known.
    """

    def __init__(self, transforms: Iterable[Transform] = ()) -> None:
        self._spaces: dict[str, Space] = {}
        self._edges: dict[str, list[Edge]] = {}
        self._added = 0
        for transform in transforms:
            self.add(transform)

    def add(self, transform: Transform) -> None:
        """Add a transform. Raises `Conflict` when a space of the same name lies otherwise."""
        for space in (transform.source, transform.target):
            known = self._spaces.setdefault(space.name, space)
            if known != space:
                raise Conflict(f"there are two spaces named {space.name}: {known} and {space}", hint="name one anew")
            self._edges.setdefault(space.name, [])
        self._edges[transform.source.name].append(Edge(transform, self._added, inverted=False))
        if is_invertible(transform):
            self._edges[transform.target.name].append(Edge(invert(transform), self._added, inverted=True))
        self._added += 1

    def reachable(self, space: Space | str) -> tuple[Space, ...]:
        """The spaces that points of `space` can be brought to, itself left out, by name. Raises `NotFound`."""
        start = self._node(space)
        found, waiting = {start.name}, [start.name]
        while waiting:
            for edge in self._edges[waiting.pop()]:
                at = edge.transform.target.name
                if at not in found:
                    found.add(at)
                    waiting.append(at)
        return tuple(self._spaces[name] for name in sorted(found - {start.name}))

    def path(self, source: Space | str, target: Space | str) -> Transform:
        """The best transform of points from `source` to `target`; its `expected_error_um` is the path's.

        Raises as `steps` does.
        """
        if source == target and isinstance(source, Space):
            return identity(source)
        steps = self.steps(source, target)
        return compose(*(step.transform for step in steps)) if steps else identity(self._node(target))

    def steps(self, source: Space | str, target: Space | str) -> tuple[Edge, ...]:
        """The edges of the best path, the first one first; none from a space to itself.

        Raises `NotFound` when no path leads there (the hint names the spaces that can be reached), `SpaceMismatch` for
        a space that differs from the one of that name in the graph.
        """
        start = self._node(source)
        end = _name(target)
        if start.name == end:
            self._node(target)
            return ()
        arrived = self._arrivals(start.name, end)
        if end not in arrived:
            reached = ", ".join(space.name for space in self.reachable(start)) or "no other space"
            raise NotFound(
                f"no transform leads from {start.name} to {end}",
                hint=f"from {start.name} points can be brought to {reached}; pulvinar transform add brings in others",
            )
        self._node(target)
        steps = [arrived[end]]
        while (at := steps[-1].transform.source.name) != start.name:
            steps.append(arrived[at])
        return tuple(reversed(steps))

    def _arrivals(self, start: str, end: str) -> dict[str, Edge]:
        """Of every space up to `end` that is reached, the last edge of the best path to it. Dijkstra (1959)."""
        best: dict[str, _Cost] = {start: (0, 0.0, 0)}
        arrived: dict[str, Edge] = {}
        waiting = [(best[start], start)]
        while waiting:
            cost, name = heapq.heappop(waiting)
            if name == end:
                break
            if cost > best[name]:
                continue
            for edge in self._edges[name]:
                at, further = edge.transform.target.name, _added(cost, edge.transform)
                if at not in best or further < best[at]:
                    best[at], arrived[at] = further, edge
                    heapq.heappush(waiting, (further, at))
        return arrived

    def _node(self, space: Space | str) -> Space:
        known = self._spaces.get(_name(space))
        if known is None:
            named = ", ".join(sorted(self._spaces)) or "none"
            raise NotFound(
                f"no transform is from or to {_name(space)}",
                hint=f"spaces with transforms: {named}; pulvinar transform add brings in a transform",
            )
        if isinstance(space, Space) and space != known:
            raise SpaceMismatch(f"{space} is not the space {known} of the same name", hint="take the one of the atlas")
        return known


def _name(space: Space | str) -> str:
    return space if isinstance(space, str) else space.name


def _added(cost: _Cost, transform: Transform) -> _Cost:
    unknown, squares, steps = cost
    for step in steps_of(transform):
        if step.expected_error_um is None:
            unknown += 1
        else:
            squares += step.expected_error_um**2
    return unknown, squares, steps + 1
