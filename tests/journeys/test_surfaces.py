"""A cortex with a statistical map on it: forms, threshold, regions under the cursor, figure, both languages."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from tests.journeys.brain_surfaces import make_surfaces
from tests.journeys.conftest import Maker, serving

from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def cortex(tmp_path_factory):
    """The address of a dataset with surfaces."""
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("surfaces"))) as platform:
        made = make_surfaces(Maker(platform), tmp_path_factory.mktemp("gifti"))
        with serving(platform) as address:
            yield f"{address}/datasets/{made.dataset_id}"


def look(visitor, address):
    page = visitor.page
    page.goto(address)
    page.wait_for_selector("pulvinar-surface[ready]", timeout=60_000)
    return page


def hues(page):
    """How many pixels of the picture are warm, cold, and grey."""
    page.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(page.locator("pulvinar-surface canvas").screenshot())).convert("RGB")
    red, green, blue = np.asarray(picture, int).reshape(-1, 3).T
    lit = red + green + blue > 150
    return {
        "warm": int(np.count_nonzero(lit & (red > blue + 50))),
        "cold": int(np.count_nonzero(lit & (blue > red + 50))),
        "grey": int(np.count_nonzero(lit & (abs(red - blue) < 20))),
    }


def test_a_statistical_map_on_the_cortex(cortex, visit, axe):
    visitor = visit()
    page = visitor.page
    page.goto(cortex)
    page.get_by_role("link", name="Surfaces").click()
    page.wait_for_selector("pulvinar-surface[ready]", timeout=60_000)
    assert page.get_by_label("Map", exact=True).input_value() == "z"
    whole = hues(page)
    assert min(whole.values()) > 500
    # a threshold leaves the peaks alone, and the cortex below them
    page.get_by_label("Threshold").fill("3")
    strong = hues(page)
    assert 0 < strong["warm"] < whole["warm"] * 0.7
    assert strong["cold"] < whole["cold"] * 0.7
    assert strong["grey"] > whole["grey"]
    # another form of the same cortex keeps the map
    page.get_by_label("Form").select_option("inflated")
    page.wait_for_function("location.hash.includes('form=inflated')")
    page.get_by_role("button", name="Top").click()
    unfolded = hues(page)
    assert unfolded["warm"] > 0
    assert unfolded["grey"] > 5000
    assert axe(page) == []
    # a link shows a colleague the same
    again = look(visit(), page.url)
    assert again.get_by_label("Form").input_value() == "inflated"
    assert again.get_by_label("Threshold").input_value() == "3"
    assert visitor.complaints == []


def test_value_and_region_under_the_cursor(cortex, visit):
    visitor = visit()
    page = look(visitor, f"{cortex}/surface")
    box = page.locator("pulvinar-surface canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    reading = page.locator(".ps-reading").inner_text()
    # from the left, in the middle of the picture: the left side, near the lateral sulcus
    assert reading.startswith("pial_left, Vertex ")
    assert "z: " in reading
    assert any(name in reading for name in ("Temporal", "central", "Rolandic", "Insula", "SupraMarginal"))
    page.mouse.move(box["x"] + 4, box["y"] + 4)
    assert page.locator(".ps-reading").inner_text() == "Point at the surface to read its value."


def test_a_picture_that_is_all_of_it_by_keyboard(cortex, visit):
    visitor = visit()
    page = look(visitor, f"{cortex}/surface")
    page.locator("pulvinar-surface canvas").focus()
    left = hues(page)
    page.keyboard.press("2")
    page.wait_for_function("location.hash.includes('from=270_0')")
    assert hues(page) != left
    assert page.locator(".ps-reading").inner_text().startswith("pial_right, Vertex ")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("location.hash.includes('from=260_0')")
    page.keyboard.press("-")
    assert hues(page)["grey"] < left["grey"]


def test_regions_are_painted_and_outlined(cortex, visit):
    page = look(visit(), f"{cortex}/surface#map=regions")
    painted = hues(page)
    assert painted["warm"] + painted["cold"] > 5000
    assert page.get_by_label("Threshold").is_hidden()
    page.get_by_label("Map", exact=True).select_option("")
    plain = hues(page)
    assert plain["warm"] + plain["cold"] < 100
    page.get_by_label("Borders of regions").check()
    assert hues(page) != plain


def test_a_figure_says_what_it_is_and_how_to_cite_it(cortex, visit):
    page = look(visit(), f"{cortex}/surface")
    shown = page.locator("pulvinar-surface canvas").bounding_box()
    with page.expect_download() as given:
        page.get_by_role("button", name="Save figure").click()
    figure = np.asarray(Image.open(given.value.path()).convert("RGB"), int)
    assert given.value.suggested_filename == "fsaverage5_ motor response z.png"
    assert figure.shape[1] == pytest.approx(3 * shown["width"], abs=4)
    # black on white below the picture
    below = figure[int(3 * shown["height"]) + 30 :]
    assert (below.sum(axis=2) < 200).sum() > 500
    assert (figure[: int(3 * shown["height"])].max(axis=2) > 60).mean() > 0.1


def test_on_a_phone_in_chinese(cortex, visit, axe):
    visitor = visit(viewport={"width": 390, "height": 844}, locale="zh-CN")
    page = look(visitor, f"{cortex}/surface")
    assert page.get_by_label("形态").input_value() == "pial"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert hues(page)["grey"] > 2000
    assert axe(page) == []
    assert visitor.complaints == []
