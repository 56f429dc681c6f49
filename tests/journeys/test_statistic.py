"""A map of t values: cold below zero, warm above, nothing within the threshold, and all of it in the link."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from tests.journeys.conftest import Maker, _nifti
from tests.journeys.test_viewing import settle

from pulvinar.model.record import Record, Species
from pulvinar.model.volume import VolumeKind

pytestmark = pytest.mark.browser

COLOURS = """(() => {
  const { display } = document.querySelector('pulvinar-viewer').explorer.viewer, { gl, canvas } = display;
  display.draw();
  const pixels = new Uint8Array(canvas.width * canvas.height * 4);
  gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  const told = { warm: 0, cold: 0 };
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at] > pixels[at + 2] + 60) told.warm += 1;
    if (pixels[at + 2] > pixels[at] + 60) told.cold += 1;
  }
  return told;
})()"""


@pytest.fixture(scope="module")
def t_map(platform):
    """A published map of t values of a motor task, which a library brings as its example."""
    path = Path(str(files("nilearn.datasets") / "data" / "image_10426.nii.gz"))
    maker = Maker(platform)
    record = Record("Motor task, t values", Species.HUMAN, "CC0-1.0")
    return maker.dataset(record, [maker.volume("t", *_nifti(path, "float32", VolumeKind.IMAGE))])


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_a_map_of_t_values_is_cold_and_warm_beyond_a_threshold_that_the_link_keeps(site, t_map, visit, axe, locale):
    english = locale == "en-US"
    visitor = visit(locale=locale, bypass_csp=True)
    page = visitor.see(site.viewer(t_map))
    colours = page.get_by_label("Colours" if english else "配色").first
    assert colours.input_value() == "statistic"  # it shows by its values what it is
    settle(page)
    before = page.evaluate(COLOURS)
    assert min(before.values()) > 500
    threshold = page.get_by_label("Threshold" if english else "阈值").first
    threshold.focus()
    for _ in range(12):  # by the keyboard, as every slider
        page.keyboard.press("PageUp")
    settle(page)
    beyond = page.evaluate(COLOURS)
    assert all(beyond[side] < 0.8 * before[side] for side in before)
    assert beyond["warm"] > 0
    page.wait_for_function("location.hash.includes('t')")
    assert axe(page) == []
    colleague = visit(locale=locale, bypass_csp=True)
    page.wait_for_timeout(500)
    theirs = colleague.see(page.url)
    settle(theirs)
    seen = theirs.evaluate(COLOURS)
    assert all(abs(seen[side] - beyond[side]) <= 0.05 * beyond[side] + 20 for side in beyond)
    theirs.get_by_label("Colours" if english else "配色").first.select_option("tint")
    settle(theirs)
    assert theirs.get_by_label("Threshold" if english else "阈值").count() == 0
    assert theirs.evaluate(COLOURS)["cold"] < 0.2 * before["cold"]
    assert visitor.complaints == colleague.complaints == []
