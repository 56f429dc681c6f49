"""What browsers are told with each answer: of every route that there is, found from the application itself."""

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from tests.web.leaks import routes_of

from pulvinar.web.app import create_app
from pulvinar.web.rendering import PAGE_POLICY, VIEWER_POLICY

HTML = {"accept": "text/html", "accept-language": "en"}
FILLED = {"number": "1", "axis": "z", "job_id": "local-01hzzzzzzzzzzzzzzzzzzzzzzz"}


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


@pytest.fixture(scope="module")
def application(platform):
    return create_app(platform)


@pytest.fixture(scope="module")
def client(application) -> Iterator[TestClient]:
    with TestClient(application, base_url="http://testserver", raise_server_exceptions=False) as opened:
        yield opened


def addresses(application, image) -> list[str]:
    """An address of each route that is read, with a brain that is there."""
    known = {
        **FILLED,
        "dataset_id": image.version.dataset_id,
        "version_digest": image.version.digest,
        "asset_id": image.asset.id,
    }
    included = (one for one in application.pages.routes if hasattr(one, "effective_route_contexts"))
    routes = [route for one in included for route in one.effective_route_contexts()]
    asked = [route.path for route in routes if "GET" in route.methods and not route.path.endswith("/events")]
    assert len(asked) > 50
    found = [re.sub(r"{(\w+)(:\w+)?}", lambda match: known.get(match[1], "x"), path) for path in asked]
    return [*found, "/static/portal.css", "/static/none", "/static/viewer/pulvinar-viewer.js", "/nothing"]


def test_every_answer_is_guarded(application, client, image):
    for address in addresses(application, image):
        for headers in (HTML, {}):
            answer = client.get(address, headers=headers)
            said = answer.headers
            assert answer.status_code < 500 or answer.status_code == 503, (address, answer.text[:200])
            assert said["x-content-type-options"] == "nosniff", address
            assert said["referrer-policy"] == "same-origin", address
            assert said["cross-origin-opener-policy"] == "same-origin", address
            assert said["x-request-id"], address
            assert said["cache-control"], address
            policy = directives(said["content-security-policy"])
            assert policy["default-src"] == ["'none'"], address
            assert "set-cookie" not in said or "httponly" in said["set-cookie"].lower(), address


def test_only_pages_with_the_viewer_may_make_code_from_text(application, client, image):
    lax = set()
    for address in addresses(application, image):
        answer = client.get(address, headers=HTML)
        if answer.headers.get("content-type", "").startswith("text/html"):
            policy = directives(answer.headers["content-security-policy"])
            assert policy["base-uri"] == ["'none'"], address
            assert policy["frame-ancestors"] == ["'self'"], address
            assert policy["form-action"] == ["'self'"], address
            assert "'unsafe-inline'" not in answer.headers["content-security-policy"], address
            if "'unsafe-eval'" in policy["script-src"]:
                lax.add(address)
    dataset = f"/datasets/{image.version.dataset_id}"
    assert lax <= {f"{dataset}/view", f"{dataset}/embed", "/atlases/x/view"}
    assert "'unsafe-eval'" not in PAGE_POLICY
    assert "'unsafe-inline'" not in VIEWER_POLICY


def test_who_came_by_tls_is_told_to_stay(platform):
    with TestClient(create_app(platform), base_url="https://testserver") as secure:
        assert "max-age=31536000" in secure.get("/healthz").headers["strict-transport-security"]
    with TestClient(create_app(platform), base_url="http://testserver") as plain:
        assert "strict-transport-security" not in plain.get("/healthz").headers


@pytest.mark.parametrize(
    "path",
    ["//evil.example/", "/\\evil.example", "/?lang=zh&next=//evil.example", "/%2f%2fevil.example", "/datasets/../.."],
)
def test_nothing_leads_to_another_site(client, path):
    answer = client.get(f"http://testserver{path}", headers=HTML, follow_redirects=False)
    assert not re.match(r"(https?:)?[/\\]{2}(?!testserver)", answer.headers.get("location", "/"))


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH", "CONNECT", "BREW"])
def test_methods_that_nothing_needs_are_refused(client, method, image):
    for address in ("/", "/api/v1/datasets", f"{image.data}/chunks/zarr.json"):
        assert client.request(method, address).status_code == 405


ONLY_ASKED = {
    "/api/v1/atlases/{atlas}/regions-at",
    "/api/v1/atlases/{atlas}/regions-at/binary",
    "/api/v1/atlases/{atlas}/mirror",
    "/api/v1/transforms/points",
}
"""Questions with a body: they change nothing."""


def test_the_page_of_another_site_changes_nothing_anywhere(application, client):
    """Every route that could change something, found from the application, so that none is forgotten."""
    fixed = {
        "decision": "grant",
        "signing": "end",
        "change": "detach",
        "kind": "site",
        "action": "cancel",
        "number": "1",
    }
    routes = [one for one in routes_of(application) if one.method not in ("GET", "HEAD", "OPTIONS")]
    asked = {re.sub(r"\{[^}]*\}", "{atlas}", one.path) for one in routes} & ONLY_ASKED
    assert (len(routes) > 100, asked) == (True, ONLY_ASKED)
    for route in routes:
        if re.sub(r"\{[^}]*\}", "{atlas}", route.path) in ONLY_ASKED:
            continue
        path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: fixed.get(match[1], "x"), route.path)
        for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
            sent = {"content": b"a=b", "headers": {**headers, "content-type": "application/x-www-form-urlencoded"}}
            answer = client.request(route.method, path, **sent)
            assert answer.status_code == 403, (route, headers, answer.text[:200])
            assert "may change nothing here" in answer.text, (route, headers)
