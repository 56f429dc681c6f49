"""What programs are told of the portal: newest data as Atom, the pages there are, what crawlers may ask for.

All of it is what a visitor may see, whoever asks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, tostring  # nosec B405

from fastapi import APIRouter, Depends, Response

from pulvinar.atlases.installed import list_atlases
from pulvinar.catalogue.collections import list_collections
from pulvinar.catalogue.datasets import list_datasets
from pulvinar.model.access import ANONYMOUS
from pulvinar.model.dataset import Dataset
from pulvinar.model.record import Species
from pulvinar.web.context import CurrentPlatform
from pulvinar.web.forms import link_to
from pulvinar.web.limits import costly

router = APIRouter(include_in_schema=False)

_ATOM = "http://www.w3.org/2005/Atom"
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_NEWEST = 30
_PAGE, _MOST = 200, 10_000
_KEPT = {"cache-control": "public, max-age=300"}
_ROBOTS = """User-agent: *
Disallow: /api/
Disallow: /data/
Disallow: /feedback
Disallow: /sign-in
Disallow: /*?*cursor=
Disallow: /*?*q=
"""


@router.get("/robots.txt")
def robots(platform: CurrentPlatform) -> Response:
    """What crawlers may ask for."""
    text = f"{_ROBOTS}Sitemap: {link_to(platform, '/sitemap.xml')}\n"
    return Response(text, media_type="text/plain", headers=_KEPT)


@router.get("/sitemap.xml", dependencies=[Depends(costly)])
def sitemap(platform: CurrentPlatform) -> Response:
    """The pages that a visitor may see: of datasets at most the newest 10,000."""
    root = Element("urlset", xmlns=_SITEMAP)
    paths = ["/", "/atlases", "/collections", "/labs", "/solutions", *(f"/species/{one.value}" for one in Species)]
    paths += [f"/atlases/{one.atlas.name}" for one in list_atlases(platform.database, ANONYMOUS)]
    paths += [f"/collections/{one.id}" for one in list_collections(platform.database, ANONYMOUS)]
    for path in paths:
        _place(root, link_to(platform, path))
    cursor: str | None = None
    for _ in range(_MOST // _PAGE):
        page = list_datasets(platform.database, ANONYMOUS, cursor=cursor, limit=_PAGE)
        for one in page.items:
            _place(root, link_to(platform, f"/datasets/{one.id}"), _changed(one))
        cursor = page.next_cursor
        if cursor is None:
            break
    return _xml(root, "application/xml")


@router.get("/feed.atom", dependencies=[Depends(costly)])
def feed(platform: CurrentPlatform) -> Response:
    """The newest datasets as an Atom feed."""
    newest = list_datasets(platform.database, ANONYMOUS, limit=_NEWEST).items
    root = Element("feed", xmlns=_ATOM)
    home = link_to(platform, "/")
    SubElement(root, "id").text = home
    SubElement(root, "title").text = "Pulvinar: newest data"
    SubElement(root, "link", rel="self", href=link_to(platform, "/feed.atom"))
    SubElement(root, "link", rel="alternate", href=home)
    latest = max((_changed(one) for one in newest), default=datetime.fromtimestamp(0, UTC))
    SubElement(root, "updated").text = latest.isoformat(timespec="seconds")
    SubElement(SubElement(root, "author"), "name").text = "Pulvinar"
    for one in newest:
        _entry(root, one, link_to(platform, f"/datasets/{one.id}"))
    return _xml(root, "application/atom+xml")


def _entry(root: Element, dataset: Dataset, address: str) -> None:
    record, changed = dataset.record, _changed(dataset).isoformat(timespec="seconds")
    entry = SubElement(root, "entry")
    SubElement(entry, "id").text = address
    SubElement(entry, "title").text = record.title
    SubElement(entry, "updated").text = changed
    SubElement(entry, "link", rel="alternate", href=address)
    SubElement(entry, "category", term=record.species.value)
    for who in record.contributors or ():
        SubElement(SubElement(entry, "author"), "name").text = who.name
    SubElement(entry, "rights").text = record.licence
    SubElement(entry, "summary").text = record.description or record.title


def _place(root: Element, address: str, changed: datetime | None = None) -> None:
    url = SubElement(root, "url")
    SubElement(url, "loc").text = address
    if changed is not None:
        SubElement(url, "lastmod").text = changed.date().isoformat()


def _changed(dataset: Dataset) -> datetime:
    """When the newest version was published, or the dataset made."""
    return (dataset.latest.published if dataset.latest else None) or dataset.created


def _xml(root: Element, kind: str) -> Response:
    # control characters are none of XML's, wherever a record has one
    text = tostring(root, encoding="unicode")
    clean = "".join(one for one in text if one in "\t\n\r" or one >= " ")
    return Response(f'<?xml version="1.0" encoding="utf-8"?>\n{clean}', media_type=kind, headers=_KEPT)
