"""A volume that others own, as the server shows it: its chunks like ours, its owner, and never what isn't allowed."""

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np
import pytest
import tensorstore
import zarr
from starlette.testclient import TestClient
from tests.file_server import served
from tests.ingest.test_indexing import ANSWERS, VOXELS, halved, write
from tests.web.test_clients import read as read_as

import pulvinar
from pulvinar.ingest.indexing import IndexRequest, index
from pulvinar.ingest.request import Means
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.dataset import Asset, Version
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app

LAYOUTS = {
    "chunks": {"compressors": zarr.codecs.ZstdCodec()},
    "shards": {"shards": lambda values: tuple(32 if n > 2 else n for n in values.shape)},
    "zarr 2": {"version": "0.4"},
    "four axes": {"axes": "czyx", "voxels": VOXELS[0]},
}


@dataclass
class Theirs:
    platform: Platform
    version: Version
    asset: Asset
    folder: Path

    @property
    def data(self):
        return f"/data/{self.version.digest}/{self.asset.id}"


def show(tmp_path, layout, url=None, **settings):
    """A platform with one published volume that lies in `tmp_path / "theirs"`."""
    settings = {"external_sources": tmp_path.as_uri(), **settings}
    platform = open_platform(load_settings(environment={}, home=tmp_path / "home", **settings))
    means = Means(platform.database, platform.store, platform.settings.resolved_scratch(), Limits())
    request = IndexRequest(url or (tmp_path / "theirs").as_uri(), "The Other Institute", answers=ANSWERS, publish=True)
    version = index(means, platform.sources, request).version
    return Theirs(platform, version, version.assets[0], tmp_path / "theirs")


@pytest.fixture
def theirs(tmp_path):
    write(tmp_path / "theirs", **LAYOUTS["chunks"])
    shown = show(tmp_path, "chunks")
    yield shown
    shown.platform.close()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_its_chunks_are_read_as_those_of_ours(tmp_path, layout, serving):
    write(tmp_path / "theirs", **LAYOUTS[layout])
    shown = show(tmp_path, layout)
    with serving(shown.platform) as address:
        folder = f"{address}{shown.data}/chunks/"
        for number, voxels in enumerate((VOXELS, halved(VOXELS))):
            array = tensorstore.open({"driver": "zarr3", "kvstore": f"{folder}{number}/"}).result()
            assert np.array_equal(array.read().result(), voxels)
        asset = pulvinar.connect(address).dataset(shown.version.dataset_id).assets()[0]
        assert np.array_equal(asset.volume(level=1).values, halved(VOXELS))
    shown.platform.close()


@pytest.mark.slow
@pytest.mark.parametrize(("client", "view"), [("zarr", "chunks/"), ("cloud-volume", "precomputed")])
def test_programs_read_it(theirs, serving, client, view):
    import hashlib

    with serving(theirs.platform) as address:
        told = read_as(client, f"{address}{theirs.data}/{view}")
    assert told["sha256"] == hashlib.sha256(VOXELS.tobytes()).hexdigest()


def test_from_a_web_server_too(tmp_path, serving):
    write(tmp_path / "theirs", **LAYOUTS["shards"])
    with served(tmp_path) as (there, handler):
        shown = show(tmp_path, "shards", f"{there}/theirs", external_sources=there, external_private=True)
        before = len(handler.seen)
        with serving(shown.platform) as address:
            array = tensorstore.open({"driver": "zarr3", "kvstore": f"{address}{shown.data}/chunks/0/"}).result()
            assert np.array_equal(array.read().result(), VOXELS)
        assert len(handler.seen) > before
        shown.platform.close()


def test_a_source_that_does_not_answer_keeps_nobody_from_what_is_ours(tmp_path, serving):
    import threading

    write(tmp_path / "theirs", **LAYOUTS["chunks"])
    released = threading.Event()
    with served(tmp_path) as (there, handler):
        shown = show(tmp_path, "chunks", f"{there}/theirs", external_sources=there, external_private=True)
        send = handler._send
        handler._send = lambda self, *, body: (released.wait(60), send(self, body=body))
        with serving(shown.platform) as address:
            paths = [
                f"{address}{shown.data}/chunks/0/c/0/0/{z}/{y}/{x}"
                for z in range(3)
                for y in range(4)
                for x in range(3)
            ]
            answers: list[int] = []
            waiting = [
                threading.Thread(target=lambda path=path: answers.append(httpx2.get(path, timeout=60).status_code))
                for path in paths
            ]
            for thread in waiting:
                thread.start()
            ours = httpx2.get(f"{address}{shown.data}/objects/quality/thumbnail.webp", timeout=10)
            assert ours.status_code == 200
            assert not answers
            released.set()
            for thread in waiting:
                thread.join()
        assert answers == [200] * len(paths)
        shown.platform.close()


def test_answers_are_kept_for_a_while_and_asked_for_again(theirs):
    client = TestClient(create_app(theirs.platform))
    answer = client.get(f"{theirs.data}/chunks/0/c/0/0/0/0/0")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, max-age=300"
    assert answer.content == (theirs.folder / "0/c/0/0/0/0/0").read_bytes()
    etag = answer.headers["etag"]
    assert client.get(f"{theirs.data}/chunks/0/c/0/0/0/0/0", headers={"if-none-match": etag}).status_code == 304
    part = client.get(f"{theirs.data}/chunks/0/c/0/0/0/0/0", headers={"range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, answer.content[3:10])
    path = theirs.folder / "0/c/0/0/0/0/0"
    path.write_bytes(path.read_bytes())
    assert client.get(f"{theirs.data}/chunks/0/c/0/0/0/0/0").headers["etag"] != etag


def test_what_is_empty_and_what_is_gone_are_told_apart(theirs):
    client = TestClient(create_app(theirs.platform), raise_server_exceptions=False)
    (theirs.folder / "0/c/0/0/1/1/1").unlink()
    assert client.get(f"{theirs.data}/chunks/0/c/0/0/1/1/1").status_code == 404
    assert client.get(f"{theirs.data}/chunks/0/c/0/0/9/9/9").status_code == 404
    shutil.rmtree(theirs.folder / "0")
    gone = TestClient(create_app(theirs.platform)).get(f"{theirs.data}/chunks/0/c/0/0/0/0/0")
    assert gone.status_code == 500
    assert "is gone" in gone.json()["error"]["message"]
    assert str(theirs.folder) not in gone.text
    shutil.rmtree(theirs.folder)
    gone = TestClient(create_app(theirs.platform)).get(f"{theirs.data}/chunks/0/c/0/0/0/0/0")
    assert gone.status_code == 503
    assert str(theirs.folder) not in gone.text


def test_a_source_that_is_allowed_no_more_is_served_no_more(theirs, tmp_path):
    settings = load_settings(environment={}, home=tmp_path / "home")
    with open_platform(settings) as platform:
        client = TestClient(create_app(platform))
        for path in ("chunks/0/c/0/0/0/0/0", "precomputed/0/0-16_0-16_0-16"):
            answer = client.get(f"{theirs.data}/{path}")
            assert answer.status_code == 503
            assert "not among the external sources" in answer.json()["error"]["message"]


def test_nothing_beside_its_chunks_is_reached(theirs, tmp_path):
    (tmp_path / "secret").write_bytes(b"hidden words")
    client = TestClient(create_app(theirs.platform))
    for path in (
        "chunks/../../secret", "chunks/0/c/0/0/../../../../secret", "chunks/0/%2e%2e/secret", "chunks/http://evil.org/a",
        "objects/../../../theirs/zarr.json", "objects/0/zarr.json", "chunks/0/.zarray",
    ):  # fmt: skip
        answer = client.get(f"{theirs.data}/{path}")
        assert answer.status_code == 404
        assert b"hidden words" not in answer.content


def test_boxes_and_pictures_are_made_of_it(theirs):
    client = TestClient(create_app(theirs.platform))
    api = f"/api/v1/assets/{theirs.version.digest}/{theirs.asset.id}"
    query = {"start": "3,4,5", "stop": "30,40,60", "format": "npy"}
    cut = np.load(io.BytesIO(client.get(f"{api}/cutout", params=query).content))
    assert np.array_equal(cut.reshape(-1), VOXELS[:, :, 3:30, 4:40, 5:60].reshape(-1))
    assert client.get(f"{api}/thumbnail").headers["content-type"] == "image/webp"
    assert client.get(f"{api}/sections/z").status_code == 200


def test_its_page_and_the_api_say_whose_it_is_and_no_folder_of_this_machine(theirs):
    client = TestClient(create_app(theirs.platform))
    told = client.get(f"/api/v1/assets/{theirs.version.digest}/{theirs.asset.id}").json()
    assert told["location"]["ownership"] == "external"
    assert told["location"]["owner"] == "The Other Institute"
    assert told["location"]["url"] == ""
    assert told["links"]["zarr"] is None
    page = client.get(f"/datasets/{theirs.version.dataset_id}", headers={"accept": "text/html"}).text
    assert "External, owned by The Other Institute." in page
    assert "objects/image.ome.zarr/" not in page
    chinese = client.get(
        f"/datasets/{theirs.version.dataset_id}", headers={"accept": "text/html", "accept-language": "zh"}
    ).text
    assert "The Other Institute" in chinese
    assert "External, owned by" not in chinese
    manifest = client.get(f"/api/v1/datasets/{theirs.version.dataset_id}/versions/1/manifest")
    for text in (page, chinese, manifest.text, str(told)):
        assert str(theirs.folder) not in text
    scene = client.get(f"/api/v1/scenes/{theirs.version.dataset_id}").json()
    assert scene["layers"][0]["source"] == f"zarr3://{theirs.data}/chunks/"
