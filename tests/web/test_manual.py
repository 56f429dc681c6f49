"""The manual in the portal: every document in both languages, its links, and what a search finds."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pulvinar.errors import NotFound
from pulvinar.web import manual
from pulvinar.web.app import create_app
from pulvinar.web.language import LANGUAGES


@pytest.fixture(scope="module")
def client(platform):
    return TestClient(create_app(platform), headers={"accept": "text/html"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_document_is_listed_and_shown_and_no_link_of_it_is_dead(client, language):
    front = client.get("/manual", params={"lang": language}).text
    for name in manual.names():
        assert f'href="/manual/{name}"' in front
        page = client.get(f"/manual/{name}")
        assert page.status_code == 200
        shown = manual.page(name, language)
        assert page.text.count("<h1") == 1
        article = page.text.partition("<article")[2].partition("</article>")[0]
        assert not re.search(r'<(script|style|iframe|input)|\son\w+="|javascript:', article)
        for target in re.findall(r'(?:href|src)="([^"]+)"', article):
            if target.startswith("#"):
                assert f'id="{target[1:]}"' in article
            elif target.startswith("/"):
                path, _, anchor = target.partition("#")
                answer = client.get(path)
                assert answer.status_code == 200, f"{name} leads to {target}"
                assert not anchor or f'id="{anchor}"' in answer.text, f"{name} leads to {target}"
            else:
                assert target.startswith(("https://", "http://127.0.0.1", "mailto:")), target
        for heading in shown.contents:
            assert f'href="#{heading.anchor}"' in page.text


def test_a_tutorial_is_read_in_the_language_of_the_reader_and_the_reference_says_its_own(client):
    chinese = client.get("/manual/tutorials/first-brain", params={"lang": "zh"}).text
    assert "<h1" in chinese
    assert "第一个" in chinese
    assert 'href="first-brain.md"' not in chinese  # the line that leads to the other language is the page's switch
    assert '<article class="manual-text" lang="en">' in client.get("/manual/reference/settings").text
    client.get("/manual", params={"lang": "en"})


@pytest.mark.parametrize(
    ("language", "words", "name"),
    [
        ("en", "restore snapshot", "how-to/backing-up"),
        ("zh", "备份 恢复", "how-to/backing-up"),
        ("en", "PULVINAR_PUBLIC", "reference/settings"),
        ("en", "HEAT map", "tutorials/counting-cells"),
    ],
)
def test_a_search_finds_the_passage_and_leads_to_it(client, language, words, name):
    found = client.get("/manual", params={"q": words, "lang": language}).text
    links = re.findall(rf'href="/manual/{name}(?:#([^"]+))?"', found.partition("manual-found")[2])
    assert links, words
    text = client.get(f"/manual/{name}").text
    assert all(f'id="{anchor}"' in text for anchor in links if anchor)
    assert "<mark>" in found


def test_what_is_searched_for_is_words_and_no_markup_and_no_pattern(client):
    found = client.get("/manual", params={"q": "<script>alert(1)</script> .*", "lang": "en"}).text
    assert "<script>alert" not in found
    assert "No passage has all these words" in found
    assert client.get("/manual", params={"q": "(("}).status_code == 200
    assert manual.search("   ", "en") == []


def test_what_is_no_page_of_the_manual_is_not_found(client):
    for name in ("tutorials/none", "decisions/0003-identifiers", "..%2Fdocs/x", "tutorials/first-brain.zh"):
        assert client.get(f"/manual/{name}").status_code == 404
    with pytest.raises(NotFound):
        manual.page("../README", "en")


def test_a_document_can_bring_no_markup_of_its_own():
    hostile = "# T\n\n<script>x</script> [a](javascript:alert(1)) <img src=x onerror=y>\n\n```\n</code><script>\n```\n"
    shown = manual._read("tutorials/x", "en", hostile, "Copy", "Copied")
    assert "<script" not in shown.body
    assert "<img" not in shown.body
    assert 'href="javascript' not in shown.body


def test_every_word_is_explained_in_both_languages_and_beside_it(client, image):
    english, chinese = (manual.page(manual.WORDS, language) for language in ("en", "zh"))
    assert len(english.passages) == len(chinese.passages)
    used = set()
    for template in (Path(manual.__file__).parent / "templates").glob("*.html"):
        used |= set(re.findall(r'help\("([a-z-]+)"\)', template.read_text("utf-8")))
    assert len(used) >= 8
    for key in used:
        assert manual.word(key, "en").key == key
        assert len(manual.word(key, "zh").text) > 15
    page = client.get(f"/datasets/{image.version.dataset_id}", params={"lang": "zh"}).text
    targets = re.findall(r'popovertarget="([^"]+)"', page)
    assert {"help-version", "help-digest", "help-level"} <= set(targets)
    assert all(page.count(f'id="{one}"') == 1 for one in targets)
    assert "发布后不再改变" in page
    client.get("/manual", params={"lang": "en"})
