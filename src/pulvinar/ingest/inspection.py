"""A dry look: what a path holds, what is missing or doubtful; nothing is written but scratch files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pulvinar.ingest.reader import FoundAsset, Options
from pulvinar.ingest.sandbox import Limits, ReaderHost, describe_protection
from pulvinar.ingest.submission import open_submission


@dataclass(frozen=True)
class Inspection:
    """What was found; `unrecognised` are files that no reader claims, `protection` what this machine lacks."""

    assets: tuple[FoundAsset, ...]
    unrecognised: tuple[str, ...]
    protection: tuple[str, ...]


def inspect(path: Path, options: Options, *, scratch: Path, limits: Limits) -> Inspection:
    """Say what `path` (a file, a folder or an archive) holds. Raises `NotFound`, `UnreadableFile`, `TooLarge`."""
    scratch.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=scratch, prefix="inspect-") as own,
        open_submission(path, Path(own), limits) as submission,
        ReaderHost(
            submission.root, scratch=Path(own), limits=limits, options=options, readable=submission.readable
        ) as host,
    ):
        assets = host.find(submission.files)
    claimed = {name for asset in assets for name in asset.files}
    unrecognised = [file.name for file in submission.files if file.name not in claimed]
    return Inspection(tuple(assets), (*unrecognised, *submission.skipped), tuple(describe_protection()))
