"""Ingest: from files that were handed in to a draft version in the catalogue.

Nothing is visible before the one commit at the end. What is finished before it is recorded in a session, so that the
same request, made again after whatever ended it, goes on from there.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset, get_dataset
from pulvinar.catalogue.drafts import add_assets, open_draft
from pulvinar.catalogue.presence import check_presence
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.versions import get_version, list_versions
from pulvinar.errors import Conflict, Invalid, NotFound, UnreadableFile
from pulvinar.ingest.anchoring import Anchorer, AnchorSpool, check_space, with_doubt
from pulvinar.ingest.asset_names import with_telling_names
from pulvinar.ingest.assets import Bench, asset_key, asset_prefix, planned_volume, write_asset
from pulvinar.ingest.bids_validation import with_validation
from pulvinar.ingest.flags import check_request
from pulvinar.ingest.people.intake import People, without_identifiers
from pulvinar.ingest.progress import Progress, Silent, watched
from pulvinar.ingest.reader import Finding, FoundAsset, Severity, finding_from_json
from pulvinar.ingest.record import make_record, questions, refuse_hopeless, refuse_unanswered, species_of, term_notes
from pulvinar.ingest.removal import remove_tree
from pulvinar.ingest.request import Ingested, Means, Originals, Request, request_fingerprint
from pulvinar.ingest.sandbox import ReaderHost
from pulvinar.ingest.sessions import (
    AssetLedger,
    IngestSession,
    KnownAsset,
    find_done,
    finish,
    forget,
    held_session,
    known_assets,
)
from pulvinar.ingest.submission import Submission, open_submission
from pulvinar.ingest.workplace import held_workplace
from pulvinar.model.dataset import Asset, StoredObject, Version, VersionState, asset_digest
from pulvinar.model.record import Record, Species
from pulvinar.model.text import plain, short
from pulvinar.storage.pyramid import load_kernels
from pulvinar.storage.space import room_in
from pulvinar.storage.store import Store, unfinished

_Written = tuple[Asset, tuple[StoredObject, ...]]

_SAID = 5
"""So many of the files that are passed over are named."""


def ingest(means: Means, request: Request, progress: Progress | None = None) -> Ingested:
    """Bring `request.path` in as a draft version of a new dataset, or of `request.dataset_id`.

    Raises `Invalid` for a flag that can't be, `MetadataMissing` naming every flag that is needed, `UnreadableFile` for
    what no reader knows or what is damaged, `Conflict` when another process brings in the same, `NotFound` when the
    dataset isn't there, `Unavailable` when a disk is full. Whatever is raised, nothing is visible, and the same request
    goes on from what was finished. To publish comes last: `Corrupt`, when the draft isn't whole, leaves it a draft.
    """
    progress = progress or Silent()
    check_request(request)
    check_space(means, request.space)
    into = _record_of(means, request)
    # the same request works in the same folder: what a killed run has unpacked there is used again
    with (
        room_in(means.scratch),
        held_workplace(means.scratch, request_fingerprint(request, str(request.path.absolute()))[:24]) as scratch,
        open_submission(
            request.path,
            scratch,
            means.limits,
            progress=progress,
            before_unpacking=lambda holds: refuse_hopeless(request.answers, holds, into_existing=into is not None),
        ) as submission,
    ):
        _say_skipped(progress, submission.skipped)
        if not submission.files:
            raise UnreadableFile(f"there is no file in {short(request.path)}", hint="name another folder, or fill it")
        submission = submission.only(request.only)
        done = _brought_in_before(means, request, request_fingerprint(request, submission.fingerprint))
        if done is not None:
            return Ingested(_published(means, request, done), before=True)
        return _go_through(means, request, progress, submission, scratch, into)


def _refuse_people(request: Request, found: Sequence[FoundAsset]) -> None:
    """Raise `Invalid` where files are to be kept that name a person, or may."""
    if request.originals is not Originals.KEEP:
        return
    naming = [(asset, one) for asset in found for one in asset.findings if one.flag == "--originals"]
    if naming:
        told = "; ".join(f"{plain(asset.files[0])}: {one.message}" for asset, one in naming[:_SAID])
        more = f"; and {len(naming) - _SAID} more" if len(naming) > _SAID else ""
        raise Invalid(
            f"{told}{more}",
            hint="leave out --originals keep: the files then stay where they are, and only their names and checksums "
            "are recorded; or hand in copies without these elements (DICOM PS3.15, Basic Profile), which say "
            "PatientIdentityRemoved YES where name and id are pseudonyms",
        )


def _say_skipped(progress: Progress, skipped: Sequence[str]) -> None:
    for line in skipped[:_SAID]:
        progress.say(f"passed over: {plain(line)}")
    if len(skipped) > _SAID:
        progress.say(f"passed over: {len(skipped) - _SAID} more; pulvinar inspect --json names them")


def _say_unrecognised(progress: Progress, names: Sequence[str]) -> None:
    if names:
        shown = ", ".join(map(plain, names[:_SAID])) + (" ..." if len(names) > _SAID else "")
        progress.say(f"not recognised: {len(names)} {'file' if len(names) == 1 else 'files'}: {shown}")


def _go_through(
    means: Means, request: Request, progress: Progress, submission: Submission, scratch: Path, into: Record | None
) -> Ingested:
    fingerprint = request_fingerprint(request, submission.fingerprint)
    parts, reading = scratch / "parts", scratch / "reading"
    for folder in (parts, reading):
        # what a killed run left half written here is of no use: the ledger knows what is whole
        remove_tree(folder)
        folder.mkdir()
    with ReaderHost(
        submission.root,
        scratch=reading,
        limits=means.limits,
        options=request.options,
        readable=submission.readable,
    ) as host:
        # while the reader process starts on another core
        load_kernels()
        with watched(progress, f"recognising {len(submission.files):,} files"):
            recognised = host.find(submission.files)
        found = with_telling_names(recognised, request.label or request.path.resolve().name)
        found = with_validation(found, submission.root, parts, progress)
        reasons, unrecognised = submission.left_over(found)
        _say_skipped(progress, reasons)
        _say_unrecognised(progress, unrecognised)
        found = _named(found, request, reasons)
        _refuse_taken_names(means, request, found)
        refuse_unanswered(questions(found, request.answers, into_existing=into is not None))
        _refuse_people(request, found)
        record = into or make_record(found, request.answers, request.options)
        people = None
        if record.species is Species.HUMAN:
            with watched(progress, "looking for what identifies a person"):
                people = without_identifiers(host, [file.name for file in submission.files], found, record, request)
            found = list(people.found)
        # what can't be planned is refused before the first asset is written
        for item in found:
            if item.volume is not None:
                planned_volume(item, request)
        bench = Bench(means, request, submission, host, record.species, parts, progress)
        with held_session(means.database, fingerprint, _told_path(request, people), means.node) as session:
            written = _write_all(bench, session, found)
            assets, anchors = _anchored(bench, record, written, scratch / "anchors")
            version = _make_visible(means, request, session, record, assets, anchors, people)
    version = _published(means, request, version)
    findings = [] if into else term_notes(record)
    findings += [finding_from_json(item) for asset, _ in assets for item in asset.details["findings"]]
    return Ingested(version, tuple(findings))


def _told_path(request: Request, people: People | None) -> str:
    """What is remembered of where the files were: of a person's, no folder above them, which may be named after him."""
    return plain(request.path if people is None else request.path.name)


def _write_all(bench: Bench, session: IngestSession, found: Sequence[FoundAsset]) -> list[_Written]:
    """Write every asset that an earlier run hasn't finished; give back all of them."""
    database = bench.means.database
    known = known_assets(database, session, [asset_key(item) for item in found], bench.means.node)
    _clear_remains(bench.means.store, [state.id for state in known if not state.whole])
    assets = []
    for item, state in zip(found, known, strict=True):
        ledger = AssetLedger(database, session, state.id)
        if state.whole:
            objects, details = tuple(ledger.finished().values()), state.details
        else:
            written = write_asset(bench, item, state.id, ledger)
            ledger.whole(written.objects, written.details)
            objects, details = written.objects, written.details
        assets.append((_asset(item, state, objects, details), objects))
    return assets


def _anchored(
    bench: Bench, record: Record, assets: Sequence[_Written], folder: Path
) -> tuple[list[_Written], AnchorSpool]:
    """Where in the brain each asset lies; the assets, with a doubt where that can't be."""
    remove_tree(folder)
    means = bench.means
    anchorer = Anchorer(means.database, means.store, means.scratch, means.actor)
    spool, told = AnchorSpool(folder), []
    with watched(bench.progress, "finding where in the brain it lies"):
        for asset, objects in assets:
            found = anchorer.anchors(record, asset)
            spool.put(asset.id, found)
            told.append((with_doubt(asset, found), objects))
    return told, spool


def _clear_remains(store: Store, asset_ids: Sequence[str]) -> None:
    """Remove what a killed run was writing of these assets: whoever holds their session is their only writer."""
    prefixes = {asset_prefix(asset_id) for asset_id in asset_ids}
    for item in unfinished(store):
        if item.prefix in prefixes:
            store.delete(item.entry.key)


def _asset(found: FoundAsset, state: KnownAsset, objects: Sequence[StoredObject], details: dict[str, Any]) -> Asset:
    return Asset(
        id=state.id,
        name=found.name,
        kind=found.kind,
        prefix=asset_prefix(state.id),
        size_bytes=sum(item.size_bytes for item in objects),
        object_count=len(objects),
        digest=asset_digest(objects),
        details=details,
    )


def _make_visible(
    means: Means,
    request: Request,
    session: IngestSession,
    record: Record,
    assets: Sequence[_Written],
    anchors: AnchorSpool,
    people: People | None,
) -> Version:
    """The one commit: dataset, version, assets, objects and the end of the session, together or not at all."""
    with UnitOfWork(means.database, means.actor) as work:
        dataset_id = request.dataset_id or create_dataset(work, record, node=means.node).id
        version = open_draft(work, dataset_id)
        add_assets(work, version.id, assets)
        anchors.write(work.session, dataset_id)
        if people is not None:
            people.hold(work, [asset for asset, _ in assets])
        finish(work.session, session, dataset_id, version.id)
        work.record_event(
            "ingest", version.id, {"path": _told_path(request, people), "assets": [asset.id for asset, _ in assets]}
        )
    return get_version(means.database, means.actor, dataset_id, version.number)


def _brought_in_before(means: Means, request: Request, fingerprint: str) -> Version | None:
    """The version that the same request has made, if it is still there and it isn't to be done again."""
    done = find_done(means.database, fingerprint)
    if done is None:
        return None
    if not request.again:
        with suppress(NotFound):
            return _version(means, *done)
    forget(means.database, fingerprint)
    return None


def _version(means: Means, dataset_id: str, version_id: str) -> Version:
    for version in list_versions(means.database, means.actor, dataset_id):
        if version.id == version_id:
            return version
    raise NotFound(f"version {version_id} of dataset {dataset_id} is gone")


def _published(means: Means, request: Request, version: Version) -> Version:
    """`version`, published when that was asked for. Raises `Corrupt` when not all of it is there."""
    if not request.publish or version.state is VersionState.PUBLISHED:
        return version
    check_presence(means.database, means.actor, means.store, version)
    with UnitOfWork(means.database, means.actor) as work:
        return publish(work, version.id)


def _record_of(means: Means, request: Request) -> Record | None:
    """The record of the dataset that the assets go into; None when they make a new one."""
    if request.dataset_id is None:
        return None
    if request.answers.record:
        raise Conflict(
            f"dataset {request.dataset_id} has a record: --record is for a new one",
            hint=f"pulvinar describe {request.dataset_id} --record FILE changes it",
        )
    record = get_dataset(means.database, means.actor, request.dataset_id).record
    said = request.answers.species
    if said and species_of(said) is not record.species:
        raise Conflict(
            f"dataset {request.dataset_id} is of the species {record.species.value}, not {said}",
            hint="leave --species out, or make a new dataset",
        )
    return record


def _named(found: Sequence[FoundAsset], request: Request, reasons: Sequence[str]) -> list[FoundAsset]:
    """What was found, under the name that was asked for; of those with one name each says so.

    `reasons` are of files passed over.
    """
    if not found:
        why = f" ({reasons[0]}{' ...' if len(reasons) > 1 else ''})" if reasons else ""
        raise UnreadableFile(
            f"nothing in {request.path} is of a format that Pulvinar reads{why}",
            hint="pulvinar inspect says what is there",
        )
    if request.name and len(found) == 1:
        return [replace(found[0], name=request.name)]
    if request.name:
        raise Invalid(f"--name {request.name!r} is for one asset, and {len(found)} were found", hint="leave it out")
    often = {name for name, count in Counter(item.name for item in found).items() if count > 1}
    note = Finding(Severity.NOTE, "another asset of the same files has this name too: only its id tells it apart")
    return [replace(item, findings=(*item.findings, note)) if item.name in often else item for item in found]


def _refuse_taken_names(means: Means, request: Request, found: Sequence[FoundAsset]) -> None:
    """Raise `Conflict` when the dataset has an asset of one of the names already: nobody could tell them apart."""
    if request.dataset_id is None:
        return
    with suppress(NotFound):
        newest = get_version(means.database, means.actor, request.dataset_id)
        taken = {asset.name for asset in newest.assets} & {item.name for item in found}
        if taken:
            name = min(taken)
            raise Conflict(
                f"dataset {request.dataset_id} has an asset named {name!r} already",
                hint=f"give the new one another --name, or take the old one out: "
                f"pulvinar remove {request.dataset_id} {shlex.quote(name)}",
            )
