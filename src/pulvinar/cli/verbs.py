"""What the commands do: open the platform, call a verb, print what came of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pulvinar.cli.show import (
    dataset_row,
    dataset_to_json,
    describe_finding,
    describe_found,
    print_json,
    print_table,
    print_version,
    size,
    version_to_json,
)
from pulvinar.errors import Corrupt, NotFound, UnreadableFile
from pulvinar.extensions import Registry
from pulvinar.model.text import plain, short

if TYPE_CHECKING:
    from pulvinar.ingest.indexing import IndexRequest
    from pulvinar.ingest.inspection import Inspection
    from pulvinar.ingest.reader import Options
    from pulvinar.ingest.request import Means, Request
    from pulvinar.ingest.sandbox import Limits
    from pulvinar.model.dataset import Dataset
    from pulvinar.platform import Platform
    from pulvinar.settings import Settings

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
SHOWN = 5
"""How many names of a kind are printed."""


def show_inspection(path: Path, options: Options, only: Sequence[str] = (), *, as_json: bool) -> None:
    """`pulvinar inspect`. Raises `UnreadableFile` at the end when a file can't be read."""
    from pulvinar.ingest.inspection import inspect
    from pulvinar.ingest.progress import TerminalProgress
    from pulvinar.settings import load_settings, made_folder

    settings = load_settings()
    found = inspect(
        path,
        options,
        scratch=made_folder(settings.resolved_scratch(), "scratch"),
        limits=limits_of(settings),
        only=only,
        progress=TerminalProgress(),
    )
    if as_json:
        print_json(
            {
                "assets": found.assets,
                "unreadable": [
                    {"file": item.name, "reason": item.error.message, "hint": item.error.hint}
                    for item in found.unreadable
                ],
                "unrecognised": list(found.unrecognised),
                "skipped": list(found.skipped),
                "protection": list(found.protection),
            }
        )
    else:
        _print_inspection(path, found)
    if found.unreadable:
        count = len(found.unreadable)
        raise UnreadableFile(
            f"{count} {'file' if count == 1 else 'files'} of {short(path)} can't be read",
            hint="mend what is named, or leave it out by --only",
        )


def _print_inspection(path: Path, found: Inspection) -> None:
    for line in found.protection:
        print(f"note: {line}", file=sys.stderr)
    for asset in found.assets:
        print("\n".join(describe_found(asset)))
    for item in found.unreadable:
        print(plain(f"unreadable: {item.error.message}"))
    for line in found.skipped[:SHOWN]:
        print(plain(f"passed over: {line}"))
    if len(found.skipped) > SHOWN:
        print(f"passed over: {len(found.skipped) - SHOWN} more")
    count = len(found.unrecognised)
    if count:
        shown = ", ".join(map(plain, found.unrecognised[:SHOWN])) + (" ..." if count > SHOWN else "")
        print(f"not recognised: {count} {'file' if count == 1 else 'files'}: {shown}")
    if not found.assets and not found.unreadable:
        if count:
            print("nothing here is of a format that Pulvinar reads: " + ", ".join(Registry("reader")))
        elif not found.skipped:
            print(f"there is no file in {short(path)}")


def run_ingest(request: Request, *, as_json: bool) -> None:
    """`pulvinar ingest`."""
    from pulvinar.ingest.intake import ingest
    from pulvinar.ingest.progress import TerminalProgress
    from pulvinar.ingest.sandbox import describe_protection

    with opened() as platform:
        progress = TerminalProgress()
        for line in describe_protection():
            progress.say(f"note: {line}")
        done = ingest(means_of(platform), request, progress)
    for finding in done.findings:
        print(describe_finding(finding), file=sys.stderr)
    if as_json:
        print_json({**version_to_json(done.version), "before": done.before})
        return
    if done.before:
        print("brought in before; --again brings it in once more")
    print_version(done.version)


def run_index(request: IndexRequest, *, as_json: bool) -> None:
    """`pulvinar index`."""
    from pulvinar.ingest.indexing import index

    with opened() as platform:
        done = index(means_of(platform), platform.sources, request)
    for finding in done.findings:
        print(describe_finding(finding), file=sys.stderr)
    if as_json:
        print_json(version_to_json(done.version))
    else:
        print_version(done.version)


def show_list(query: str, species: str, limit: int, *, as_json: bool) -> None:
    """`pulvinar list`."""
    from pulvinar.catalogue.datasets import list_datasets
    from pulvinar.ingest.record import species_of

    with opened() as platform:
        wanted = species_of(species) if species else None
        found: list[Dataset] = []
        cursor: str | None = None
        while len(found) < limit:
            count = min(limit - len(found), 100)
            page = list_datasets(
                platform.database, platform.actor, cursor=cursor, limit=count, species=wanted, query=query
            )
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
    if as_json:
        print_json([dataset_to_json(dataset) for dataset in found])
        return
    if found:
        print_table([dataset_row(dataset) for dataset in found], ["dataset", "species", "version", "title"])
    if cursor:
        print("... and more: --limit shows them")


def show_dataset(dataset_id: str, number: int | None, *, manifest: bool, as_json: bool) -> None:
    """`pulvinar show`."""
    from pulvinar.catalogue.version_manifest import manifest as manifest_of
    from pulvinar.catalogue.versions import get_version

    with opened() as platform:
        version = get_version(platform.database, platform.actor, dataset_id, number)
        if manifest:
            print_json(manifest_of(platform.database, platform.actor, version.id))
        elif as_json:
            print_json(version_to_json(version))
        else:
            print_version(version)


def publish_draft(dataset_id: str, *, as_json: bool) -> None:
    """`pulvinar publish`. Raises `Corrupt` when not all of the draft is there."""
    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue.presence import check_presence
    from pulvinar.catalogue.publishing import publish
    from pulvinar.catalogue.versions import get_version
    from pulvinar.model.dataset import VersionState

    with opened() as platform:
        version = get_version(platform.database, platform.actor, dataset_id)
        if version.state is VersionState.PUBLISHED:
            raise NotFound(f"dataset {dataset_id} has no draft", hint="pulvinar ingest --dataset makes one")
        check_presence(platform.database, platform.actor, platform.store, version)
        with UnitOfWork(platform.database, platform.actor) as work:
            publish(work, version.id)
        published = get_version(platform.database, platform.actor, dataset_id, version.number)
    if as_json:
        print_json(version_to_json(published))
    else:
        print_version(published)


def remove_from_draft(dataset_id: str, name: str, *, as_json: bool) -> None:
    """`pulvinar remove`."""
    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue.assets import find_asset
    from pulvinar.catalogue.drafts import open_draft, remove_asset
    from pulvinar.catalogue.versions import get_version

    with opened() as platform:
        with UnitOfWork(platform.database, platform.actor) as work:
            draft = open_draft(work, dataset_id)
            remove_asset(work, draft.id, find_asset(draft, name).id)
        changed = get_version(platform.database, platform.actor, dataset_id, draft.number)
    if as_json:
        print_json(version_to_json(changed))
    else:
        print_version(changed)


def run_verify(dataset_id: str, *, as_json: bool) -> None:
    """`pulvinar verify`, of every dataset when none is named. Raises `Corrupt` when anything is damaged."""
    from pulvinar.ingest.progress import TerminalProgress
    from pulvinar.operations.scrub import verify

    with opened() as platform:
        chosen = [dataset_id] if dataset_id else list(_every_dataset(platform))
        results = [
            verify(
                platform.database,
                platform.store,
                platform.actor,
                one,
                TerminalProgress(),
                sources=platform.sources,
            )
            for one in chosen
        ]
    objects, size_bytes = (sum(getattr(result, name) for result in results) for name in ("objects", "size_bytes"))
    damages = [damage for result in results for damage in result.damages]
    if as_json:
        damaged = [{"key": damage.key, "what": damage.what} for damage in damages]
        print_json({"objects": objects, "size_bytes": size_bytes, "damaged": damaged})
    else:
        for damage in damages:
            print(f"damaged: {damage.key}: {damage.what}")
        print(f"{objects} objects, {size(size_bytes)} read, {len(damages)} damages")
    if damages:
        where = f"dataset {dataset_id}" if dataset_id else f"{len(chosen)} datasets"
        raise Corrupt(f"{len(damages)} damages in {where}", hint="bring the named objects back from a backup")


def _every_dataset(platform: Platform) -> Iterator[str]:
    from pulvinar.catalogue import list_datasets

    cursor = None
    while True:
        page = list_datasets(platform.database, platform.actor, cursor=cursor, limit=200)
        yield from (dataset.id for dataset in page.items)
        if not (cursor := page.next_cursor):
            return


def run_sweep(grace_hours: float, abandon_days: float, *, dry: bool, as_json: bool) -> None:
    """`pulvinar sweep`."""
    from pulvinar.operations.sweep import sweep

    with opened() as platform:
        swept = sweep(
            platform.database,
            platform.store,
            grace_s=grace_hours * 3600,
            abandon_after_s=abandon_days * 86_400,
            scratch=platform.settings.resolved_scratch(),
            dry=dry,
        )
    if as_json:
        counts = {"size_bytes": swept.size_bytes, "abandoned": swept.abandoned, "workplaces": swept.workplaces}
        print_json({"removed": list(swept.keys), **counts})
        return
    word = "would be removed" if dry else "removed"
    print(f"{len(swept.keys)} objects ({size(swept.size_bytes)}) {word}, {swept.abandoned} unfinished ingests given up")
    if swept.workplaces:
        print(f"{swept.workplaces} scratch folders of killed ingests removed")


def run_anchor(dataset_id: str, atlas: str, *, stale: bool, as_json: bool) -> None:
    """`pulvinar anchor`."""
    from pulvinar.ingest.anchoring import reanchor
    from pulvinar.ingest.progress import TerminalProgress

    with opened() as platform:
        done = reanchor(means_of(platform), TerminalProgress(), dataset_id=dataset_id, atlas=atlas, stale=stale)
    if as_json:
        print_json({"assets": done.assets, "anchored": done.anchored})
    else:
        print(f"{done.assets} assets, {done.anchored} of them lie in an atlas")


def serve_platform(platform: Platform, workers: int = 1) -> None:
    """`pulvinar serve`: until it is told to stop. Raises `Unavailable` when the port is taken."""
    from pulvinar.web.server import serve

    settings = platform.settings
    if settings.public:
        _prepare_sign_in(platform)
    if settings.host not in _LOOPBACK and not settings.public:
        print(
            f"note: whoever reaches {settings.host} acts as the owner and sees drafts too; "
            "PULVINAR_PUBLIC=true shows visitors what is published, and no more",
            file=sys.stderr,
        )
    serve(
        platform,
        host=settings.host,
        port=settings.port,
        ready=lambda address: _ready(platform, address),
        workers=workers,
    )


def _prepare_sign_in(platform: Platform) -> None:
    """Find out what would keep people from signing in before the first of them does. Raises as what it opens does."""
    _ = platform.sealer, platform.postman, platform.identity_provider
    if not platform.settings.address.startswith("https://") and platform.settings.host not in _LOOPBACK:
        print(
            "note: passwords go over the line as they are; put a proxy with https before this server, "
            "and name its address by PULVINAR_ADDRESS",
            file=sys.stderr,
        )


def _ready(platform: Platform, address: str) -> None:
    """Say where the server is, and on a first start how its owner comes in."""
    from pulvinar.access.accounts import has_owner
    from pulvinar.cli.accounts import first_owner_link

    print(f"Pulvinar is at {address}  (end it with Ctrl+C)", flush=True)
    if not platform.settings.public:
        return
    with platform.database.session() as session:
        is_owned = has_owner(session)
    if not is_owned:
        link = first_owner_link(platform, address)
        print(f"nobody owns it yet. Make the owner's account, once, within a day:\n  {link}", flush=True)


def show_settings(*, as_json: bool) -> None:
    """`pulvinar settings`. Secrets are not shown."""
    from pulvinar.settings import PREFIX, Settings, load_settings

    settings = load_settings()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = str(value) if field.repr else ("(set)" if value else "")
        rows.append({"name": name, "variable": f"{PREFIX}{name.upper()}", "value": shown, "what": field.description})
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print(f"{row['variable']} = {row['value']}\n    {row['what']}")


@contextmanager
def opened() -> Iterator[Platform]:
    """The platform of the settings in force, closed afterwards."""
    from pulvinar.platform import open_platform
    from pulvinar.settings import load_settings

    platform = open_platform(load_settings())
    try:
        yield platform
    finally:
        platform.close()


def means_of(platform: Platform) -> Means:
    """What an ingest into `platform` works with."""
    from pulvinar.ingest.request import Means

    settings = platform.settings
    return Means(
        database=platform.database,
        store=platform.store,
        scratch=settings.resolved_scratch(),
        limits=limits_of(settings),
        actor=platform.actor,
        node=settings.node,
        threads=settings.threads,
    )


def limits_of(settings: Settings) -> Limits:
    """What a reader process may take."""
    from pulvinar.ingest.sandbox import Limits

    return Limits(
        memory_bytes=settings.reader_memory_mb << 20,
        cpu_s=settings.reader_cpu_s,
        budget_bytes=int(settings.reader_budget_gb * 1e9),
    )
