"""One connection that sends ranges of files by tus 1.0, and goes on after whatever breaks it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pulvinar.errors import (
    Conflict,
    Corrupt,
    Forbidden,
    Invalid,
    NotAuthenticated,
    NotFound,
    PulvinarError,
    TooLarge,
    Unavailable,
)

PIECE_BYTES = 16 << 20
"""So much is sent at a time, under one checksum: no break costs more."""
_ROOT = "/api/v1/uploads"
_GIVE_UP_S = 600.0
_TIMEOUT_S = 90.0
_WAIT_S = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_KINDS: dict[int, type[PulvinarError]] = {
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Invalid,
}

_T = TypeVar("_T")


@dataclass(frozen=True)
class Range:
    """Bytes of a file that one upload brings; a part of it where `partial`. `begun` says that the upload is there."""

    name: str
    path: Path
    first: int
    size_bytes: int
    partial: bool
    begun: bool = False


@dataclass(frozen=True)
class _Piece:
    """Bytes to send, and their SHA-256."""

    data: memoryview
    digest: bytes


class Broken(Exception):
    """The line or the server failed; to go on is worth another try."""


def persistently(attempt: Callable[[], _T], over: threading.Event | None = None) -> _T:
    """What `attempt` gives, tried again while the line or the server fails.

    Raises `Unavailable` when ten minutes have brought nothing, or `over` is set.
    """
    began, tries = time.monotonic(), 0
    over = over or threading.Event()
    while True:
        try:
            return attempt()
        except (Broken, Unavailable) as error:
            if time.monotonic() - began > _GIVE_UP_S:
                raise Unavailable(
                    f"nothing gets through: {error}", hint="the same command goes on from what is there"
                ) from error
            if over.wait(_WAIT_S[min(tries, len(_WAIT_S) - 1)]):
                raise Unavailable("the upload was ended") from error
            tries += 1


class Sender:
    """Sends ranges, one after the other, over a connection of its own; `over` ends it between two pieces."""

    def __init__(self, url: str, headers: Mapping[str, str], submission_id: str, over: threading.Event) -> None:
        parts = urlsplit(url)
        self._make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._place, self._base = parts.netloc, parts.path
        self._headers, self._submission, self._over = headers, submission_id, over
        self._connection: http.client.HTTPConnection | None = None
        self._in_doubt = False
        # one for all pieces: fresh memory costs as much as to read into it
        self._buffer = bytearray(PIECE_BYTES)

    def send(self, one: Range, count: Callable[[int], None]) -> tuple[str, dict[int, str]]:
        """Send what is missing of a range; its upload, and the SHA-256 of each piece by its place in the file.

        Raises `Unavailable` where nothing gets through for ten minutes, and what the server refuses for good.
        """
        sent: dict[int, str] = {}
        with one.path.open("rb") as content:
            # a small file needs one request, not two
            small = not one.partial and not one.begun and 0 < one.size_bytes <= PIECE_BYTES
            piece = self._read(content.fileno(), one, 0) if small else None
            upload_id, offset = persistently(partial(self._begin, one, piece), self._over)
            count(offset if small else 0)
            if piece is not None and offset == one.size_bytes:
                sent[one.first] = piece.digest.hex()
            while offset < one.size_bytes:
                if self._over.is_set():
                    raise Unavailable("the upload was ended")
                piece = self._read(content.fileno(), one, offset)
                now = persistently(partial(self._step, upload_id, offset, piece), self._over)
                if now == offset + len(piece.data):
                    sent[one.first + offset] = piece.digest.hex()
                count(now - offset)
                offset = now
        return upload_id, sent

    def join(self, upload_ids: Sequence[str]) -> None:
        """Put the parts of a file together."""
        addresses = " ".join(f"{_ROOT}/{one}" for one in upload_ids)
        persistently(lambda: self._ask("POST", _ROOT, {"upload-concat": f"final;{addresses}"}), self._over)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self, one: Range, piece: _Piece | None) -> tuple[str, int]:
        """Open the upload of a range, with its bytes where there are some, or find the one that was; where it
        stands."""
        said = {"submission": self._submission, "path": one.name}
        headers = {"upload-length": str(one.size_bytes)}
        if one.partial:
            said["start"] = str(one.first)
            headers["upload-concat"] = "partial"
        pairs = (f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
        headers["upload-metadata"] = ",".join(pairs)
        # after a break the upload may be there already, and whole
        body = None if self._in_doubt else piece
        answer = self._ask("POST", _ROOT, headers, body)
        return answer["location"].rpartition("/")[2], int(answer["upload-offset"])

    def _step(self, upload_id: str, offset: int, piece: _Piece) -> int:
        """Send a piece; where the upload stands then. After a break, what the server has decides."""
        address = f"{_ROOT}/{upload_id}"
        if self._in_doubt:
            now = self._offset(address)
            if now != offset:
                return now
        try:
            return int(self._ask("PATCH", address, {"upload-offset": str(offset)}, piece)["upload-offset"])
        except Conflict:
            # the request that broke was still being written when the offset was asked for
            now = self._offset(address)
            if now == offset:
                raise
            return now

    def _offset(self, address: str) -> int:
        now = int(self._ask("HEAD", address, {})["upload-offset"])
        self._in_doubt = False
        return now

    def _read(self, handle: int, one: Range, offset: int) -> _Piece:
        """The piece of a range at `offset`, which is good until the next is read."""
        data = memoryview(self._buffer)[: min(PIECE_BYTES, one.size_bytes - offset)]
        if os.preadv(handle, [data], one.first + offset) < len(data):
            raise Corrupt(f"{one.path} has become shorter while it was handed in", hint="hand it in once more")
        return _Piece(data, hashlib.sha256(data).digest())

    def _ask(self, method: str, path: str, headers: dict[str, str], piece: _Piece | None = None) -> dict[str, str]:
        """The headers of the answer, in lower case. Raises `Broken`, and what the server refuses for good."""
        if self._connection is None:
            self._connection = self._make(self._place, timeout=_TIMEOUT_S)
        body = piece.data if piece is not None else b""
        said = {"tus-resumable": "1.0.0", "content-length": str(len(body)), **self._headers, **headers}
        if piece is not None:
            said["content-type"] = "application/offset+octet-stream"
            said["upload-checksum"] = f"sha256 {base64.b64encode(piece.digest).decode()}"
        try:
            self._connection.request(method, self._base + path, body, said)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self._in_doubt = True
            raise Broken(str(error) or type(error).__name__) from error
        if answer.status >= 300:
            self._in_doubt = True
            raise _refusal(answer.status, text)
        return {name.lower(): value for name, value in answer.getheaders()}


def _refusal(status: int, text: bytes) -> Exception:
    """The error of an answer: one that may be over in a moment, or one for good."""
    try:
        told = json.loads(text)["error"]
        message, hint = str(told["message"]), str(told["hint"])
    except (ValueError, KeyError, TypeError):
        message, hint = f"the server answered {status}", ""
    kind = _KINDS.get(status)
    return kind(message, hint=hint) if kind else Broken(message)
