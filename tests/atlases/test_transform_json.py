import json

import numpy as np
import pytest

from pulvinar.atlases.displacement import ArrayField, store_field
from pulvinar.atlases.inversion import store_inverse
from pulvinar.atlases.transform_json import transform_from_json, transform_to_json
from pulvinar.atlases.transforms import apply, compose, invert
from pulvinar.errors import Invalid
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import IDENTITY, AffineTransform, DisplacementTransform, corner_grid
from pulvinar.storage.store import open_store

BRAIN = Space("brain", "mouse", "PIR", (1.0, 2.0, 3.0), (100.0, 200.0, 300.0))
ATLAS = Space("allen_ccfv3", "mouse", "PIR")
AFFINE = AffineTransform(ATLAS, BRAIN, ((1.5, 0.0, 0.1, 3.0), *IDENTITY[1:]), 12.5, "made by hand")


@pytest.fixture
def place(tmp_path):
    return open_store(f"file://{tmp_path / 'store'}"), tmp_path


def through_text(transform, store):
    return transform_from_json(json.loads(json.dumps(transform_to_json(transform))), store)


def test_affine_maps_and_compositions_come_back_equal(place):
    store, _ = place
    for transform in (AFFINE, AffineTransform(BRAIN, ATLAS, IDENTITY), compose(AFFINE, invert(AFFINE))):
        assert through_text(transform, store) == transform


def test_a_stored_field_comes_back_with_its_inverse(place):
    store, tmp_path = place
    vectors = np.random.default_rng(0).normal(0, 5, (3, 6, 7, 8)).astype(np.float32)
    field, _ = store_field(
        ArrayField(corner_grid((6, 7, 8), (50.0, 40.0, 30.0)), vectors), BRAIN, store, "a/w", tmp_path
    )
    transform = DisplacementTransform(BRAIN, ATLAS, field, expected_error_um=30.0, provenance="aligned")
    made = store_inverse(transform, store, "a/w/inverse", tmp_path).transform
    chain = compose(made, AFFINE)
    again = through_text(chain, store)
    assert again.expected_error_um == chain.expected_error_um
    points = Points(BRAIN, np.random.default_rng(1).uniform(0, 300, (100, 3)))
    np.testing.assert_array_equal(apply(again, points).zyx_um, apply(chain, points).zyx_um)
    there = apply(again, points)
    np.testing.assert_array_equal(apply(invert(again), there).zyx_um, apply(invert(chain), there).zyx_um)


def test_a_field_in_memory_has_to_be_stored_first(place):
    grid = corner_grid((2, 2, 2), (1.0, 1.0, 1.0))
    transform = DisplacementTransform(BRAIN, ATLAS, ArrayField(grid, np.zeros((3, 2, 2, 2), np.float32)))
    with pytest.raises(Invalid, match="lies in no store") as caught:
        transform_to_json(transform)
    assert "store_field" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"type": "spline"},
        {"type": None},
        {"source": {"name": "x"}},
        {"source": {"name": "x", "species": "mouse", "orientation": "XYZ"}},
        {"matrix_um": [[1, 2], [3]]},
        {"matrix_um": 5},
        {"expected_error_um": -4},
        {"surprise": 1},
        {"type": "composition"},
        {"type": "composition", "parts": []},
    ],
)
def test_what_describes_no_transform_is_refused(change, place):
    with pytest.raises(Invalid):
        transform_from_json(transform_to_json(AFFINE) | change, place[0])
