"""A dry look: what a path holds, what is missing or doubtful; nothing is written but scratch files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pulvinar.ingest.asset_names import with_telling_names
from pulvinar.ingest.reader import FoundAsset, Options
from pulvinar.ingest.removal import remove_tree
from pulvinar.ingest.sandbox import Limits, ReaderHost, describe_protection
from pulvinar.ingest.submission import left_over, open_submission


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
    """Say what `path` (a file, a folder or an archive) holds. Raises `NotFound`, `UnreadableFile`, `TooLarge`."""
    scratch.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(dir=scratch, prefix="inspect-"))
    reading = own / "reading"
    reading.mkdir()
    try:
        with (
            open_submission(path, own, limits) as submission,
            ReaderHost(
                submission.root, scratch=reading, limits=limits, options=options, readable=submission.readable
            ) as host,
        ):
            assets = with_telling_names(host.find(submission.files), path.resolve().name)
            skipped, unrecognised = left_over(submission.files, assets)
    finally:
        remove_tree(own)
    return Inspection(tuple(assets), tuple(unrecognised), (*submission.skipped, *skipped), tuple(describe_protection()))
