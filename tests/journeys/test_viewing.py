"""From a question to a brain on the screen, and to a colleague's screen."""

import io
import json

import numpy as np
import pytest
import tensorstore
from PIL import Image

pytestmark = pytest.mark.browser

LIT = "document.querySelector('pulvinar-viewer').explorer.litPanels()"
STATE = "document.querySelector('pulvinar-viewer').explorer.rawState()"


def state_of(page) -> dict:
    return json.loads(page.evaluate(f"JSON.stringify({STATE})"))


def settle(page) -> None:
    """Wait until what was changed has been written to the address and drawn."""
    page.wait_for_timeout(700)
    page.wait_for_selector("pulvinar-viewer[ready]", timeout=60_000)


def test_a_search_in_chinese_leads_to_a_view_that_a_link_restores(site, visit):
    visitor = visit(locale="zh-CN")
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.see(site.address)
    page.get_by_role("searchbox").press_sequentially("猕猴")
    page.wait_for_url("**q=**")
    assert page.locator(".card").count() == 1
    page.get_by_role("link", name="INIA19").click()
    page.get_by_role("link", name="在查看器中打开").click()
    page.wait_for_selector("pulvinar-viewer[ready]", timeout=60_000)
    settle(page)
    lit = page.evaluate(LIT)
    assert len(lit) == 4
    assert min(lit) > 0.05, lit

    page.get_by_label("白点").first.fill("60")
    page.get_by_label("显示: NeuroMaps").uncheck()
    page.get_by_role("radio", name="水平面").check()
    page.get_by_label("前往").fill("5000, -10000, 8000 µm")
    page.get_by_role("button", name="前往").click()
    settle(page)
    page.get_by_role("button", name="复制链接").click()
    page.get_by_text("链接已复制").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    before = state_of(page)

    colleague = visit(locale="en-US")
    theirs = colleague.see(link)
    settle(theirs)
    after = state_of(theirs)
    for part in ("position", "layout", "crossSectionScale", "projectionScale"):
        assert after[part] == pytest.approx(before[part], rel=1e-4) if part != "layout" else after[part] == before[part]
    white = float(theirs.get_by_label("White at").first.input_value())
    assert white == pytest.approx(60, abs=1)
    assert not theirs.get_by_label("Show: NeuroMaps").is_checked()
    assert theirs.get_by_role("radio", name="Axial").is_checked()
    assert visitor.complaints == colleague.complaints == []


def test_two_stains_are_drawn_in_every_panel(site, visit):
    visitor = visit()
    page = visitor.see(site.viewer(site.zebrafish))
    settle(page)
    lit = page.evaluate(LIT)
    assert len(lit) == 4
    assert min(lit) > 0.02, lit
    assert visitor.complaints == []


def test_the_3d_layout_has_a_volume_to_see_or_sections(site, visit):
    visitor = visit()
    page = visitor.see(site.viewer(site.macaque))
    page.get_by_role("radio", name="3D").check()
    settle(page)
    page.get_by_role("tab", name="View").click()
    volume, sections = page.get_by_label("Volume rendering"), page.get_by_label("Sections in 3D")
    assert (volume.is_checked(), sections.is_checked()) == (True, False)
    assert page.evaluate(LIT)[0] > 0.1
    volume.uncheck()
    settle(page)
    assert sections.is_checked()
    assert page.evaluate(LIT)[0] > 0.1
    sections.uncheck()
    settle(page)
    assert page.evaluate(LIT)[0] < 0.01
    again = visit().see(page.url)
    settle(again)
    again.get_by_role("tab", name="View").click()
    assert not again.get_by_label("Volume rendering").is_checked()
    assert not again.get_by_label("Sections in 3D").is_checked()
    assert visitor.complaints == []


@pytest.mark.parametrize("layout", ["Four panels", "3D"])
def test_3d_says_how_large_and_which_way(site, visit, layout):
    page = visit().see(site.viewer(site.macaque))
    page.get_by_role("radio", name=layout).check()
    settle(page)
    page.get_by_role("tab", name="View").click()
    letters = set(page.locator(".pv-compass text").all_text_contents())
    assert letters == set("RLAPSI")
    box = page.locator(".pv-canvas").bounding_box()
    corner = {"x": box["x"], "y": box["y"] + box["height"] - 40, "width": 140, "height": 40}
    bar = page.screenshot(clip=corner)
    page.get_by_label("Scale bar").uncheck()
    settle(page)
    assert _white(bar) > 50 > _white(page.screenshot(clip=corner))
    first = page.locator(".pv-compass text", has_text="A").get_attribute("x")
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] * 0.75)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4 + 60, box["y"] + box["height"] * 0.75, steps=3)
    page.mouse.up()
    settle(page)
    assert page.locator(".pv-compass text", has_text="A").get_attribute("x") != first


def _white(picture: bytes) -> int:
    return int((np.asarray(Image.open(io.BytesIO(picture)).convert("L")) > 240).sum())


def test_neurons_alone_open_in_3d(site, visit):
    visitor = visit()
    page = visitor.see(site.viewer(site.neurons))
    settle(page)
    lit = page.evaluate(LIT)
    assert len(lit) == 1
    assert lit[0] > 0.01
    assert visitor.complaints == []


def test_a_neuron_is_drawn_exactly_as_soon_as_one_could_tell(site, visit):
    visitor = visit()
    page = visitor.see(site.viewer(site.neurons))
    # Neuroglancer marks by "!" what it knows and does not draw
    shown = "flatMap(layer => layer.segments ?? []).filter(one => one[0] !== '!').join()"
    drawn = f"{STATE}.layers.{shown} === '1,1,1,1,1'"
    settle(page)
    assert page.evaluate(drawn.replace("1", "2"))
    for factor, segment in ((0.05, "1"), (20, "2")):
        page.evaluate(f"document.querySelector('pulvinar-viewer').explorer.zoom({factor})")
        page.wait_for_function(drawn.replace("1", segment), timeout=60_000)
    assert visitor.complaints == []


def test_what_the_viewer_reads_is_what_was_stored_voxel_by_voxel(site, visit):
    page = visit().see(site.viewer(site.macaque))
    scene = page.request.get(f"{site.address}/api/v1/scenes/{site.macaque.dataset_id}").json()
    found = np.random.default_rng(3)
    for index, layer in enumerate(scene["layers"]):
        address = layer["source"].removeprefix("zarr3://")
        spec = {
            "driver": "zarr3",
            "kvstore": f"{site.address}{address.replace('chunks/', 'objects/image.ome.zarr/')}0/",
        }
        stored = tensorstore.open(spec).result()[0, 0].read().result()
        inside = np.argwhere(stored > 0)
        matrix = np.array(layer["transform"])
        page.evaluate("document.querySelector('pulvinar-viewer').explorer.zoom(0.1)")
        for voxel in inside[found.integers(0, len(inside), 5)]:
            z, y, x = matrix @ [*voxel, 1]
            page.evaluate(f"document.querySelector('pulvinar-viewer').explorer.setPosition([{x}, {y}, {z}])")
            settle(page)
            seen = page.evaluate(f"String(document.querySelector('pulvinar-viewer').explorer.valueHere({index}))")
            assert int(float(seen)) == stored[tuple(voxel)], (layer["name"], voxel)


def test_the_region_under_the_cursor_is_named(site, visit):
    page = visit().see(site.viewer(site.macaque))
    settle(page)
    box = page.locator(".pv-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25 + 30, box["y"] + box["height"] * 0.25 - 10)
    page.mouse.move(box["x"] + box["width"] * 0.25 + 32, box["y"] + box["height"] * 0.25 - 12)
    page.wait_for_function("/\\w \\(\\d+\\)/.test(document.querySelector('.pv-reading').textContent)", timeout=15_000)
    reading = page.locator(".pv-reading")
    assert " mm" in reading.inner_text()
    # a corner of the volume
    page.mouse.move(box["x"] + box["width"] * 0.25 - 110, box["y"] + box["height"] * 0.25 - 84, steps=3)
    reading.get_by_text("no region").wait_for(timeout=15_000)
    page.mouse.move(box["x"] + box["width"] + 100, box["y"] + 40, steps=3)
    reading.get_by_text("Move over a panel").wait_for(timeout=15_000)


def test_a_notch_of_the_wheel_is_one_voxel(site, visit):
    page = visit().see(site.viewer(site.macaque))
    scene = page.request.get(f"{site.address}/api/v1/scenes/{site.macaque.dataset_id}").json()
    index_of = np.linalg.inv(np.vstack([scene["layers"][0]["transform"], [0, 0, 0, 1]]))

    def index() -> np.ndarray:
        x, y, z = page.evaluate("document.querySelector('pulvinar-viewer').explorer.position()")
        return (index_of @ [z, y, x, 1])[:3]

    box = page.locator(".pv-canvas").bounding_box()
    # coronal, axial, sagittal: each goes along an axis of its own
    for across, down, axis in ((0.25, 0.25, 1), (0.75, 0.25, 0), (0.75, 0.75, 2)):
        page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        places = [index()]
        for notch in (-100, -100, -100, 100):
            page.mouse.wheel(0, notch)
            page.wait_for_timeout(150)
            places.append(index())
        moved = np.diff(places, axis=0)[1:]
        assert np.abs(moved[:, axis]) == pytest.approx([1, 1, 1], abs=1e-3)
        assert np.delete(moved, axis, axis=1) == pytest.approx(np.zeros((3, 2)), abs=1e-3)
        assert places[-1] == pytest.approx(places[2], abs=1e-3)
        assert places[-1][axis] == pytest.approx(round(places[-1][axis]), abs=1e-3)
        page.keyboard.down("Shift")
        page.mouse.wheel(0, -100)
        page.keyboard.up("Shift")
        page.wait_for_timeout(150)
        assert abs(index()[axis] - places[-1][axis]) == pytest.approx(10, abs=1e-3)
    before, scale = index(), state_of(page)["crossSectionScale"]
    page.keyboard.press(".")
    page.wait_for_timeout(150)
    assert abs(index()[2] - before[2]) == pytest.approx(1, abs=1e-3)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_timeout(300)
    assert state_of(page)["crossSectionScale"] < scale


def test_a_change_of_language_keeps_the_view(site, visit):
    page = visit().see(site.viewer(site.macaque))
    page.get_by_role("radio", name="Axial").check()
    page.get_by_label("Go to").fill("5, -10, 8")
    page.get_by_role("button", name="Go", exact=True).click()
    settle(page)
    before = state_of(page)
    page.get_by_role("link", name="中文").click()
    page.get_by_role("radio", name="水平面").wait_for()
    settle(page)
    assert page.get_by_role("radio", name="水平面").is_checked()
    assert state_of(page)["position"] == pytest.approx(before["position"], rel=1e-4)
    assert page.get_by_label("前往").input_value() == "5, -10, 8 mm"


def test_the_picture_can_be_saved(site, visit):
    page = visit().see(site.viewer(site.zebrafish))
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_refused_source_is_said_in_plain_words(site, visit):
    page = visit().page
    page.route("**/data/**", lambda route: route.fulfill(status=401, body=""))
    page.goto(site.viewer(site.macaque))
    page.get_by_role("alert").get_by_text("You are not signed in").wait_for(timeout=20_000)


def test_chunks_that_fail_are_not_passed_over_in_silence(site, visit):
    page = visit().page
    page.route("**/chunks/*/c/**", lambda route: route.fulfill(status=500, body=""))
    page.goto(site.viewer(site.macaque))
    page.get_by_role("alert").get_by_text("did not load").wait_for(timeout=20_000)


def test_a_browser_that_cannot_draw_is_told_what_helps(site, visit):
    page = visit().page
    page.add_init_script(
        "const real = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        "  return kind === 'webgl2' ? null : real.call(this, kind, ...rest); };"
    )
    page.goto(site.viewer(site.macaque))
    page.get_by_role("alert").get_by_text("WebGL 2").wait_for(timeout=20_000)


def test_a_region_is_chosen_by_name_or_by_a_click_and_shown_alone(site, visit):
    visitor = visit()
    page = visitor.see(site.viewer(site.macaque))
    settle(page)
    page.get_by_role("tab", name="Regions").click()
    page.get_by_label("Find a region").fill("hippocamp")
    lines = page.get_by_role("treeitem")
    lines.first.wait_for()
    assert all("hippocamp" in text.lower() for text in lines.all_inner_texts())
    page.get_by_label("Find a region").fill("")
    box = page.locator(".pv-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25 + 30, box["y"] + box["height"] * 0.25 - 10)
    page.mouse.move(box["x"] + box["width"] * 0.25 + 32, box["y"] + box["height"] * 0.25 - 12)
    page.wait_for_function("/\\w \\(\\d+\\)/.test(document.querySelector('.pv-reading').textContent)", timeout=15_000)
    page.mouse.down()
    page.mouse.up()
    chosen = page.locator("[role=treeitem][aria-selected=true]")
    chosen.first.wait_for()
    region = chosen.get_attribute("data-id")
    assert f"({region})" in page.locator(".pv-reading").inner_text()
    page.get_by_label("Show only the chosen").check()
    settle(page)
    drawn = state_of(page)["layers"][1]["segments"]
    assert drawn == [region]
    assert visitor.complaints == []
