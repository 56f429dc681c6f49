"""Two species side by side, the neurons that end in what stands for one region in both, and a link for a colleague."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from tests.atlases.pair import HIPPOCAMPUS, install_pair
from tests.journeys.conftest import serving
from tests.journeys.test_viewing import settle

from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

pytestmark = pytest.mark.browser

BOTH = "brain=atlas:toy_mouse&brain=atlas:toy_macaque"
LIT = "[...document.querySelectorAll('pulvinar-viewer')].map((viewer) => viewer.explorer.litPanels())"
POSES = "[...document.querySelectorAll('pulvinar-viewer')].map((viewer) => viewer.explorer.pose())"
CHOSEN = "[...document.querySelectorAll('pulvinar-viewer')].map((viewer) => [...viewer.select.ids])"
ONE = "document.querySelector('pulvinar-viewer').explorer"
LOSE = (
    "document.querySelector('.pv-canvas canvas').getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()"
)
SKELETONS = (
    "[...document.querySelectorAll('pulvinar-viewer')]"
    ".map((viewer) => viewer.explorer.scene.layers.reduce((sum, { neurons }) => sum + (neurons?.count ?? 0), 0))"
)


@pytest.fixture(scope="module")
def brains(tmp_path_factory):
    """The address of a server that has two toy brains of two species, and a neuron that ends in one."""
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("pair"))) as platform:
        install_pair(platform)
        with serving(platform) as address:
            yield address


def all_ready(page, count: int = 2) -> None:
    page.wait_for_function(f"document.querySelectorAll('pulvinar-viewer[ready]').length === {count}", timeout=90_000)
    page.wait_for_timeout(600)


def test_from_the_atlas_to_the_hippocampus_of_two_species_and_a_link(brains, visit, axe):
    visitor = visit()
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.see(f"{brains}/atlases/toy_mouse")
    page.get_by_role("link", name="Compare with …").click()
    page.get_by_label("A toy brain Macaque").check()
    page.get_by_role("button", name="Show side by side").click()
    all_ready(page)
    page.get_by_role("combobox", name="Region in all brains").press_sequentially("hippocamp")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_text("come from the same structure").wait_for()
    all_ready(page)
    assert page.evaluate(CHOSEN) == [[str(HIPPOCAMPUS)]] * 2
    assert all(max(panels) > 0.02 for panels in page.evaluate(LIT))

    page.get_by_role("button", name="Neurons that end there").click()
    page.get_by_text("Neurons that end there: 1").wait_for()
    all_ready(page)
    assert page.evaluate(SKELETONS) == [1, 0]
    assert axe(page) == []
    page.get_by_role("button", name="Short link").click()
    link = page.locator(".pv-link")
    link.wait_for()
    short = link.input_value().rpartition("/v/")[2]

    colleague = visit(locale="zh-CN")
    theirs = colleague.page
    theirs.goto(f"{brains}/v/{short}")
    all_ready(theirs)
    assert theirs.evaluate(CHOSEN) == [[str(HIPPOCAMPUS)]] * 2
    assert theirs.evaluate(SKELETONS) == [1, 0]
    for mine, its in zip(page.evaluate(POSES), theirs.evaluate(POSES), strict=True):
        assert its["position"] == pytest.approx(mine["position"], rel=1e-3)
        assert its["scale"] == pytest.approx(mine["scale"], rel=1e-3)
    assert visitor.complaints == colleague.complaints == []


def test_brains_of_two_species_turn_together_and_stay_where_they_are(brains, visit):
    page = visit().page
    page.goto(f"{brains}/compare?{BOTH}&region=toy_mouse:{HIPPOCAMPUS}")
    all_ready(page)
    before = page.evaluate(POSES)
    page.locator(".pv-canvas").first.focus()
    for key in ("r", "r", "ArrowRight"):
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    first, second = page.evaluate(POSES)
    assert first["rotation"] != pytest.approx(before[0]["rotation"])
    assert second["rotation"] == pytest.approx(first["rotation"], abs=1e-4)
    assert first["position"] != pytest.approx(before[0]["position"])
    assert second["position"] == pytest.approx(before[1]["position"])


def test_two_brains_of_one_space_move_together_and_lie_over_each_other(brains, visit):
    visitor = visit()
    page = visitor.page
    neuron = page.request.get(f"{brains}/api/v1/atlases/toy_mouse/neurons").json()["items"][0]
    asked = urlencode([("brain", "atlas:toy_mouse"), ("brain", f"dataset:{neuron['dataset_id']}")])
    page.goto(f"{brains}/compare?{asked}")
    all_ready(page)
    page.locator(".pv-canvas").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    page.wait_for_timeout(500)
    first, second = page.evaluate(POSES)
    assert second["position"] == pytest.approx(first["position"], rel=1e-4)
    assert second["scale"] == pytest.approx(first["scale"], rel=1e-4)
    page.get_by_label("Overlay").select_option("swipe")
    boxes = [page.locator("pulvinar-viewer").nth(index).bounding_box() for index in (0, 1)]
    assert abs(boxes[0]["x"] - boxes[1]["x"]) < 2
    assert "50%" in page.locator("pulvinar-viewer").nth(1).evaluate("(one) => getComputedStyle(one).clipPath")
    page.get_by_label("Overlay").select_option("checker")
    assert "conic" in page.locator("pulvinar-viewer").nth(1).evaluate("(one) => getComputedStyle(one).maskImage")
    page.wait_for_function("location.hash.includes('mix=checker')")
    assert visitor.complaints == []


def test_the_tree_of_regions_by_keyboard_and_what_it_shows(brains, visit, axe):
    visitor = visit()
    page = visitor.see(f"{brains}/atlases/toy_mouse/view")
    settle(page)
    page.locator(".pv-canvas").focus()
    page.keyboard.press("/")
    page.keyboard.type("layer 2")
    page.keyboard.press("ArrowDown")
    line = page.get_by_role("treeitem", name="cortex layer 2")
    assert line.evaluate("(one) => one === document.activeElement")
    assert line.get_attribute("aria-level") == "4"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert page.get_by_role("treeitem", name="Cerebral cortex").get_attribute("aria-selected") == "true"
    assert line.get_attribute("aria-selected") == "true"
    page.get_by_label("Find a region").fill("")
    page.get_by_label("Show only the chosen").check()
    settle(page)
    # of the cortex one layer is switched off: the other stays
    page.get_by_role("treeitem", name="cortex layer 2").click()
    settle(page)
    assert page.evaluate(CHOSEN) == [["11"]]
    assert "g=11" in page.url
    assert axe(page) == []
    whole = page.evaluate(f"{ONE}.litPanels()")
    page.get_by_label("Outlines only").check()
    settle(page)
    lines = page.evaluate(f"{ONE}.litPanels()")
    assert 0 < sum(lines) < sum(whole)
    assert visitor.complaints == []


def test_neurons_that_end_in_a_region_come_with_one_click_and_go_again(brains, visit):
    visitor = visit()
    page = visitor.see(f"{brains}/atlases/toy_mouse/view")
    settle(page)
    page.get_by_role("tab", name="Regions").click()
    page.get_by_role("treeitem", name="Hippocampal formation").click()
    page.get_by_role("button", name="Neurons that end here").click()
    page.get_by_text("1 neurons end in Hippocampal formation").wait_for()
    settle(page)
    assert f"ends={HIPPOCAMPUS}" in page.url
    page.get_by_role("tab", name="Layers").click()
    page.get_by_text("Neurons that end in Hippocampal formation (1)").wait_for()
    page.get_by_label("Colour by").select_option("soma")
    page.get_by_role("button", name="Remove").click()
    page.wait_for_function("!location.search.includes('ends')")
    assert page.evaluate(SKELETONS) == [0]
    assert visitor.complaints == []


def test_shortcuts_are_listed_by_a_question_mark(site, visit):
    page = visit().see(site.viewer(site.macaque))
    page.locator(".pv-canvas").focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    dialog.wait_for()
    assert dialog.locator("dt").count() >= 9
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_lost_graphics_and_a_lost_connection_keep_the_view(site, visit):
    page = visit().see(site.viewer(site.macaque))
    page.get_by_role("radio", name="Axial").check()
    page.get_by_label("Go to").fill("5000, -10000, 8000 µm")
    page.get_by_role("button", name="Go", exact=True).click()
    settle(page)
    page.evaluate(LOSE)
    page.get_by_role("alert").get_by_text("were reset").wait_for()
    page.get_by_role("button", name="Draw again").click()
    settle(page)
    assert page.evaluate(f"{ONE}.position()") == pytest.approx([5000, -10000, 8000], abs=1)
    assert page.evaluate(f"{ONE}.litPanels()")[0] > 0.05
    page.context.set_offline(True)
    page.get_by_role("alert").get_by_text("No connection").wait_for()
    page.context.set_offline(False)
    page.get_by_role("alert").get_by_text("No connection").wait_for(state="detached", timeout=20_000)
    settle(page)
    assert page.evaluate(f"{ONE}.litPanels()")[0] > 0.05
