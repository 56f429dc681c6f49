"""The demonstration as a newcomer has it: one command brings real brains in, one serves them, a browser shows them."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

EXPLORER = "document.querySelector('pulvinar-viewer').explorer"
HUMAN = "MNI152 human brain template"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a served demonstration; its brains come out of installed packages, so any machine has them."""
    folder = tmp_path_factory.mktemp("demo") / "work"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PULVINAR_")}
    environment |= {"PULVINAR_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1"}
    command = str(Path(sys.executable).parent / "pulvinar")
    # there is no samples folder beside this one
    done = subprocess.run([command, "demo", "--no-serve"], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert HUMAN in done.stdout
    serve = [command, "serve", "--port", "0", "--work"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(serve, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as server,
    ):
        try:
            said = server.stdout.readline()
            yield re.search(r"http://[^ ]+", said).group().rstrip("/")
        finally:
            server.terminate()


@pytest.fixture
def human(demo, visit):
    """A visitor who came from the list to the view of the human brain."""

    def come(locale: str = "en-US"):
        visitor = visit(locale=locale)
        page = visitor.see(demo)
        page.get_by_role("link", name=HUMAN).first.click()
        page.locator("a.primary").click()
        page.wait_for_selector("pulvinar-viewer[ready]", timeout=60_000)
        settle(page)
        return visitor

    return come


def settle(page) -> None:
    page.wait_for_timeout(700)
    page.wait_for_selector("pulvinar-viewer[ready]", timeout=60_000)


def test_the_human_brain_is_seen_in_four_panels_and_in_3d(human):
    visitor = human()
    page = visitor.page
    lit = page.evaluate(f"{EXPLORER}.litPanels()")
    assert len(lit) == 4
    assert min(lit) > 0.1, lit
    page.get_by_role("radio", name="3D").check()
    settle(page)
    assert page.evaluate(f"{EXPLORER}.litPanels()")[0] > 0.2
    assert visitor.complaints == []


def test_the_thalamus_is_where_the_atlas_says(human):
    page = human().page
    page.get_by_label("Go to").fill("-11, -18, 8 mm")
    page.get_by_role("button", name="Go", exact=True).click()
    settle(page)
    box = page.locator(".pv-canvas").bounding_box()
    # the middle of the coronal panel is the crossing point
    page.mouse.move(box["x"] + box["width"] / 4 + 1, box["y"] + box["height"] / 4 + 1, steps=3)
    page.locator(".pv-reading").get_by_text("Thalamus_L").wait_for(timeout=15_000)


def test_grey_matter_over_t1_is_blue_and_not_white(human):
    page = human().page
    page.get_by_label("Show: AAL2 regions").uncheck()
    page.get_by_label("Show: Grey matter").check()
    settle(page)
    box = page.locator(".pv-canvas").bounding_box()
    clip = {"x": box["x"], "y": box["y"], "width": box["width"] / 2, "height": box["height"] / 2}
    pixels = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")).astype(int)
    brain = pixels[pixels.sum(axis=2) > 150]
    blue = brain[:, 2] > brain[:, 0] + 30
    assert 0.25 < blue.mean() < 0.9


@pytest.mark.parametrize(("locale", "words"), [("en-US", "region:Thalamus"), ("zh-CN", "region:丘脑")])
def test_what_lies_in_a_region_is_found_in_both_languages(demo, visit, locale, words):
    visitor = visit(locale=locale)
    page = visitor.see(demo)
    page.get_by_role("searchbox").first.fill(words)
    page.get_by_role("searchbox").first.press("Enter")
    page.get_by_text({"en-US": "Thalamus, left", "zh-CN": "左侧丘脑"}[locale]).first.wait_for()
    page.get_by_role("link", name="T1").first.click()
    page.wait_for_load_state()
    assert HUMAN in page.inner_text("main")
    assert visitor.complaints == []


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_axe_finds_nothing_in_the_demo(demo, human, visit, axe, locale):
    visitor = human(locale)
    page = visitor.page
    assert page.get_by_role("radio", name={"en-US": "Coronal", "zh-CN": "冠状面"}[locale]).count() == 1
    assert axe(page) == []
    page.get_by_role("radio", name={"en-US": "3D", "zh-CN": "三维"}[locale]).check()
    settle(page)
    assert axe(page) == []
    for address in (demo, page.url.partition("/view")[0]):
        visitor.see(address)
        assert axe(page) == []
    assert visitor.complaints == []


def test_what_lies_in_a_drawn_box_is_searched(demo, visit):
    visitor = visit()
    page = visitor.see(f"{demo}/atlases")
    page.get_by_role("link", name="AAL2").first.click()
    page.get_by_role("link", name="Open in viewer").first.click()
    page.wait_for_selector("pulvinar-viewer[ready]", timeout=60_000)
    settle(page)
    page.get_by_role("tab", name="Analyse").click()
    page.get_by_role("button", name="Draw a box").click()
    box = page.locator(".pv-canvas").bounding_box()
    # over the coronal panel, around its middle
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4
    page.mouse.move(x - 40, y - 30)
    page.mouse.down()
    page.mouse.move(x + 40, y + 30, steps=5)
    page.mouse.up()
    drawn = [page.get_by_label(name).input_value() for name in ("One corner (mm)", "Opposite corner (mm)")]
    low, high = ([float(part) for part in re.findall(r"-?[0-9.]+", text)] for text in drawn)
    across, depth, up = np.subtract(high, low)
    assert across / up == pytest.approx(80 / 60, rel=0.05)
    assert depth == pytest.approx(min(across, up), rel=0.05)
    page.get_by_role("link", name="Search what lies in it").click()
    page.wait_for_url("**q=box**")
    assert page.get_by_role("searchbox").first.input_value().endswith("@mni152")
    assert visitor.complaints == []


def test_a_job_is_asked_for_on_a_page_and_done_before_the_eyes(demo, visit, axe):
    visitor = visit()
    page = visitor.see(demo)
    page.get_by_role("link", name=HUMAN).first.click()
    page.get_by_role("link", name="Process").click()
    page.get_by_role("link", name="Intensities").click()
    assert axe(page) == []
    page.get_by_label("Side of a block (voxels)").fill("64")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url("**/jobs/**")
    # the page is told by the server, and is not loaded again
    page.get_by_role("link", name="See what it made").wait_for(timeout=90_000)
    assert "step measure" in page.inner_text("#log")
    assert axe(page) == []
    page.get_by_role("link", name="See what it made").click()
    page.wait_for_load_state()
    assert "intensities of" in page.inner_text("main")
    assert visitor.complaints == []
