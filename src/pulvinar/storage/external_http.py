"""Objects on a web server, by plain HTTP requests for ranges.

The address that a name stands for is looked up here and connected to as it was checked: a name that changes its address
between the check and the connection (DNS rebinding) leads nowhere else. No proxy of the environment is used.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from pulvinar.errors import Forbidden, NotFound, PulvinarError, Unavailable
from pulvinar.storage.external import LARGEST_READ_BYTES, Piece, Seen, too_large
from pulvinar.storage.store import check_key

_TIMEOUT_S = 30.0
_MOST_REDIRECTIONS = 3
_REDIRECTIONS = (301, 302, 303, 307, 308)
_GONE = (404, 410)
_SCHEMES = ("http", "https")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
# All that is given out to anybody lies here; what lies elsewhere is for one network, or holds an older address in a way
# of its own, which some gateways still unpack.
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")


class HttpSource:
    """Objects below an http or https address. `check` refuses addresses that aren't allowed, also after redirections;
    `private` allows servers in private networks."""

    def __init__(self, url: str, *, check: Callable[[str], str], private: bool) -> None:
        self.url = url
        self._check = check
        self._private = private
        self._local = threading.local()

    def read(self, path: str, *, start: int = 0, length: int | None = None, most: int = LARGEST_READ_BYTES) -> Piece:
        """`length` bytes from `start`, or all that follow."""
        if length == 0:
            return Piece(b"", self.look(path).tag)
        wanted = "" if length is None and not start else f"{start}-{'' if length is None else start + length - 1}"
        return self._get(path, wanted, most)

    def read_end(self, path: str, length: int) -> Piece:
        """The last `length` bytes."""
        return self._get(path, f"-{length}", LARGEST_READ_BYTES)

    def look(self, path: str) -> Seen:
        """An object's size and ETag, or the time of its last change."""
        _, headers = self._ask("HEAD", path, {}, 0)
        return Seen(path, int(headers.get("content-length", "-1")), _tag(headers))

    def list(self) -> Iterator[Seen] | None:
        """None: a web server has no listing."""
        return None

    def _get(self, path: str, wanted: str, most: int) -> Piece:
        data, headers = self._ask("GET", path, {"Range": f"bytes={wanted}"} if wanted else {}, most)
        return Piece(data, _tag(headers))

    def _ask(self, method: str, path: str, headers: dict[str, str], most: int) -> tuple[bytes, Mapping[str, str]]:
        url = f"{self.url}/{quote(check_key(path))}"
        for _ in range(_MOST_REDIRECTIONS + 1):
            status, found, data = self._once(method, url, headers, most)
            if status in _REDIRECTIONS and "location" in found:
                # whoever is allowed may send us on to where we may go, and to nowhere else
                url = self._check(urljoin(url, found["location"]))
                if urlsplit(url).scheme not in _SCHEMES:
                    # a folder is allowed for people to index, not for a web server to reach through us
                    raise Forbidden(f"{self.url}/{path} leads to {url}, which is on no web server")
                continue
            return self._answer(url, status, found, data)
        raise Unavailable(f"{self.url}/{path} leads from one address to the next without end")

    def _answer(
        self, url: str, status: int, headers: Mapping[str, str], data: bytes
    ) -> tuple[bytes, Mapping[str, str]]:
        if status in _GONE:
            raise NotFound(f"{url} is not there")
        if status == 416:
            raise Unavailable(f"{url} is shorter than it was")
        if status not in (200, 206):
            # not even 403: it may mean that the object is not there, or that nobody may read any more
            raise Unavailable(f"{url} answers {status}")
        if headers.get("content-encoding", "identity") != "identity":
            raise Unavailable(f"{url} is sent compressed, though it was asked for as it is")
        return data, headers

    def _once(self, method: str, url: str, headers: dict[str, str], most: int) -> tuple[int, Mapping[str, str], bytes]:
        """One request over a connection that is kept; a kept one that has ended is made anew once."""
        parts = urlsplit(url)
        kept: dict[str, http.client.HTTPConnection] = self._local.__dict__.setdefault("kept", {})
        server = f"{parts.scheme}://{parts.netloc}"
        for fresh in (False, True):
            connection = None if fresh else kept.pop(server, None)
            if connection is None and not fresh:
                continue
            connection = connection or _connection(parts.scheme, parts.hostname or "", parts.port, self._private)
            try:
                connection.request(method, parts.path or "/", headers={"Accept-Encoding": "identity", **headers})
                answer = connection.getresponse()
                found = {name.lower(): value for name, value in answer.getheaders()}
                if "Range" in headers and answer.status == 200:
                    raise Unavailable(f"{url} is sent whole where a part was asked for: its server knows no ranges")
                data = _body(answer, url, most)
            except PulvinarError:
                connection.close()
                raise
            except (http.client.HTTPException, OSError, ValueError) as error:
                connection.close()
                if fresh:
                    raise Unavailable(f"{url} does not answer: {error or type(error).__name__}") from error
                continue
            kept[server] = connection
            return answer.status, found, data
        raise Unavailable(f"{url} does not answer")


def _body(answer: http.client.HTTPResponse, url: str, most: int) -> bytes:
    """What an answer holds. Raises `TooLarge` for more than `most` bytes."""
    failed = answer.status not in (200, 206)
    limit = 1 << 20 if failed else most
    data = answer.read(limit + 1)
    if len(data) > limit:
        base, _, path = url.rpartition("/")
        raise too_large(base, path, answer.length or len(data), most)
    return data


def _tag(headers: Mapping[str, str]) -> str:
    modified = headers.get("last-modified")
    return headers.get("etag") or (f"modified {modified}" if modified else "")


def _connection(scheme: str, host: str, port: int | None, private: bool) -> http.client.HTTPConnection:
    if scheme == "https":
        return _SafeHttps(host, port, private=private, context=ssl.create_default_context())
    return _SafeHttp(host, port, private=private)


class _SafeHttp(http.client.HTTPConnection):
    """A connection to an address that was checked."""

    def __init__(self, host: str, port: int | None, *, private: bool) -> None:
        super().__init__(host, port, timeout=_TIMEOUT_S)
        self._private = private

    def connect(self) -> None:
        """Connect to one of the host's addresses that may be reached."""
        self.sock = checked_connection(self.host, self.port, private=self._private)


class _SafeHttps(http.client.HTTPSConnection):
    """The same with TLS, whose certificate is checked against the host's name."""

    def __init__(self, host: str, port: int | None, *, private: bool, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=_TIMEOUT_S, context=context)
        self._private = private
        self._tls = context

    def connect(self) -> None:
        """Connect to one of the host's addresses that may be reached, and agree on keys."""
        plain = checked_connection(self.host, self.port, private=self._private)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def checked_connection(host: str, port: int, *, private: bool) -> socket.socket:
    """A socket to `host`. Raises `Forbidden` when one of its addresses is private and that isn't allowed."""
    host = re.sub(r"^\[|\]$", "", host)
    try:
        found: list[Any] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"{host} has no address: {error.strerror}") from error
    for entry in found:
        address = entry[4][0]
        if not private and not _is_public(address):
            raise Forbidden(
                f"{host} is {address}, an address of a private network",
                hint="the operator allows those by the setting external_private (PULVINAR_EXTERNAL_PRIVATE)",
            )
    last: OSError | None = None
    for entry in found:
        try:
            return socket.create_connection(entry[4][:2], _TIMEOUT_S)
        except OSError as error:
            last = error
    raise last or OSError(f"{host} has no address")


def _is_public(address: str) -> bool:
    """Whether anybody may reach `address`; of one that holds an address of the older protocol, that one counts."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is None and found not in _GIVEN_OUT:
            return False
        found = inner or found
    return found.is_global and not found.is_multicast
