"""What the commands about versions do: compare, withdraw, register."""

from __future__ import annotations

from dataclasses import asdict

from pulvinar.cli.show import print_json, print_table, size
from pulvinar.cli.verbs import opened
from pulvinar.errors import Invalid, Unavailable
from pulvinar.model.text import plain, short

_SHOWN = 50


def show_comparison(dataset_id: str, before: int, after: int, *, as_json: bool) -> None:
    """`pulvinar compare`. Raises `NotFound`."""
    from pulvinar.catalogue.comparison import compare

    with opened() as platform:
        found = compare(platform.database, platform.actor, dataset_id, before, after)
    if as_json:
        told = {name: [asdict(one) for one in getattr(found, name) or ()] for name in ("fields", "assets", "files")}
        print_json({**told, "unchanged_assets": found.unchanged_assets, "file_counts": found.file_counts})
        return
    rows = [(one.field, _said(one.before), _said(one.after)) for one in found.fields]
    if rows:
        print_table(rows, ("field", f"version {before}", f"version {after}"))
    for asset in found.assets:
        sizes = " -> ".join(size(one) for one in (asset.before_bytes, asset.after_bytes) if one is not None)
        print(plain(f"{asset.change.value}: {asset.kind} {asset.name} ({sizes})"))
    for file in (found.files or ())[:_SHOWN]:
        print(plain(f"  {file.change.value}: {file.asset}/{file.path}"))
    counts = ", ".join(f"{count} {change.value}" for change, count in (found.file_counts or {}).items())
    print(f"{found.unchanged_assets} assets are the same; files: {counts}")


def _said(value: object) -> str:
    return "" if value is None else plain(short(str(value), 40))


def withdraw_version(dataset_id: str, number: int, reason: str, replaced_by: str) -> None:
    """`pulvinar withdraw`. Raises `NotFound`, `Invalid`, `Conflict`."""
    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue.withdrawals import withdraw

    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        withdraw(work, dataset_id, number, reason, replaced_by=replaced_by)
    print(f"version {number} of {dataset_id} is withdrawn")


def register_dois(*, earlier: bool, as_json: bool) -> None:
    """`pulvinar register`. Raises `Invalid` without an account, `Unavailable` where one could not be registered."""
    from pulvinar.catalogue.registration import count_earlier, do_due

    with opened() as platform:
        if platform.registrar is None:
            raise Invalid(
                "there is no account at DataCite", hint="set datacite_user, datacite_password_file and prefix"
            )
        address = platform.settings.resolved_address()
        done = do_due(platform.database, platform.registrar, address, limit=1000, earlier=earlier)
        left = count_earlier(platform.database, platform.registrar.prefix)
    if as_json:
        print_json([asdict(one) for one in done])
    else:
        for one in done:
            print(plain(f"{one.doi}: {one.trouble or one.state.value}"))
        if left:
            print(f"{left} versions were published before there was an account; --earlier registers them, too")
    if failed := sum(bool(one.trouble) for one in done):
        raise Unavailable(f"{failed} DOIs could not be registered", hint="they are tried again by themselves")
