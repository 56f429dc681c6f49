"""A public platform, people on it, and browsers that are signed in."""

from contextlib import contextmanager

from fastapi.testclient import TestClient
from tests.access.people import PASSWORD, a_person

from pulvinar.web.app import create_app

FORM = {"content-type": "application/x-www-form-urlencoded"}


@contextmanager
def browser(platform, **headers):
    """A browser without a cookie; it follows no redirect."""
    told = {"accept": "text/html", "accept-language": "en", **headers}
    with TestClient(create_app(platform), headers=told, follow_redirects=False) as client:
        yield client


def sign_in(client, login="ada", password=PASSWORD, **more):
    return client.post("/sign-in", data={"login": login, "password": password, **more})


@contextmanager
def signed_in(platform, login="ada", **kind):
    """A browser of a person who is made for it."""
    person = a_person(platform.database, login, **kind)
    with browser(platform) as client:
        assert sign_in(client, login).status_code == 303
        client.person = person
        yield client


class Mailbox:
    """Takes the place of the mail server's line."""

    def __init__(self):
        self.mails = []

    def send(self, mail):
        self.mails.append(mail)
