"""Asking a server: HTTP requests whose failures are those of `pulvinar.errors`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pulvinar.client.sign_ins import token_for
from pulvinar.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotAuthenticated,
    NotFound,
    PulvinarError,
    SpaceMismatch,
    TooLarge,
    TooOften,
    Unavailable,
)

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 60.0
_KINDS: dict[str, type[PulvinarError]] = {
    "not_found": NotFound,
    "not_authenticated": NotAuthenticated,
    "forbidden": Forbidden,
    "conflict": Conflict,
    "too_large": TooLarge,
    "too_often": TooOften,
    "unavailable": Unavailable,
    "invalid": Invalid,
    "query_error": Invalid,
    "space_mismatch": SpaceMismatch,
}


class Connection:
    """The server at `url`; nothing is asked yet. `Unavailable` when it doesn't answer.

    `token` is an access token; without one, what `pulvinar login` keeps for this server, and "" is nobody.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._token = token_for(self.url) if token is None else token
        self._http: httpx2.Client | None = None

    def json(self, path: str, **query: str) -> Any:
        """What the API answers at `path`."""
        return self.answer(path, query).json()

    def read(self, path: str) -> bytes:
        """The bytes at `path`."""
        content: bytes = self.answer(path, {}).content
        return content

    def post(self, path: str, data: bytes, **query: str) -> bytes:
        """The bytes that the API answers at `path` to the bytes of `data`."""
        content: bytes = self.answer(path, query, data).content
        return content

    def lines(self, path: str, **query: str) -> Iterator[str]:
        """The lines of a text at `path`, as they come."""
        with self._answering(), self._connected().stream("GET", path, params=query) as answer:
            if answer.status_code != 200:
                answer.read()
                raise _failure(answer)
            yield from answer.iter_lines()

    @property
    def signed_in(self) -> dict[str, str]:
        """The headers that say who asks."""
        return {"authorization": f"Bearer {self._token}"} if self._token else {}

    def close(self) -> None:
        """Let go of connections."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def ask(self, path: str, asked: Any) -> Any:
        """What the API answers at `path` to a question of JSON values."""
        return self.answer(path, {}, json.dumps(asked).encode(), "application/json").json()

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """What the API lists at `path`, asked for page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.json(path, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["next_cursor"]

    def put(self, path: str, said: Any = None) -> None:
        """Have the API set what is at `path` to JSON values."""
        self._change("PUT", path, said)

    def delete(self, path: str) -> None:
        """Have the API take away what is at `path`."""
        self._change("DELETE", path)

    def _change(self, method: str, path: str, said: Any = None) -> None:
        with self._answering():
            answer = self._connected().request(method, path, json=said)
        if answer.status_code != 204:
            raise _failure(answer)

    def answer(
        self,
        path: str,
        query: Mapping[str, str | list[str]],
        data: bytes | None = None,
        kind: str = "application/octet-stream",
    ) -> httpx2.Response:
        """The whole answer at `path`, to `data` of a media type where there is some; raises what the server says is
        wrong."""
        with self._answering():
            method, headers = ("GET", {}) if data is None else ("POST", {"content-type": kind})
            answer = self._connected().request(method, path, params=query, content=data, headers=headers)
        if answer.status_code not in (200, 201, 204):
            raise _failure(answer)
        return answer

    def _connected(self) -> httpx2.Client:
        import httpx2

        if self._http is None:
            self._http = httpx2.Client(base_url=self.url, timeout=TIMEOUT_S, headers=self.signed_in)
        return self._http

    @contextmanager
    def _answering(self) -> Iterator[None]:
        import httpx2

        try:
            yield
        except httpx2.HTTPError as error:
            raise Unavailable(
                f"{self.url} does not answer: {error}", hint="is it running, and the address right?"
            ) from error


def _failure(answer: httpx2.Response) -> PulvinarError:
    """The error that the server told, as the kind it was there."""
    try:
        told = answer.json()["error"]
        kind, message, hint = _KINDS.get(told["code"], PulvinarError), told["message"], told["hint"]
    except (ValueError, KeyError, TypeError):
        return Unavailable(f"{answer.url} answered {answer.status_code}", hint="is it a Pulvinar?")
    return kind(message, hint=hint or f"request {told['request_id']}")
