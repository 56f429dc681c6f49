"""A dry look: what a path holds, what is missing or doubtful; nothing is written but scratch files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pulvinar.ingest.answers import Unreadable
from pulvinar.ingest.asset_names import with_telling_names
from pulvinar.ingest.bids_validation import with_validation
from pulvinar.ingest.flags import check_options
from pulvinar.ingest.progress import Progress, Silent, watched
from pulvinar.ingest.reader import FoundAsset, Options
from pulvinar.ingest.sandbox import Limits, ReaderHost, describe_protection
from pulvinar.ingest.submission import open_submission
from pulvinar.ingest.workplace import held_workplace
from pulvinar.storage.space import room_in


@dataclass(frozen=True)
class Inspection:
    """What was found; `unrecognised` are files that no reader claims, `skipped` what is never opened, with the reason.

    `unreadable` are those that a reader claims and can't read, each with its error; a single file raises it instead.
    `protection` is what this machine lacks for reading hostile files.
    """

    assets: tuple[FoundAsset, ...]
    unreadable: tuple[Unreadable, ...]
    unrecognised: tuple[str, ...]
    skipped: tuple[str, ...]
    protection: tuple[str, ...]


def inspect(
    path: Path,
    options: Options,
    *,
    scratch: Path,
    limits: Limits,
    only: Sequence[str] = (),
    progress: Progress | None = None,
    label: str = "",
) -> Inspection:
    """Say what `path` (a file, a folder or an archive) holds; of its files those that match one of the patterns `only`.

    `label` names what the files don't name, instead of the path.

    Raises `Invalid` for an option that can't be, `NotFound`, `UnreadableFile`, `TooLarge`.
    """
    check_options(options)
    with room_in(scratch), held_workplace(scratch, f"inspect-{uuid4().hex}") as own:
        reading = own / "reading"
        reading.mkdir()
        with (
            open_submission(path, own, limits, progress=progress) as whole,
            ReaderHost(whole.root, scratch=reading, limits=limits, options=options, readable=whole.readable) as host,
        ):
            submission = whole.only(only)
            with watched(progress or Silent(), f"recognising {len(submission.files):,} files"):
                assets, unreadable = host.survey(submission.files)
            if unreadable and len(submission.files) == 1:
                raise unreadable[0].error
            assets = with_telling_names(assets, label or path.resolve().name)
            assets = with_validation(assets, submission.root, own, progress)
            skipped, unrecognised = submission.left_over(assets, unreadable=[item.name for item in unreadable])
    return Inspection(
        assets=tuple(assets),
        unreadable=tuple(unreadable),
        unrecognised=unrecognised,
        skipped=(*submission.skipped, *skipped),
        protection=tuple(describe_protection()),
    )
