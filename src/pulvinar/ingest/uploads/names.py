"""Names of files that come from other systems: which can be kept, and which two some system takes for one."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from pulvinar.errors import Conflict, Invalid
from pulvinar.model.text import plain, short

_MOST_BYTES, _MOST_OF_ONE, _MOST_FOLDERS = 2000, 255, 60
# names of devices in Windows, whatever their ending
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))})
_HINT = "rename it, and hand it in again"


def checked_name(path: str) -> str:
    """`path` itself, relative and with `/` between folders. Raises `Invalid` for one that can't be kept as it is."""
    reason = _reason(path)
    if reason:
        raise Invalid(f"the name {plain(short(path))!r} can't be kept: {reason}", hint=_HINT)
    return path


def _reason(path: str) -> str:
    if not path:
        return "it is empty"
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        return "it is no valid Unicode"
    if size > _MOST_BYTES:
        return f"it has {size:,} bytes, and {_MOST_BYTES:,} are allowed"
    parts = path.split("/")
    if len(parts) > _MOST_FOLDERS:
        return f"it lies in {len(parts) - 1} folders, and {_MOST_FOLDERS - 1} are allowed"
    return next((reason for part in parts if (reason := _reason_of_one(part))), "")


def _reason_of_one(part: str) -> str:
    """Why one name between two slashes can't be kept; "" for a good one."""
    if not part:
        return "it begins or ends with a slash, or has two in a row"
    if part in (".", ".."):
        return f"{part!r} leads out of its folder"
    if "\\" in part:
        return "it has a backslash, which separates folders in Windows"
    if any(_is_steering(letter) for letter in part):
        return "it has control characters, or some that turn the direction of writing"
    if part != part.rstrip(" .") or part != part.lstrip(" "):
        return "a part of it begins with a blank, or ends with one or a dot, which Windows drops"
    if part.split(".")[0].strip().casefold() in _DEVICES:
        return f"{part!r} is the name of a device in Windows"
    size = len(part.encode("utf-8"))
    return f"a part of it has {size} bytes, and {_MOST_OF_ONE} are allowed" if size > _MOST_OF_ONE else ""


def _is_steering(letter: str) -> bool:
    # Cc: control; Zl and Zp: ends of lines; of Cf only those that turn the direction: others belong to scripts
    kind = unicodedata.category(letter)
    return kind in ("Cc", "Zl", "Zp") or "\u202a" <= letter <= "\u202e" or "\u2066" <= letter <= "\u2069"


def name_key(path: str) -> str:
    """What names have in common that differ only in case, or in how accents are composed: SHA-256 of their form."""
    form = unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
    return hashlib.sha256(unicodedata.normalize("NFC", unicodedata.normalize("NFD", form)).encode()).hexdigest()


def folders_of(path: str) -> Iterator[str]:
    """The folders that `path` lies in, from the outermost."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        yield "/".join(parts[:depth])


def keys_of(paths: Iterable[str]) -> dict[str, str]:
    """The keys of `paths` and of the folders that they lie in, each with its spelling."""
    return {name_key(name): name for path in paths for name in (*folders_of(path), path)}


class NameBook:
    """The names of one submission, as far as they matter to those that are added."""

    def __init__(self, known: Mapping[str, tuple[str, bool]]) -> None:
        self._known = dict(known)
        self.added: dict[str, tuple[str, bool]] = {}
        """Keys that were not known: spelling, and whether it is a file."""

    def add(self, path: str) -> None:
        """Add a file with its folders. Raises `Conflict` where the name clashes with another, `Invalid` as above."""
        for folder in folders_of(checked_name(path)):
            self._note(folder, is_file=False)
        self._note(path, is_file=True)

    def _note(self, name: str, *, is_file: bool) -> None:
        key = name_key(name)
        known = self._known.get(key)
        if known is None:
            self._known[key] = self.added[key] = (name, is_file)
            return
        spelled, was_file = known
        if spelled != name:
            raise Conflict(_clash(spelled, name), hint="many systems take them for the same: rename one of them")
        if is_file or was_file:
            said = "is there already" if is_file and was_file else "is a file and a folder"
            raise Conflict(f"{plain(short(name))!r} {said}", hint="hand each file in once")


def _clash(first: str, second: str) -> str:
    forms = [unicodedata.normalize("NFC", name) for name in (first, second)]
    how = "in how their accents are composed (NFC, NFD)" if forms[0] == forms[1] else "in upper and lower case"
    return f"{plain(short(first))!r} and {plain(short(second))!r} differ only {how}"
