"""Movies: what is missing is named with how to get it, what makes no sense is refused; a real one is made."""

import shutil
import subprocess
import sys
from importlib import import_module

import httpx2
import pytest

from pulvinar.errors import Invalid, Unavailable
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


@pytest.mark.browser
def test_a_movie_has_its_frames_and_they_differ(address, image):
    pytest.importorskip("playwright")
    ffmpeg = shutil.which("ffmpeg") or getattr(_joiner(), "get_ffmpeg_exe", lambda: None)()
    if not ffmpeg or not turntable._BROWSERS or not any(map(shutil.which, turntable._BROWSERS)):
        pytest.skip("ffmpeg or Chromium is not here")
    asked = {"page": f"/datasets/{image.version.dataset_id}/view", "seconds": 1, "fps": 4, "width": 320, "height": 240}
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


def _joiner():
    try:
        return import_module("imageio_ffmpeg")
    except ImportError:
        return None
