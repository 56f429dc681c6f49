"""The pages for people: the list, one dataset, the viewer, and what to say when something fails.

Each is whole without scripts; htmx only saves a reload while somebody types into the search box.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from pulvinar.catalogue.datasets import get_dataset, list_datasets
from pulvinar.catalogue.terms import Vocabulary, latin_name, named
from pulvinar.catalogue.versions import get_version, list_versions
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.model.record import Species
from pulvinar.web import findings, phrases
from pulvinar.web.anchors import named_anchors
from pulvinar.web.api.schemas import asset_links
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, WantedVersion
from pulvinar.web.dataset_page import (
    Download,
    Measures,
    can_show,
    citation,
    cover_of,
    downloads,
    measures,
    metadata_links,
    plane_of,
    profile_of,
    shared_findings,
)
from pulvinar.web.errors import Failure
from pulvinar.web.language import LANGUAGES, html_tag, language_of, remember, translations

HERE = Path(__file__).parent
PAGE_SIZE = 24
MOST_ANCHORED = 50
"""Of so many assets a dataset's page says where they lie."""

_POLICY = (
    "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'{connect}; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)
_PAGE_POLICY = _POLICY.format(script="", connect="")
# Neuroglancer makes functions from text; only its page may.
_VIEWER_POLICY = _POLICY.format(script=" 'unsafe-eval'", connect=" data: blob:")
# A worker obeys the policy of its own file: its decoders are WebAssembly, whose glue makes functions from text.
_BUNDLE_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; worker-src 'self'; connect-src 'self' data: blob:"
)

router = APIRouter(include_in_schema=False)


def mount(pages: FastAPI) -> None:
    """Add the pages and their files to an application."""
    pages.include_router(router)
    viewer = HERE / "viewer"
    # The folder is there once the viewer is built; until then its page says what to run.
    pages.mount("/static/viewer", _Bundle(directory=viewer, check_dir=False), name="viewer")
    pages.mount("/static", _Static(directory=HERE / "static"), name="static")


class _Static(StaticFiles):
    """The portal's own files, which pages name with this release's number: they may be kept until the next."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """Answer with one file."""
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=86400" if response.status_code == 200 else "no-cache"
        return response


class _Bundle(StaticFiles):
    """The built viewer: files whose names hold a digest may be kept for good."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """Answer with one file."""
        response = await super().get_response(path, scope)
        response.headers["content-security-policy"] = _BUNDLE_POLICY
        kept = path.startswith("assets/") and response.status_code == 200
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
        return response


@router.get("/")
def home(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    species: str = "",
    q: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The list of datasets, or of those that a search finds."""
    chosen = Species(species) if species in list(Species) else None
    page = list_datasets(platform.database, actor, cursor=cursor, limit=PAGE_SIZE, species=chosen, query=q.strip())
    # htmx asks for the results alone while somebody types; a restored history wants the page.
    partial = "hx-request" in request.headers and "hx-history-restore-request" not in request.headers
    values = {
        "page": page,
        "partial": partial,
        "cover_of": cover_of,
        "chosen": chosen,
        "query": q.strip(),
        "first": cursor is None,
        "here": lambda **changes: _home_address({"species": species, "q": q.strip(), **changes}),
    }
    response = _render(request, "_results.html" if partial else "home.html", values)
    response.headers["vary"] = "HX-Request, Accept-Language, Cookie"
    return response


def _home_address(parts: Mapping[str, str | None]) -> str:
    given = {key: value for key, value in parts.items() if value}
    return f"/?{urlencode(given)}" if given else "/"


@router.get("/datasets/{dataset_id}")
def dataset(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    version: WantedVersion = None,
) -> Response:
    """One dataset: what it is, how good it is, and how to get it."""
    known = get_dataset(platform.database, actor, dataset_id)
    shown = get_version(platform.database, actor, dataset_id, version)
    base = str(request.base_url).rstrip("/")
    budget = platform.settings.cutout_budget_mb * 1_000_000
    values = {
        "dataset": known,
        "version": shown,
        "record": shown.record,
        "versions": list_versions(platform.database, actor, dataset_id),
        "citation": citation(shown),
        "cover": cover_of(shown.assets),
        "parts": [_part(asset, shown, base, budget) for asset in shown.assets],
        "doubtful": shared_findings(asset for asset in shown.assets if asset.kind is not AssetKind.VOLUME),
        "can_view": any(map(can_show, shown.assets)),
        "size_bytes": sum(asset.size_bytes for asset in shown.assets),
        "licence_address": phrases.licence_address(shown.record.licence),
        "metadata_links": metadata_links(shown),
        "anchors": named_anchors(platform, actor, [asset.id for asset in shown.assets[:MOST_ANCHORED]]),
        "profile": profile_of(shown, language_of(request)),
        "base": base,
    }
    return _render(request, "dataset.html", values)


def _part(asset: Asset, version: Version, base: str, budget_bytes: int) -> dict[str, Any]:
    links = asset_links(asset, version.digest)
    found: Download | None = downloads(asset, version, base, budget_bytes)
    measured: Measures | None = measures(asset)
    return {"asset": asset, "links": links, "downloads": found, "measures": measured, "kind": phrases.kind_of(asset)}


@router.get("/datasets/{dataset_id}/view")
def view(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    version: WantedVersion = None,
) -> Response:
    """The viewer. Links that are copied from it name the version, so that they go on showing the same data."""
    shown = get_version(platform.database, actor, dataset_id, version)
    values = {
        "version": shown,
        "record": shown.record,
        "built": (HERE / "viewer" / "pulvinar-viewer.js").is_file(),
        "cover": cover_of([asset for asset in shown.assets if asset.kind is AssetKind.VOLUME]),
    }
    return _render(request, "view.html", values, policy=_VIEWER_POLICY)


def error_page(request: Request, failure: Failure) -> Response:
    """What a person sees when a page can't be shown."""
    return _render(request, "error.html", {"failure": failure}, status=failure.status)


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pulvinar.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "size": phrases.size,
        "number": phrases.number,
        "share": phrases.share,
        "lengths": phrases.lengths,
        "said": findings.translated,
        "address": phrases.identifier_address,
    }
    return environment


def _render(
    request: Request, template: str, values: Mapping[str, Any], *, status: int = 200, policy: str = _PAGE_POLICY
) -> Response:
    language = language_of(request)
    words = translations(language)
    common = {
        # The words go with each page: were they set on the shared environment, two requests would mix languages.
        "_": words.gettext,
        "ngettext": words.ngettext,
        "language": language,
        "release": metadata.version("pulvinar"),
        "html_language": html_tag(language),
        "languages": [(code, name, _in_language(request, code)) for code, name in LANGUAGES.items()],
        "Species": Species,
        "species_names": phrases.SPECIES,
        "latin_name": latin_name,
        "term": lambda vocabulary, said: named(Vocabulary(vocabulary), said, language),
        "kind_names": phrases.KINDS,
        "kind_of": phrases.kind_of,
        "planes": phrases.PLANES,
        "plane_of": plane_of,
    }
    response = HTMLResponse(_environment().get_template(template).render({**common, **values}), status)
    response.headers["content-security-policy"] = policy
    response.headers["content-language"] = html_tag(language)
    response.headers["cache-control"] = "private, no-cache"
    remember(response, request, language)
    return response


def _in_language(request: Request, code: str) -> str:
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
    return f"{request.url.path}?{urlencode([*kept, ('lang', code)])}"
