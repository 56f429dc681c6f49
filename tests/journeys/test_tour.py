"""The guided tours: offered once and never forced, by mouse and keyboard, in both languages and on a phone."""

import pytest
from tests.journeys.conftest import until

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
