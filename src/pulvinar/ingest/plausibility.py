"""Does what a header says fit the animal? Brains of a species are alike in size, so a wrong voxel size shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.reader import Finding, Severity
from pulvinar.model.record import Species
from pulvinar.model.volume import Triple

LONGEST_UM: dict[Species, float] = {
    # the longest side of tissue in a volume, whole heads included. Brains alone: larval zebrafish 0.8-1.2 mm,
    # mouse 14-18 mm with olfactory bulbs, rhesus macaque 65-85 mm, human 150-190 mm
    Species.ZEBRAFISH: 2_500.0,
    Species.MOUSE: 30_000.0,
    Species.MACAQUE: 115_000.0,
    Species.HUMAN: 330_000.0,
}


def implausible_size(species: Species, extent_um: Triple) -> Finding | None:
    """A doubt that names `--voxel-size` when tissue of `extent_um` (z, y, x) is too large for `species`.

    Only what is too large is doubted: a part of a brain may be as small as one likes.
    """
    longest, largest = max(extent_um), LONGEST_UM[species]
    if longest <= largest:
        return None
    return Finding(
        Severity.DOUBT,
        f"what is in the volume is {longest / 1000:.3g} mm long, more than any head of the species {species.value} "
        f"({largest / 1000:.3g} mm): the header's voxel size is doubtful",
        "--voxel-size",
    )


def tissue_extent_um(coarse: npt.NDArray[Any], voxel_size_um: Triple) -> Triple:
    """How far what is not background reaches, (z, y, x) in micrometres; `coarse` has axes (z, y, x).

    Foreground is what lies above Otsu's threshold (Otsu, 1979, IEEE Trans. SMC 9:62) and fills at least half a per
    cent of its plane, so that single bright voxels and noise outside the head do not count.
    """
    mask = coarse > _otsu(coarse)
    reach = [_reach(mask, axis) for axis in range(3)]
    z, y, x = (voxels * size for voxels, size in zip(reach, voxel_size_um, strict=True))
    return z, y, x


def _reach(mask: npt.NDArray[np.bool_], axis: int) -> int:
    others = tuple(other for other in range(3) if other != axis)
    filled: Sequence[int] = np.flatnonzero(mask.mean(axis=others) >= 0.005).tolist()
    return filled[-1] - filled[0] + 1 if filled else 0


def _otsu(values: npt.NDArray[Any]) -> float:
    """The threshold that parts `values` best into two classes."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values.ravel()
    if not finite.size or finite.min() == finite.max():
        return 0.0
    counts, edges = np.histogram(finite, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts).astype(np.float64)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.nanargmax(between[:-1])])
