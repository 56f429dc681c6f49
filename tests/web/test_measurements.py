"""Measurements over HTTP and from Python, and what may be measured by whom."""

import csv
import hashlib
import io

import httpx2
import numpy as np
import pytest
from tests.atlases.toy import VOXEL_UM, install_toy, labels
from tests.web.conftest import Shown, add_dataset, stored_volume

import pulvinar
from pulvinar.access.export_rules import of_dataset, set_rule
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Forbidden, Invalid, SpaceMismatch, TooLarge
from pulvinar.ingest.canonical import parquet
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.export_rule import ExportRule, RuleKind
from pulvinar.model.identity import new_id
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

LOW, HIGH = (119.0, 219.0, 379.0), (141.0, 230.0, 400.0)


@pytest.fixture
def brains(address: str):
    client = pulvinar.connect(address)
    yield client
    client.close()


@pytest.fixture
def asset(brains, image: Shown):
    return brains.dataset(image.version.dataset_id).asset("image")


def in_box(image: Shown) -> np.ndarray:
    # the world of these volumes is (2 z + 100, y + 200, x + 300)
    return image.voxels[0, :, 10:21, 19:30, 79:100]


def test_an_asset_is_found_by_what_a_recipe_names(brains, asset, image: Shown):
    found = brains.asset(image.version.digest, image.asset.id)
    assert (found.id, found.digest) == (asset.id, asset.digest)


def test_a_profile_comes_as_an_array_with_its_places(asset, image: Shown):
    found = asset.profile([(120, 230, 380), (120, 230, 400)], level=0)
    assert found.dims == ("channel", "distance_um")
    assert found.attrs["level"] == 0
    np.testing.assert_allclose(found.values, image.voxels[0, :, 10, 30, 80:101])
    assert found.coords["x_um"].values.tolist() == list(range(380, 401))
    outside = asset.profile([(120, 230, 445), (120, 230, 460)])
    assert np.isfinite(outside.values[0, 0])
    assert np.isnan(outside.values[0, -1])


def test_box_statistics_are_those_of_the_voxels(asset, image: Shown):
    found = asset.statistics(LOW, HIGH)
    wanted = in_box(image)
    assert found["level"] == 0
    assert found["voxels"] == wanted[0].size
    for told, values in zip(found["channels"], wanted, strict=True):
        assert told["mean"] == pytest.approx(values.mean())
        assert told["sd"] == pytest.approx(values.std())
        assert told["median"] == np.median(values)
        assert sum(told["counts"]) == values.size


def test_labels_beyond_32_bits_keep_their_numbers(brains, labels: Shown):
    told = brains.dataset(labels.version.dataset_id).asset("labels").statistics((100, 200, 300), (300, 300, 400))
    assert {one["label"] for one in told["labels"]} == {0, 2**40 + 7}


def test_tables_open_in_spreadsheets(address: str, image: Shown):
    asked = {"through": ["120,230,380", "120,230,400"], "format": "csv"}
    answer = httpx2.get(f"{address}{image.api}/profile", params=asked)
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0] == ["distance_um", "z_um", "y_um", "x_um", "channel 0", "channel 1"]
    assert float(rows[1][4]) == image.voxels[0, 0, 10, 30, 80]
    answer = httpx2.get(
        f"{address}{image.api}/statistics", params={"low": "119,219,379", "high": "141,230,400", "format": "csv"}
    )
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert float(rows[1]["mean"]) == pytest.approx(in_box(image)[1].mean())


def test_a_box_says_which_cut_out_it_would_be(address: str, image: Shown):
    told = httpx2.get(f"{address}{image.api}/box", params={"low": "119,219,379", "high": "141,230,400"}).json()
    assert told["dataset_id"] == image.version.dataset_id
    first = told["levels"][0]
    assert first["fits"]
    asked = {name: ",".join(map(str, first[name])) for name in ("start", "stop")} | {"format": "npy"}
    cut = np.load(io.BytesIO(httpx2.get(f"{address}{image.api}/cutout", params=asked).content))
    assert cut.nbytes == first["size_bytes"]
    inside = tuple(slice(a, b) for a, b in zip(first["start"], first["stop"], strict=True))
    assert np.array_equal(cut[0], image.voxels[0][(slice(None), *inside)])


def test_what_makes_no_sense_is_told(asset, address: str, image: Shown):
    with pytest.raises(Invalid, match="no voxel"):
        asset.statistics((1e6, 1e6, 1e6), (2e6, 2e6, 2e6))
    with pytest.raises(Invalid, match="shape"):
        asset.profile([(1, 2), (3, 4)])
    for asked in ({"through": "1,2,3"}, {"through": ["1,2", "3,4,5"]}, {"through": ["1,2,nan", "3,4,5"]}):
        assert httpx2.get(f"{address}{image.api}/profile", params=asked).status_code == 422


def test_regions_in_figures(brains, platform):
    install_toy(platform)
    atlas = brains.atlas("toy")
    whole, alone = atlas.statistics(["grey matter"]), atlas.statistics(["grey matter"], children=False)
    below = [one["id"] for one in atlas.descendants("grey matter")] + [atlas.region("grey matter")["id"]]
    assert whole[0]["voxels"] == int(np.isin(labels(), below).sum())
    assert alone[0]["voxels"] == int((labels() == atlas.region("grey matter")["id"]).sum())
    assert whole[0]["name_zh"] == "灰质"


def test_cells_are_counted_in_regions(brains, platform):
    install_toy(platform)
    atlas = brains.atlas("toy")
    inside, start = atlas.mask_of("grey matter")
    voxels = np.argwhere(inside)[::7] + start
    places = np.concatenate([(voxels + 0.5) * VOXEL_UM, np.full((3, 3), -1e4), np.full((1, 3), np.nan)])
    table = parquet({f"{axis}_um": places[:, at] for at, axis in enumerate("zyx")})
    cells = stored_points(platform, "cells", table, space="toy")
    add_dataset(platform, "Some cells", [cells])
    (row,) = atlas.statistics(["grey matter"], cells=cells[0].id)
    assert row["cells"] == len(voxels)
    assert row["cells_per_mm3"] == pytest.approx(len(voxels) / row["volume_mm3"])
    elsewhere = stored_points(platform, "elsewhere", table, space="another")
    add_dataset(platform, "Other cells", [elsewhere])
    with pytest.raises(SpaceMismatch, match="another"):
        atlas.statistics(["root"], cells=elsewhere[0].id)


def stored_points(platform, name: str, table: bytes, space: str):
    """Points as they are stored, as far as they are measured."""
    prefix = f"assets/{new_id()}"
    platform.store.put_bytes(f"{prefix}/points.parquet", table)
    objects = (StoredObject("points.parquet", len(table), hashlib.sha256(table).hexdigest()),)
    details = {"space": {"name": space}, "count": 1}
    asset_id = prefix.removeprefix("assets/")
    return Asset(asset_id, name, AssetKind.POINTS, prefix, len(table), 1, asset_digest(objects), details), objects


def test_an_image_that_lies_elsewhere_has_no_regions(brains, platform, image: Shown):
    install_toy(platform)
    with pytest.raises(Invalid, match="space"):
        brains.atlas("toy").statistics(["root"], image=image.asset.id)


def test_what_may_not_leave_is_not_measured_and_more_than_the_budget_is_refused(tmp_path, serving):
    settings = load_settings(environment={}, home=tmp_path, measure_budget_mb=1)
    with open_platform(settings) as platform, serving(platform) as address:
        voxels = np.random.default_rng(1).integers(0, 9, (1, 1, 128, 128, 256), np.uint8)
        kept = add_dataset(platform, "One", [stored_volume(platform, "one", voxels, VolumeKind.IMAGE)])
        asset = pulvinar.connect(address).dataset(kept.dataset_id).asset("one")
        with pytest.raises(TooLarge, match="may"):
            asset.statistics((0, 0, 0), (9999, 9999, 9999), level=0)
        assert asset.statistics((0, 0, 0), (9999, 9999, 9999))["level"] > 0
        with UnitOfWork(platform.database, LOCAL_OWNER) as work:
            set_rule(work, ExportRule(of_dataset(kept.dataset_id), RuleKind.SITE))
        for measure in (lambda: asset.statistics(LOW, HIGH), lambda: asset.profile([LOW, HIGH])):
            with pytest.raises(Forbidden):
                measure()
