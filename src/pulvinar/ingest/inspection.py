"""A dry look: what a path holds, what is missing or doubtful; nothing is written but scratch files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pulvinar.ingest.flags import check_options
from pulvinar.ingest.reader import FoundAsset, Options
from pulvinar.ingest.removal import remove_tree
from pulvinar.ingest.sandbox import Limits, ReaderHost, describe_protection
from pulvinar.ingest.submission import is_packed, open_submission
from pulvinar.storage.space import room_in


@dataclass(frozen=True)
class Inspection:
    """What was found; `unrecognised` are files that no reader claims, `skipped` what is never opened, with the reason.

    `protection` is what this machine lacks for reading hostile files.
    """

    assets: tuple[FoundAsset, ...]
    unrecognised: tuple[str, ...]
    skipped: tuple[str, ...]
    protection: tuple[str, ...]


def inspect(path: Path, options: Options, *, scratch: Path, limits: Limits) -> Inspection:
    """Say what `path` (a file, a folder or an archive) holds.

    Raises `Invalid` for an option that can't be, `NotFound`, `UnreadableFile`, `TooLarge`.
    """
    check_options(options)
    scratch.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(dir=scratch, prefix="inspect-"))
    reading = own / "reading"
    reading.mkdir()
    try:
        with (
            room_in(scratch),
            open_submission(path, own, limits) as submission,
            ReaderHost(
                submission.root, scratch=reading, limits=limits, options=options, readable=submission.readable
            ) as host,
        ):
            assets = host.find(submission.files)
            claimed = {name for asset in assets for name in asset.files}
            left = [file for file in submission.files if file.name not in claimed]
            packed = {file.name for file in left if is_packed(file)}
    finally:
        remove_tree(own)
    skipped = [f"{name}: packed; hand it in by itself" for name in sorted(packed)]
    unrecognised = tuple(file.name for file in left if file.name not in packed)
    return Inspection(tuple(assets), unrecognised, (*submission.skipped, *skipped), tuple(describe_protection()))
