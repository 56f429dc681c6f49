"""Movies: what is missing is named with how to get it, what makes no sense is refused; a real one is made."""

import shutil
import subprocess
import sys

import httpx2
import numpy as np
import pytest
from tests.web.conftest import add_dataset, stored_volume
from tests.web.people import a_visitor

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.sharing import set_tier, share
from pulvinar.errors import Invalid, Unavailable
from pulvinar.model.access import LOCAL_OWNER, Right, Tier
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web import turntable
from pulvinar.web.turntable import Turntable, make_turntable


def test_sizes_that_no_movie_has_are_refused():
    for wrong in ({"seconds": 100}, {"width": 961}, {"height": 8}, {"seconds": 0.001}):
        with pytest.raises(Invalid):
            Turntable(**wrong)
    assert Turntable(2, 5).frames == 10


@pytest.mark.parametrize(
    ("missing", "hint"), [("chromium", "apt-get install chromium"), ("ffmpeg", "apt-get install ffmpeg")]
)
def test_what_is_missing_is_named(monkeypatch, tmp_path, missing, hint):
    there = {"chromium": {"ffmpeg"}, "ffmpeg": {"chromium"}}[missing]
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name in there else None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(Unavailable) as refused:
        make_turntable("http://127.0.0.1:9/", Turntable())
    assert hint in refused.value.hint


def test_a_server_without_the_means_says_so_and_leads_nowhere_else(address, image, monkeypatch):
    monkeypatch.setattr(turntable.shutil, "which", lambda name: None)
    asked = {"page": f"/datasets/{image.version.dataset_id}/view"}
    answer = httpx2.get(f"{address}/api/v1/movies/turntable", params=asked)
    assert answer.status_code == 503
    assert "Chromium" in answer.json()["error"]["message"]
    for page in ("http://elsewhere/", "//elsewhere/view", "/api/v1/me", "/../datasets/x", "/datasets/x y"):
        assert httpx2.get(f"{address}/api/v1/movies/turntable", params={"page": page}).status_code == 422


SMALL = {"seconds": 1, "fps": 4, "width": 320, "height": 240}


@pytest.fixture
def ffmpeg() -> str:
    pytest.importorskip("playwright")
    try:
        turntable._browser()
        return turntable._joiner()
    except Unavailable as missing:
        pytest.skip(missing.message)


@pytest.mark.browser
def test_a_movie_has_its_frames_and_they_differ(address, image, ffmpeg):
    asked = {"page": f"/datasets/{image.version.dataset_id}/view", **SMALL}
    answer = httpx2.get(f"{address}/api/v1/movies/turntable", params=asked, timeout=280)
    assert answer.status_code == 200, answer.text
    raw = subprocess.run(
        [ffmpeg, "-loglevel", "error", "-i", "pipe:0", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"],
        input=answer.content,
        capture_output=True,
        check=True,
    ).stdout
    frames = [raw[at : at + 320 * 240] for at in range(0, len(raw), 320 * 240)]
    assert len(frames) == 4
    assert len(set(frames)) == 4
    assert max(frames[0]) > 60


@pytest.mark.browser
@pytest.mark.parametrize("outside", ["", "https://brains.example.edu"])
def test_a_movie_shows_what_who_asks_may_see(tmp_path, serving, ffmpeg, monkeypatch, outside):
    monkeypatch.setattr(turntable, "_OPENS_MS", 15_000)
    environment = {"PULVINAR_PUBLIC": "yes"} | ({"PULVINAR_ADDRESS": outside} if outside else {})
    with open_platform(load_settings(environment=environment, home=tmp_path)) as platform, serving(platform) as address:
        voxels = np.random.default_rng(2).integers(0, 60_000, (1, 1, 40, 40, 40)).astype(np.uint16)
        kept = add_dataset(platform, "Kept", [stored_volume(platform, "kept", voxels, VolumeKind.IMAGE)])
        ada, eve = (a_visitor(platform, address, name) for name in ("ada", "eve"))
        with UnitOfWork(platform.database, LOCAL_OWNER) as work:
            set_tier(work, kept.dataset_id, Tier.PRIVATE)
            share(work, kept.dataset_id, f"actor:{ada.id}", Right.READ)
        asked = {"page": f"/datasets/{kept.dataset_id}/view", **SMALL}
        assert eve.client.get("/api/v1/movies/turntable", params=asked, timeout=280).status_code == 422
        shown = ada.client.get("/api/v1/movies/turntable", params=asked, timeout=280)
        assert shown.status_code == 200, shown.text
        assert b"ftyp" in shown.content[:16]
