"""What forms of the account pages bring, and how what is wrong with them is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from pulvinar.access.sign_ins import Browser
from pulvinar.errors import NotFound, PulvinarError, TooOften
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentPlatform
from pulvinar.web.errors import status_of
from pulvinar.web.job_pages import form_fields
from pulvinar.web.rendering import render


class Form(Mapping[str, str]):
    """The fields that came; what didn't come is empty."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        return self._fields.get(name, "")

    def __iter__(self) -> Any:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


async def _form(request: Request) -> Form:
    return Form(await form_fields(request))


SentForm = Annotated[Form, Depends(_form)]


def only_public(platform: CurrentPlatform) -> None:
    """Raise `NotFound` where nobody signs in, because whoever reaches the server is its owner."""
    if not platform.settings.public:
        raise NotFound("nobody signs in here: whoever reaches this server is its owner", hint="set PULVINAR_PUBLIC")


def browser_of(request: Request) -> Browser:
    """Where a request comes from."""
    return Browser(request.client.host if request.client else "", request.headers.get("user-agent", ""))


def local_path(text: str) -> str:
    """`text` when it leads to a page of this very site; else its first page."""
    # browsers read a backslash as a slash, and leave out letters that control
    if not text.startswith("/") or text.startswith(("//", "/\\")) or not text.isprintable() or "\\" in text:
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text


def go_to(address: str) -> RedirectResponse:
    """On to a page, by GET. Nothing of the answer is kept."""
    response = RedirectResponse(address, status_code=303)
    response.headers["cache-control"] = "no-store"
    return response


def private_page(
    request: Request, template: str, values: Mapping[str, Any], trouble: PulvinarError | None = None
) -> Response:
    """A page that nothing keeps; with what is wrong, where something is."""
    status = status_of(trouble) if trouble else 200
    wait_s = trouble.wait_s if isinstance(trouble, TooOften) else 0
    given = {"trouble": trouble, "wait_s": wait_s, "form": Form({}), **values}
    response = render(request, template, given, status=status)
    response.headers["cache-control"] = "no-store"
    if wait_s:
        response.headers["retry-after"] = str(int(wait_s) + 1)
    return response


def link_to(platform: Platform, path: str) -> str:
    """An address of this server as it stands in a mail: what a request claims to be its host has no say."""
    return f"{platform.settings.resolved_address()}{path}"
