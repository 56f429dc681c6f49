"""A bucket in which large files are received part by part, by S3's multipart uploads, on their way to the staging disk.

Whoever sends a part gets an address that is signed for that part of that upload with that SHA-256 alone, and for some
minutes: the keys of the bucket stay here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from pulvinar.errors import Conflict, Invalid, NotFound, Unavailable
from pulvinar.storage.store import Store, check_key, open_store

_LASTS_S = 900
_GONE = ("NoSuchUpload", "NoSuchKey", "404")


@dataclass(frozen=True)
class StagingBucket:
    """The bucket at `url` (s3://bucket/prefix), reached as the settings say."""

    url: str
    endpoint: str
    access_key: str
    secret_key: str
    region: str

    def begin(self, key: str) -> str:
        """Begin the upload of an object; the upload's identifier."""
        with _refusals(key):
            return str(self._client.create_multipart_upload(**self._at(key), ChecksumAlgorithm="SHA256")["UploadId"])

    def sign(self, key: str, upload: str, number: int, sha256: str) -> tuple[str, Mapping[str, str]]:
        """The address to which part `number` (from 1) is PUT within 15 minutes, and the headers that go with it.

        `sha256` (hex) is signed with it: the bucket takes no other bytes.
        """
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        asked = {**self._at(key), "UploadId": upload, "PartNumber": number, "ChecksumSHA256": checksum}
        address = self._client.generate_presigned_url("upload_part", Params=asked, ExpiresIn=_LASTS_S)
        return str(address), {"x-amz-checksum-sha256": checksum}

    def parts(self, key: str, upload: str) -> dict[int, tuple[int, str]]:
        """The parts that are there, by number: size in bytes and ETag. Raises `NotFound` where the upload is over."""
        with _refusals(key):
            pages = self._client.get_paginator("list_parts").paginate(**self._at(key), UploadId=upload)
            listed = [one for page in pages for one in page.get("Parts", ())]
        return {int(one["PartNumber"]): (int(one["Size"]), str(one["ETag"])) for one in listed}

    def complete(self, key: str, upload: str, parts: Sequence[tuple[int, str, str]]) -> None:
        """Make the object of its parts, each with number, ETag and SHA-256 (hex)."""
        told = [
            {"PartNumber": number, "ETag": tag, "ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode()}
            for number, tag, sha256 in parts
        ]
        with _refusals(key):
            self._client.complete_multipart_upload(**self._at(key), UploadId=upload, MultipartUpload={"Parts": told})

    def read(self, key: str, first: int, size_bytes: int) -> bytes:
        """Bytes of an object. Raises `NotFound`."""
        return self._store.read(key, first, size_bytes)

    def discard(self, key: str, upload: str) -> None:
        """Remove an object, or what has come of it."""
        try:
            with _refusals(key):
                self._client.abort_multipart_upload(**self._at(key), UploadId=upload)
        except NotFound:
            pass
        self._store.delete(key)

    def _at(self, key: str) -> dict[str, str]:
        parts = urlsplit(self.url)
        prefix = parts.path.strip("/")
        return {"Bucket": parts.netloc, "Key": f"{prefix}/{check_key(key)}" if prefix else check_key(key)}

    @cached_property
    def _store(self) -> Store:
        keys = {"access_key": self.access_key, "secret_key": self.secret_key}
        return open_store(self.url, endpoint=self.endpoint, region=self.region, **keys)

    @cached_property
    def _client(self) -> Any:
        # a slow import, and few processes ever need it
        from botocore.config import Config
        from botocore.session import get_session

        if urlsplit(self.url).scheme != "s3":
            raise Invalid(f"{self.url!r} is not the address of a bucket", hint="use s3://bucket/prefix")
        config = Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 4})
        keys = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        told = {name: value for name, value in keys.items() if value}
        place = {"endpoint_url": self.endpoint or None, "region_name": self.region}
        return get_session().create_client("s3", config=config, **place, **told)


@contextmanager
def _refusals(key: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _GONE:
            raise NotFound(f"the bucket has no upload of {key!r}") from error
        if code in ("InvalidPart", "InvalidPartOrder", "EntityTooSmall", "BadDigest"):
            raise Conflict(f"the parts of {key!r} make no object: {code}", hint="send them again") from error
        raise Unavailable(f"the bucket does not take {key!r}: {error}") from error
    except BotoCoreError as error:
        raise Unavailable(f"the bucket does not answer: {error}") from error
