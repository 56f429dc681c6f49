"""What `pulvinar backup` and `pulvinar restore` do, and what they print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pulvinar.cli.show import print_json, print_table, size
from pulvinar.cli.verbs import SHOWN, opened
from pulvinar.errors import Corrupt, Invalid
from pulvinar.model.text import plain

if TYPE_CHECKING:
    from pulvinar.operations.backup import Snapshot
    from pulvinar.settings import Settings
    from pulvinar.storage.store import Store


def make_backup(to: str, keep: int, passphrase_file: Path | None, *, as_json: bool) -> None:
    """`pulvinar backup`. Raises `Corrupt` at the end where something that is stored was damaged."""
    from pulvinar.ingest.progress import TerminalProgress
    from pulvinar.operations.backup import back_up
    from pulvinar.operations.backup_care import prune
    from pulvinar.operations.backup_keys import keep_key
    from pulvinar.settings import read_secret

    with opened() as platform:
        backup = _backup_at(to, platform.settings)
        if backup.url.startswith(f"{platform.store.url}/") or backup.url == platform.store.url:
            raise Invalid(f"{to} lies in the store itself", hint="a backup belongs on another disk, or another machine")
        scratch = platform.settings.resolved_scratch()
        made = back_up(platform.database, platform.store, backup, scratch=scratch, progress=TerminalProgress())
        if passphrase_file:
            passphrase = read_secret(passphrase_file, "--passphrase-file")
            keep_key(backup, platform.settings.resolved_secret_key_file(), passphrase)
        gone = prune(backup, keep, scratch=scratch) if keep else (0, 0)
    if as_json:
        print_json({**_to_json(made), "removed_snapshots": gone[0], "removed_objects": gone[1]})
    else:
        print(f"snapshot {made.id}: {made.objects} objects ({size(made.size_bytes)}), of which {made.copied} were new")
        if made.seal:
            print(f"last seal of the log {made.seal}")
        if any(gone):
            print(f"{gone[0]} old snapshots and {gone[1]} objects removed")
    if made.damaged:
        for key, what in list(made.damaged.items())[:SHOWN]:
            print(plain(f"damaged: {key}: {what}"), file=sys.stderr)
        raise Corrupt(
            f"{len(made.damaged)} stored objects could not be copied", hint="pulvinar verify --all names them"
        )


def list_snapshots(to: str, *, as_json: bool) -> None:
    """`pulvinar backup --list`."""
    from pulvinar.operations.backup import snapshots
    from pulvinar.settings import load_settings

    found = snapshots(_backup_at(to, load_settings()))
    if as_json:
        print_json([_to_json(one) for one in found])
    elif found:
        rows = [[one.id, str(one.objects), size(one.size_bytes), str(len(one.damaged))] for one in found]
        print_table(rows, ["snapshot (UTC)", "objects", "size", "damaged"])


def run_verify(to: str, *, as_json: bool) -> None:
    """`pulvinar backup --verify`. Raises `Corrupt` where something is damaged."""
    from pulvinar.ingest.progress import TerminalProgress
    from pulvinar.operations.backup_care import verify_backup
    from pulvinar.settings import load_settings, made_folder

    settings = load_settings()
    scratch = made_folder(settings.resolved_scratch(), "scratch")
    done = verify_backup(_backup_at(to, settings), scratch=scratch, progress=TerminalProgress())
    if as_json:
        damages = [one.__dict__ for one in done.damages]
        print_json({"objects": done.objects, "size_bytes": done.size_bytes, "damages": damages})
    else:
        print(f"{done.objects} objects ({size(done.size_bytes)}), {len(done.damages)} damages")
    if done.damages:
        for one in done.damages[:SHOWN]:
            print(plain(f"damaged: {one.key}: {one.what}"), file=sys.stderr)
        raise Corrupt(f"{len(done.damages)} damages in the backup {to}", hint="make another backup, into another place")


def run_restore(
    source: str, snapshot: str, passphrase_file: Path | None, erasures: Path | None, *, as_json: bool
) -> None:
    """`pulvinar restore`."""
    from pulvinar.ingest.progress import TerminalProgress
    from pulvinar.operations.backup_keys import bring_key_back, holds_key
    from pulvinar.operations.erasure import read_certificates
    from pulvinar.operations.restore import restore
    from pulvinar.platform import migrate, open_store_of
    from pulvinar.settings import load_settings, made_folder, read_secret
    from pulvinar.storage.database import Database

    settings = load_settings()
    made_folder(settings.home, "home")
    backup = _backup_at(source, settings)
    if passphrase_file:
        passphrase = read_secret(passphrase_file, "--passphrase-file")
        bring_key_back(backup, settings.resolved_secret_key_file(), passphrase)
    # of a home that outlived its database, or of a copy of it: what was erased after the last backup
    folders = [settings.home / "erasures", *([erasures] if erasures else [])]
    database = Database(settings.resolved_database_url())
    try:
        done = restore(
            backup,
            database,
            open_store_of(settings),
            migrate=migrate,
            scratch=made_folder(settings.resolved_scratch(), "scratch"),
            snapshot_id=snapshot,
            erased=[one for folder in folders for one in read_certificates(folder)],
            progress=TerminalProgress(),
        )
    finally:
        database.close()
    fault = done.chain.fault
    if as_json:
        said = {"rows": done.rows, "objects": done.objects, "erasures": done.erasures, "log_fits": fault is None}
        print_json({"snapshot": done.snapshot.id, **said, "damaged": done.snapshot.damaged})
    else:
        print(f"snapshot {done.snapshot.id} restored: {done.rows} rows, {done.objects} objects")
        if done.erasures:
            print(f"{done.erasures} erasures done once more: who was erased after the backup has not come back")
        print("the log fits its seals" if fault is None else plain(f"the log does not fit: {fault.what}"))
        if not settings.resolved_secret_key_file().exists():
            how = "restore with --passphrase-file" if holds_key(backup) else "put the file of then there"
            print(f"there is no key at {settings.resolved_secret_key_file()}: {how}, or second factors are lost")
        if done.snapshot.damaged:
            print(f"{len(done.snapshot.damaged)} objects were damaged already when the backup was made")


def _backup_at(place: str, settings: Settings) -> Store:
    from pulvinar.storage.store import open_store

    url = place if "://" in place else Path(place).absolute().as_uri()
    return open_store(
        url,
        endpoint=settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        region=settings.s3_region,
    )


def _to_json(one: Snapshot) -> dict[str, object]:
    return {**one.__dict__, "at": one.at.isoformat()}
