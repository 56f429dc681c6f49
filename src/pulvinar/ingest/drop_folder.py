"""A folder into which instruments write: each folder in it is brought in once it is whole.

Whole is what its manifest says (`manifest.sha256` or `SHA256SUMS`, as sha256sum writes them), or, without one, what has
not changed for a quiet time. What came of it stands beside it in a text: `NAME.done.txt` or `NAME.error.txt`. Nothing
is brought in twice: what is done is passed over, also where the text was lost, for the session of the ingest is known.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pulvinar.errors import PulvinarError
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.progress import Progress, Silent
from pulvinar.ingest.record_file import read_record_file
from pulvinar.ingest.request import Ingested, Means, Request
from pulvinar.ingest.source_files import opened
from pulvinar.model.text import plain

MANIFESTS = ("manifest.sha256", "SHA256SUMS")
RECORDS = ("record.yaml", "record.yml", "record.toml", "record.json")
_DONE, _ERROR = ".done.txt", ".error.txt"
_LINE = re.compile(r"\\?([0-9a-fA-F]{64}) [ *](.+)")
_STATE = "state "
_BLOCK_BYTES = 4 << 20


@dataclass
class _Seen:
    """How a folder was, and since when it has been so."""

    state: str
    since_s: float
    manifest_holds: bool | None = None


class DropFolder:
    """One watched folder. `request` is what is said of all that lands in it; a record file in a folder says more."""

    def __init__(self, means: Means, folder: Path, request: Request, *, quiet_s: float = 300.0) -> None:
        self._means, self._folder, self._request, self._quiet_s = means, folder, request, quiet_s
        self._seen: dict[str, _Seen] = {}

    def look(self, progress: Progress | None = None, say: Callable[[str], None] = lambda line: None) -> list[Ingested]:
        """Bring in what is whole now; what was brought in. Errors end nothing: they are written beside the folder."""
        brought = []
        for path in sorted(self._waiting()):
            state = folder_state(path)
            if not self._is_whole(path, state) or self._failed_so(path, state):
                continue
            try:
                done = ingest(self._means, self._request_for(path), progress or Silent())
            except PulvinarError as error:
                self._note(path, _ERROR, state, error)
                say(f"{path.name}: {plain(error.message)}")
            else:
                brought.append(done)
                self._finish(path, done)
                say(f"{path.name}: dataset {done.version.dataset_id}, version {done.version.number}")
        return brought

    def _waiting(self) -> Iterator[Path]:
        for path in self._folder.iterdir():
            hidden = path.name.startswith(".")
            if path.is_dir() and not path.is_symlink() and not hidden and not _beside(path, _DONE).exists():
                yield path

    def _is_whole(self, path: Path, state: str) -> bool:
        """Whether all of it is there, by its manifest or by the quiet around it."""
        seen = self._seen.get(path.name)
        if seen is None or seen.state != state:
            seen = self._seen[path.name] = _Seen(state, time.monotonic())
        if _manifest(path) is not None:
            # to read terabytes again and again while they come would slow the instrument down
            if seen.manifest_holds is None and all_there(path):
                seen.manifest_holds = not problems_of_manifest(path)
            return seen.manifest_holds is True
        return bool(state) and time.monotonic() - seen.since_s >= self._quiet_s

    def _failed_so(self, path: Path, state: str) -> bool:
        """Whether this very content has failed before: only a change, or the removal of the text, is a reason to try
        again."""
        try:
            said = _beside(path, _ERROR).read_text("utf-8")
        except FileNotFoundError:
            return False
        return f"{_STATE}{state}" in said.splitlines()

    def _request_for(self, path: Path) -> Request:
        record = next((path / name for name in RECORDS if (path / name).is_file()), None)
        if record is None:
            return replace(self._request, path=path)
        _, said = read_record_file(record)
        answers = replace(self._request.answers, record={**self._request.answers.record, **said})
        return replace(self._request, path=path, answers=answers)

    def _note(self, path: Path, ending: str, state: str, error: PulvinarError) -> None:
        lines = [f"{path.name} was not brought in.", "", plain(error.message), plain(error.hint), ""]
        lines += ["It is tried again once the folder changes, or this text is removed.", f"{_STATE}{state}"]
        _write(_beside(path, ending), "\n".join(lines) + "\n")

    def _finish(self, path: Path, done: Ingested) -> None:
        version = done.version
        lines = [f"{path.name} was brought in.", "", f"dataset {version.dataset_id}", f"version {version.number}", ""]
        lines += [f"{one.severity.value}: {plain(one.message)}" for one in done.findings]
        _write(_beside(path, _DONE), "\n".join(lines) + "\n")
        _beside(path, _ERROR).unlink(missing_ok=True)
        self._seen.pop(path.name, None)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _write(path: Path, text: str) -> None:
    """The whole text or none: somebody may look at any time."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, "utf-8")
    new.replace(path)


def folder_state(folder: Path) -> str:
    """Names, sizes and times of all files below `folder`, as one digest; "" where there is none."""
    digest, count = hashlib.sha256(), 0
    for at, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(at, name)
            try:
                about = path.lstat()
            except FileNotFoundError:
                continue
            told = f"{path.relative_to(folder)}\0{about.st_size}\0{about.st_mtime_ns}\n"
            digest.update(told.encode("utf-8", "surrogateescape"))
            count += 1
    return digest.hexdigest() if count else ""


def _manifest(folder: Path) -> Path | None:
    return next((folder / name for name in MANIFESTS if (folder / name).is_file()), None)


def _listed(folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """The names and checksums of the manifest of a folder, and what in it is no line of one."""
    manifest = _manifest(folder)
    lines = manifest.read_text("utf-8", errors="replace").splitlines() if manifest is not None else []
    wanted = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    matched = [_LINE.fullmatch(line) for line in wanted]
    odd = [f"{plain(line)!r} is no line of a manifest" for line, one in zip(wanted, matched, strict=True) if not one]
    return [(one[2].removeprefix("./"), one[1].lower()) for one in matched if one], odd


def all_there(folder: Path) -> bool:
    """Whether every file of the manifest is there, whatever is in it."""
    listed, odd = _listed(folder)
    return bool(listed) and not odd and all((folder / name).is_file() for name, _ in listed)


def problems_of_manifest(folder: Path) -> list[str]:
    """What the manifest of a folder says that isn't so (yet): files that lack, or are others."""
    listed, problems = _listed(folder)
    if not listed:
        problems.append("there is no manifest, or it is empty")
    for name, digest in listed:
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            problems.append(f"{plain(name)} is not there")
        elif _digest(path) != digest:
            problems.append(f"{plain(name)} is another file")
    return problems


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with opened(path) as content:
        while block := content.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
