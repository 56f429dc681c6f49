"""Handing in files over a line that breaks: in pieces, several at a time, each with its SHA-256, by tus 1.0.

Where things stand is asked from the server, under a fingerprint of the files: nothing is kept on this side, and the
same call, made again from wherever, goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulvinar.client.bucket import send_by_bucket
from pulvinar.client.tus import PIECE_BYTES, Range, Sender, persistently
from pulvinar.errors import Conflict, Corrupt, NotFound

if TYPE_CHECKING:
    from pulvinar.client import Client

_ANNOUNCED_BYTES = 400_000
_RANGES = 4
"""So many uploads a large file is cut into, which run beside each other."""


@dataclass(frozen=True)
class LocalFile:
    """A file to hand in, and its name there."""

    name: str
    path: Path
    size_bytes: int
    modified_ns: int


class RemoteSubmission:
    """What was handed in; `page` is where a person describes it and has it brought in."""

    def __init__(self, client: Client, told: dict[str, Any]) -> None:
        self._client = client
        self.id: str = told["id"]
        self.told = told
        self.page = f"{client.url}/submissions/{self.id}"

    def __repr__(self) -> str:
        return f"RemoteSubmission({self.id!r}, {self.state})"

    @property
    def state(self) -> str:
        """How far it is: open, looking, looked, taking, done or failed."""
        return str(self.told["state"])

    def refresh(self) -> RemoteSubmission:
        """The same, as it is now."""
        return RemoteSubmission(self._client, self._client.json(f"/api/v1/submissions/{self.id}"))


def local_files(paths: Sequence[Path]) -> list[LocalFile]:
    """The regular files at and below `paths`; those of one folder are named from it, of several each from its parent.

    Links are not followed. Raises `NotFound`.
    """
    found = []
    for root in paths:
        if not root.exists():
            raise NotFound(f"there is nothing at {root}")
        base = root.parent if root.is_file() or len(paths) > 1 else root
        for path in [root] if root.is_file() else sorted(_below(root)):
            about = path.stat()
            found.append(LocalFile(path.relative_to(base).as_posix(), path, about.st_size, about.st_mtime_ns))
    if not found:
        raise NotFound(f"there is no file in {', '.join(map(str, paths))}")
    return found


def _below(root: Path) -> Iterator[Path]:
    for at, _, names in os.walk(root):
        for name in names:
            path = Path(at, name)
            if path.is_file() and not path.is_symlink():
                yield path


def upload(
    client: Client,
    paths: Sequence[Path],
    *,
    title: str,
    parallel: int,
    progress: Callable[[int, int], None],
    by_bucket: bool = False,
) -> RemoteSubmission:
    """As `Client.upload` says."""
    files = local_files([path.absolute() for path in paths])
    known = _Known(client, title or paths[0].resolve().name, files)
    told = persistently(known.find)
    if told["state"] != "open":
        return RemoteSubmission(client, told)
    counter = _Counter(sum(file.size_bytes for file in files), progress)
    staged = persistently(lambda: known.staged(told["id"]))
    large = [file for file in files if by_bucket and file.size_bytes > PIECE_BYTES]
    sending = _Sending(client, told["id"], counter)
    sending.run(_work([file for file in files if file not in large], staged, counter), parallel)
    sent = sending.sent | send_by_bucket(client, told["id"], large, parallel, counter.add)
    persistently(lambda: _verify(client, told["id"], staged, files, sent))
    return RemoteSubmission(client, persistently(lambda: client.ask(f"/api/v1/submissions/{told['id']}/finish", {})))


def _work(files: Sequence[LocalFile], staged: Mapping[str, dict[str, Any]], counter: _Counter) -> list[Range]:
    """What is still to be sent; what is there is counted."""
    work: list[Range] = []
    for file in files:
        there = staged[file.name]
        counter.add(there["size_bytes"] if there["whole"] else sum(part["received"] for part in there["parts"]))
        work += [] if there["whole"] else ranges_of(file, there)
    return work


class _Counter:
    """Adds up what is there, from several threads."""

    def __init__(self, total: int, progress: Callable[[int, int], None]) -> None:
        self._total, self._progress = total, progress
        self._done = 0
        self._lock = threading.Lock()

    def add(self, size_bytes: int) -> None:
        """So many more are there."""
        with self._lock:
            self._done += size_bytes
            self._progress(self._done, self._total)


class _Known:
    """What the server knows of these files."""

    def __init__(self, client: Client, title: str, files: Sequence[LocalFile]) -> None:
        self._client, self._title, self._files = client, title, files
        parts = [[file.name, str(file.path), file.size_bytes, file.modified_ns] for file in files]
        self._fingerprint = hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogateescape")).hexdigest()

    def find(self) -> dict[str, Any]:
        """The submission of these files: the one that was begun, with what is still to be announced, or a new one."""
        begun = self._client.json("/api/v1/submissions", fingerprint=self._fingerprint)
        told: dict[str, Any] = (
            begun[0]
            if begun
            else self._client.ask("/api/v1/submissions", {"title": self._title, "fingerprint": self._fingerprint})
        )
        if told["state"] == "open":
            there = self.staged(told["id"]) if begun else {}
            self._announce(told["id"], [file for file in self._files if file.name not in there])
        return told

    def staged(self, submission_id: str) -> dict[str, dict[str, Any]]:
        """The files that the server knows of, by name."""
        found: dict[str, dict[str, Any]] = {}
        after = ""
        while page := self._client.json(f"/api/v1/submissions/{submission_id}/files", after=after):
            found |= {one["path"]: one for one in page}
            after = page[-1]["id"]
        return found

    def _announce(self, submission_id: str, files: Sequence[LocalFile]) -> None:
        batch: list[dict[str, Any]] = []
        size = 0
        for file in files:
            batch.append({"path": file.name, "size_bytes": file.size_bytes})
            size += len(file.name.encode("utf-8", "surrogateescape")) + 40
            if size > _ANNOUNCED_BYTES:
                self._client.ask(f"/api/v1/submissions/{submission_id}/files", batch)
                batch, size = [], 0
        if batch:
            self._client.ask(f"/api/v1/submissions/{submission_id}/files", batch)


Sent = dict[tuple[str, int], str]
"""The SHA-256 of what was sent, by name and place."""


class _Sending:
    """The ranges of one call, sent by several threads."""

    def __init__(self, client: Client, submission_id: str, counter: _Counter) -> None:
        self._client, self._submission, self._counter = client, submission_id, counter
        self._over = threading.Event()
        self._own = threading.local()
        self._lock = threading.Lock()
        self._left: Counter[str] = Counter()
        self._uploads: dict[str, dict[int, str]] = {}
        self.sent: Sent = {}

    def run(self, work: Sequence[Range], parallel: int) -> None:
        """Send all of `work`; the first failure ends the others at their next piece, and what is there stays."""
        self._left.update(one.name for one in work)
        with ThreadPoolExecutor(parallel, thread_name_prefix="upload") as pool:
            try:
                for done in as_completed([pool.submit(self._send, one) for one in work]):
                    done.result()
            except BaseException:
                self._over.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _send(self, one: Range) -> None:
        sender: Sender | None = getattr(self._own, "sender", None)
        if sender is None:
            sender = self._own.sender = Sender(self._client.url, self._client.signed_in, self._submission, self._over)
        upload_id, digests = sender.send(one, self._counter.add)
        with self._lock:
            self.sent |= {(one.name, first): digest for first, digest in digests.items()}
            self._uploads.setdefault(one.name, {})[one.first] = upload_id
            self._left[one.name] -= 1
            last = self._left[one.name] == 0
        if last and one.partial:
            sender.join([upload_id for _, upload_id in sorted(self._uploads[one.name].items())])


def ranges_of(file: LocalFile, there: dict[str, Any]) -> list[Range]:
    """What is to be sent of a file: the uploads that were begun, and what they leave open.

    Raises `Conflict` where the file has another size now.
    """
    if there["size_bytes"] != file.size_bytes:
        raise Conflict(f"{file.path} had {there['size_bytes']:,} bytes when it was begun, and has {file.size_bytes:,}")
    parts = [(part["first"], part["first"] + part["size_bytes"]) for part in there["parts"]]
    in_one = any(not part["partial"] for part in there["parts"])
    if in_one or (not parts and file.size_bytes <= PIECE_BYTES):
        return [Range(file.name, file.path, 0, file.size_bytes, partial=False, begun=bool(parts))]
    pieces = -(-file.size_bytes // PIECE_BYTES)
    step = -(-pieces // _RANGES) * PIECE_BYTES
    return [
        Range(file.name, file.path, first, stop - first, partial=True)
        for first, stop in _filled(sorted(parts), file.size_bytes, step)
    ]


def _filled(parts: Sequence[tuple[int, int]], size_bytes: int, step: int) -> Iterator[tuple[int, int]]:
    """`parts`, and ranges of at most `step` for what lies between them."""
    at = 0
    for first, stop in [*parts, (size_bytes, size_bytes)]:
        while at < first:
            yield at, min(at + step, first)
            at = min(at + step, first)
        if stop > first:
            yield first, stop
            at = stop


def _verify(
    client: Client, submission_id: str, staged: dict[str, dict[str, Any]], files: Sequence[LocalFile], sent: Sent
) -> None:
    """Raise `Corrupt` where what the server has received is not what lies here."""
    paths = {staged[file.name]["id"]: file for file in files}
    covered = dict.fromkeys(paths, 0)
    after: dict[str, str] = {}
    while page := client.json(f"/api/v1/submissions/{submission_id}/digests", **after):
        for piece in page:
            file = paths[piece["file_id"]]
            # what an earlier call has sent is read again
            here = sent.get((file.name, piece["first"])) or _digest(file.path, piece["first"], piece["size_bytes"])
            if here != piece["sha256"]:
                raise Corrupt(f"{file.path} has changed while it was handed in", hint="hand it in once more")
            covered[piece["file_id"]] += piece["size_bytes"]
        after = {"after_part": page[-1]["part_id"], "after_first": str(page[-1]["first"])}
    for file_id, file in paths.items():
        if covered[file_id] != file.size_bytes:
            raise Corrupt(f"the server has {covered[file_id]:,} of {file.size_bytes:,} bytes of {file.path}")


def _digest(path: Path, first: int, size_bytes: int) -> str:
    with path.open("rb") as content:
        content.seek(first)
        return hashlib.sha256(content.read(size_bytes)).hexdigest()
