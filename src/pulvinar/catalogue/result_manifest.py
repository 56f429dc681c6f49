"""Every file of what a search found, for any program that fetches files: with address, size and SHA-256.

Files come as they are read from the database, so that a million of them take no memory.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from pulvinar.catalogue.asset_search import SearchTools, prepare
from pulvinar.catalogue.hits import Hit, read_hits
from pulvinar.catalogue.query_nodes import (
    Query,
)
from pulvinar.catalogue.search_tools import RegionDistances
from pulvinar.catalogue.stored_objects import objects_seen
from pulvinar.catalogue.tables import asset_object
from pulvinar.model.access import Actor, Right
from pulvinar.model.text import on_one_line, to_cell
from pulvinar.storage.database import Database

_AT_ONCE = 1000


class ManifestFormat(StrEnum):
    """In which form the files are listed."""

    JSONL = "jsonl"
    """One JSON object a line."""
    CSV = "csv"
    URLS = "urls"
    """One address a line: `wget -x -i`."""
    ARIA2 = "aria2"
    """Input of aria2: address, folder, name and checksum: `aria2c -i`."""
    METALINK = "metalink"
    """Metalink 4 (RFC 5854)."""
    SHA256 = "sha256"
    """For `sha256sum -c`, once they are fetched."""


MEDIA_TYPES = {
    ManifestFormat.JSONL: "application/x-ndjson",
    ManifestFormat.CSV: "text/csv; charset=utf-8",
    ManifestFormat.URLS: "text/plain; charset=utf-8",
    ManifestFormat.ARIA2: "text/plain; charset=utf-8",
    ManifestFormat.METALINK: "application/metalink4+xml",
    ManifestFormat.SHA256: "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class ManifestFile:
    """One stored object of an asset. `address` is its place on the server."""

    dataset_id: str
    asset_id: str
    asset_name: str
    path: str
    address: str
    size_bytes: int
    sha256: str
    licence: str

    @property
    def name(self) -> str:
        """A path below which no two files meet, on one line: a list of them is read by programs line by line."""
        return f"{self.dataset_id}/{self.asset_id}/{on_one_line(self.path)}"


def result_manifest(
    database: Database,
    actor: Actor,
    query: str | Query,
    *,
    tools: SearchTools | None = None,
    distances: RegionDistances | None = None,
) -> Iterator[ManifestFile]:
    """The files of every asset that `query` finds of what `actor` may read, newest assets first, each sorted by path.

    Raises `QueryError` at once, not when the first file is asked for. Bytes that others keep are not listed.
    """
    with database.session() as session:
        prepare(session, actor, query, tools, distances)
    return _files(database, actor, query, tools, distances)


def _files(
    database: Database,
    actor: Actor,
    query: str | Query,
    tools: SearchTools | None,
    distances: RegionDistances | None,
) -> Iterator[ManifestFile]:
    with database.session() as session:
        portions = prepare(session, actor, query, tools, distances).all_numbers()
        for numbers in portions:
            for hit in read_hits(session, actor, numbers, Right.READ):
                yield from _files_of(database, actor, hit)


def _files_of(database: Database, actor: Actor, hit: Hit) -> Iterator[ManifestFile]:
    """The files that `actor` may still read when they are listed: a long list is written for a while."""
    wanted = objects_seen(actor, hit.asset.id, Right.READ).order_by(asset_object.c.path)
    after = ""
    while True:
        with database.session() as session:
            rows = session.execute(wanted.where(asset_object.c.path > after).limit(_AT_ONCE)).all()
        for row in rows:
            address = f"/data/{hit.version_digest}/{hit.asset.id}/objects/{quote(row.path)}"
            about = (hit.dataset_id, hit.asset.id, hit.asset.name, row.path, address, row.size_bytes, row.sha256)
            yield ManifestFile(*about, hit.record.licence)
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].path


def write_manifest(files: Iterable[ManifestFile], form: ManifestFormat, base: str) -> Iterator[str]:
    """The list in one of the formats, piece by piece; `base` is the address of the server."""
    if form is ManifestFormat.METALINK:
        yield '<?xml version="1.0" encoding="UTF-8"?>\n<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n'
    elif form is ManifestFormat.CSV:
        yield _csv_row("url", "size_bytes", "sha256", "dataset", "asset", "asset_name", "path", "licence")
    for one in files:
        yield _WRITERS[form](one, f"{base}{one.address}")
    if form is ManifestFormat.METALINK:
        yield "</metalink>\n"


def _json(one: ManifestFile, url: str) -> str:
    told = {"url": url, "size_bytes": one.size_bytes, "sha256": one.sha256, "dataset": one.dataset_id}
    told |= {"asset": one.asset_id, "asset_name": one.asset_name, "path": one.path, "licence": one.licence}
    return json.dumps(told, ensure_ascii=False) + "\n"


def _csv(one: ManifestFile, url: str) -> str:
    about = (one.dataset_id, one.asset_id, one.asset_name, one.path, one.licence)
    return _csv_row(url, str(one.size_bytes), one.sha256, *about)


def _csv_row(*cells: str) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(map(to_cell, cells))
    return written.getvalue()


def _metalink(one: ManifestFile, url: str) -> str:
    return (
        f"  <file name={quoteattr(one.name)}>\n    <size>{one.size_bytes}</size>\n"
        f'    <hash type="sha-256">{one.sha256}</hash>\n    <url>{escape(url)}</url>\n  </file>\n'
    )


def _aria2(one: ManifestFile, url: str) -> str:
    folder, _, name = one.name.rpartition("/")
    return f"{url}\n  dir={folder}\n  out={name}\n  checksum=sha-256={one.sha256}\n"


_WRITERS: dict[ManifestFormat, Callable[[ManifestFile, str], str]] = {
    ManifestFormat.JSONL: _json,
    ManifestFormat.CSV: _csv,
    ManifestFormat.URLS: lambda one, url: f"{url}\n",
    ManifestFormat.ARIA2: _aria2,
    ManifestFormat.METALINK: _metalink,
    ManifestFormat.SHA256: lambda one, url: f"{one.sha256}  {one.name}\n",
}
