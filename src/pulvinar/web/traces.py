"""Signals over time as lines of a picture, drawn by the server: they need no script."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 900, 72
"""Of one signal, in the units of its drawing."""


@dataclass(frozen=True)
class Trace:
    """One signal as a line: `path` in the words of SVG; the lowest and highest value; how many values are missing."""

    number: int
    name: str
    path: str
    low: float | None
    high: float | None
    missing: int


def traces(
    times: npt.NDArray[np.float64], values: npt.NDArray[np.float64], numbers: list[int], names: list[str]
) -> list[Trace]:
    """The columns of `values` (frames, series) as lines, each over its own range."""
    return [_trace(times, values[:, at], number, names[number]) for at, number in enumerate(numbers)]


def _trace(times: npt.NDArray[np.float64], values: npt.NDArray[np.float64], number: int, name: str) -> Trace:
    known = np.isfinite(values)
    missing = int(np.count_nonzero(~known))
    if not known.any():
        return Trace(number, name, "", None, None, missing)
    low, high = float(values[known].min()), float(values[known].max())
    span_s, span = float(times[-1] - times[0]) or 1.0, (high - low) or 1.0
    x = (times - times[0]) / span_s * WIDTH
    y = HEIGHT - 4 - (values - low) / span * (HEIGHT - 8)
    return Trace(number, name, _path(x, y, known), low, high, missing)


def _path(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]) -> str:
    """A line through the points, with a gap where some are not known.

    Of more points than the picture is wide, each column keeps its lowest and its highest, so that no spike is lost.
    """
    kept = _extremes(x, y, known) if len(x) > 2 * WIDTH else np.flatnonzero(known)
    parts = []
    before = -2
    gaps = np.cumsum(~known)
    for at in kept:
        broken = before < 0 or gaps[at] != gaps[before]
        parts.append(f"{'M' if broken else 'L'}{x[at]:.1f} {y[at]:.1f}")
        before = int(at)
    return "".join(parts)


def _extremes(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    column = np.minimum(x.astype(np.int64), WIDTH - 1)
    begins = np.flatnonzero(np.diff(column, prepend=-1))
    kept: set[int] = set()
    for start, stop in zip(begins, [*begins[1:], len(x)], strict=True):
        here = np.flatnonzero(known[start:stop]) + start
        if len(here):
            kept |= {int(here[np.argmin(y[here])]), int(here[np.argmax(y[here])])}
    return np.array(sorted(kept), np.int64)
