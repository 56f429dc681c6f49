"""People who are signed in on a live server, each by a browser of their own."""

import re
from dataclasses import dataclass

import httpx
from tests.access.people import BROWSER, a_person, acting

from pulvinar.access.signing_in import sign_in_at_once
from pulvinar.model.access import Actor
from pulvinar.platform import Platform
from pulvinar.web.identification import cookie_name


@dataclass(frozen=True)
class Person:
    """Somebody with an account, and their browser."""

    id: str
    platform: Platform
    client: httpx.Client

    @property
    def actor(self) -> Actor:
        return acting(self.platform.database, self.id)

    def page(self, path: str, status: int = 200, **asked: object) -> str:
        response = self.client.get(path, headers={"accept": "text/html"}, **asked)
        assert response.status_code == status, re.sub(r"(?s)^.*<main[^>]*>|<[^>]*>", "", response.text)[:2000]
        return response.text

    def send(self, path: str, status: int = 303, **form: str) -> httpx.Response:
        response = self.client.post(path, data=form or {"sent": "yes"}, headers={"accept": "text/html"})
        assert response.status_code == status, re.sub(r"(?s)^.*<main[^>]*>|<[^>]*>", "", response.text)[:2000]
        return response


def a_visitor(platform: Platform, address: str, login: str, **account: object) -> Person:
    """Somebody who has just signed in."""
    made = a_person(platform.database, login, password="", **account)
    secret = sign_in_at_once(platform.database, made.id, BROWSER, days=1, how="test")
    cookies = {cookie_name(platform.settings): secret}
    return Person(made.id, platform, httpx.Client(base_url=address, cookies=cookies, timeout=30))
