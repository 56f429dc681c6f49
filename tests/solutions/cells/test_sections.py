"""Cells of sections: a real one, whole and in pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pulvinar.errors import Invalid
from pulvinar.solutions.cells.blocks import whole_block
from pulvinar.solutions.cells.matching import agreement
from pulvinar.solutions.cells.sample_data import section_tiles
from pulvinar.solutions.cells.search import find_cells
from pulvinar.solutions.cells.sections import SectionSearch

SEARCH = SectionSearch((1.0, 11.3, 11.3))
PIXEL = (1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def image(sample) -> np.ndarray:
    """Four tiles that the shipped model has not seen, side by side: uint8 (2, 1, 512, 512)."""
    sample("macaque/retrograde_cells")
    tiles = section_tiles(Path(sample("macaque/retrograde_cells")).parents[1])
    a, b, c, d = (tiles.image(int(at)) for at in np.flatnonzero(tiles.fold == 0)[:4])
    return np.block([[a, b], [c, d]])[:, None]


def test_boxed_cells_of_unseen_sections_are_found(sample):
    tiles = section_tiles(Path(sample("macaque/retrograde_cells")).parents[1])
    hit = false = missed = 0
    for tile in np.flatnonzero(tiles.fold == 0)[:12]:
        cells = SEARCH.cells_of(tiles.image(int(tile))[:, None], whole_block((1, 256, 256)), PIXEL)
        for channel in range(2):
            true = tiles.marks[(tiles.marks[:, 0] == tile) & (tiles.marks[:, 1] == channel), 2:]
            agreed = agreement(cells.zyx_um[cells.channels == 1 << channel, 1:], true, 6.0)
            hit, false, missed = hit + agreed.hit, false + agreed.false, missed + agreed.missed
    assert 2 * hit / (2 * hit + false + missed) > 0.88


def test_a_section_is_in_one_fold_alone(sample):
    tiles = section_tiles(Path(sample("macaque/retrograde_cells")).parents[1])
    assert all(len(set(tiles.fold[tiles.section == one])) == 1 for one in np.unique(tiles.section))
    assert len(tiles.section) == 620


@pytest.mark.parametrize("side", [512, 200, 129])
def test_any_cutting_gives_the_same_cells(image: np.ndarray, side: int):
    whole = SEARCH.cells_of(image, whole_block((1, 512, 512)), PIXEL)
    cut = find_cells(lambda block: image[block.slices], (1, 512, 512), PIXEL, SEARCH, (1, side, side))
    # in two colours at one place: `find_cells` makes one of both
    alone = find_cells(lambda block: image[block.slices], (1, 512, 512), PIXEL, SEARCH, (1, 512, 512))
    assert 0 < len(cut) <= len(whole)
    assert np.array_equal(cut.zyx_um, alone.zyx_um)
    assert np.abs(cut.score - alone.score).max() < 1e-4


def test_finer_pixels_find_the_same_cells(image: np.ndarray):
    fine = image.repeat(2, axis=2).repeat(2, axis=3)
    cells = SEARCH.cells_of(image, whole_block((1, 512, 512)), PIXEL)
    again = SEARCH.cells_of(fine, whole_block((1, 1024, 1024)), (1.0, 0.5, 0.5))
    assert agreement(cells.zyx_um, again.zyx_um, 0.6).f1 == 1


def test_what_a_section_can_not_be_is_refused():
    with pytest.raises(Invalid, match="pixels"):
        SectionSearch((1.0, 11.3, 11.3)).factor((1.0, 5.0, 5.0))
    with pytest.raises(Invalid, match="two channels"):
        SectionSearch(signal=(0,), white=(255.0,))
