"""Values added up by region, and the places of voxels, are those of a plain loop."""

from __future__ import annotations

from collections import Counter
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.ingest import anchor_shares
from pulvinar.ingest.anchor_shares import Shares


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 9)), max_size=30), max_size=4), st.booleans())
def test_values_are_added_up_by_region_whatever_their_order(portions: list[list[tuple[int, float]]], weighted: bool):
    found, expected = Shares(), Counter[int]()
    for portion in portions:
        regions = np.array([region for region, _ in portion], np.int64)
        weights = np.array([weight for _, weight in portion], np.float64)
        found.add(regions, weights if weighted else None)
        for region, weight in portion:
            expected[region] += weight if weighted else 1  # type: ignore[assignment]
    assert found.outside == pytest.approx(expected.pop(0, 0))
    assert found.by_region == pytest.approx(dict(expected))


@pytest.mark.parametrize("batch", [1, 5, 1000])
def test_every_voxel_has_its_place_once(batch: int):
    to_space = np.array([[0, 0, 3.0, 7], [2, 0.5, 0, -1], [0, 4, 0, 0], [0, 0, 0, 1]])
    index = np.argwhere(np.ones((3, 4, 6)))
    with patch.object(anchor_shares, "_BATCH", batch):
        parts = [*anchor_shares._voxel_places((3, 4, 6), to_space)]
    assert len(parts) == (12 if batch < 12 else 1)
    assert np.concatenate(parts) == pytest.approx(index @ to_space[:3, :3].T + to_space[:3, 3])
