"""Comparing groups of animals region by region, with a correction for the many regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pulvinar.errors import Invalid

_FEWEST = 2
_ACCENT, _GREY = "#c2410c", "#94a3b8"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two groups of animals, one row a region: arrays (r,).

    `mean_a` and `mean_b` are mean densities, cells a cubic millimetre; `log2_ratio` that of b to a of their geometric
    means (where an animal has none, of densities plus half the smallest); `effect` Hedges' g of the logarithms with its
    95 % interval `effect_low` .. `effect_high`; `p` that of Welch's t test of the logarithms, `p_rank` of Mann and
    Whitney's; `q` is `p` after Benjamini and Hochberg: of regions with q below 0.05 about one in twenty differs by
    chance. NaN where the animals of both groups are all alike.
    """

    region: npt.NDArray[np.int64]
    mean_a: npt.NDArray[np.float64]
    mean_b: npt.NDArray[np.float64]
    log2_ratio: npt.NDArray[np.float64]
    effect: npt.NDArray[np.float64]
    effect_low: npt.NDArray[np.float64]
    effect_high: npt.NDArray[np.float64]
    p: npt.NDArray[np.float64]
    p_rank: npt.NDArray[np.float64]
    q: npt.NDArray[np.float64]

    def to_table(self) -> pa.Table:
        """One row a region, under the field names."""
        return pa.table({name: pa.array(values) for name, values in vars(self).items()})


def compare_groups(
    region: npt.NDArray[np.int64], densities: npt.NDArray[np.float64], in_b: Sequence[bool]
) -> Comparison:
    """Compare the animals of group a with those of b: `densities` (animals, regions), cells a cubic millimetre.

    Regions must not hold one another for `q` to mean what it says: give one level of the tree. Raises `Invalid` for a
    group of fewer than two animals, or a density that is negative or no number.
    """
    from scipy import stats

    second = np.asarray(in_b, np.bool_)
    if densities.shape != (len(second), len(region)):
        raise Invalid(
            f"densities of shape {densities.shape}", hint=f"expected {len(second)} animals, {len(region)} regions"
        )
    if min(second.sum(), (~second).sum()) < _FEWEST:
        raise Invalid(f"groups of {(~second).sum()} and {second.sum()} animals", hint="a group needs two at least")
    if not (np.isfinite(densities).all() and (densities >= 0).all()):
        raise Invalid("a density is negative or no number", hint="leave out regions that an animal lacks")
    logs = np.log2(densities + _floor(densities))
    a, b = logs[~second], logs[second]
    alike = np.ptp(logs, axis=0) == 0
    p, p_rank = np.full((2, len(region)), np.nan)
    varied = np.flatnonzero(~alike)
    if len(varied):
        p[varied] = stats.ttest_ind(a[:, varied], b[:, varied], equal_var=False).pvalue
        p_rank[varied] = stats.mannwhitneyu(a[:, varied], b[:, varied]).pvalue
    q = np.full(len(region), np.nan)
    told = np.isfinite(p)
    if told.any():
        q[told] = stats.false_discovery_control(p[told])
    effect, low, high = _hedges(a, b)
    means = densities[~second].mean(axis=0), densities[second].mean(axis=0)
    return Comparison(region, *means, b.mean(axis=0) - a.mean(axis=0), effect, low, high, p, p_rank, q)


def _floor(densities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What is added before a logarithm is taken: where an animal has none, half of the region's smallest density that
    is not 0, and 1 where all have none."""
    positive = np.where(densities > 0, densities, np.inf).min(axis=0)
    half = np.where(np.isfinite(positive), positive / 2, 1.0)
    return np.where(densities.min(axis=0) > 0, 0.0, half)


def _hedges(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Hedges' g of b over a, and its interval by the large-sample variance (Hedges and Olkin 1985)."""
    n, m = len(a), len(b)
    spread = np.sqrt(((n - 1) * a.var(axis=0, ddof=1) + (m - 1) * b.var(axis=0, ddof=1)) / (n + m - 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        g = (b.mean(axis=0) - a.mean(axis=0)) / spread * (1 - 3 / (4 * (n + m) - 9))
    half = 1.96 * np.sqrt((n + m) / (n * m) + g**2 / (2 * (n + m)))
    return g, g - half, g + half


def plot_comparison(comparison: Comparison, names: Sequence[str], path: Path, most_q: float = 0.05) -> None:
    """Draw effects over their evidence, a dot a region, and name the regions whose q is at most `most_q`; the format is
    that of the file's end (.svg, .png, .pdf)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    with np.errstate(divide="ignore"):
        height = -np.log10(comparison.p)
    marked = comparison.q <= most_q
    axes.scatter(comparison.log2_ratio, height, s=14, c=np.where(marked, _ACCENT, _GREY))
    for i in (int(at) for at in np.flatnonzero(marked)):
        axes.annotate(
            names[i], (comparison.log2_ratio[i], height[i]), fontsize=7, xytext=(3, 2), textcoords="offset points"
        )
    axes.axvline(0, color=_GREY, linewidth=0.8)
    axes.set_xlabel("log2 ratio of densities (b / a)")
    axes.set_ylabel("-log10 p (Welch)")
    axes.set_title(f"{int(marked.sum())} of {len(names)} regions at q <= {most_q:g}", fontsize=10)
    figure.savefig(path, dpi=160)
