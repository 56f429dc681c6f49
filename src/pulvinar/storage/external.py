"""Bytes that others own, read where they are: a folder, an S3 bucket, or a web server, each only as far as the operator
of this platform allows.

An address is allowed when it lies below one of the operator's. Nothing is ever written, and nothing outside is reached:
no link in a folder, no address of a private network unless that is allowed too, no redirection to anywhere else.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from pulvinar.errors import Forbidden, Invalid, NotFound, TooLarge, Unavailable
from pulvinar.storage.store import check_key

LARGEST_READ_BYTES = 512 << 20
_PORTS = {"http": 80, "https": 443}
_SCHEMES = ("file", "s3", "http", "https")


@dataclass(frozen=True)
class Seen:
    """One object as it was seen: `tag` changes when its bytes change (an ETag, or the time of the last change)."""

    path: str
    size_bytes: int
    tag: str


@dataclass(frozen=True)
class Piece:
    """Bytes of one object, and the tag that the object had then."""

    data: bytes
    tag: str


class ExternalSource(Protocol):
    """Read-only objects below an address. Paths are as a store's keys, or `Invalid` is raised.

    Raises `NotFound` for what is not there, `TooLarge` for more than `most` bytes, `Unavailable` when the source does
    not answer, or doesn't let this platform read.
    """

    url: str

    def read(self, path: str, *, start: int = 0, length: int | None = None, most: int = LARGEST_READ_BYTES) -> Piece:
        """`length` bytes from `start`, or all that follow."""

    def read_end(self, path: str, length: int) -> Piece:
        """The last `length` bytes."""

    def look(self, path: str) -> Seen:
        """An object without its bytes."""

    def list(self) -> Iterator[Seen] | None:
        """Every object, in no order; None where the source can't be listed, as a web server."""


@dataclass(frozen=True)
class S3Access:
    """How S3 is reached; without a key, as anybody may."""

    endpoint: str = ""
    access_key: str = ""
    secret_key: str = ""
    region: str = "us-east-1"


class ExternalSources:
    """The addresses that an operator allows, separated by blanks; none at all by default."""

    def __init__(self, allowed: str = "", *, private: bool = False, s3: S3Access | None = None) -> None:
        self._allowed = tuple(normal_url(one) for one in allowed.split())
        self._private = private
        self._s3 = s3 or S3Access()

    def open(self, url: str) -> ExternalSource:
        """The source at `url`. Raises `Invalid` for what is no address, `Forbidden` for one that isn't allowed."""
        url = self.check(url)
        scheme = urlsplit(url).scheme
        if scheme == "file":
            return FolderSource(url, [_folder(one) for one in self._allowed if one.startswith("file:")])
        if scheme == "s3":
            return S3Source(url, self._s3)
        from pulvinar.storage.external_http import HttpSource

        return HttpSource(url, check=self.check, private=self._private)

    def check(self, url: str) -> str:
        """`url` in its normal form. Raises `Invalid` and `Forbidden`."""
        url = normal_url(url)
        if not any(url == one or url.startswith(f"{one}/") for one in self._allowed):
            raise Forbidden(
                f"{url} is not among the external sources that this platform may read",
                hint="the operator allows it, or what it lies in, by the setting external_sources "
                "(PULVINAR_EXTERNAL_SOURCES)",
            )
        return url


def normal_url(url: str) -> str:
    """`url` in the one form that it is compared in: a scheme of ours, a host in small letters, a path without an end.

    Raises `Invalid` for names and passwords, questions, fragments, and paths that climb.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"{url[:200]!r} is no address: {error}") from error
    path = unquote(parts.path)
    inner = path.strip("/").split("/") if path.strip("/") else []
    bad = parts.query or parts.fragment or parts.username is not None or "\\" in path or "%" in path
    if parts.scheme not in _SCHEMES or bad or any(part in ("", ".", "..") or not part.isprintable() for part in inner):
        raise Invalid(
            f"{url[:200]!r} is no address of an external source",
            hint="use file:///folder, s3://bucket/prefix, or https://host/path, without a question or a password",
        )
    if (parts.scheme == "file") == bool(parts.netloc):
        raise Invalid(
            f"{url[:200]!r} names {'a' if parts.netloc else 'no'} host", hint="file:///folder, https://host/path"
        )
    host = parts.netloc if parts.scheme == "s3" else (parts.hostname or "").lower()
    if ":" in host and parts.scheme != "s3":
        host = f"[{host}]"
    where = host if port in (None, _PORTS.get(parts.scheme)) or parts.scheme == "s3" else f"{host}:{port}"
    return f"{parts.scheme}://{where}" + "".join(f"/{quote(part)}" for part in inner)


def _folder(url: str) -> Path:
    return Path(unquote(urlsplit(url).path) or "/")


class FolderSource:
    """Files below a folder of this machine; a link on the way to one is refused."""

    def __init__(self, url: str, allowed: list[Path]) -> None:
        self.url = url
        try:
            self._root = _folder(url).resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise NotFound(f"there is nothing at {url}") from error
        # the operator's own folders may be links, what lies below them may not lead elsewhere
        if not any(self._root.is_relative_to(one.resolve()) for one in allowed):
            raise Forbidden(f"{url} is a link that leads out of what this platform may read")

    def read(self, path: str, *, start: int = 0, length: int | None = None, most: int = LARGEST_READ_BYTES) -> Piece:
        """`length` bytes from `start`, or all that follow."""
        with self._opened(path) as (descriptor, status):
            wanted = min(status.st_size - start, status.st_size if length is None else length)
            if wanted > most:
                raise too_large(self.url, path, wanted, most)
            return Piece(os.pread(descriptor, max(wanted, 0), start), _tag(status))

    def read_end(self, path: str, length: int) -> Piece:
        """The last `length` bytes."""
        return self.read(path, start=max(self.look(path).size_bytes - length, 0), length=length)

    def look(self, path: str) -> Seen:
        """A file's size and the time of its last change."""
        with self._opened(path) as (_, status):
            return Seen(path, status.st_size, _tag(status))

    def list(self) -> Iterator[Seen] | None:
        """Every file; links are passed over."""
        return self._walk()

    def _walk(self) -> Iterator[Seen]:
        for folder, _, names in os.walk(self._root):
            for name in names:
                file = Path(folder) / name
                try:
                    status = file.lstat()
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield Seen(file.relative_to(self._root).as_posix(), status.st_size, _tag(status))

    @contextmanager
    def _opened(self, path: str) -> Iterator[tuple[int, os.stat_result]]:
        file = self._root / check_key(path)
        try:
            if file.resolve(strict=True) != file:
                raise Unavailable(f"{self.url}/{path} is a link, which is never followed")
            descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"{self.url}/{path} is not there") from error
        except (OSError, RuntimeError) as error:
            raise Unavailable(f"{self.url}/{path} can't be read: {error}") from error
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NotFound(f"{self.url}/{path} is no file")
            yield descriptor, status
        finally:
            os.close(descriptor)


def _tag(status: os.stat_result) -> str:
    return f"mtime {status.st_mtime_ns}"


class S3Source:
    """Objects below a prefix of a bucket."""

    def __init__(self, url: str, access: S3Access) -> None:
        from obstore.store import S3Store

        self.url = url
        parts = urlsplit(url)
        self._prefix = f"{unquote(parts.path).strip('/')}/".lstrip("/")
        given: dict[str, Any] = {
            "region": access.region,
            "client_options": {"allow_http": True},
            "retry_config": {"max_retries": 4, "retry_timeout": timedelta(seconds=20)},
        }
        if access.endpoint:
            given |= {"endpoint": access.endpoint, "virtual_hosted_style_request": False}
        if access.access_key:
            given |= {"access_key_id": access.access_key, "secret_access_key": access.secret_key}
        else:
            given["skip_signature"] = True
        self._bucket = S3Store(parts.netloc, **given)

    def read(self, path: str, *, start: int = 0, length: int | None = None, most: int = LARGEST_READ_BYTES) -> Piece:
        """`length` bytes from `start`, or all that follow."""
        span: Any = None
        if length is not None:
            span = (start, start + length)
        elif start:
            span = {"offset": start}
        return self._get(path, span, most)

    def read_end(self, path: str, length: int) -> Piece:
        """The last `length` bytes."""
        return self._get(path, {"suffix": length}, LARGEST_READ_BYTES)

    def look(self, path: str) -> Seen:
        """An object's size and ETag."""
        import obstore

        with self._refusals(path):
            return _seen(path, obstore.head(self._bucket, self._prefix + check_key(path)))

    def list(self) -> Iterator[Seen] | None:
        """Every object."""
        return self._listed()

    def _listed(self) -> Iterator[Seen]:
        import obstore

        with self._refusals(""):
            for page in obstore.list(self._bucket, self._prefix or None):
                for entry in page:
                    yield _seen(entry["path"].removeprefix(self._prefix), entry)

    def _get(self, path: str, span: Any, most: int) -> Piece:
        import obstore

        with self._refusals(path):
            found = obstore.get(self._bucket, self._prefix + check_key(path), options={"range": span} if span else None)
            first, last = found.range
            if last - first > most:
                raise too_large(self.url, path, last - first, most)
            return Piece(bytes(found.bytes()), _seen(path, found.meta).tag)

    @contextmanager
    def _refusals(self, path: str) -> Iterator[None]:
        from obstore.exceptions import BaseError, NotFoundError

        try:
            yield
        except (FileNotFoundError, NotFoundError) as error:
            raise NotFound(f"{self.url}/{path} is not there") from error
        except (BaseError, OSError) as error:
            raise Unavailable(f"{self.url}/{path} can't be read: {error}") from error


def _seen(path: str, meta: Any) -> Seen:
    modified: datetime = meta["last_modified"]
    return Seen(path, int(meta["size"]), str(meta["e_tag"] or f"modified {modified.isoformat()}"))


def too_large(url: str, path: str, size: int, most: int) -> TooLarge:
    """What is raised for an object that holds more than it may."""
    return TooLarge(f"{url}/{path} has {size} bytes where at most {most} are expected")
