"""A store in an S3 bucket, by obstore; tensorstore reads it through its own S3 driver."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store as Bucket

from pulvinar.errors import NotFound, Unavailable
from pulvinar.model.identity import new_id
from pulvinar.storage.store import StoreEntry, check_key

_PART_BYTES = 16 << 20
_PROFILE = "pulvinar"


class S3Store:
    """Objects below `prefix` of `bucket`; a put is visible when the server has acknowledged all of it."""

    def __init__(
        self, bucket: str, prefix: str = "", *, endpoint: str, access_key: str, secret_key: str, region: str
    ) -> None:
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket_name = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint = endpoint
        self._region = region
        self._credentials = _credentials_file(access_key, secret_key) if access_key else None
        given: dict[str, Any] = {
            "region": region,
            "client_options": {"allow_http": True},
            "retry_config": {"max_retries": 4, "retry_timeout": timedelta(seconds=20)},
        }
        if endpoint:
            given |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        if access_key:
            given |= {"access_key_id": access_key, "secret_access_key": secret_key}
        self._bucket = Bucket(bucket, **given)

    def put_file(self, key: str, path: Path) -> None:
        """Upload `path` (in parts when it is large), then remove it."""
        with _refusals(key):
            obstore.put(self._bucket, self._name(key), path, chunk_size=_PART_BYTES)
        path.unlink()

    def put_bytes(self, key: str, data: bytes) -> None:
        """Upload `data`."""
        with _refusals(key):
            obstore.put(self._bucket, self._name(key), data)

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `start`, or all that follow."""
        name = self._name(key)
        with _refusals(key):
            if length is None and start == 0:
                return bytes(obstore.get(self._bucket, name).bytes())
            size = self.size(key)
            stop = size if length is None else min(size, start + length)
            return bytes(obstore.get_range(self._bucket, name, start=start, end=stop)) if stop > start else b""

    def size(self, key: str) -> int:
        """Size in bytes."""
        with _refusals(key):
            return int(obstore.head(self._bucket, self._name(key))["size"])

    def list(self, prefix: str) -> Iterator[StoreEntry]:
        """Every object under the folder `prefix`, sorted by key (S3 lists in that order)."""
        base = self._name(prefix) + "/" if prefix else self._prefix
        with _refusals(prefix):
            found = [entry for page in obstore.list(self._bucket, base) for entry in page]
        for entry in sorted(found, key=lambda entry: entry["path"]):
            yield StoreEntry(entry["path"].removeprefix(self._prefix), entry["size"])

    def delete(self, key: str) -> None:
        """Remove `key`."""
        try:
            with _refusals(key):
                obstore.delete(self._bucket, self._name(key))
        except NotFound:
            return

    def local_path(self, key: str) -> Path | None:
        """None: there is no file."""
        check_key(key)
        return None

    def scratch_for(self, key: str, scratch: Path) -> Path:
        """A new path in `scratch`."""
        check_key(key)
        scratch.mkdir(parents=True, exist_ok=True)
        return scratch / new_id("part")

    def kvstore(self, prefix: str) -> dict[str, Any]:
        """tensorstore's S3 driver on the folder `prefix`."""
        spec: dict[str, Any] = {
            "driver": "s3",
            "bucket": self._bucket_name,
            "path": f"{self._name(prefix)}/",
            "aws_region": self._region,
        }
        if self._endpoint:
            spec["endpoint"] = self._endpoint
        if self._credentials is not None:
            path = f"/proc/self/fd/{self._credentials}"
            spec["aws_credentials"] = {
                "type": "profile",
                "profile": _PROFILE,
                "credentials_file": path,
                "config_file": "/dev/null",
            }
        return spec

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)


def _credentials_file(access_key: str, secret_key: str) -> int:
    """A file that lives in memory only: tensorstore takes keys from a file or the environment, never as values."""
    descriptor = os.memfd_create("pulvinar-s3-credentials", os.MFD_CLOEXEC)
    text = f"[{_PROFILE}]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n"
    os.write(descriptor, text.encode())
    return descriptor


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotFoundError) as error:
        raise NotFound(f"the store has no object {name!r}") from error
    except (BaseError, OSError) as error:
        raise Unavailable(f"the S3 store can't serve {name!r}: {error}") from error
