"""What the commands for people's data do."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pulvinar.cli.show import print_json, print_table, size
from pulvinar.cli.verbs import limits_of, opened


def run_deidentify(path: Path, into: Path, only: Sequence[str], *, as_json: bool) -> None:
    """`pulvinar deidentify`."""
    from pulvinar.ingest.people.deidentify import deidentify
    from pulvinar.ingest.people.pseudonyms import load_pseudonyms
    from pulvinar.ingest.progress import TerminalProgress
    from pulvinar.settings import load_settings, made_folder

    settings = load_settings()
    scratch = made_folder(settings.resolved_scratch(), "scratch")
    made = deidentify(
        path,
        into,
        load_pseudonyms(settings.home / "keys"),
        scratch=scratch,
        limits=limits_of(settings),
        only=only,
        progress=TerminalProgress(),
    )
    if as_json:
        print_json({**asdict(made), "folder": str(made.folder)})
        return
    for line in made.left_out:
        print(f"left out: {line}", file=sys.stderr)
    for name in made.writing:
        print(f"look at it: {name} may have letters in its image", file=sys.stderr)
    print(f"{made.files} files in {made.folder}, checked; people: {', '.join(made.subjects) or 'none named'}")


def show_quarantine(dataset_id: str, *, as_json: bool) -> None:
    """`pulvinar quarantine DATASET`."""
    from pulvinar.catalogue.quarantine import quarantine_of

    with opened() as platform:
        found = quarantine_of(platform.database, platform.actor, dataset_id)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [
        (
            one.asset_id,
            "held" if one.held else "may leave",
            f"identifiers {one.identifiers.value}",
            f"face {one.face.value}",
            one.basis.value if one.basis else "",
            one.reviewed_by or one.basis_by,
        )
        for one in found
    ]
    print_table(rows, ("asset", "state", "identifiers", "face", "basis", "by"))
    if any(one.held for one in found):
        print(
            "remove the face: pulvinar job submit deface; then, having looked at it: "
            f"pulvinar quarantine {dataset_id} --release ASSET --face removed",
            file=sys.stderr,
        )


def release_asset(dataset_id: str, asset_id: str, face: str, note: str) -> None:
    """`pulvinar quarantine DATASET --release ASSET`."""
    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue.quarantine import release
    from pulvinar.model.quarantine import Face

    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        release(work, dataset_id, asset_id, Face(face), note)


def hold_asset(dataset_id: str, asset_id: str, note: str) -> None:
    """`pulvinar quarantine DATASET --hold ASSET`."""
    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue.quarantine import hold_again

    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        hold_again(work, dataset_id, asset_id, note)


def show_found(subject: str, *, as_json: bool) -> None:
    """`pulvinar erase SUBJECT --dry`."""
    from pulvinar.operations.erasure import find_subject

    with opened() as platform:
        found = find_subject(platform.database, subject)
    if as_json:
        print_json(asdict(found))
        return
    for what, listed in (("goes", found.assets), ("stays, made from several", found.shared)):
        for one in listed:
            print(f"{what}: {one.id} ({one.kind}, {size(one.size_bytes)}) of dataset {one.dataset_id}")
    print(f"records of {len(found.records)} versions in {len(found.datasets)} datasets")


def run_erase(subject: str, reason: str, also: Sequence[str], *, as_json: bool) -> None:
    """`pulvinar erase SUBJECT`."""
    from pulvinar.access.subject_keys import SubjectKeys
    from pulvinar.operations.erasure import Erasure, erase
    from pulvinar.operations.erasure_text import certificate_text

    with opened() as platform:
        settings = platform.settings
        how = Erasure(
            platform.actor,
            reason,
            settings.erasure_term_days,
            settings.node,
            SubjectKeys(settings.home / "keys" / "subjects"),
            settings.home / "erasures",
            tuple(also),
        )
        certificate: Mapping[str, Any] = erase(platform.database, platform.store, subject, how)
    if as_json:
        print_json(certificate)
    else:
        print(certificate_text(certificate, subject))


def finish() -> None:
    """`pulvinar erase`: go on with what was interrupted."""
    from pulvinar.operations.erasure import finish_erasures

    with opened() as platform:
        count = finish_erasures(platform.database, platform.store, platform.settings.home / "erasures")
    print(f"{count} erasures finished")


def apply_restored(folder: Path) -> None:
    """`pulvinar erase --restored FOLDER`."""
    from pulvinar.operations.erasure import apply_erasures, read_certificates

    with opened() as platform:
        count = apply_erasures(platform.database, platform.store, read_certificates(folder))
    print(f"{count} erasures applied to what was restored")
