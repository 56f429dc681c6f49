"""What `pulvinar audit` does, and what it prints."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pulvinar.cli.show import print_json, print_table, size
from pulvinar.cli.verbs import opened
from pulvinar.errors import Conflict, Corrupt
from pulvinar.model.text import plain, short

if TYPE_CHECKING:
    from pulvinar.access.audit import Wanted


def wanted_events(
    actor: str, verb: str, subject: str, since: datetime | None, until: datetime | None, reason: str
) -> Wanted:
    """Which events the options ask for; moments that say no zone are UTC."""
    from pulvinar.access.audit import Wanted

    first, last = (one.replace(tzinfo=UTC) if one else None for one in (since, until))
    return Wanted(actor, verb, subject, first, last, reason)


def run_verify(expect: str, *, as_json: bool) -> None:
    """`pulvinar audit verify`. Raises `Corrupt` where something does not fit."""
    from pulvinar.access.audit_chain import verify_chain

    with opened() as platform:
        found = verify_chain(platform.database, expect.strip().lower())
    if as_json:
        fault = found.fault.__dict__ if found.fault else None
        print_json({**found.__dict__, "fault": fault})
    elif found.fault is None:
        print(f"{found.events} events in {found.seals} seals fit, {found.unsealed} are not sealed yet")
        print(f"last seal {found.last}")
    if found.fault is not None:
        raise Corrupt(
            found.fault.what,
            hint=f"the {found.events} events before it fit; compare with an export, a backup or --expect",
        )


def run_seal(*, as_json: bool) -> None:
    """`pulvinar audit seal`."""
    from pulvinar.access.audit_chain import last_seal, seal_all
    from pulvinar.access.reads import tell_reads

    with opened() as platform:
        tell_reads(platform.database)
        count = seal_all(platform.database)
        with platform.database.session() as session:
            newest = last_seal(session)
    if as_json:
        print_json({"seals": count, "last": newest.hash if newest else None})
        return
    print(f"{count} new seals" + (f", the last is {newest.hash}" if newest else ""))


def show_events(wanted: Wanted, limit: int, *, as_json: bool) -> None:
    """`pulvinar audit search`."""
    from pulvinar.access.audit import event_json, search_events

    with opened() as platform:
        page = search_events(platform.database, platform.actor, wanted, limit=limit)
    if as_json:
        print_json([json.loads(event_json(one)) for one in page.items])
        return
    rows = [
        [f"{one.at:%Y-%m-%d %H:%M:%S}", one.actor_id, one.verb, one.subject_id, plain(short(str(one.details), 60))]
        for one in page.items
    ]
    if rows:
        print_table(rows, ["at (UTC)", "actor", "verb", "subject", "details"])
    if page.next_cursor:
        print("... and more: --limit shows them")


def write_events(wanted: Wanted, to: Path | None) -> None:
    """`pulvinar audit export`. Raises `Conflict` where the file is there already."""
    from pulvinar.access.audit import event_json, export_events

    try:
        stream = to.open("x", encoding="utf-8") if to else sys.stdout
    except FileExistsError as error:
        raise Conflict(f"{to} is there already", hint="name a new file") from error
    with opened() as platform:
        for one in export_events(platform.database, platform.actor, wanted):
            stream.write(f"{event_json(one)}\n")
    if to:
        stream.close()


def show_reads(dataset_id: str, actor_id: str, limit: int, *, as_json: bool) -> None:
    """`pulvinar audit reads`."""
    from pulvinar.access.reads import reads_of

    with opened() as platform:
        found = reads_of(platform.database, platform.actor, dataset_id=dataset_id, actor_id=actor_id, limit=limit)
    if as_json:
        print_json([{**one.__dict__, "hour": one.hour.isoformat()} for one in found])
        return
    rows = [
        [
            f"{one.hour:%Y-%m-%d %H:00}",
            one.actor_id,
            one.dataset_id,
            one.asset_id,
            str(one.chunks),
            size(one.size_bytes),
        ]
        for one in found
    ]
    if rows:
        print_table(rows, ["hour (UTC)", "actor", "dataset", "asset", "answers", "size"])
