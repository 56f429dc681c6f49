"""A stranger's way through the portal: from the first page to a neuron and a word to those who run it."""

import pytest

pytestmark = pytest.mark.browser


def test_a_stranger_finds_a_species_a_neuron_and_its_file(site, visit):
    visitor = visit()
    page = visitor.see(site.address)
    page.get_by_role("link", name="Mouse Mus musculus").click()
    page.wait_for_url("**/species/mouse")
    page.get_by_role("link", name=site.neurons.record.title).click()
    page.wait_for_url("**/datasets/**")
    page.get_by_role("link", name=site.neurons.assets[0].name, exact=True).first.click()
    page.wait_for_url("**/neuron?**")
    assert page.get_by_text("Length of neurite").is_visible()
    assert page.evaluate("document.querySelector('.sections img').naturalWidth") > 0
    with page.expect_download() as taken:
        page.get_by_role("link", name="SWC").click()
    assert taken.value.suggested_filename.endswith(".swc")
    assert visitor.complaints == []


def test_feedback_needs_no_scripts(site, visit):
    page = visit(java_script_enabled=False).see(f"{site.address}/atlases")
    page.get_by_role("link", name="Feedback on this page").click()
    page.get_by_label("4 good").check()
    page.get_by_label("Your words").fill("More fish, please.")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/feedback?thanks=true")
    page.goto(f"{site.address}/administration/feedback")
    assert page.get_by_text("More fish, please.").is_visible()


def test_the_survey_comes_seldom_and_goes_for_good(site, visit):
    page = visit().see(site.address)
    for _ in range(9):
        assert page.get_by_label("Survey").is_hidden()
        page.goto(f"{site.address}/feedback")
    assert page.get_by_label("Survey").is_visible()
    page.get_by_role("button", name="Not now").click()
    page.goto(f"{site.address}/feedback")
    assert page.get_by_label("Survey").is_hidden()


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("width", [390, 1024, 1400])
def test_no_page_is_wider_than_its_window(site, visit, width, locale):
    visitor = visit(viewport={"width": width, "height": 800}, locale=locale)
    neuron = f"/datasets/{site.neurons.dataset_id}/assets/{site.neurons.assets[0].id}/neuron"
    paths = ("/", "/species/mouse", neuron, "/labs", "/collections", "/feedback", "/me", "/administration")
    for path in (*paths, "/administration/storage", "/administration/use", "/administration/incidents"):
        page = visitor.see(site.address + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert visitor.complaints == []
