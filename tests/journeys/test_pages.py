"""The pages for everyone: by keyboard, on a phone, without scripts, and by axe's rules."""

import pytest
from tests.journeys.conftest import until

pytestmark = pytest.mark.browser

PAGES = ("home", "search", "nothing", "dataset", "neurons", "atlases", "missing", "viewer")
PAGES += ("species", "neuron", "labs", "collections", "feedback", "me", "administration", "storage", "use")
PAGES += ("manual", "manual search", "tutorial", "reference", "words")
PAGES += ("compare", "side by side", "region search", "solutions", "card", "submissions", "marks")


def address_of(site, name: str) -> str:
    return {
        "home": site.address,
        "search": f"{site.address}/?q=zebrafish&species=zebrafish",
        "nothing": f"{site.address}/?q=okapi",
        "dataset": site.page(site.macaque),
        "neurons": site.page(site.neurons),
        "atlases": f"{site.address}/atlases",
        "missing": f"{site.address}/datasets/none",
        "viewer": site.viewer(site.macaque),
        "species": f"{site.address}/species/zebrafish",
        "neuron": f"{site.page(site.neurons)}/assets/{site.neurons.assets[0].id}/neuron",
        "storage": f"{site.address}/administration/storage",
        "use": f"{site.address}/administration/use",
        "manual search": f"{site.address}/manual?q=publish",
        "tutorial": f"{site.address}/manual/tutorials/finding-neurons",
        "reference": f"{site.address}/manual/reference/settings",
        "side by side": f"{site.address}/compare?brain=dataset:{site.macaque.dataset_id}"
        f"&brain=dataset:{site.zebrafish.dataset_id}",
        "region search": f"{site.address}/?q=hippocampus",
        "card": f"{site.address}/solutions/align",
        "words": f"{site.address}/manual/reference/words",
    }.get(name, f"{site.address}/{name}")


LOOKS = [("en", "light"), ("zh", "dark")]
"""Each language and each scheme once: colours don't depend on the words."""
LOOKS += [pytest.param("en", "dark", marks=pytest.mark.deep), pytest.param("zh", "light", marks=pytest.mark.deep)]


@pytest.mark.parametrize(("language", "scheme"), LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(site, visit, axe, name, language, scheme):
    visitor = visit(locale={"en": "en-GB", "zh": "zh-CN"}[language], color_scheme=scheme)
    page = visitor.see(address_of(site, name))
    assert axe(page) == []
    expected = ["404"] if name == "missing" else []
    assert [line for line in visitor.complaints if not any(word in line for word in expected)] == []


def test_everything_is_reached_by_keyboard_and_seen_to_be_reached(site, visit):
    page = visit().see(site.address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "search":
            break
    page.keyboard.type("INIA19")
    page.keyboard.press("Enter")
    # the address changes while one types; the page itself only when Enter has brought it
    until(page, "performance.getEntriesByType('navigation')[0].name.includes('q=INIA19')")
    _tab_to(page, "a.card-link")
    page.keyboard.press("Enter")
    page.wait_for_url("**/datasets/**")
    _tab_to(page, "a.primary")
    page.keyboard.press("Enter")
    page.wait_for_selector("pulvinar-viewer[ready]", timeout=60_000)
    page.wait_for_function("document.hasFocus()")

    _tab_to(page, "input[name=pv-layout]")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.querySelector('input[name=pv-layout]:checked').value") == "xy"
    _tab_to(page, ".pv-canvas")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    place = "document.querySelector('pulvinar-viewer').explorer.position()"
    x, y, z = page.evaluate(place)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press(".")
    moved = page.evaluate(place)
    assert moved[0] > x  # to the right
    assert moved[1] > y  # deeper: a coronal section goes on to the front
    assert moved[2] > z  # up
    _tab_to(page, ".pv-layers summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    _tab_to(page, ".pv-layers input[type=range]")
    before = page.evaluate("document.activeElement.value")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.value") != before
    # nothing on the way holds the focus: Tab leads from the end of the page to its beginning
    _tab_to(page, "a.skip")


def _tab_to(page, selector: str) -> None:
    passed = []
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        passed.append(page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
    pytest.fail(f"{selector} is not reached by Tab at {page.url}, but {passed}")


def test_list_search_and_dataset_work_without_scripts(site, visit):
    page = visit(java_script_enabled=False).see(site.address)
    shown = [link.get_attribute("href") for link in page.locator('.card-link[href^="/datasets/"]').all()]
    # other tests publish here too
    assert {f"/datasets/{one.dataset_id}" for one in (site.macaque, site.zebrafish, site.neurons)} <= set(shown)
    page.get_by_role("searchbox").fill("two stains")
    page.get_by_role("button", name="Search").click()
    assert page.locator(".card").count() == 1
    page.locator("a.card-link").click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("Larval zebrafish")
    assert page.locator(".sections img").count() == 3
    with page.expect_download() as download:
        page.get_by_role("button", name="Cut out").first.click()
    assert download.value.path().read_bytes().startswith(b"\x1f\x8b")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_on_a_phone(site, visit, name):
    page = visit(viewport={"width": 360, "height": 740}).see(address_of(site, name))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_language_switch_is_remembered(site, visit):
    page = visit().see(site.page(site.macaque))
    page.get_by_role("link", name="中文").click()
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    page.goto(site.address)
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    page.get_by_role("link", name="English").click()
    assert page.locator("html").get_attribute("lang") == "en"


def test_nothing_is_fetched_from_elsewhere(site, visit):
    asked = []
    visitor = visit()
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.see(site.viewer(site.macaque))
    outside = [url for url in asked if not url.startswith((site.address, "data:", "blob:"))]
    assert outside == []
