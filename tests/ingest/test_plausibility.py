import numpy as np
import pytest

from pulvinar.ingest.plausibility import implausible_size, tissue_extent_um
from pulvinar.model.record import Species


def a_head(voxels: int = 64, brain: int = 30) -> np.ndarray:
    image = np.random.default_rng(0).normal(10, 2, (voxels,) * 3)
    start = (voxels - brain) // 2
    image[start : start + brain, start : start + brain, start : start + brain] += 200
    return image


def test_the_extent_is_that_of_the_tissue_not_of_the_field():
    assert tissue_extent_um(a_head(), (1000.0, 1000.0, 1000.0)) == (30_000.0, 30_000.0, 30_000.0)


@pytest.mark.parametrize(
    ("species", "millimetres", "doubted"),
    [
        (Species.MACAQUE, 150, True),  # the 0.5 mm data whose header says 1 mm
        (Species.MACAQUE, 75, False),
        (Species.MOUSE, 14, False),
        (Species.MOUSE, 140, True),
        (Species.ZEBRAFISH, 1.1, False),
        (Species.ZEBRAFISH, 11, True),
        (Species.HUMAN, 230, False),
        (Species.HUMAN, 20, False),  # a piece of a brain is no doubt
    ],
)
def test_only_a_brain_too_large_for_its_species_is_doubted(species, millimetres, doubted):
    finding = implausible_size(species, (millimetres * 1000.0, 1.0, 1.0))
    assert (finding is not None) == doubted
    if finding is not None:
        assert finding.flag == "--voxel-size"


def test_an_empty_volume_has_no_extent():
    assert tissue_extent_um(np.zeros((4, 4, 4)), (1.0, 1.0, 1.0)) == (0.0, 0.0, 0.0)
