"""Marks drawn by mouse and keyboard, kept through a reload and a lost connection, and a view that is shared."""

import csv
import io
import json
from urllib.parse import unquote

import numpy as np
import pytest
from tests.journeys.conftest import Maker, serving
from tests.journeys.test_viewing import settle

from pulvinar.ingest.reader import PointsData
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Record, Species
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

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


@pytest.fixture
def cells(tmp_path, sample):
    """The address of the viewer of cells, on a server of their own."""
    rows = np.genfromtxt(
        sample("zebrafish/tectum_activity/data/zf_20151104-f1/zf_20151104-f1_cell_coordinates.csv"), delimiter=","
    )
    places = np.zeros((len(rows), 3))
    places[:, 1:] = rows[:, :2]
    with open_platform(load_settings(environment={}, home=tmp_path / "home")) as platform:
        made = Maker(platform).geometry("tectum", AssetKind.POINTS, PointsData(places, {"cell": np.arange(len(rows))}))
        version = Maker(platform).dataset(Record("Cells of the tectum", Species.ZEBRAFISH, "CC0-1.0"), [made])
        with serving(platform) as address:
            yield f"{address}/datasets/{version.dataset_id}/view?version={version.number}"


def test_cells_are_judged_many_in_a_row_and_the_verdicts_teach(cells, visit):
    visitor = visit()
    page = visitor.see(cells)
    open_marks(page)
    box = page.locator(".pv-canvas").bounding_box()

    def click(x, y):
        page.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y)

    page.locator("[data-action=verdictAccept]").click()
    for at, (x, y) in enumerate([(0.2, 0.2), (0.25, 0.3)], 1):
        click(x, y)
        page.wait_for_function(f"document.querySelectorAll('{TEXTS}').length === {at}")
    # another tool by its key; the first is laid down
    page.locator(".pv-canvas").focus()
    page.keyboard.press("6")
    assert page.locator("[data-action=verdictAccept]").get_attribute("aria-pressed") == "false"
    click(0.3, 0.2)
    page.wait_for_function(f"document.querySelectorAll('{TEXTS}').length === 3")
    page.keyboard.press("Escape")
    assert page.locator("[data-action=verdictReject]").get_attribute("aria-pressed") == "false"
    click(0.3, 0.3)
    page.get_by_text("Saved.").wait_for()
    page.get_by_text("Import and export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Corrections").click()
    table = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [row["verdict"] for row in table].count("accept") == 2
    assert [row["verdict"] for row in table].count("reject") == 1
    assert len(table) == 3
    page.get_by_role("button", name="Teach the cell classifier").click()
    page.wait_for_url("**/solutions/teach_cells?*")
    assert page.locator("#input-corrections").input_value().startswith("local-")
    assert visitor.complaints == []
