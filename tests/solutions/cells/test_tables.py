"""What is made of found cells: tables, counts, heat maps, comparisons, corrections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.atlases.toy import ONTOLOGY, SPACE, VOXEL_UM, NoLedger, annotation_of, corner_affine, labels

from pulvinar.atlases.annotation import Annotation
from pulvinar.errors import Invalid, SpaceMismatch, TooLarge, UnreadableFile
from pulvinar.model.space import Points, Space, Window
from pulvinar.solutions.cells.blocks import whole_block
from pulvinar.solutions.cells.cell_table import Cells, cells_from_table, joined, read_cells, write_cells
from pulvinar.solutions.cells.corrections import (
    CorrectedVolume,
    Corrections,
    Verdict,
    corrected,
    corrections_from_table,
    measure_model,
    retrain_volume_model,
)
from pulvinar.solutions.cells.groups import compare_groups, plot_comparison
from pulvinar.solutions.cells.heat import heat_map
from pulvinar.solutions.cells.matching import Agreement, agreement, difference, matched_pairs, with_interval
from pulvinar.solutions.cells.regions import count_cells, region_sizes
from pulvinar.solutions.cells.results import points_of, write_heat_map, write_table
from pulvinar.solutions.cells.simulated import TESTING, make_scene
from pulvinar.solutions.cells.volumes import VolumeSearch
from pulvinar.storage.store import open_store
from pulvinar.storage.volumes import open_volume

BALL = (16.0, 16.0, 16.0)


def cells_at(*zyx_um: tuple[float, float, float]) -> Cells:
    n = len(zyx_um)
    places = np.array(zyx_um, np.float64).reshape(-1, 3)
    return Cells(places, *(np.full(n, value, np.float32) for value in (16, 0.5, 5)), np.ones(n, np.uint8))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Annotation:
    folder = tmp_path_factory.mktemp("toy")
    store = open_store(f"file://{folder / 'store'}")
    return annotation_of(labels(), store, folder / "scratch", corner_affine(VOXEL_UM), ONTOLOGY)


def test_cells_come_back_from_a_file_as_they_were(tmp_path: Path):
    cells = cells_at((1, 2, 3), (4, 5, 6))
    write_cells(cells, tmp_path / "cells.parquet")
    again = read_cells(tmp_path / "cells.parquet")
    assert np.array_equal(again.zyx_um, cells.zyx_um)
    assert again.score.dtype == np.float32
    with pytest.raises(Invalid, match="z_um"):
        cells_from_table(pa.table({"x_um": [1.0]}))
    (tmp_path / "no.parquet").write_text("no table")
    with pytest.raises(UnreadableFile):
        read_cells(tmp_path / "no.parquet")


def test_cells_are_in_order_of_place_however_they_came():
    cells = joined([cells_at((5, 0, 0), (1, 9, 0)), Cells.none(), cells_at((1, 2, 0))])
    assert cells.zyx_um.tolist() == [[1, 2, 0], [1, 9, 0], [5, 0, 0]]
    assert len(joined([])) == 0


def test_cells_are_counted_by_region_and_side_with_all_below(toy: Annotation):
    rng = np.random.default_rng(1)
    points = Points(SPACE, rng.uniform(0, 1, (4000, 3)) * np.multiply(labels().shape, VOXEL_UM))
    counts = count_cells(points, toy)
    where = toy.regions_at(points)
    # the toy's x rises to the right, its middle is at 2500 um
    right = points.zyx_um[:, 2] >= 2500
    for region, (left_count, right_count) in zip(counts.region, counts.count, strict=True):
        below = [one.id for one in ONTOLOGY.descendants(int(region), itself=True)]
        assert right_count == (np.isin(where, below) & right).sum()
        assert left_count == (np.isin(where, below) & ~right).sum()
    assert counts.outside == (where == 0).sum()
    assert counts.count[0].sum() + counts.outside == 4000


def test_volumes_of_both_sides_add_up_to_the_regions(toy: Annotation):
    sizes = region_sizes(toy)
    for label, volume in zip(sizes.label, sizes.volume_mm3, strict=True):
        assert volume.sum() == pytest.approx(toy.volume_of(int(label)))
        assert volume[0] == pytest.approx(volume[1], rel=0.01)
    table = count_cells(Points(SPACE, np.zeros((0, 3))), toy, sizes).to_table().to_pylist()
    assert {row["side"] for row in table} == {"left", "right", "both"}
    assert all(row["count"] == 0 for row in table)
    assert {row["name_zh"] for row in table} >= {"皮层", "丘脑"}
    with pytest.raises(SpaceMismatch):
        count_cells(Points(Space("other", "mouse", "PIR"), np.zeros((1, 3))), toy, sizes)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(20, 200))
def test_a_heat_map_is_right_in_the_middle_and_at_the_rim(seed: int, radius: float):
    affine = np.diag([50.0, 40.0, 40.0, 1.0])
    shape, extent = (20, 25, 25), np.array([1000.0, 1000.0, 1000.0])
    places = np.random.default_rng(seed).uniform(0, 1, (20000, 3)) * extent - np.array([25, 20, 20])
    density = heat_map(Points(SPACE, places), shape, affine, radius)
    assert density.mean() == pytest.approx(20000, rel=0.05)
    smooth = heat_map(Points(SPACE, places), shape, affine, 400.0)
    assert np.abs(smooth / 20000 - 1).max() < 0.2


def test_a_heat_map_that_can_not_be_is_refused():
    nowhere = Points(SPACE, np.zeros((0, 3)))
    assert heat_map(nowhere, (3, 3, 3), np.eye(4), 1.0).sum() == 0
    with pytest.raises(Invalid, match="radius"):
        heat_map(nowhere, (3, 3, 3), np.eye(4), 0.0)
    with pytest.raises(TooLarge):
        heat_map(nowhere, (4000, 4000, 4000), np.eye(4), 1.0)


def test_regions_that_differ_are_told_from_those_that_do_not(tmp_path: Path):
    rng = np.random.default_rng(4)
    densities = rng.lognormal(5, 0.2, (12, 200))
    in_b = np.arange(12) >= 6
    densities[6:, :10] *= 2.5
    found = compare_groups(np.arange(200), densities, in_b)
    assert (found.q[:10] < 0.05).all()
    assert (found.q[10:] < 0.05).mean() < 0.03
    assert (found.effect_low[:10] > 0).all()
    assert found.log2_ratio[:10].mean() == pytest.approx(np.log2(2.5), abs=0.2)
    plot_comparison(found, [f"R{i}" for i in range(200)], tmp_path / "groups.svg")
    assert "<svg" in (tmp_path / "groups.svg").read_text()
    assert found.to_table().num_rows == 200


def test_chance_alone_is_rarely_called_a_difference():
    rng = np.random.default_rng(9)
    alarms = [
        (compare_groups(np.arange(50), rng.lognormal(3, 0.4, (8, 50)), np.arange(8) >= 4).q < 0.05).any()
        for _ in range(60)
    ]
    assert np.mean(alarms) < 0.15


def test_animals_that_are_all_alike_and_groups_that_are_too_small():
    found = compare_groups(np.arange(2), np.array([[0.0, 1], [0, 2], [0, 4], [0, 3]]), [False, False, True, True])
    assert np.isnan(found.p[0])
    assert np.isfinite(found.q[1])
    with pytest.raises(Invalid, match="animals"):
        compare_groups(np.arange(1), np.ones((3, 1)), [False, True, True])
    with pytest.raises(Invalid, match="number"):
        compare_groups(np.arange(1), np.full((4, 1), np.nan), [False, False, True, True])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_matching_pairs_each_place_once_and_the_most_there_can_be(seed: int):
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 30, (40, 2))
    found = np.concatenate([true[:30] + rng.normal(0, 0.3, (30, 2)), rng.uniform(100, 130, (5, 2))])
    pairs = matched_pairs(found, true, 2.0)
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs) >= 30
    assert (np.linalg.norm(found[pairs[:, 0]] - true[pairs[:, 1]], axis=1) <= 2.0).all()
    agreed = agreement(found, true, 2.0)
    assert (agreed.hit + agreed.false, agreed.hit + agreed.missed) == (35, 40)


def test_an_interval_holds_the_figure_and_is_wider_when_parts_differ():
    alike = with_interval([Agreement(9, 1, 1)] * 20, lambda part: part.f1)
    mixed = with_interval([Agreement(9, 1, 1), Agreement(1, 9, 9)] * 10, lambda part: part.f1)
    assert alike.low == alike.value == alike.high == pytest.approx(0.9)
    assert mixed.low < mixed.value < mixed.high


def test_what_is_alike_in_every_part_differs_for_sure_however_much_the_parts_do():
    better = [Agreement(n, 0, n) for n in range(5, 40, 5)]
    worse = [Agreement(n - 2, 2, n + 2) for n in range(5, 40, 5)]
    found = difference(better, worse, lambda part: part.f1)
    assert 0 < found.low <= found.value <= found.high
    assert found.value == pytest.approx(
        with_interval(better, lambda part: part.f1).value - with_interval(worse, lambda part: part.f1).value
    )
    same = difference(better, better, lambda part: part.f1)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_corrections_change_the_cells_that_they_are_about():
    cells = cells_at((0, 0, 0), (0, 0, 50), (0, 0, 100))
    table = pa.table(
        {
            "z_um": [0.0] * 5,
            "y_um": [1.0] * 5,
            "x_um": [1.0, 51.0, 200.0, 300.0, 400.0],
            "verdict": ["accept", "reject", "add", "reject", "unsure"],
        }
    )
    after = corrected(cells, corrections_from_table(table), BALL)
    assert after.zyx_um[:, 2].tolist() == [0, 100, 200]
    assert after.score.tolist() == [1, 0.5, 1]
    assert len(corrected(Cells.none(), corrections_from_table(table), BALL)) == 1
    with pytest.raises(Invalid, match="verdict"):
        corrections_from_table(table.drop(["verdict"]))


def test_a_model_is_measured_on_what_was_judged_alone_and_learns_from_it(tmp_path: Path):
    scene = make_scene(3, TESTING, (30, 120, 120), snr=6.0)
    search = VolumeSearch(scene.diameter_um)
    found = search.cells_of(scene.signal[None], whole_block(scene.signal.shape), scene.voxel_size_um)
    places = np.concatenate([scene.cells_um, [[-500.0, 0, 0]]])
    verdicts = (*[Verdict.ACCEPT] * len(scene.cells_um), Verdict.REJECT)
    volume = CorrectedVolume(scene.signal[None], scene.voxel_size_um, Corrections(places, verdicts))
    agreed = measure_model(volume, search)
    assert agreed.recall > 0.85
    assert agreed.false == 0
    pytest.importorskip("torch")
    # who rejects every cell gets a model that finds fewer of them
    against = Corrections(found.zyx_um, (Verdict.REJECT,) * len(found))
    path = retrain_volume_model([replace(volume, corrections=against)], search, tmp_path / "new.onnx", epochs=30)
    stricter = VolumeSearch(scene.diameter_um, model=path)
    assert measure_model(volume, stricter).recall < agreed.recall - 0.1
    with pytest.raises(Invalid, match="teach nothing"):
        retrain_volume_model([], search, tmp_path / "none.onnx")


def test_places_follow_the_volume_into_the_atlas(toy: Annotation):
    turned = np.array([[0, 0, 2.0, 5], [0, 3.0, 0, 6], [4.0, 0, 0, 7], [0, 0, 0, 1]])
    points = points_of(cells_at((10.0, 4.0, 6.0)), (10.0, 2.0, 2.0), SPACE, turned)
    assert points.zyx_um.tolist() == [[2 * 3 + 5, 3 * 2 + 6, 4 * 1 + 7]]
    assert points.space == toy.space


def test_counts_and_a_heat_map_are_kept(toy: Annotation, tmp_path: Path):
    points = Points(SPACE, np.array([[200.0, 500, 1000], [200, 500, 4000]]))
    for name in ("counts.csv", "counts.parquet"):
        write_table(count_cells(points, toy).to_table(), tmp_path / name)
    assert "丘脑" in (tmp_path / "counts.csv").read_text("utf-8")
    with pytest.raises(Invalid, match="xlsx"):
        write_table(pa.table({"a": [1]}), tmp_path / "counts.xlsx")
    density = heat_map(points, (40, 70, 100), corner_affine(VOXEL_UM), 100.0)
    store = open_store(f"file://{tmp_path / 'store'}")
    written = write_heat_map(density, VOXEL_UM, store, "heat", ledger=NoLedger(), scratch=tmp_path)
    again = open_volume(store, "heat")
    assert written
    assert np.array_equal(again.read(0, Window.whole(again.volume.shape))[0, 0], density)
