"""What is added to an atlas: a deformation, sets of neurons that are empty; and what the panels are for."""

from __future__ import annotations

import json

import pytest
from tests.atlases.bulge import add_bulge
from tests.atlases.toy import install_toy
from tests.journeys.conftest import serving
from tests.journeys.test_viewing import settle

from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

pytestmark = pytest.mark.browser

BRIGHT = """(() => {
  const { display } = document.querySelector('pulvinar-viewer').explorer.viewer, { gl, canvas } = display;
  display.draw();
  const pixels = new Uint8Array(canvas.width * canvas.height * 4);
  gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  let count = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at] > 150 && pixels[at + 1] > 150 && pixels[at + 2] < 110) count += 1;
  }
  return count;
})()"""
"""How many pixels are yellow, as what moves far is."""


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """The address of the toy atlas, a transform from it, and the middle of its brain."""
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("atlas"))) as platform:
        install_toy(platform)
        stored, middle = add_bulge(platform, tmp_path_factory.mktemp("field"))
        with serving(platform) as address:
            yield address, stored, middle


def test_a_transform_is_seen_as_arrows_as_a_grid_and_by_colour(atlas, visit, axe):
    address, stored, middle = atlas
    visitor = visit()
    page = visitor.page
    page.goto(f"{address}/datasets/{stored.dataset_id}")
    page.get_by_role("link", name="See the deformation").click()
    page.wait_for_selector("pulvinar-viewer[ready]", timeout=60_000)
    place = ", ".join(f"{part / 1000:.3f}" for part in middle[::-1])
    page.get_by_label("Go to").fill(place)
    page.keyboard.press("Enter")
    page.get_by_text("In sight: half move more than").wait_for(timeout=30_000)
    settle(page)
    arrows = page.evaluate(BRIGHT)
    assert arrows > 20
    page.get_by_label("Drawn longer").fill("5")
    settle(page)
    assert page.evaluate(BRIGHT) > arrows
    shapes = "document.querySelector('pulvinar-viewer').explorer.overlays.values().next().value.shapes()"
    assert {kind["kind"] for _, kind in page.evaluate(shapes)} == {"polyline"}
    page.get_by_label("Shown as").select_option("grid")
    assert {kind["kind"] for _, kind in page.evaluate(shapes)} == {"line"}
    page.get_by_label("Shown as").select_option("size")
    points = page.evaluate(shapes)
    assert {kind["kind"] for _, kind in points} == {"point"}
    settle(page)
    assert page.evaluate(BRIGHT) > 20
    assert axe(page) == []
    # another place asks about other places
    before = json.dumps(points[0][1], separators=(",", ":"))
    page.get_by_label("Go to").fill(", ".join(f"{(part + 400) / 1000:.3f}" for part in middle[::-1]))
    page.keyboard.press("Enter")
    page.wait_for_function(f"{shapes}.length && JSON.stringify({shapes}[0][1]) !== {json.dumps(before)}")
    page.get_by_role("button", name="Remove").click()
    page.wait_for_function("!location.search.includes('warp=')")
    assert visitor.complaints == []


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_a_deformation_is_added_in_the_viewer_and_the_link_keeps_how_it_is_drawn(atlas, visit, axe, locale):
    address, stored, middle = atlas
    words = {
        "en-US": ("Add a layer", "Add", "Shown as", "Drawn longer", "In sight: half move more than"),
        "zh-CN": ("添加图层", "添加", "显示方式", "放大倍数", "视野内半数位移超过"),
    }
    add, one, form, longer, said = words[locale]
    visitor = visit(locale=locale)
    place = "_".join(str(part) for part in middle[::-1])
    page = visitor.see(f"{address}/atlases/toy/view#p={place}")
    page.get_by_text(add, exact=True).press("Enter")
    page.get_by_role("button", name=f"{one}: {stored.name}").press("Enter")
    page.get_by_text(said).wait_for(timeout=30_000)
    assert f"warp={stored.asset.id}" in page.url
    page.get_by_label(form).select_option("grid")
    page.get_by_label(longer).fill("7")
    page.wait_for_function("location.hash.includes('w=grid_7')")
    assert axe(page) == []
    colleague = visit(locale=locale)
    theirs = colleague.see(page.url)
    theirs.get_by_text(said).wait_for(timeout=30_000)
    assert theirs.get_by_label(form).input_value() == "grid"
    assert theirs.get_by_label(longer).input_value() == "7"
    settle(theirs)
    shapes = "document.querySelector('pulvinar-viewer').explorer.overlays.values().next().value.shapes()"
    theirs.wait_for_function(f"{shapes}.length > 0")
    assert {kind["kind"] for _, kind in theirs.evaluate(shapes)} == {"line"}
    # what is there already is not offered again
    theirs.get_by_text(add, exact=True).press("Enter")
    theirs.wait_for_timeout(500)
    assert theirs.get_by_role("button", name=f"{one}: {stored.name}").count() == 0
    assert visitor.complaints == colleague.complaints == []


def test_a_region_without_neurons_is_told_and_not_drawn(atlas, visit):
    address, _, _ = atlas
    visitor = visit(locale="zh-CN")
    page = visitor.see(f"{address}/atlases/toy/view?ends=thalamus&ends=cortex")
    told = page.locator(".pv-note")
    assert told.count() == 2
    assert "此处没有您可查看的此类神经元" in told.first.inner_text()
    assert page.get_by_text("(0)").count() == 0
    told.first.get_by_role("button").click()
    page.wait_for_function("location.search === '?ends=cortex'")
    assert page.locator(".pv-note").count() == 1
    assert visitor.complaints == []


def test_each_panel_says_what_it_is_for(atlas, visit, axe):
    address, _, _ = atlas
    visitor = visit()
    page = visitor.see(f"{address}/atlases/toy/view")
    for name in ("Layers", "Regions", "Analyse", "Marks", "View"):
        page.get_by_role("tab", name=name, exact=True).click()
        button = page.get_by_role("button", name="What this panel is for")
        assert button.count() == 1
        button.focus()
        page.keyboard.press("Enter")
        shown = page.locator(".pv-help-text:popover-open")
        assert len(shown.inner_text()) > 80
        side = page.locator(".pv-side").bounding_box()
        assert shown.bounding_box()["x"] >= side["x"], "not over the picture"
        page.keyboard.press("Escape")
        assert shown.count() == 0
    assert axe(page) == []
    assert visitor.complaints == []
