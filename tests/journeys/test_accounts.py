"""From the first start to a signed-in browser: the owner's link, two factors, a program's code, another service."""

import time

import pyotp
import pytest
from tests.access.providers import an_open_id_provider
from tests.servers import PASSWORD, PublicServer, public_server

from pulvinar.web.language import LANGUAGES

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def issuer():
    with an_open_id_provider() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory, issuer):
    folder = tmp_path_factory.mktemp("accounts")
    (folder / "secret").write_text("hush")
    settings = {"oidc_issuer": issuer, "oidc_client_id": "pulvinar", "oidc_name": "The institute"}
    settings["oidc_client_secret_file"] = str(folder / "secret")
    with public_server(folder, **settings) as found:
        yield found


@pytest.fixture(scope="module")
def key(server: PublicServer, browser):
    """The first owner comes in, and switches the second factor on; its key."""
    page = browser.new_context(locale="en-US").new_page()
    page.goto(server.first_link)
    for field, text in {"name": "Ada Lovelace", "login": "ada", "email": "ada@x.org"}.items():
        page.fill(f"#{field}", text)
    for field in ("password", "again"):
        page.fill(f"#{field}", PASSWORD)
    page.click("main button.primary")
    page.wait_for_url("**/profile")
    page.fill("#offer-current", PASSWORD)
    page.click("#second-factor button")
    found = page.text_content("#key").replace(" ", "")
    assert page.evaluate("document.querySelector('.qr').naturalWidth") > 100
    page.fill("#code", pyotp.TOTP(found).at(int(time.time()) - 30))
    page.click("main button.primary")
    assert len(page.text_content("#codes").split()) == 10
    page.context.close()
    return found


def fresh_code(key: str, used: set[str]) -> str:
    """A code that the server hasn't seen: it takes none twice."""
    while True:
        for moment in (0, 30):
            code = pyotp.TOTP(key).at(int(time.time()) + moment)
            if code not in used:
                used.add(code)
                return code
        time.sleep(1)


@pytest.fixture(scope="module")
def used():
    return set()


@pytest.fixture
def owner(server, key, used, visit):
    """A browser in which the owner signs in, by keyboard alone."""
    visitor = visit()
    page = visitor.see(f"{server.address}/sign-in?next=/accounts")
    assert page.evaluate("document.activeElement.id") == "login"
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#code")
    assert page.evaluate("document.activeElement.id") == "code"
    page.keyboard.type(fresh_code(key, used))
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts")
    return visitor


def test_somebody_signs_in_with_two_factors_and_out_again(server, owner):
    page = owner.page
    assert page.text_content(".who-name") == "Ada Lovelace"
    (cookie,) = (one for one in page.context.cookies() if one["name"] == "pulvinar_sign_in")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert page.evaluate("document.cookie") == ""
    page.click(".who button")
    page.wait_for_selector(".who a:text-is('Sign in')")
    page.goto(f"{server.address}/profile")
    assert "/sign-in?next=" in page.url


@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(server, owner, axe, visit, language):
    asked = owner.page.request.post(f"{server.address}/api/v1/device-logins", data={"name": "x", "ceiling": "read"})
    own = ("/profile", "/accounts", "/device", f"/device?code={asked.json()['user_code']}")
    for visitor, paths in ((owner, own), (visit(), ("/sign-in", "/forgotten"))):
        for path in paths:
            page = visitor.see(f"{server.address}{path}{'&' if '?' in path else '?'}lang={language}")
            assert axe(page) == [], path
            page.set_viewport_size({"width": 390, "height": 844})
            too_wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            assert not too_wide, path
            page.set_viewport_size({"width": 1280, "height": 800})


def test_a_program_is_allowed_in_the_browser(server, owner):
    page = owner.page
    asked = page.request.post(f"{server.address}/api/v1/device-logins", data={"name": "lab7", "ceiling": "read"}).json()
    page.goto(asked["address"])
    page.fill("#code", asked["user_code"])
    page.keyboard.press("Enter")
    page.click("button[value=allow]")
    page.wait_for_selector("[role=status]")
    told = page.request.post(
        f"{server.address}/api/v1/device-logins/state", data={"device_code": asked["device_code"]}
    ).json()
    assert told["token"].startswith("pulv_")
    page.goto(f"{server.address}/profile")
    assert page.is_visible("#tokens th:text-is('lab7')")
    page.click("#tokens button:has-text('Revoke')")
    page.wait_for_url("**/profile#tokens")
    assert not page.is_visible("#tokens th:text-is('lab7')")


def test_a_browser_goes_to_another_service_and_comes_back(server, issuer, key, visit):
    page = visit().see(f"{server.address}/sign-in")
    page.click("text=Sign in at The institute")
    page.wait_for_url(f"{issuer}/**")
    page.fill("input[name=sub]", "grace-1")
    page.click("button:text-is('Authorize')")
    page.wait_for_selector("h1:text-is('A new account')")
    for field, text in {"name": "Grace", "login": "grace", "email": "grace@x.org"}.items():
        page.fill(f"#{field}", text)
    page.click("main button.primary")
    page.wait_for_url("**/profile")
    assert page.is_visible(f"#elsewhere >> text={issuer}")
