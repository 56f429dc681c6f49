"""Marks drawn by mouse and keyboard, kept through a reload and a lost connection, and a view that is shared."""

import json
from urllib.parse import unquote

import pytest
from tests.journeys.test_viewing import settle

pytestmark = pytest.mark.browser

TEXTS = ".pv-marks-list input[type=text]"


def open_marks(page, name="Marks"):
    page.wait_for_selector("pulvinar-viewer[ready]", timeout=60_000)
    page.get_by_role("tab", name=name).click()


def test_marks_are_drawn_kept_undone_and_shared_with_the_view(site, visit):
    page = visit().see(site.viewer(site.macaque))
    open_marks(page)
    page.get_by_role("button", name="Point").click()
    box = page.locator(".pv-canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
    page.get_by_text("Saved.").wait_for()
    assert page.locator(TEXTS).count() == 1

    # a note from the keyboard alone, at the cross-hair
    page.locator(".pv-canvas").focus()
    page.keyboard.press("4")
    page.keyboard.press("Space")
    page.wait_for_function(f"document.querySelectorAll('{TEXTS}').length === 2")
    note = page.locator(TEXTS).first
    note.fill("hippocampus?")
    note.press("Enter")
    page.get_by_text("Saved.").wait_for()

    page.reload()
    open_marks(page)
    page.wait_for_function(f"document.querySelectorAll('{TEXTS}').length === 2")
    said = page.locator(TEXTS).evaluate_all("all => all.map(one => one.value)")
    assert sorted(said) == ["", "hippocampus?"]

    for left in (2, 1):  # the text first, then the note itself
        page.get_by_role("button", name="Undo").click()
        page.wait_for_function(f"document.querySelectorAll('{TEXTS}').length === {left}")
    page.get_by_role("button", name="Redo").click()
    page.wait_for_function(f"document.querySelectorAll('{TEXTS}').length === 2")

    page.get_by_role("button", name="Make a short link").click()
    page.wait_for_function("document.querySelector('#pv-view-link').value")
    link = page.locator("#pv-view-link").input_value()
    page.get_by_role("button", name="Link for Neuroglancer").click()
    plain = page.locator("#pv-view-neuroglancer").input_value()
    state = json.loads(unquote(plain.partition("#!")[2]))
    sources = [layer["source"] for layer in state["layers"] if layer["type"] == "segmentation"]
    assert sources
    assert f"zarr3://{site.address}/data/" in json.dumps(sources)

    colleague = visit().see(site.address + "/v/" + link.rpartition("/")[2])
    colleague.wait_for_url("**/view?**marks=**")
    open_marks(colleague)
    colleague.wait_for_function(f"document.querySelectorAll('{TEXTS}').length === 2")


def test_a_lost_connection_loses_no_mark(site, visit):
    visitor = visit(locale="zh-CN")
    page = visitor.see(site.viewer(site.zebrafish))
    open_marks(page, "标记")
    page.wait_for_timeout(500)
    visitor.context.set_offline(True)
    page.locator(".pv-canvas").focus()
    page.keyboard.press("1")
    page.keyboard.press("Space")
    page.get_by_text("未保存：连接已断开").wait_for()
    assert page.locator(TEXTS).count() == 1
    visitor.context.set_offline(False)
    page.get_by_text("已保存。").wait_for(timeout=15_000)
    page.reload()
    open_marks(page, "标记")
    page.wait_for_function(f"document.querySelectorAll('{TEXTS}').length === 1")
    settle(page)
