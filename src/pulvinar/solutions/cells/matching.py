"""How well found cells agree with true ones, and how sure that figure is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.stats import binomtest

_RESAMPLES = 2000


@dataclass(frozen=True)
class Agreement:
    """Counts of cells: `hit` found and true, `false` found alone, `missed` true alone."""

    hit: int
    false: int
    missed: int

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(self.hit + other.hit, self.false + other.false, self.missed + other.missed)

    @property
    def precision(self) -> float:
        """The share of found cells that are true; 0 when none is found."""
        return self.hit / max(1, self.hit + self.false)

    @property
    def recall(self) -> float:
        """The share of true cells that are found; 0 when there is none."""
        return self.hit / max(1, self.hit + self.missed)

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.hit / max(1, 2 * self.hit + self.false + self.missed)


@dataclass(frozen=True)
class Figure:
    """A number and between what it lies with 95 % confidence."""

    value: float
    low: float
    high: float


def matched_pairs(
    found: npt.NDArray[np.floating], true: npt.NDArray[np.floating], within: float
) -> npt.NDArray[np.intp]:
    """The most pairs (k, 2) of a found (n, d) and a true place (m, d) at most `within` apart, each place in one pair at
    most; among those the ones with the smallest sum of distances."""
    if not len(found) or not len(true):
        return np.empty((0, 2), np.intp)
    near = cKDTree(found).sparse_distance_matrix(cKDTree(true), within, output_type="coo_matrix")
    rows, columns = np.unique(near.row), np.unique(near.col)
    # a missing pair costs more than any sum of real ones
    never = (within + 1) * (min(len(rows), len(columns)) + 1)
    costs = np.full((len(rows), len(columns)), never)
    costs[np.searchsorted(rows, near.row), np.searchsorted(columns, near.col)] = near.data
    a, b = linear_sum_assignment(costs)
    real = costs[a, b] < never
    return np.stack([rows[a[real]], columns[b[real]]], axis=1)


def agreement(found: npt.NDArray[np.floating], true: npt.NDArray[np.floating], within: float) -> Agreement:
    """One to one agreement of places (n, d) and (m, d)."""
    hits = len(matched_pairs(found, true, within))
    return Agreement(hits, len(found) - hits, len(true) - hits)


def share(hits: int, of: int) -> Figure:
    """`hits` / `of` with the interval of Wilson (1927), for what is counted in one volume and can't be resampled."""
    low, high = binomtest(hits, of).proportion_ci(method="wilson")
    return Figure(hits / of, float(low), float(high))


def with_interval(parts: Sequence[Agreement], figure: Callable[[Agreement], float], seed: int = 0) -> Figure:
    """`figure` of all `parts` together (sections, volumes), with the interval of a bootstrap over the parts: their
    differences, not only the number of cells, make it wide."""
    values = _resampled(parts, figure, seed)
    return _figure(figure(_all(parts)), values)


def difference(
    parts: Sequence[Agreement], others: Sequence[Agreement], figure: Callable[[Agreement], float], seed: int = 0
) -> Figure:
    """`figure` of `parts` less that of `others`, which are of the same sections or volumes in the same order, with the
    interval of a bootstrap that draws both together: what is hard for one is mostly hard for the other."""
    values = _resampled(parts, figure, seed) - _resampled(others, figure, seed)
    return _figure(figure(_all(parts)) - figure(_all(others)), values)


def _resampled(parts: Sequence[Agreement], figure: Callable[[Agreement], float], seed: int) -> npt.NDArray[np.float64]:
    counts = np.array([(part.hit, part.false, part.missed) for part in parts])
    drawn = np.random.default_rng(seed).integers(len(parts), size=(_RESAMPLES, len(parts)))
    return np.array([figure(Agreement(*(int(n) for n in counts[rows].sum(axis=0)))) for rows in drawn])


def _figure(value: float, resampled: npt.NDArray[np.float64]) -> Figure:
    low, high = np.percentile(resampled, (2.5, 97.5))
    return Figure(value, float(low), float(high))


def _all(parts: Sequence[Agreement]) -> Agreement:
    return sum(parts, Agreement(0, 0, 0))
