"""Files that the portal brings along: read, named by their content and packed once, not with each request."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fastapi import Response
from starlette.staticfiles import StaticFiles

from pulvinar.web.requests import Application, Receive, Scope, Send, header, matches_etag

IMMUTABLE = "public, max-age=31536000, immutable"
ASKED_ANEW = "public, no-cache"
_PACKED = ("text/", "application/javascript", "application/json", "application/wasm", "image/svg+xml")
_WORTH_BYTES = 512
_LEVEL = 6


class _File(NamedTuple):
    """A file as it was when it was read; `packed` is empty where it would be no smaller."""

    changed_ns: int
    size: int
    digest: str
    data: bytes
    packed: bytes
    media_type: str


_files: dict[str, _File] = {}


class Files:
    """The files of a folder, served below `root`. An address that ends in `?` and the digest of its file may be kept
    for good, and so may what lies below `hashed`, where names hold a digest; of all others browsers ask each time
    whether they have changed."""

    def __init__(self, root: str, folder: Path, *, hashed: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.root = root
        self._hashed = hashed
        self._headers = dict(headers or {})
        # finds nothing outside of the folder, wherever a path or a link leads
        self._folder = StaticFiles(directory=folder, check_dir=False)

    async def answer(self, scope: Scope) -> Response | None:
        """The answer with one file; None where there is none."""
        path = scope["path"].removeprefix(self.root)
        try:
            found, status = self._folder.lookup_path(path)
        except (ValueError, OSError):
            return None
        if status is None or not stat.S_ISREG(status.st_mode):
            return None
        file = _known(found, status)
        if file is None:
            file = await asyncio.to_thread(_read, found, status)
        for_good = scope["query_string"] == file.digest.encode() or (self._hashed and path.startswith(self._hashed))
        kept = IMMUTABLE if for_good else ASKED_ANEW
        return _answer(file, scope, {**self._headers, "cache-control": kept})


class FilesFirst:
    """An ASGI application that answers with files where there are some, and else as another does."""

    def __init__(self, application: Application, places: Sequence[Files]) -> None:
        self._application = application
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer: Response | None = None
        if scope["type"] == "http" and scope["method"] == "GET":
            place = next((one for one in self._places if scope["path"].startswith(one.root)), None)
            answer = await place.answer(scope) if place else None
        await (answer or self._application)(scope, receive, send)


def address_of(folder: Path, root: str, path: str) -> str:
    """The address of a file of `folder`, which is served below `root`, with the digest by which it may be kept."""
    found = folder / path
    try:
        status = found.stat()
    except OSError:
        return f"{root}/{path}"
    file = _known(str(found), status) or _read(str(found), status)
    return f"{root}/{path}?{file.digest}"


def packed(data: bytes, media_type: str) -> bytes:
    """`data` by gzip, or b"" for what becomes no smaller by it. The same data give the same bytes."""
    if len(data) < _WORTH_BYTES or not media_type.startswith(_PACKED):
        return b""
    made = gzip.compress(data, _LEVEL, mtime=0)
    return made if len(made) < len(data) else b""


def takes_packed(scope: Scope) -> bool:
    """Whether who asks takes gzip."""
    for part in header(scope, b"accept-encoding").split(b","):
        name, *parameters = (word.strip() for word in part.split(b";"))
        if name == b"gzip":
            return not any(one.replace(b" ", b"") in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000") for one in parameters)
    return False


def _known(path: str, status: os.stat_result) -> _File | None:
    file = _files.get(path)
    return file if file and (file.changed_ns, file.size) == (status.st_mtime_ns, status.st_size) else None


def _read(path: str, status: os.stat_result) -> _File:
    data = Path(path).read_bytes()
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    digest = hashlib.sha256(data).hexdigest()[:16]
    file = _File(status.st_mtime_ns, status.st_size, digest, data, packed(data, media_type), media_type)
    _files[path] = file
    return file


def _answer(file: _File, scope: Scope, headers: dict[str, str]) -> Response:
    headers["etag"] = f'W/"{file.digest}"'
    if file.packed:
        headers["vary"] = "accept-encoding"
    if matches_etag(header(scope, b"if-none-match"), f'"{file.digest}"'.encode()):
        return Response(status_code=304, headers=headers)
    if file.packed and takes_packed(scope):
        headers["content-encoding"] = "gzip"
        return Response(file.packed, media_type=file.media_type, headers=headers)
    return Response(file.data, media_type=file.media_type, headers=headers)
