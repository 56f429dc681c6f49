"""Reconstructed neurons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import morphio
import neuroml
import numpy as np
from morphio.mut import Morphology
from neuroml.loaders import NeuroMLLoader
from neuroml.writers import NeuroMLWriter
from tests.ingest.sources import GEOMETRY

from benchmarks._formats.entry import Format

_NODES = 1_500_000
_SECTIONS, _POINTS = 4000, 250
_SEGMENTS = 10_000


def _swc(folder: Path) -> Path:
    places = np.random.default_rng(6).normal(0, 1, (_NODES, 3)).cumsum(axis=0)
    with (folder / "neuron.swc").open("w") as file:
        for number, (x, y, z) in enumerate(places.tolist(), 1):
            file.write(f"{number} 3 {x:.4f} {y:.4f} {z:.4f} 0.5 {number - 1 if number > 1 else -1}\n")
    return folder / "neuron.swc"


def _written(name: str) -> Callable[[Path], Path]:
    """A neuron of sections that fork, written by MorphIO."""

    def make(folder: Path) -> Path:
        random = np.random.default_rng(6)
        made = Morphology()
        made.soma.points, made.soma.diameters = [[0, 0, 0], [1, 0, 0], [0, 1, 0]], [1.0, 1.0, 1.0]
        made.soma.type = morphio.SomaType.SOMA_SIMPLE_CONTOUR
        ends, sections = np.zeros((_SECTIONS, 3)), []
        for index in range(_SECTIONS):
            above = (index - 1) // 2
            steps = random.normal(size=(_POINTS, 3))
            start = [ends[above]] if index else [[1.0, 1.0, 1.0]]
            points = np.concatenate([start, start + steps.cumsum(axis=0)])
            level = morphio.PointLevel(points.tolist(), random.uniform(0.5, 2, len(points)).tolist())
            if index:
                sections.append(sections[above].append_section(level, morphio.SectionType.basal_dendrite))
            else:
                sections.append(made.append_root_section(level, morphio.SectionType.basal_dendrite))
            ends[index] = points[-1]
        made.write(str(folder / name))
        return folder / name

    return make


def _nodes(path: Path) -> Any:
    """Every section's points without that of its fork, with places (z, y, x), radii, types and parents."""
    cell = morphio.Morphology(path)
    starts = cell.section_offsets[:-1].astype(np.int64)
    parents = np.arange(-1, len(cell.points) - 1)
    above = np.array([section.parent.id if not section.is_root else -1 for section in cell.sections])
    ends = cell.section_offsets[1:].astype(np.int64) - 1
    parents[starts] = np.where(above < 0, -1, ends[above])
    places = np.ascontiguousarray(cell.points[:, ::-1], "f8")
    return places, cell.diameters / 2, np.repeat(cell.section_types, np.diff(cell.section_offsets)), parents


def _neuroml(folder: Path) -> Path:
    places = np.random.default_rng(6).normal(0, 1, (_SEGMENTS + 1, 3)).cumsum(axis=0).round(4).tolist()
    points = [neuroml.Point3DWithDiam(*place, 1.0) for place in places]
    segments = [
        neuroml.Segment(
            id=number,
            parent=neuroml.SegmentParent(segments=number - 1) if number else None,
            proximal=None if number else points[0],
            distal=points[number + 1],
        )
        for number in range(_SEGMENTS)
    ]
    document = neuroml.NeuroMLDocument(id="document")
    document.cells.append(neuroml.Cell(id="neuron", morphology=neuroml.Morphology(id="m", segments=segments)))
    NeuroMLWriter.write(document, str(folder / "neuron.nml"))
    return folder / "neuron.nml"


def _segments(path: Path) -> Any:
    return NeuroMLLoader.load(str(path)).cells[0].morphology.segments


def _same_segments(data: Any, path: Path) -> None:
    segments = _segments(path)
    points = [segments[0].proximal, *(segment.distal for segment in segments)]
    assert np.array_equal(data.zyx_um[:, ::-1], [[point.x, point.y, point.z] for point in points])
    assert np.array_equal(data.parent, np.arange(-1, len(points) - 1))


NEURONS = [
    Format("SWC", _swc, "numpy.loadtxt", np.loadtxt, GEOMETRY["swc"], samples="swc"),
    Format("Neurolucida ASC", _written("neuron.asc"), "MorphIO", morphio.Morphology, GEOMETRY["neurolucida"],
           samples="neurolucida"),
    Format("Morphology H5", _written("neuron.h5"), "MorphIO, numpy", _nodes, GEOMETRY["morphology_h5"],
           samples="morphology_h5"),
    Format("NeuroML", _neuroml, "libNeuroML", _segments, _same_segments),
]  # fmt: skip
