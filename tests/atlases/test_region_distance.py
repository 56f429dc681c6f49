from unittest.mock import patch

import numpy as np
import pytest
from tests.atlases.toy import VOXEL_UM, labels

from pulvinar.atlases import region_distance as module
from pulvinar.atlases.annotation import Annotation
from pulvinar.atlases.region_distance import region_distance
from pulvinar.errors import NotFound

TH, CORTEX, L1, TRACTS, GREY = 614454277, 10, 11, 20, 8
HALF_UM = float(np.linalg.norm(VOXEL_UM)) / 2


@pytest.mark.parametrize("region", [CORTEX, L1, TRACTS])
def test_how_far_places_are_is_what_a_look_at_every_voxel_says(toy: Annotation, region: int):
    told = region_distance(toy, region)
    assert told is not None
    below = [one.id for one in toy.ontology.descendants(region, itself=True)]
    middles = (np.argwhere(np.isin(labels(), below)) + 0.5) * VOXEL_UM
    places = np.random.default_rng(5).uniform(-400, 3000, (300, 3))
    nearest = np.array([np.linalg.norm(middles - place, axis=1).min() for place in places])
    assert told.distance_um(places) == pytest.approx(np.maximum(nearest - HALF_UM, 0), abs=1e-6)


def test_a_box_is_told_to_be_no_nearer_than_it_is_and_nothing_away_where_it_holds_what_is_nearest(toy: Annotation):
    told = region_distance(toy, CORTEX)
    assert told is not None
    random = np.random.default_rng(8)
    low = random.uniform(-2000, 3000, (200, 3))
    high = low + random.uniform(10, 1500, (200, 3))
    surface = np.asarray(told.tree.data)
    apart = np.maximum(np.maximum(low[:, None] - surface, surface - high[:, None]), 0)
    truth = np.maximum(np.linalg.norm(apart, axis=2).min(axis=1) - told.reach_um, 0)
    gap = told.box_gap_um(low, high)
    assert (gap >= truth - 1e-6).all()
    assert (gap == 0).any()
    assert np.median(gap - truth) < told.reach_um
    whole = told.box_gap_um(np.full((1, 3), -1e5), np.full((1, 3), 1e5))
    assert whole.tolist() == [0]


def test_it_is_nothing_inside_however_deep(toy: Annotation):
    told = region_distance(toy, GREY)
    assert told is not None
    inside = (np.argwhere(np.isin(labels(), (TH, 11, 12)))[::97] + 0.5) * VOXEL_UM
    assert not told.distance_um(inside).any()


def test_a_large_region_is_looked_at_more_coarsely_and_stays_where_it_is(toy: Annotation):
    finest = region_distance(toy, GREY)
    with patch.object(module, "_MOST_VOXELS", 1):
        coarse = region_distance(toy, GREY)
    assert finest is not None
    assert coarse is not None
    assert coarse.mask.level == len(toy.volume.volume.levels) - 1 > 0
    places = np.random.default_rng(6).uniform(-1000, 4000, (200, 3))
    apart = np.abs(finest.distance_um(places) - coarse.distance_um(places))
    assert apart.max() < 2 * coarse.reach_um


def test_an_unknown_region_is_refused(toy: Annotation):
    with pytest.raises(NotFound):
        region_distance(toy, 123)
