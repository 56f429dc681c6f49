"""What the commands about metadata do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pulvinar.cli.show import print_json, print_table, print_version, version_to_json
from pulvinar.cli.verbs import limits_of, opened
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.model.text import plain, short

if TYPE_CHECKING:
    from pulvinar.ingest.conformance import Checked, Conformance, Outcome
    from pulvinar.ingest.reader import Options


def run_check(
    target: str,
    record: Path | None,
    number: int | None,
    options: Options,
    only: Sequence[str],
    *,
    strict: bool,
    as_json: bool,
) -> None:
    """`pulvinar check`. Raises `Invalid` at the end when a rule is not met that must be."""
    from pulvinar.ingest.conformance import Level, check, conformance_to_json
    from pulvinar.web.findings import in_chinese

    path = Path(target)
    # who has a folder with the name of a dataset means the folder
    if os.path.lexists(path):
        found = check(replace(_checked_files(path, record, options, only), in_chinese=in_chinese))
        how = "the flags are those of pulvinar ingest; a record file (pulvinar template) says the same to both"
    else:
        found = check(replace(_checked_dataset(target, record, number), in_chinese=in_chinese))
        how = f"what a flag says at ingest is said of a dataset by pulvinar describe {target} --record FILE"
    if as_json:
        print_json(conformance_to_json(found))
    else:
        _print_conformance(found, how)
    failed = [*found.failed(Level.MUST), *(found.failed(Level.SHOULD) if strict else ())]
    if failed:
        names = ", ".join(one.rule.id for one in failed)
        raise Invalid(
            f"{short(target)} does not meet {names}", hint="each has its remedy above; docs/reference/rules.md says why"
        )


def _checked_files(path: Path, record: Path | None, options: Options, only: Sequence[str]) -> Checked:
    from pulvinar.ingest.conformance import checked_path
    from pulvinar.ingest.inspection import inspect
    from pulvinar.ingest.progress import TerminalProgress
    from pulvinar.ingest.record import RecordAnswers
    from pulvinar.ingest.record_file import read_record_file
    from pulvinar.settings import load_settings, made_folder

    answers = RecordAnswers(record=read_record_file(record)[1] if record else {})
    settings = load_settings()
    found = inspect(
        path,
        options,
        scratch=made_folder(settings.resolved_scratch(), "scratch"),
        limits=limits_of(settings),
        only=only,
        progress=TerminalProgress(),
    )
    return checked_path(found, answers, options)


def _checked_dataset(dataset_id: str, record: Path | None, number: int | None) -> Checked:
    from pulvinar.catalogue.versions import get_version
    from pulvinar.ingest.conformance import checked_version
    from pulvinar.model.identity import check_id

    try:
        check_id(dataset_id)
    except Invalid:
        raise NotFound(
            f"there is neither a file nor a dataset {short(dataset_id)}",
            hint="name a path, or an identifier of `pulvinar list`",
        ) from None
    if record is not None:
        raise Conflict(
            f"dataset {dataset_id} has a record", hint=f"pulvinar describe {dataset_id} --record {record} changes it"
        )
    with opened() as platform:
        return checked_version(get_version(platform.database, platform.actor, dataset_id, number))


def _print_conformance(found: Conformance, how: str) -> None:
    from pulvinar.ingest.conformance import lines_of

    rows = [[one.rule.id, one.rule.level.value, _state(one), one.rule.what] for one in found.outcomes]
    print_table(rows, ["rule", "level", "state", "what"])
    for one in found.outcomes:
        if not one.met:
            print(f"\n{one.rule.id} {one.rule.what}")
            for line in lines_of(one):
                print(plain(f"  {line}"))
    asked = [one for one in found.outcomes if one.applies]
    met = sum(one.met for one in asked)
    print(f"\n{how}" if met < len(asked) else "")
    print(f"{met} of {len(asked)} rules met; it {'conforms' if found.conforms else 'does not conform'}")


def _state(outcome: Outcome) -> str:
    if not outcome.applies:
        return "-"
    return "met" if outcome.met else "NOT MET" if outcome.rule.level.value == "must" else "not met"


def describe_dataset(dataset_id: str, record: Path, *, as_json: bool) -> None:
    """`pulvinar describe`. Raises `Conflict` for another species."""
    import sys

    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue.drafts import open_draft, set_record
    from pulvinar.catalogue.versions import get_version
    from pulvinar.cli.show import describe_finding
    from pulvinar.ingest.record import described, term_notes
    from pulvinar.ingest.record_file import read_record_file

    _, said = read_record_file(record)
    with opened() as platform:
        with UnitOfWork(platform.database, platform.actor) as work:
            draft = open_draft(work, dataset_id)
            changed = set_record(work, draft.id, described(draft.record, said))
        version = get_version(platform.database, platform.actor, dataset_id, changed.number)
    for finding in term_notes(version.record):
        print(describe_finding(finding), file=sys.stderr)
    if as_json:
        print_json(version_to_json(version))
    else:
        print_version(version)


def show_metadata(dataset_id: str, number: int | None, name: str) -> None:
    """`pulvinar show --as`."""
    from pulvinar.catalogue.metadata_formats import FormatName, write_text
    from pulvinar.catalogue.versions import get_version

    with opened() as platform:
        version = get_version(platform.database, platform.actor, dataset_id, number)
    print(write_text(version, FormatName(name)), end="")


def write_template(modality: str, to: Path | None) -> None:
    """`pulvinar template`. Raises `Conflict` for a file that is there."""
    from pulvinar.ingest.record_template import modality_of, record_template

    text = record_template(modality_of(modality))
    if to is None:
        print(text, end="")
        return
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Conflict(f"{to} is there already", hint="name another file, or remove it") from None
    except OSError as error:
        raise Invalid(
            f"{to} can't be written: {error.strerror}", hint="name a file in a folder that is there"
        ) from error
    print(f"{to}: fill it in, then pulvinar ingest PATH --record {to}")


def show_terms(query: str, vocabulary: str | None, *, as_json: bool) -> None:
    """`pulvinar terms`."""
    from pulvinar.model.terms import Vocabulary, search_terms, term_to_json

    found = [*search_terms(query, Vocabulary(vocabulary) if vocabulary else None)]
    if as_json:
        print_json([term_to_json(term) for term in found])
    elif found:
        rows = [[term.vocabulary.value, term.key, term.en, term.zh] for term in found]
        print_table(rows, ["kind", "key", "English", "中文"])
    else:
        print("no term has these words in its names")
