"""The portal's own files: asked for once by a browser, never anything beside them."""

import gzip
import re

import pytest
from fastapi.testclient import TestClient

from pulvinar.web.app import create_app
from pulvinar.web.rendering import HERE
from pulvinar.web.static_files import Files, address_of

FOR_GOOD = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def client(platform):
    with TestClient(create_app(platform)) as found:
        yield found


def test_a_page_names_files_that_may_be_kept_for_good(client):
    page = client.get("/", headers={"accept": "text/html"}).text
    found = re.findall(r'"(/static/[^"]+\?[^"]+)"', page)
    assert any("portal.css" in one for one in found)
    for address in found:
        assert client.get(address).headers["cache-control"] == FOR_GOOD, address
        # what another release named is not what it was
        assert client.get(address.partition("?")[0] + "?old").headers["cache-control"] == "public, no-cache"


def test_who_has_a_file_is_told_so(client):
    answer = client.get("/static/portal.css", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == (HERE / "static" / "portal.css").read_bytes()
    again = client.get("/static/portal.css", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_address_changes_with_its_file(tmp_path):
    file = tmp_path / "a.css"
    file.write_text("a {}")
    before = address_of(tmp_path, "/static", "a.css")
    file.write_text("a { color: red }")
    assert address_of(tmp_path, "/static", "a.css") != before
    assert address_of(tmp_path, "/static", "none.css") == "/static/none.css"


@pytest.mark.parametrize(
    "path", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "x%00.css", "none", "", "viewer/../../app.py"]
)
def test_nothing_else_is_served(client, path):
    assert client.get(f"/static/{path}").status_code == 404


def test_a_link_leads_nowhere(tmp_path, client):
    import asyncio

    (tmp_path / "shown").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "shown" / "link").symlink_to(tmp_path / "secret")
    scope = {"path": "/static/link", "query_string": b"", "headers": []}
    assert asyncio.run(Files("/static/", tmp_path / "shown").answer(scope)) is None


def test_packed_once_it_is_the_same(client):
    first = client.get("/static/portal.js", headers={"accept-encoding": "gzip"})
    assert int(first.headers["content-length"]) == len(
        gzip.compress((HERE / "static" / "portal.js").read_bytes(), 6, mtime=0)
    )
