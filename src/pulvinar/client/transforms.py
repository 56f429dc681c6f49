"""Points brought from one space to another by a server, from Python.

brought = brains.transform_points(points, "allen_ccfv3", "my_scan")     # (n, 3) z, y, x in micrometres
brought.zyx_um, brought.expected_error_um, brought.path
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulvinar.errors import Invalid

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pulvinar.client import Client

_BATCH = 10_000
"""So many places go into one request: what a server takes at once is limited."""


@dataclass(frozen=True, eq=False)
class TransformedPoints:
    """`zyx_um` float64 (n, 3), columns (z, y, x), micrometres of the space asked for.

    `expected_error_um` is how far off a point is to be expected, None where nobody knows. `path` tells the transforms
    that were taken in order, each with its dataset and version; it is empty from a space to itself.
    """

    zyx_um: npt.NDArray[np.float64]
    expected_error_um: float | None
    path: list[dict[str, Any]]


def transform_points(client: Client, zyx_um: npt.ArrayLike, source: str, target: str) -> TransformedPoints:
    """As `Client.transform_points` says."""
    import numpy as np

    places = np.asarray(zyx_um, np.float64)
    if places.ndim != 2 or places.shape[1] != 3:
        raise Invalid(f"places have shape {places.shape}", hint="expected (n, 3), columns z, y, x")
    if not np.isfinite(places).all():
        raise Invalid("a point is no number", hint="leave NaN and infinity out")
    answers = []
    # none at all are asked about too: the answer tells the path
    for first in range(0, max(1, len(places)), _BATCH):
        asked = {"source": source, "target": target, "points": places[first : first + _BATCH].tolist()}
        answers.append(client.ask("/api/v1/transforms/points", asked))
    brought = np.concatenate([np.array(one["points"], np.float64).reshape(-1, 3) for one in answers])
    return TransformedPoints(brought, answers[0]["expected_error_um"], answers[0]["path"])
