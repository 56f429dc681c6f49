"""The guided tours, offered once and never forced; and what somebody new finds by what the pages say."""

import time

import pytest
from tests.atlases.pair import HIPPOCAMPUS, install_pair
from tests.journeys.conftest import serving, until
from tests.journeys.test_side_by_side import CHOSEN, POSES, SKELETONS, all_ready

from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

pytestmark = pytest.mark.browser

WORDS = {
    "en-US": {"start": "Show me around", "next": "Next step", "later": "Not now"},
    "zh-CN": {"start": "带我看看", "next": "下一步", "later": "暂不"},
}
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}


def offered(page):
    return page.locator("[data-tour-offer]")


def step(page) -> tuple[str, str]:
    return page.locator("[data-tour-count]").inner_text(), page.locator("#tour-title").inner_text()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("where", ["home", "explorer"])
def test_a_tour_leads_through_every_part_and_stays_within_the_window(site, visit, axe, where, locale, size):
    visitor = visit(locale=locale, viewport=size, reduced_motion="reduce")
    page = visitor.see(site.address if where == "home" else site.viewer(site.macaque))
    words = WORDS[locale]
    assert page.locator("dialog[open]").count() == 0  # it is offered, and not begun
    offered(page).get_by_role("button", name=words["start"]).click()
    seen = [step(page)]
    dialog = page.locator("dialog[open]")
    for _ in range(12):
        box = dialog.bounding_box()
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= size["width"]
        assert box["y"] + box["height"] <= size["height"]
        assert page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
        forward = dialog.get_by_role("button", name=words["next"])
        if not forward.is_visible():
            break
        forward.click()
        seen.append(step(page))
    count = int(seen[0][0].partition("/")[2])
    assert [one for one, _ in seen] == [f"{number} / {count}" for number in range(1, count + 1)]
    assert count >= 5
    assert len({title for _, title in seen}) == count
    assert axe(page) == []
    assert visitor.complaints == []


def test_a_tour_goes_by_keys_ends_by_escape_and_gives_the_focus_back(site, visit):
    page = visit().see(site.address)
    offered(page).get_by_role("button", name="Show me around").press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert step(page)[0].startswith("3 /")
    page.keyboard.press("ArrowLeft")
    assert step(page)[0].startswith("2 /")
    for _ in range(8):  # Tab stays within
        page.keyboard.press("Tab")
        assert not page.evaluate("document.querySelector('main').contains(document.activeElement.closest('a, input'))")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    until(page, "document.activeElement.textContent === 'Show me around'")
    page.keyboard.press("Enter")  # and it can be had again
    assert step(page)[0].startswith("1 /")


def test_a_browser_remembers_that_it_was_offered_and_tells_nobody(site, visit):
    visitor = visit()
    page = visitor.see(site.address)
    asked = []
    # pictures that come late are the page's
    page.on("request", lambda one: one.resource_type in ("image", "other") or asked.append(one.url))
    offered(page).get_by_role("button", name="Not now").click()
    assert not offered(page).is_visible()
    assert asked == []
    assert visitor.context.cookies() == []
    page.reload()
    assert not offered(page).is_visible()
    assert page.get_by_role("button", name="Show me around").is_visible()
    # the other tour is another
    assert offered(visitor.see(site.viewer(site.macaque))).is_visible()


NEWCOMER = {
    "en-US": {"name": "hippocampus", "beside": "Show side by side", "link": "Short link"},
    "zh-CN": {"name": "海马", "beside": "并排显示", "link": "短链接"},
}
MEASURED = "[...document.querySelectorAll('.pv-pane-tool tbody tr')].map((row) => row.innerText)"
COVERED = """[...document.querySelectorAll('.pv-canvas')].flatMap((canvas) => {
  canvas.scrollIntoView({ block: 'center' });
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return [[0.25, 0.3], [0.75, 0.3], [0.25, 0.8], [0.75, 0.9], [0.5, 0.97]]
    .map(([x, y]) => document.elementFromPoint(left + x * width, top + y * height))
    .find((over) => !canvas.contains(over))?.outerHTML.slice(0, 100) ?? [];
})"""
"""What lies over a picture, where it would take what is dragged there."""


@pytest.fixture(scope="module")
def two_species(tmp_path_factory):
    """The address of a server with the brains of two species, and a neuron that ends in the hippocampus of one."""
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("newcomer"))) as platform:
        install_pair(platform, template=True)
        with serving(platform) as address:
            yield address


def drag_over(page, canvas) -> None:
    """Draw a line over the first section of a picture."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + 0.15 * box["width"], box["y"] + 0.2 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    for part in (0.5, 1.0):
        page.mouse.move(x + part * 0.2 * box["width"], y + part * 0.1 * box["height"])
    page.mouse.up()


@pytest.mark.parametrize(
    ("locale", "size"), [("en-US", DESK), ("zh-CN", DESK), ("zh-CN", PHONE)], ids=["english", "chinese", "phone"]
)
def test_a_newcomer_has_two_hippocampi_the_neurons_a_profile_and_a_link_in_two_minutes(
    two_species, visit, axe, locale, size
):
    visitor = visit(locale=locale, viewport=size)
    words, start = NEWCOMER[locale], time.monotonic()
    page = visitor.see(two_species)
    page.get_by_role("searchbox").fill(words["name"])
    page.keyboard.press("Enter")
    page.get_by_role("button", name=words["beside"]).click()  # the first two species are ticked
    all_ready(page)
    visitor.complaints.clear()  # the annotations of the toys have no small pictures for the first page
    assert page.evaluate(CHOSEN) == [[str(HIPPOCAMPUS)]] * 2
    page.locator("[data-action=compareEnds]").click()
    page.locator(".pv-pane-ends").first.get_by_text(": 1").wait_for()
    all_ready(page)
    page.locator("[data-action=compareMeasure]").first.click()
    page.locator(".pv-sheet").wait_for()
    drag_over(page, page.locator(".pv-canvas").first)
    page.wait_for_selector(".pv-pane-tool pulvinar-chart[drawn]", timeout=30_000)
    page.locator(".pv-pane-tool details.pv-fold").filter(has=page.locator("table")).locator("summary").click()
    page.get_by_role("button", name=words["link"]).click()
    page.locator(".pv-link").wait_for()
    assert time.monotonic() - start < 120
    assert page.evaluate(COVERED) == []
    assert axe(page) == []

    colleague = visit(viewport=size)
    theirs = colleague.page
    # the link begins with the address that the server is known by
    theirs.goto(two_species + "/v/" + page.locator(".pv-link").input_value().rpartition("/v/")[2])
    all_ready(theirs)
    theirs.locator(".pv-pane-tool pulvinar-chart").wait_for(state="attached")
    theirs.evaluate("document.querySelectorAll('.pv-pane-tool details').forEach((one) => (one.open = true))")
    mine = page.evaluate(MEASURED)
    assert len(mine) > 10
    for one, other in zip(mine, theirs.evaluate(MEASURED), strict=True):
        assert [float(part) for part in other.split()] == pytest.approx([float(part) for part in one.split()], abs=0.01)
    assert theirs.evaluate(CHOSEN) == [[str(HIPPOCAMPUS)]] * 2
    assert theirs.evaluate(SKELETONS) == [1, 0]
    for one, other in zip(page.evaluate(POSES), theirs.evaluate(POSES), strict=True):
        assert other["position"] == pytest.approx(one["position"], rel=1e-3)
        assert other["scale"] == pytest.approx(one["scale"], rel=1e-3)
    assert visitor.complaints == colleague.complaints == []


def test_a_name_that_no_brain_knows_is_said_and_a_name_without_brains_asks_for_them(two_species, visit):
    page = visit().page
    page.goto(f"{two_species}/compare?region=hippocampus")
    assert page.get_by_label("Region").input_value() == "hippocampus"
    page.goto(f"{two_species}/compare?brain=atlas:toy_mouse&brain=atlas:toy_macaque&region=okapi")
    all_ready(page)
    assert page.locator(".pv-pane-said").all_inner_texts() == ["Nothing is called “okapi” here."] * 2
    assert page.locator("[data-action=compareEnds]").is_disabled()
