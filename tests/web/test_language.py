"""Which language a page speaks: what was asked for, then what was asked for before, then what the browser prefers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from pulvinar.web.app import create_app
from pulvinar.web.language import COOKIE, LANGUAGES, preferred


@pytest.fixture
def client(platform):
    return TestClient(create_app(platform), headers={"accept": "text/html"})


def speaks(answer):
    return "zh" if "搜索数据集" in answer.text else "en"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh; q=0.9, en; q=0.8", "zh"),
        ("en ;q=0.2 , zh ; q=0.7", "zh"),
        ("zh;Q=0.3,en;Q=0.2", "zh"),
        ("ZH-Hant-TW", "zh"),
        ("zh;q=0.5,en;q=0.5", "zh"),
        ("en;q=0.5,zh;q=0.5", "en"),
        ("zh;q=nan,en;q=0.1", "en"),
        ("zh;q=", "en"),
        ("*", "en"),
        ("zhuang", "en"),
    ],
)
def test_what_the_browser_prefers_however_it_is_written(header, language):
    assert preferred(header) == language


@given(st.text())
def test_no_header_makes_the_choice_fail(header):
    assert preferred(header) in LANGUAGES


@given(st.sampled_from(["en", "zh"]), st.integers(1, 999), st.text(alphabet="defr-;, ", max_size=20))
def test_the_only_language_of_ours_is_taken_whatever_stands_behind_it(language, weight, others):
    assert preferred(f"{language};q=0.{weight:03d},{others}") == language


def test_an_address_comes_before_the_cookie_and_the_cookie_before_the_browser(client):
    chinese = {"accept-language": "zh"}
    assert speaks(client.get("/", headers=chinese)) == "zh"
    assert speaks(client.get("/?lang=en", headers=chinese)) == "en"
    assert speaks(client.get("/", headers=chinese)) == "en"
    assert speaks(client.get("/?lang=zh")) == "zh"
    assert speaks(client.get("/")) == "zh"


@pytest.mark.parametrize("wish", ["fr", "", "ZH", "zh\r\nset-cookie: x=y", "../zh", "zh;en"])
def test_a_language_that_we_do_not_speak_is_passed_over_and_not_kept(client, wish):
    answer = client.get("/", params={"lang": wish}, headers={"accept-language": "zh"})
    assert speaks(answer) == "zh"
    assert "set-cookie" not in answer.headers
    client.cookies.set(COOKIE, "fr")
    assert speaks(client.get("/", headers={"accept-language": "zh"})) == "zh"


def test_the_cookie_is_for_this_site_and_no_script(client):
    told = client.get("/?lang=zh").headers["set-cookie"].lower()
    assert told.startswith(f"{COOKIE}=zh;")
    assert "httponly" in told
    assert "samesite=lax" in told
    assert "set-cookie" not in client.get("/").headers


def test_a_page_says_in_which_language_it_is(client):
    assert '<html lang="zh-Hans"' in client.get("/?lang=zh").text
    assert '<html lang="en"' in client.get("/?lang=en").text
