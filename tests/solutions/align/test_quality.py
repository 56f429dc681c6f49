"""The numbers that say how well two brains lie on each other."""

import numpy as np
import pytest

from pulvinar.solutions.align.measure import boundary_distances, interval
from pulvinar.solutions.align.quality import (
    concordance,
    dice,
    jacobian,
    local_correlation,
    mutual_information,
    region_dice,
)

RNG = np.random.default_rng(0)
NOISE = RNG.random((24, 24, 24)).astype(np.float32)
ALL = np.ones(NOISE.shape, bool)


def test_mutual_information_tells_the_same_in_other_colours_from_another():
    assert mutual_information(NOISE, NOISE, ALL) == pytest.approx(2)
    assert mutual_information(NOISE, 1 - NOISE, ALL) > 1.9
    assert mutual_information(NOISE, RNG.random(NOISE.shape).astype(np.float32), ALL) < 1.05


def test_local_correlation_is_blind_to_the_sign_and_concordance_isn_t():
    assert local_correlation(NOISE, 1 - NOISE).mean() > 0.99
    assert concordance(NOISE, NOISE, ALL) == pytest.approx(1)
    assert concordance(NOISE, 1 - NOISE, ALL) == pytest.approx(-1)


def test_dice_of_regions_counts_each_label_by_itself():
    truth = np.zeros((20, 20, 20), int)
    truth[:10], truth[10:, :2] = 1, 2
    found = truth.copy()
    found[:5] = 0
    assert region_dice(truth, found) == {1: pytest.approx(2 / 3)}
    assert region_dice(truth, found, 300) == {1: pytest.approx(2 / 3), 2: 1.0}
    assert dice(truth > 0, truth > 0) == 1
    assert np.isnan(dice(truth > 5, truth > 5))


def test_the_jacobian_is_the_growth():
    index = np.moveaxis(np.indices((6, 6, 6), dtype=float), 0, -1)
    assert jacobian(index * [2, 1, 0.5], np.ones(3)) == pytest.approx(1)
    assert jacobian(index * [2, -1, 1], np.ones(3)) == pytest.approx(-2)


def test_boundaries_are_as_far_apart_as_they_were_moved():
    one = np.zeros((20, 20, 20), int)
    one[10:] = 1
    other = np.roll(one, 3, axis=0)
    other[:3] = 0
    assert boundary_distances(one, other, np.array([50.0, 40.0, 40.0])).max() == pytest.approx(150)


def test_an_interval_holds_the_mean():
    low, high = interval([0.8, 0.9, 0.85, 0.95])
    assert low < 0.875 < high
