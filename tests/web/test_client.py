"""`pulvinar.connect` against a live server."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import pulvinar
from pulvinar.cli.verbs import means_of
from pulvinar.errors import Invalid, NotFound
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import Options, TableKind
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Request
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

Shown = Any


@pytest.fixture
def brains(address: str):
    client = pulvinar.connect(address)
    yield client
    client.close()


def test_datasets_are_listed_and_searched(brains, image, labels):
    assert {image.version.dataset_id, labels.version.dataset_id} <= {dataset.id for dataset in brains.datasets()}
    assert [dataset.title for dataset in brains.search("labels")] == ["A brain with labels"]
    assert list(brains.search("labels", species="human")) == []


def test_a_volume_is_a_lazy_array_with_places_in_micrometres(brains, image):
    asset = brains.dataset(image.version.dataset_id).asset("image")
    volume = asset.volume()
    assert volume.dims == ("t", "c", "z", "y", "x")
    assert volume.dtype == np.uint16
    assert type(volume.data).__module__.startswith("dask")
    assert np.array_equal(volume.values, image.voxels)
    plane = volume.sel(c="channel 1").sel(z=160.4, method="nearest")
    assert np.array_equal(plane.values, image.voxels[:, 1, 80])
    assert float(volume.z[1] - volume.z[0]) == 2.0


def test_a_coarser_level_lies_at_the_same_places(brains, image):
    asset = brains.dataset(image.version.dataset_id).asset("image")
    coarse = asset.volume(level=1)
    assert coarse.shape < image.voxels.shape
    fine = asset.volume()
    for axis in "zyx":
        assert abs(float(coarse[axis].mean() - fine[axis].mean())) <= float(coarse[axis][1] - coarse[axis][0])


def test_labels_keep_64_bits(brains, labels):
    volume = brains.dataset(labels.version.dataset_id).asset(labels.asset.id).volume()
    assert volume.dtype == np.uint64
    assert int(volume.max()) == 2**40 + 7


def test_what_is_not_there_is_said(brains, image):
    dataset = brains.dataset(image.version.dataset_id)
    with pytest.raises(NotFound, match="no asset 'thing'"):
        dataset.asset("thing")
    with pytest.raises(NotFound):
        brains.dataset("local-nothing")
    with pytest.raises(Invalid, match="no level 9"):
        dataset.asset("image").volume(level=9)
    with pytest.raises(Invalid, match="not a skeleton"):
        dataset.asset("image").skeleton()


def test_reading_a_volume_needs_none_of_the_servers_packages(address, image):
    server_packages = ("sqlalchemy", "fastapi", "starlette", "uvicorn", "alembic", "psycopg", "numba", "nibabel")
    code = (
        f"import sys, pulvinar; dataset = pulvinar.connect({address!r}).dataset({image.version.dataset_id!r});"
        "asset = dataset.asset('image');"
        f"print(int(asset.volume()[0, 0, 80].sum()), [name for name in {server_packages!r} if name in sys.modules])"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True).strip()
    assert told == f"{image.voxels[0, 0, 80].sum(dtype=np.int64)} []"


def test_signals_and_matrices_that_no_table_holds_are_lazy(tmp_path, serving):
    generator = np.random.default_rng(3)
    lfp, weights = generator.normal(size=(30_000, 150)).astype("f4"), generator.normal(size=(2100, 2100))
    opened = open_platform(load_settings(environment={}, home=tmp_path / "home"))
    for name, values, kind in (("lfp", lfp, TableKind.TIME_SERIES), ("weights", weights, TableKind.CONNECTIVITY)):
        np.save(tmp_path / f"{name}.npy", values)
        options = Options(table_kind=kind, axes="tc", time_step_s=0.25)
        answers = RecordAnswers(title=name, species="mouse", licence="CC0-1.0")
        ingest(means_of(opened), Request(tmp_path / f"{name}.npy", options, answers, publish=True))
    with serving(opened) as address:
        client = pulvinar.connect(address)
        found = {dataset.title: dataset.asset(dataset.title).open() for dataset in client.datasets()}
        assert all(type(one.data).__module__.startswith("dask") for one in found.values())
        assert found["lfp"].dims == ("time", "series")
        assert np.array_equal(found["lfp"].sel(time=slice(5, 9)).values, lfp[20:37])
        assert found["lfp"].coords["name"].values[149] == "150"
        assert found["weights"].dims == ("source", "target")
        assert np.array_equal(found["weights"].values, weights)
        client.close()
    opened.close()
