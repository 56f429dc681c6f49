"""Handing in large files by way of the server's bucket: each part is PUT to an address that is signed for it alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pulvinar.client.tus import Broken, persistently
from pulvinar.errors import Corrupt, Invalid

if TYPE_CHECKING:
    from pulvinar.client import Client
    from pulvinar.client.uploads import LocalFile

_TRIES = 3
_TIMEOUT_S = 300.0


def send_by_bucket(
    client: Client, submission_id: str, files: Sequence[LocalFile], parallel: int, count: Callable[[int], None]
) -> dict[tuple[str, int], str]:
    """Send files, none of them empty, and have them land; the SHA-256 of each part by name and place.

    Raises `Corrupt` for a file that arrives damaged again and again.
    """
    sent: dict[tuple[str, int], str] = {}
    for file in files:
        for attempt in range(_TRIES):
            begun, digests = _send(client, submission_id, file, parallel, count if attempt == 0 else lambda _: None)
            if _landed(client, f"{_root(submission_id)}/{begun['file_id']}/complete"):
                break
        else:
            raise Corrupt(f"{file.path} has arrived damaged {_TRIES} times")
        sent |= {(file.name, (number - 1) * begun["part_bytes"]): one for number, one in digests.items()}
    return sent


def _root(submission_id: str) -> str:
    return f"/api/v1/submissions/{submission_id}/bucket-uploads"


def _send(
    client: Client, submission_id: str, file: LocalFile, parallel: int, count: Callable[[int], None]
) -> tuple[dict[str, Any], dict[int, str]]:
    """Send the parts of a file that the bucket has not; what the server says of it, and the SHA-256 of all parts."""
    asked = {"path": file.name, "size_bytes": file.size_bytes}
    begun = persistently(lambda: client.ask(_root(submission_id), asked))
    there = {int(number): digest for number, digest in begun["there"].items()}

    def send(number: int) -> tuple[int, str]:
        with file.path.open("rb") as content:
            content.seek((number - 1) * begun["part_bytes"])
            data = content.read(begun["part_bytes"])
        digest = hashlib.sha256(data).hexdigest()
        if there.get(number) != digest:
            part = {"number": number, "sha256": digest}
            persistently(lambda: _put(client.ask(f"{_root(submission_id)}/{begun['file_id']}/parts", part), data))
        count(len(data))
        return number, digest

    with ThreadPoolExecutor(parallel, thread_name_prefix="bucket") as pool:
        return begun, dict(pool.map(send, range(1, begun["part_count"] + 1)))


def _put(signed: dict[str, Any], data: bytes) -> None:
    """PUT a part. Raises `Broken` for whatever a new address or another try may mend."""
    import httpx2

    try:
        answer = httpx2.put(signed["url"], content=data, headers=signed["headers"], timeout=_TIMEOUT_S)
    except httpx2.HTTPError as error:
        raise Broken(str(error)) from error
    if answer.status_code != 200:
        raise Broken(f"the bucket answers {answer.status_code}")


def _landed(client: Client, address: str) -> bool:
    """Have a file land; False where a part of it was damaged on its way, and is to be sent again."""
    while True:
        try:
            if persistently(lambda: client.ask(address, {}))["whole"]:
                return True
        except Invalid:
            return False
