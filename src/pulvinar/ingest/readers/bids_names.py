"""What the names in a BIDS tree say, and which files belong to which: entities, suffixes, inheritance.

Source: the Brain Imaging Data Structure, Common principles (file names, the inheritance principle).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pulvinar.ingest.reader import SourceFile

DESCRIPTION = "dataset_description.json"
_NAME = re.compile(r"((?:[A-Za-z]+-[A-Za-z0-9+]+_)*)([A-Za-z0-9]+)(\.[A-Za-z0-9.]+)")


@dataclass(frozen=True)
class BidsName:
    """A file's name: `sub-01_task-rest_bold.nii.gz` has the entities sub and task, the suffix bold."""

    file: SourceFile
    folder: str
    entities: Mapping[str, str]
    suffix: str
    ending: str


def bids_name(file: SourceFile) -> BidsName | None:
    """The parts of a name as BIDS builds it; None for another, or one that says an entity twice."""
    folder, last = posixpath.split(file.name)
    match = _NAME.fullmatch(last)
    if match is None:
        return None
    pairs = [tuple(pair.split("-", 1)) for pair in match[1].split("_") if pair]
    entities = dict(pairs)
    return BidsName(file, folder, entities, match[2], match[3]) if len(entities) == len(pairs) else None


def dataset_roots(files: Sequence[SourceFile]) -> list[str]:
    """The folders that are datasets, "" for the submission itself; those around others come first."""
    found = {posixpath.dirname(file.name) for file in files if posixpath.basename(file.name) == DESCRIPTION}
    return sorted(found, key=lambda folder: (folder.count("/") + bool(folder), folder))


def root_of(name: str, roots: Sequence[str]) -> str | None:
    """The innermost of `roots` that a file lies in."""
    around = [root for root in roots if not root or name.startswith(f"{root}/")]
    return max(around, key=len, default=None)


def below(name: str, root: str) -> str:
    """A name relative to a folder around it."""
    return name[len(root) + 1 :] if root else name


class Inheritance:
    """The files of one dataset that say something of others: `.json` beside or above them, and tables of events."""

    def __init__(self, root: str, names: Sequence[BidsName]) -> None:
        self._root = root
        self._by_folder: dict[str, list[BidsName]] = {}
        for name in names:
            if name.ending in (".json", ".tsv"):
                self._by_folder.setdefault(name.folder, []).append(name)

    def of(self, name: BidsName, suffix: str, ending: str) -> Iterator[list[BidsName]]:
        """The files that speak of `name`, from the dataset's root to its own folder; of one folder all that do.

        One speaks of it when it has the suffix, and no entity that `name` hasn't, or has otherwise.
        """
        for folder in self._folders(name.folder):
            speaking = [
                one
                for one in self._by_folder.get(folder, [])
                if one.suffix == suffix and one.ending == ending and one.entities.items() <= name.entities.items()
            ]
            if speaking:
                yield sorted(speaking, key=lambda one: (len(one.entities), one.file.name))

    def _folders(self, folder: str) -> Iterator[str]:
        yield self._root
        parts = [part for part in below(folder, self._root).split("/") if part] if folder != self._root else []
        for count in range(1, len(parts) + 1):
            yield posixpath.join(self._root, *parts[:count])
