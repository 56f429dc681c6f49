"""From the images of a series to a volume over time: which belong together, in what order, and what is missing.

Positions decide, not file names or numbers: a slice lies where ImagePositionPatient puts its middle along the normal of
ImageOrientationPatient. Nothing is closed up: a place without an image stays empty, and is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.reader import Finding, Severity
from pulvinar.ingest.readers.dicom_frames import Frame
from pulvinar.ingest.readers.frames import Matrix

_SAME_DIRECTION = 1e-3
_SAME_PLACE_MM = 1e-3
_UNEVEN = 0.02
"""Steps between slices that differ by more than this part are not even: positions are written with a few digits."""
_TILTED = 1e-3
_LARGEST_GRID = 1 << 24
_NAMED = 5


@dataclass(frozen=True)
class Grid:
    """The images of one volume over time: `cells[t][z]`, None where one is missing.

    `lps_mm` maps (column, row, slice) to DICOM's millimetres, None where that is not known; `size_mm` is then the
    voxel size (z, y, x) as far as the header says it, None for a part that is not known.
    """

    cells: tuple[tuple[Frame | None, ...], ...]
    lps_mm: Matrix | None
    size_mm: tuple[float | None, float | None, float | None]
    findings: tuple[Finding, ...]

    @property
    def frames(self) -> list[Frame]:
        """All images, in order of time and place."""
        return [frame for volume in self.cells for frame in volume if frame is not None]


def apart(frames: Sequence[Frame]) -> list[list[Frame]]:
    """The images of one series, those that can make one volume together."""
    parts: list[list[Frame]] = []
    for frame in frames:
        for part in parts:
            if _alike(frame, part[0]):
                part.append(frame)
                break
        else:
            parts.append([frame])
    return parts


def _alike(one: Frame, other: Frame) -> bool:
    a, b = one.pixels, other.pixels
    same = (one.rows, one.columns, a.samples, a.dtype, a.photometric, one.looks) == (
        other.rows, other.columns, b.samples, b.dtype, b.photometric, other.looks,
    )  # fmt: skip
    if not same or bool(one.axes) != bool(other.axes) or bool(one.position_mm) != bool(other.position_mm):
        return False
    directions = np.abs(np.subtract(one.axes, other.axes)) if one.axes else np.zeros(1)
    return bool(directions.max() < _SAME_DIRECTION) and _spacings(one) == _spacings(other)


def _spacings(frame: Frame) -> tuple[float, ...]:
    return tuple(float(f"{length:.5g}") for length in frame.spacing_mm)


def grid_of(frames: Sequence[Frame], volumes_said: int) -> Grid:
    """The volume that alike `frames` make; `volumes_said` is how many time points the header declares, 0 for none."""
    frames, findings = _without_copies(frames)
    first = frames[0]
    if not (first.position_mm and first.axes):
        frames.sort(key=_by_number)
        across = tuple(reversed(first.spacing_mm)) if first.spacing_mm else (None, None)
        size = (first.step_mm, across[1], across[0])
        text = "the header does not say where its images lie: they are stacked in the order of their numbers"
        findings.append(Finding(Severity.DOUBT, text, "--orientation"))
        return Grid((tuple(frames),), None, size, tuple(findings))
    places, slices = _slices(frames)
    positions, missing = _even_places(places)
    cells = _cells(frames, slices, findings, volumes_said)
    matrix = _matrix(cells, slices_at=positions, findings=findings)
    if missing:
        text = f"slices are missing: {_listed(missing, _between(cells, positions))}; hand them in, or leave it out"
        findings.append(Finding(Severity.QUESTION, text, "--only"))
    findings += _step_findings(places, frames, bool(missing))
    spread = _spread(cells, positions)
    size_mm = (None, first.spacing_mm[0], first.spacing_mm[1]) if first.spacing_mm else (None, None, None)
    return Grid(spread, matrix, size_mm, tuple(findings))


def _by_number(frame: Frame) -> tuple[float, ...]:
    return (frame.acquisition or 0, frame.instance, frame.number)


def _without_copies(frames: Sequence[Frame]) -> tuple[list[Frame], list[Finding]]:
    """One frame of each image: a file that was handed in twice has the same identifier twice."""
    kept: dict[tuple[str, int, str], Frame] = {}
    for frame in frames:
        key = (frame.image or frame.file, frame.number, str(frame.tile))
        kept.setdefault(key, frame)
    copies = len({frame.file for frame in frames}) - len({frame.file for frame in kept.values()})
    if not copies:
        return list(kept.values()), []
    return list(kept.values()), [Finding(Severity.NOTE, f"{copies} of its files are copies of others: left out")]


def _slices(frames: Sequence[Frame]) -> tuple[list[float], dict[int, int]]:
    """The places of slices along their normal, rising, and the slice of each frame, by its place in `frames`."""
    axes = np.array(frames[0].axes)
    normal = np.cross(axes[:3], axes[3:])
    along = np.array([frame.position_mm for frame in frames]) @ normal
    order = np.argsort(along, kind="stable")
    places: list[float] = []
    slices: dict[int, int] = {}
    for index in order.tolist():
        if not places or along[index] - places[-1] > _SAME_PLACE_MM:
            places.append(float(along[index]))
        slices[index] = len(places) - 1
    return places, slices


def _even_places(places: Sequence[float]) -> tuple[list[int], list[int]]:
    """For each slice its place in an even grid, and the empty places, where the gaps are whole numbers of steps."""
    if len(places) < 3:
        return list(range(len(places))), []
    steps = np.diff(places)
    step = float(median(np.sort(steps)[: max(1, -(-len(steps) // 2))].tolist()))
    counts = np.rint(steps / step)
    even = np.abs(steps - counts * step) <= _UNEVEN * step * np.maximum(counts, 1)
    if not even.all() or counts.max() <= 1 or counts.sum() > _LARGEST_GRID:
        return list(range(len(places))), []
    positions = [0, *np.cumsum(counts).astype(int).tolist()]
    return positions, sorted(set(range(positions[-1] + 1)) - set(positions))


def _cells(
    frames: Sequence[Frame], slices: dict[int, int], findings: list[Finding], volumes_said: int
) -> list[list[Frame | None]]:
    """The frames by time and slice; which number tells the time is what leaves the fewest holes."""
    count = max(slices.values()) + 1
    possible = [
        (len(set(times)) * count - len(frames), times)
        for times in _times(frames, slices)
        if len({(time, slices[index]) for index, time in enumerate(times)}) == len(frames)
    ]
    holes, times = min(possible, key=lambda pair: pair[0])
    known = sorted(set(times))
    row = {time: index for index, time in enumerate(known)}
    cells: list[list[Frame | None]] = [[None] * count for _ in known]
    for index, frame in enumerate(frames):
        cells[row[times[index]]][slices[index]] = frame
    if holes:
        findings.append(Finding(Severity.QUESTION, _holes(cells, holes), "--only"))
    counted = all(frame.temporal is not None for frame in frames) and times == [frame.temporal for frame in frames]
    lost = sorted(set(range(known[0], known[-1] + 1)) - row.keys()) if known[-1] - known[0] < _LARGEST_GRID else []
    if counted and lost:
        text = f"volumes are missing: numbers {_numbers(lost)}; hand them in, or leave it out"
        findings.append(Finding(Severity.QUESTION, text, "--only"))
    elif volumes_said > len(known):
        text = f"its header declares {volumes_said} volumes, {len(known)} are here"
        findings.append(Finding(Severity.DOUBT, text))
    elif len(known) == 1:
        findings += _number_gaps(frames)
    return cells


def _times(frames: Sequence[Frame], slices: dict[int, int]) -> Iterator[list[int]]:
    """What may tell the time point of each frame, the surest first; the last is always possible."""
    keys: tuple[Callable[[Frame], int | None], ...] = (lambda frame: frame.temporal, lambda frame: frame.acquisition)
    for key in keys:
        said = [key(frame) for frame in frames]
        if all(time is not None for time in said):
            yield [time or 0 for time in said]
    ranks = [0] * len(frames)
    seen: dict[int, int] = {}
    for index in sorted(range(len(frames)), key=lambda index: _by_number(frames[index])):
        ranks[index] = seen.get(slices[index], 0)
        seen[slices[index]] = ranks[index] + 1
    yield ranks


def _holes(cells: Sequence[Sequence[Frame | None]], holes: int) -> str:
    empty = [(t, z) for t, volume in enumerate(cells) for z, frame in enumerate(volume) if frame is None]
    shown = ", ".join(f"slice {z + 1} of volume {t + 1}" for t, z in empty[:_NAMED])
    more = " ..." if holes > _NAMED else ""
    return f"{holes} images are missing: {shown}{more}; hand them in, or leave it out"


def _number_gaps(frames: Sequence[Frame]) -> list[Finding]:
    """A doubt where the images' numbers have gaps: at the ends of a volume nothing else tells of a lost slice."""
    lost = _lost_numbers(frames)
    if not lost:
        return []
    return [Finding(Severity.DOUBT, f"of its images' numbers {_numbers(lost)} are not here: slices may be missing")]


def _lost_numbers(frames: Sequence[Frame]) -> list[int]:
    """Numbers between and before those of the images, where most are there: a number may also count other images."""
    numbers = sorted({frame.instance for frame in frames})
    if len(numbers) < len(frames) or numbers[0] < 1:
        return []
    lost = [*range(1, numbers[0])] if numbers[0] <= len(numbers) else []
    if numbers[-1] - numbers[0] < 2 * len(numbers):
        lost += sorted(set(range(numbers[0], numbers[-1])) - set(numbers))
    return lost


def _matrix(
    cells: Sequence[Sequence[Frame | None]], slices_at: Sequence[int], findings: list[Finding]
) -> Matrix | None:
    """The map of (column, row, slice) to millimetres; None when spacing is not known."""
    known = [next((volume[z] for volume in cells if volume[z] is not None), None) for z in range(len(cells[0]))]
    first, last = known[0], known[-1]
    assert first is not None
    assert last is not None
    if not first.spacing_mm:
        return None
    step = _column(first, last, slices_at[-1])
    if step is None:
        return None
    findings += _place_findings(cells, known, slices_at, step)
    matrix = np.eye(4)
    matrix[:3, 0] = np.array(first.axes[:3]) * first.spacing_mm[1]
    matrix[:3, 1] = np.array(first.axes[3:]) * first.spacing_mm[0]
    matrix[:3, 2] = step
    matrix[:3, 3] = first.position_mm
    return matrix


def _column(first: Frame, last: Frame, steps: int) -> npt.NDArray[np.float64] | None:
    """From one slice to the next, in millimetres."""
    if steps:
        between: npt.NDArray[np.float64] = (np.array(last.position_mm) - np.array(first.position_mm)) / steps
        return between
    if first.step_mm is None:
        return None
    return np.cross(first.axes[:3], first.axes[3:]) * first.step_mm


def _place_findings(
    cells: Sequence[Sequence[Frame | None]],
    known: Sequence[Frame | None],
    slices_at: Sequence[int],
    step: npt.NDArray[np.float64],
) -> list[Finding]:
    """What the places say beyond a straight pile of slices: a tilt, a bend, a head that moved."""
    findings = []
    first = known[0]
    assert first is not None
    normal = np.cross(first.axes[:3], first.axes[3:])
    length = float(np.linalg.norm(step))
    aslant = float(np.degrees(np.arccos(min(1.0, abs(float(step @ normal)) / length))))
    if aslant > np.degrees(_TILTED) and len(known) > 1:
        text = f"its slices are piled up at a slant of {aslant:.3g}° (a tilted gantry): its map to the world has it"
        findings.append(Finding(Severity.NOTE, text))
    there = np.array([frame.position_mm for frame in known if frame is not None])
    straight = there[0] + np.array(slices_at)[:, None] * step
    sideways = there - straight
    sideways -= np.outer(sideways @ normal, normal)
    bend = float(np.linalg.norm(sideways, axis=1).max())
    if bend > 0.1 * length:
        text = f"its slices don't lie on one line: some are {bend:.3g} mm beside it"
        findings.append(Finding(Severity.DOUBT, text))
    moved = max(
        (
            float(np.linalg.norm(np.subtract(frame.position_mm, there[z])))
            for volume in cells
            for z, frame in enumerate(volume)
            if frame is not None
        ),
        default=0.0,
    )
    if moved > 10 * _SAME_PLACE_MM:
        text = f"its volumes lie up to {moved:.3g} mm apart: the place of the first is taken"
        findings.append(Finding(Severity.DOUBT, text))
    return findings


def _step_findings(places: Sequence[float], frames: Sequence[Frame], missing: bool) -> list[Finding]:
    if len(places) < 2 or missing:
        return []
    steps = np.diff(places)
    mean = float(steps.mean())
    if float(np.abs(steps - mean).max()) > _UNEVEN * mean:
        text = f"its slices lie {steps.min():.4g} to {steps.max():.4g} mm apart: {mean:.4g} mm is taken for all"
        return [Finding(Severity.DOUBT, text, "--voxel-size")]
    said = frames[0].step_mm
    if said is None or mean <= 1.5 * said:
        return []
    text = f"its slices lie {mean:.4g} mm apart, the header says {said:.4g}: slices may be missing"
    # the thickness alone may leave gaps; where numbers are missing too, slices are
    if _lost_numbers(frames):
        return [Finding(Severity.QUESTION, text, "--only")]
    return [Finding(Severity.DOUBT, text)]


def _spread(cells: Sequence[Sequence[Frame | None]], positions: Sequence[int]) -> tuple[tuple[Frame | None, ...], ...]:
    """`cells` with an empty place for each slice that is missing."""
    at = {position: index for index, position in enumerate(positions)}
    return tuple(
        tuple(volume[at[place]] if place in at else None for place in range(positions[-1] + 1)) for volume in cells
    )


def _between(cells: Sequence[Sequence[Frame | None]], positions: Sequence[int]) -> Callable[[int], str]:
    names = {
        position: next((volume[z].file for volume in cells if volume[z] is not None), "")  # type: ignore[union-attr]
        for z, position in enumerate(positions)
    }

    def between(place: int) -> str:
        before = max(position for position in positions if position < place)
        behind = min(position for position in positions if position > place)
        return f"between {names[before]} and {names[behind]}"

    return between


def _listed(missing: Sequence[int], where: Callable[[int], str]) -> str:
    shown = [f"number {place + 1} ({where(place)})" for place in missing[:_NAMED]]
    return ", ".join(shown) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")


def _numbers(lost: Sequence[int]) -> str:
    """Numbers as ranges: 3, 5 to 9."""
    parts: list[list[int]] = []
    for number in lost:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    shown = [str(a) if a == b else f"{a} to {b}" for a, b in parts[:_NAMED]]
    return ", ".join(shown) + (" ..." if len(parts) > _NAMED else "")
