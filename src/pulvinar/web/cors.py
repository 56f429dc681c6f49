"""Which other sites' pages may read from this server: none, unless the settings name them."""

from __future__ import annotations

from pulvinar.web.requests import Scope, header

Headers = list[tuple[bytes, bytes]]

EXPOSED = b"accept-ranges, content-length, content-range, etag, x-request-id"
ASKABLE = b"authorization, range, if-range, if-none-match, content-type"


class Cors:
    """The headers that let a page of another origin read an answer; `origins` are separated by blanks, `*` is any."""

    def __init__(self, origins: str) -> None:
        self.origins = frozenset(origin.rstrip("/").encode() for origin in origins.split())

    def headers(self, scope: Scope) -> Headers:
        """What to add to the answer to `scope`: nothing for the server's own pages and for strangers."""
        if not self.origins:
            return []
        origin = header(scope, b"origin")
        if not origin or not self.origins & {origin, b"*"}:
            return [(b"vary", b"origin")]
        return [
            (b"vary", b"origin"),
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", EXPOSED),
        ]

    def preflight(self, scope: Scope) -> Headers | None:
        """The headers of the answer to a preflight question; None when `scope` isn't one, or a stranger's."""
        if scope["method"] != "OPTIONS" or not header(scope, b"access-control-request-method"):
            return None
        headers = self.headers(scope)
        if len(headers) < 2:
            return None
        return [
            *headers,
            (b"access-control-allow-methods", b"GET, HEAD"),
            (b"access-control-allow-headers", ASKABLE),
            (b"access-control-max-age", b"86400"),
        ]
