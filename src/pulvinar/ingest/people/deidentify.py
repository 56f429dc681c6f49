"""`deidentify`: copies of what was handed in, without what identifies a person, each checked afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from uuid import uuid4

from pulvinar.errors import Conflict, Corrupt, UnreadableFile
from pulvinar.ingest.people.identifiers import Identifier
from pulvinar.ingest.people.in_sandbox import cleaned_file, identifiers_of, look_for
from pulvinar.ingest.people.pseudonyms import Pseudonyms
from pulvinar.ingest.people.stored import traces
from pulvinar.ingest.progress import Progress, Silent
from pulvinar.ingest.reader import Options, SourceFile
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.submission import open_submission
from pulvinar.ingest.workplace import held_workplace
from pulvinar.model.text import plain, short
from pulvinar.storage.space import room_in

_ENDINGS = (".nii.gz", ".nii", ".json", ".swc", ".tiff", ".tif", ".nwb", ".dcm", ".ima")


@dataclass(frozen=True)
class Deidentified:
    """What was made: `files` copies below `folder`, of the people `subjects` by pseudonym. `left_out` are files of
    formats that are not known, `writing` those whose image may have letters in it: a person has to look at them."""

    folder: Path
    files: int
    subjects: tuple[str, ...]
    identifiers: int
    left_out: tuple[str, ...] = ()
    writing: tuple[str, ...] = ()


@dataclass
class _Made:
    subjects: dict[str, None] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    writing: list[str] = field(default_factory=list)
    files: int = 0


def deidentify(
    path: Path,
    into: Path,
    pseudonyms: Pseudonyms,
    *,
    scratch: Path,
    limits: Limits,
    only: Sequence[str] = (),
    progress: Progress | None = None,
) -> Deidentified:
    """Write copies of the files of `path` without identifiers below the new folder `into`.

    All or nothing: where one copy still holds anything that one of the files says of a person, `Corrupt` is raised and
    no copy stays. Raises `Conflict` where `into` is there already, `NotFound`, `UnreadableFile`, `TooLarge`.
    """
    if into.exists():
        raise Conflict(f"{short(into)} is there already", hint="name a new folder")
    with room_in(scratch), held_workplace(scratch, f"deidentify-{uuid4().hex}") as own:
        reading, copies = own / "reading", own / "reading" / "copies"
        reading.mkdir()
        copies.mkdir()
        with (
            open_submission(path, own, limits, progress=progress) as whole,
            ReaderHost(whole.root, scratch=reading, limits=limits, options=Options(), readable=whole.readable) as host,
        ):
            files = whole.only(only).files
            identifiers = identifiers_of(host, [file.name for file in files])
            look_for(host, identifiers, pseudonyms)
            made = _Made()
            with (progress or Silent()).task("removing identifiers", len(files), "files") as task:
                for index, file in enumerate(files):
                    _copy(host, file, index, copies, identifiers, made)
                    task.update(index + 1)
        if not made.files:
            raise UnreadableFile(f"nothing in {short(path)} is of a format whose identifiers are known")
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(copies, into)
    return Deidentified(
        into, made.files, tuple(made.subjects), len(identifiers), tuple(made.left_out), tuple(made.writing)
    )


def _copy(
    host: ReaderHost, file: SourceFile, index: int, copies: Path, identifiers: Sequence[Identifier], made: _Made
) -> None:
    draft = copies / f"{index:06d}{_ending(file.name)}"
    try:
        cleaned, left = cleaned_file(host, file.name, draft)
    except UnreadableFile as error:
        draft.unlink(missing_ok=True)
        made.left_out.append(plain(error.message))
        return
    if left:
        raise Corrupt(
            f"{plain(file.name)}: the copy is not clean: {'; '.join(left[:3])}",
            hint="no copy was kept: leave the file out by --only, or have its maker export it without identifiers",
        )
    name = _telling_nothing(file.name, draft.name, identifiers)
    folder = copies / cleaned.subject
    folder.mkdir(exist_ok=True)
    final = folder / (name if not (folder / name).exists() else draft.name)
    draft.rename(final)
    made.files += 1
    made.subjects |= {cleaned.subject: None} if cleaned.subject else {}
    made.writing += [final.relative_to(copies).as_posix()] if cleaned.writing else []


def _ending(name: str) -> str:
    return next((one for one in _ENDINGS if name.lower().endswith(one)), "")


def _telling_nothing(name: str, instead: str, identifiers: Sequence[Identifier]) -> str:
    """The file's own name where it has nothing of what any file says of a person; else a number."""
    last = PurePosixPath(name).name
    return instead if any(traces([("", last)], identifiers)) else last
