"""Ingest: from files that were handed in to a draft version in the catalogue.

Nothing is visible before the one commit at the end. What is finished before it is recorded in a session, so that the
same request, made again after whatever ended it, goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset, get_dataset
from pulvinar.catalogue.versions import add_asset, get_version, list_versions, open_draft, publish
from pulvinar.errors import Conflict, Invalid, NotFound, UnreadableFile
from pulvinar.ingest.asset_names import with_telling_names
from pulvinar.ingest.assets import Bench, asset_key, asset_prefix, planned_volume, write_asset
from pulvinar.ingest.progress import Progress, Silent
from pulvinar.ingest.reader import Finding, FoundAsset
from pulvinar.ingest.record import make_record, questions, refuse_unanswered, species_of
from pulvinar.ingest.removal import remove_tree
from pulvinar.ingest.request import Ingested, Means, Request, request_fingerprint
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
from pulvinar.ingest.submission import Submission, left_over, open_submission
from pulvinar.ingest.workplace import held_workplace
from pulvinar.model.dataset import Asset, StoredObject, Version, VersionState, asset_digest
from pulvinar.model.record import Record
from pulvinar.model.text import plain

_SAID = 5
"""So many of the files that are passed over are named."""


def ingest(means: Means, request: Request, progress: Progress | None = None) -> Ingested:
    """Bring `request.path` in as a draft version of a new dataset, or of `request.dataset_id`.

    Raises `MetadataMissing` naming every flag that is needed, `UnreadableFile` for what no reader knows or what is
    damaged, `Conflict` when another process brings in the same, `NotFound` when the dataset isn't there. Whatever is
    raised, nothing is visible, and the same request goes on from what was finished.
    """
    progress = progress or Silent()
    # the same request works in the same folder: what a killed run has unpacked there is used again
    with (
        held_workplace(means.scratch, request_fingerprint(request, str(request.path.absolute()))[:24]) as scratch,
        open_submission(request.path, scratch, means.limits) as submission,
    ):
        _say_skipped(progress, submission.skipped)
        submission = _only(submission, request.only)
        fingerprint = request_fingerprint(request, submission.fingerprint)
        done = _brought_in_before(means, request, fingerprint)
        if done is not None:
            return Ingested(_published(means, request, done), before=True)
        return _go_through(means, request, progress, submission, fingerprint, scratch)


def _say_skipped(progress: Progress, skipped: Sequence[str]) -> None:
    for line in skipped[:_SAID]:
        progress.say(f"passed over: {plain(line)}")
    if len(skipped) > _SAID:
        progress.say(f"passed over: {len(skipped) - _SAID} more; pulvinar inspect --json names them")


def _go_through(
    means: Means, request: Request, progress: Progress, submission: Submission, fingerprint: str, scratch: Path
) -> Ingested:
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
        found = with_telling_names(host.find(submission.files), request.path.resolve().name)
        reasons, _ = left_over(submission.files, found)
        _say_skipped(progress, reasons)
        found = _named(found, request, reasons)
        refuse_unanswered(questions(found, request.answers, into_existing=request.dataset_id is not None))
        # what can't be planned is refused before the first asset is written
        for item in found:
            if item.volume is not None:
                planned_volume(item, request)
        record = _record(means, request, found)
        bench = Bench(means, request, submission, host, record.species, parts, progress)
        with held_session(means.database, fingerprint, plain(request.path), means.node) as session:
            assets = _write_all(bench, session, found)
            version = _make_visible(means, request, session, record, assets)
    findings = [Finding(**item) for asset, _ in assets for item in asset.details["findings"]]
    return Ingested(version, tuple(findings))


def _write_all(
    bench: Bench, session: IngestSession, found: Sequence[FoundAsset]
) -> list[tuple[Asset, tuple[StoredObject, ...]]]:
    """Write every asset that an earlier run hasn't finished; give back all of them."""
    database = bench.means.database
    known = known_assets(database, session, [asset_key(item) for item in found], bench.means.node)
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
    assets: Sequence[tuple[Asset, Sequence[StoredObject]]],
) -> Version:
    """The one commit: dataset, version, assets, objects and the end of the session, together or not at all."""
    with UnitOfWork(means.database, means.actor) as work:
        dataset_id = request.dataset_id or create_dataset(work, record, node=means.node).id
        version = open_draft(work, dataset_id)
        for asset, objects in assets:
            add_asset(work, version.id, asset, objects)
        if request.publish:
            publish(work, version.id)
        finish(work.session, session, dataset_id, version.id)
        work.record_event(
            "ingest", version.id, {"path": plain(request.path), "assets": [asset.id for asset, _ in assets]}
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
    if not request.publish or version.state is VersionState.PUBLISHED:
        return version
    with UnitOfWork(means.database, means.actor) as work:
        return publish(work, version.id)


def _record(means: Means, request: Request, found: Sequence[FoundAsset]) -> Record:
    """The record of the new dataset, or of the one that the assets go into."""
    if request.dataset_id is None:
        return make_record(found, request.answers, request.options)
    record = get_dataset(means.database, means.actor, request.dataset_id).record
    said = request.answers.species
    if said and species_of(said) is not record.species:
        raise Conflict(
            f"dataset {request.dataset_id} is of the species {record.species.value}, not {said}",
            hint="leave --species out, or make a new dataset",
        )
    return record


def _named(found: Sequence[FoundAsset], request: Request, reasons: Sequence[str]) -> list[FoundAsset]:
    """What was found, under the name that was asked for, and no name twice; `reasons` are of files passed over."""
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
    return [*found]


def _only(submission: Submission, patterns: Sequence[str]) -> Submission:
    """The submission's files that match one of `patterns`; all when there is none."""
    if not patterns:
        return submission
    kept = tuple(item for item in submission.files if any(fnmatch(item.name, pattern) for pattern in patterns))
    if not kept:
        raise NotFound(
            f"no file of the submission matches {', '.join(patterns)}", hint="--only takes names or patterns"
        )
    return replace(submission, files=kept)
