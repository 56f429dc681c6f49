"""Many at once: points coloured and filtered by a column, neurons as one layer, 3D cut open by a plane, and traces."""

from __future__ import annotations

import numpy as np
import pytest
from tests.journeys.conftest import Maker, serving
from tests.journeys.test_viewing import settle

from pulvinar.ingest.reader import PointsData
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Record, Species
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.storage.pyramid import plan_levels

pytestmark = pytest.mark.browser

ONE = "document.querySelector('pulvinar-viewer').explorer"
HUES = """(() => {
  const { display } = document.querySelector('pulvinar-viewer').explorer.viewer, { gl, canvas } = display;
  display.draw();
  const pixels = new Uint8Array(canvas.width * canvas.height * 4);
  gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  const count = { teal: 0, amber: 0 };
  for (let at = 0; at < pixels.length; at += 4) {
    const [r, g, b] = pixels.subarray(at, at + 3);
    if (r + g + b < 200) continue;
    if (g > r + 30 && b > r + 30) count.teal += 1;
    if (r > b + 60 && g > b + 30) count.amber += 1;
  }
  return count;
})()"""
"""How many pixels have the colour of the first word of a column, and of the second."""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A server with a table of cells of two types, each in its half, and an image that flickers over time."""
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("crowd"))) as platform:
        maker, rng = Maker(platform), np.random.default_rng(0)
        places = rng.uniform((0, 0, 0), (100, 100, 200), (4000, 3))
        kinds = np.where(places[:, 2] < 100, "Astro", "VLM").astype(object)
        columns = {"type": kinds, "signal": places[:, 2].astype(np.float32)}
        cells = maker.geometry("cells", AssetKind.POINTS, PointsData(places, columns))
        frames = (np.arange(12) % 2 * 900 + 100).astype(np.uint16)
        voxels = np.ascontiguousarray(np.broadcast_to(frames[:, None, None, None, None], (12, 1, 20, 20, 20)))
        levels = plan_levels(voxels.shape, (5.0, 5.0, 5.0), "uint16", VolumeKind.IMAGE)
        volume = Volume(VolumeKind.IMAGE, "uint16", levels, (Channel("GCaMP"),), None, 0.5)
        movie = maker.volume("movie", voxels, volume)
        made = [
            maker.dataset(Record(title, Species.ZEBRAFISH, "CC0-1.0"), [one])
            for title, one in (("Cells of two types", cells), ("A flickering brain", movie))
        ]
        with serving(platform) as address:
            yield [f"{address}/datasets/{one.dataset_id}/view" for one in made]


def test_cells_are_coloured_by_type_and_those_of_one_alone(crowd, visit, axe):
    visitor = visit()
    page = visitor.see(f"{crowd[0]}#l=3d&a=0&b=0")
    page.locator(".pv-layer summary").click()
    page.get_by_label("Colour by").select_option(label="type")
    settle(page)
    both = page.evaluate(HUES)
    assert both["teal"] > 500
    assert both["amber"] > 500
    page.get_by_role("checkbox", name="VLM").check()
    settle(page)
    one = page.evaluate(HUES)
    assert one["teal"] < both["teal"] / 20
    assert one["amber"] > both["amber"] / 2
    assert axe(page) == []
    # a link shows a colleague the same
    again = visit().see(page.url)
    again.wait_for_timeout(1500)
    assert again.evaluate(HUES)["teal"] < both["teal"] / 20
    assert visitor.complaints == []


def test_cells_within_a_range_of_values(crowd, visit):
    page = visit().see(f"{crowd[0]}#l=3d&a=0&b=0")
    page.locator(".pv-layer summary").click()
    page.get_by_label("Colour by").select_option(label="signal")
    settle(page)
    (whole,) = page.evaluate(f"{ONE}.litPanels()")
    page.get_by_label("Show only what is within").check()
    page.get_by_role("slider", name="From").evaluate(
        "(one) => { one.value = 150; one.dispatchEvent(new Event('input')); }"
    )
    settle(page)
    (part,) = page.evaluate(f"{ONE}.litPanels()")
    assert 0 < part < whole * 0.6


def test_3d_is_cut_open_by_a_plane_from_wherever_one_looks(crowd, visit):
    visitor = visit()
    page = visitor.see(f"{crowd[0]}#l=3d&a=0&b=0")
    page.locator(".pv-layer summary").click()
    page.get_by_label("Colour by").select_option(label="type")
    page.get_by_role("tab", name="View").click()
    settle(page)
    whole = page.evaluate(HUES)
    page.get_by_label("Clip 3D by a plane").select_option("x")
    settle(page)
    right = page.evaluate(HUES)
    page.get_by_role("button", name="Other side").click()
    settle(page)
    left = page.evaluate(HUES)
    # the two types lie left and right of the middle
    assert whole["teal"] > 500
    assert whole["amber"] > 500
    assert right["teal"] < whole["teal"] / 20
    assert right["amber"] > whole["amber"] / 2
    assert left["amber"] < whole["amber"] / 20
    assert left["teal"] > whole["teal"] / 2
    page.wait_for_function("location.hash.includes('kp=')")
    page.get_by_label("Clip 3D by a plane").select_option("off")
    settle(page)
    assert page.evaluate(HUES)["amber"] > whole["amber"] * 0.9
    assert visitor.complaints == []


def test_where_one_points_the_image_is_followed_over_time(crowd, visit, axe):
    visitor = visit()
    page = visitor.see(crowd[1])
    page.get_by_role("tab", name="Analyse").click()
    page.get_by_role("button", name="Point at places").click()
    box = page.locator(".pv-canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
    table = page.locator("table", has_text="Trace over time: movie")
    table.wait_for(state="attached", timeout=20_000)
    values = table.evaluate("(one) => [...one.querySelectorAll('tbody tr')].map((row) => row.textContent)")
    assert [value.strip() for value in values[:3]] == ["0100", "0.51000", "1100"]
    assert len(values) == 12
    page.locator("pulvinar-chart canvas").first.wait_for()
    page.keyboard.press("Escape")
    assert page.get_by_role("button", name="Point at places").get_attribute("aria-pressed") == "false"
    assert axe(page) == []
    assert visitor.complaints == []
