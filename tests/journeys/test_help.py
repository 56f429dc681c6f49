"""What a word means, beside it: by keyboard, without scripts, and within the window of a phone."""

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_word_is_explained_by_keyboard_and_the_explanation_goes_by_escape(site, visit, scripts):
    page = visit(java_script_enabled=scripts).see(site.page(site.macaque))
    question = page.get_by_role("button", name="What it means: Version")
    said = page.get_by_text("Once published it never changes")
    assert not said.is_visible()
    question.press("Enter")
    said.wait_for()
    page.keyboard.press("Escape")
    assert not said.is_visible()


def test_it_stays_within_a_phone_and_leads_to_all_words(site, visit):
    page = visit(viewport={"width": 390, "height": 844}, locale="zh-CN").see(site.page(site.macaque))
    for question in page.locator("button.help").all():
        question.press("Enter")
        shown = page.locator(f"#{question.get_attribute('popovertarget')}")
        shown.wait_for()
        box = shown.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    shown.get_by_role("link", name="全部用词").click()
    page.wait_for_url("**/manual/reference/words#**")
