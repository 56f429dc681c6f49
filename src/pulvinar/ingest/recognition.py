"""Asking the readers, one after the other, what each of the files is; runs in the reader process.

One damaged file hides no other: the reader that it stopped is asked again without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pulvinar.errors import PulvinarError
from pulvinar.ingest.reader import FoundAsset, Options, Reader, SourceFile

_MOST = 100
"""So many files are named; a reader that stumbles over more is stopped."""


def recognise(
    readers: Iterable[Reader], files: Sequence[SourceFile], options: Options
) -> tuple[list[FoundAsset], list[tuple[str, Exception]]]:
    """The assets in `files`, and the name of each file that a reader knows and can't read, with its error.

    What a reader raises is raised when no single file can be blamed for it, or too many.
    """
    left = {file.name: file for file in files}
    found: list[FoundAsset] = []
    unreadable: list[tuple[str, Exception]] = []
    for reader in sorted(readers, key=lambda reader: reader.priority):
        while (stopped := _ask(reader, left, options, found)) is not None:
            culprits = _culprits(reader, left, options, stopped)
            if not culprits or len(unreadable) + len(culprits) > _MOST:
                raise stopped
            unreadable += [(name, stopped) for name in culprits]
            for name in culprits:
                del left[name]
    return found, unreadable


def _ask(reader: Reader, left: dict[str, SourceFile], options: Options, found: list[FoundAsset]) -> Exception | None:
    """Move what the reader claims from `left` to `found`; the error that it stops with."""
    try:
        for asset in reader.find(list(left.values()), options):
            for name in asset.files:
                left.pop(name, None)
            found.append(asset)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a format library throws at a bad file)
        return error
    return None


def _culprits(reader: Reader, left: Mapping[str, SourceFile], options: Options, error: Exception) -> list[str]:
    """The file that the error names; for an error of no reader's making, each that raises it by itself."""
    if isinstance(error, PulvinarError):
        return sorted((name for name in left if name in error.message), key=len)[-1:]
    return [file.name for file in left.values() if type(_ask(reader, {file.name: file}, options, [])) is type(error)]
