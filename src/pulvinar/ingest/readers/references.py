"""Files of references: JSON that says in which other files, or at which addresses, the chunks of a Zarr lie.

Nothing that such a file names is ever opened: it may be any file of this machine, or any address. Source: kerchunk's
specification of references, versions 0 and 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import SourceFile

_START = re.compile(rb'\s*\{(\s*"version"\s*:\s*1\s*,)?[^{}]{0,200}"(refs|templates|gen)"\s*:\s*[{\[]')
_KEY = re.compile(rb'"([^"]*/)?\.(zgroup|zarray|zattrs)"\s*:\s*["{]')
_PACKED = re.compile(rb'"record_size"\s*:\s*\d')


def refuse_references(files: Sequence[SourceFile]) -> None:
    """Raise `UnreadableFile` for the first of `files` that holds references to chunks elsewhere."""
    for file in files:
        if is_references(file):
            raise UnreadableFile(
                f"{file.name} has no voxels itself: it refers to chunks in other files or at addresses, which are "
                "never opened",
                hint="hand in the data that it refers to, or copy it into a Zarr of its own",
            )


def is_references(file: SourceFile) -> bool:
    """Whether `file` begins as a file of references does."""
    head = file.head
    if file.name.rpartition("/")[2] == ".zmetadata":
        # beside tables of references; of others it is a summary of the documents that are there
        return bool(_PACKED.search(head))
    if head.lstrip()[:1] != b"{":
        return False
    if _START.match(head):
        return bool(_KEY.search(head)) or b'"refs"' in head
    return bool(_KEY.search(head)) and not file.name.endswith(("zarr.json", ".zmetadata"))
