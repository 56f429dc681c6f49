"""Places of made-up assets, as the index of places holds them, for loading millions at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.catalogue.blocks import block_codes, block_corners
from pulvinar.model.anchor import PlaceRole
from pulvinar.model.space import Points, Space

COLUMNS = ("space", "role", "block", "asset_id", "count", "places")
ROLES = tuple(sorted(PlaceRole, key=lambda role: role.value))


@dataclass(frozen=True, eq=False)
class Places:
    """Places (n, 3) in micrometres, each with the number of its asset and its role's place in `ROLES`."""

    zyx_um: npt.NDArray[np.float64]
    number: npt.NDArray[np.int64]
    role: npt.NDArray[np.int64]


def together(parts: Sequence[Places]) -> Places:
    """All of them."""
    arrays = [[getattr(part, name) for part in parts] for name in ("zyx_um", "number", "role")]
    return Places(*map(np.concatenate, arrays))


def block_rows(space: Space, places: Places, asset_id: Callable[[int], str]) -> Iterator[tuple[Any, ...]]:
    """The rows of `place_block`, in the order of its key but for the identifiers of assets."""
    points = Points(space, places.zyx_um)
    codes = block_codes(points)
    offsets = (places.zyx_um - block_corners(space, codes)).astype("<f4")
    order = np.lexsort((places.number, codes, places.role))
    role, code, number = places.role[order], codes[order], places.number[order]
    begins = np.flatnonzero(np.r_[True, (np.diff(role) != 0) | (np.diff(code) != 0) | (np.diff(number) != 0)])
    count = np.diff(np.r_[begins, len(order)])
    data = memoryview(offsets[order].tobytes())
    keys = zip(role[begins].tolist(), code[begins].tolist(), number[begins].tolist(), strict=True)
    at = 0
    for (what, block, whose), many in zip(keys, count.tolist(), strict=True):
        yield space.name, ROLES[what].value, block, asset_id(whose), many, bytes(data[at : at + 12 * many])
        at += 12 * many
