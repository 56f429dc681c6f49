"""The pages for people: the list, one dataset, the viewer, and what to say when something fails.

Each is whole without scripts; htmx only saves a reload while somebody types into the search box.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from starlette.datastructures import State

from pulvinar.access.visibility import highest_right, is_signed_in
from pulvinar.access.work import may_on_node
from pulvinar.catalogue.asset_search import ResultPage, search_assets
from pulvinar.catalogue.collections import list_collections
from pulvinar.catalogue.datasets import Page, get_dataset, list_datasets
from pulvinar.catalogue.query import LONGEST, parse
from pulvinar.catalogue.query_fields import Field
from pulvinar.catalogue.query_nodes import (
    QueryError,
    Said,
    Words,
    leaves,
)
from pulvinar.catalogue.tombstones import erased_leaves
from pulvinar.catalogue.versions import get_version, list_versions, version_among
from pulvinar.catalogue.withdrawals import withdrawals
from pulvinar.errors import NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, AssetKind, Dataset, Version
from pulvinar.model.record import Species
from pulvinar.platform import Platform
from pulvinar.web import (
    access_pages,
    account_pages,
    administration_pages,
    agreement_pages,
    asset_pages,
    atlas_pages,
    audit_page,
    collection_pages,
    compare_pages,
    device_pages,
    feed_pages,
    feedback_pages,
    job_pages,
    joining_pages,
    maker_pages,
    manual,
    manual_pages,
    me_pages,
    neuron_pages,
    notebooks,
    organisation_pages,
    people_pages,
    phrases,
    place_pages,
    profile_pages,
    recipes,
    request_pages,
    review_pages,
    rule_pages,
    search_forms,
    sign_in_pages,
    species_pages,
    submission_pages,
    surface_pages,
    terms_pages,
    usage_page,
    version_pages,
    view_pages,
)
from pulvinar.web.anchors import named_anchors
from pulvinar.web.api.schemas import asset_links
from pulvinar.web.cards import viewable_covers
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, WantedVersion
from pulvinar.web.counterparts import meant_in_atlases
from pulvinar.web.dataset_page import (
    Download,
    Measures,
    can_show,
    citation,
    cover_of,
    downloads,
    measures,
    metadata_links,
    profile_of,
    shared_findings,
)
from pulvinar.web.dataset_terms import terms_of
from pulvinar.web.derived import makings, pictures_of
from pulvinar.web.errors import Failure
from pulvinar.web.in_viewer import InViewer, deformed_atlases, of_assets
from pulvinar.web.kept_answers import keep_not, kept
from pulvinar.web.language import language_of
from pulvinar.web.limits import Buckets, costly
from pulvinar.web.neuron_sets import search_key
from pulvinar.web.opened_atlases import region_distances
from pulvinar.web.rendering import BUNDLE_POLICY, HERE, VIEWER_POLICY, render
from pulvinar.web.shared import Slots
from pulvinar.web.static_files import Files

PAGE_SIZE, ON_FRONT = 24, 12
ASSETS_SHOWN = 12
MOST_ANCHORED = 50
"""Of so many assets a dataset's page says where they lie."""

router = APIRouter(include_in_schema=False)


def prepare(state: State, feedback: Slots) -> None:
    """What the pages of one platform keep between two requests; `feedback`: how often people said what they think."""
    state.counted = species_pages.CountedForVisitors()
    state.feedback_buckets = Buckets(feedback_pages.PER_MINUTE, feedback)


def mount(pages: FastAPI) -> None:
    """Add the pages to an application."""
    pages.include_router(router)
    pages.include_router(atlas_pages.router)
    pages.include_router(place_pages.router)
    for one in (species_pages, maker_pages, neuron_pages, collection_pages, manual_pages, notebooks):
        pages.include_router(one.router)
    pages.include_router(search_forms.router)
    pages.include_router(asset_pages.router)
    pages.include_router(surface_pages.router)
    pages.include_router(job_pages.router)
    pages.include_router(usage_page.router)
    for one in (sign_in_pages, joining_pages, profile_pages, device_pages, account_pages):
        pages.include_router(one.router)
    for one in (
        access_pages,
        organisation_pages,
        review_pages,
        request_pages,
        agreement_pages,
        terms_pages,
        people_pages,
        version_pages,
    ):
        pages.include_router(one.router)
    pages.include_router(audit_page.router)
    pages.include_router(view_pages.router)
    pages.include_router(compare_pages.router)
    for one in (me_pages, administration_pages, rule_pages, feedback_pages, feed_pages):
        pages.include_router(one.router)
    pages.include_router(submission_pages.router)
    pages.include_router(terms_pages.organisation_router)


def files() -> tuple[Files, ...]:
    """The files that pages name."""
    # The folder is there once the viewer is built; until then its page says what to run.
    headers = {"content-security-policy": BUNDLE_POLICY}
    viewer = Files("/static/viewer/", HERE / "viewer", hashed="assets/", headers=headers)
    return viewer, Files(f"{manual.FILES}/", manual.root()), Files("/static/", HERE / "static")


@router.get("/", dependencies=[Depends(costly), Depends(kept)])
def home(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    species: str = "",
    q: Annotated[str, Query(max_length=LONGEST)] = "",
    more: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """The list of datasets, or the datasets and assets that a search finds; `more` goes on with the assets."""
    chosen = Species(species) if species in list(Species) else None
    front = not (q.strip() or chosen or cursor)
    base = str(request.base_url).rstrip("/")
    found: ResultPage | None = None
    trouble: QueryError | None = None
    name = _region_name(q)
    asked = f"{q.strip()} species:{chosen.value}" if chosen else q.strip()
    page: Page[Dataset] = Page(())
    try:
        if q.strip():
            found = search_assets(
                platform.database,
                actor,
                asked,
                cursor=more,
                limit=ASSETS_SHOWN,
                facets=True,
                distances=region_distances(platform),
            )
        if found is None or _plain(q):
            page = list_datasets(
                platform.database,
                actor,
                cursor=cursor,
                limit=ON_FRONT if front else PAGE_SIZE,
                species=chosen,
                query=q.strip(),
            )
        else:
            page = Page(_datasets_of(platform, actor, found))
    except QueryError as error:
        trouble = error
    # htmx asks for the results alone while somebody types; a restored history wants the page.
    part = "hx-request" in request.headers and "hx-history-restore-request" not in request.headers
    values = {
        **(species_pages.first_page(request, platform, actor) if front else {}),
        "front": front,
        "page": page,
        "partial": part,
        "cover_of": viewable_covers(platform, actor, page.items),
        "chosen": chosen,
        "query": q.strip(),
        **search_forms.filled(platform, actor, q.strip()),
        "first": cursor is None,
        "found": found,
        "trouble": trouble,
        "base": base,
        "recipe": recipes.of_search(base, asked) if found and found.items else None,
        "region_name": name,
        "regions_named": meant_in_atlases(platform, actor, name) if name else (),
        "together": _neurons_found(platform, actor, asked, found) if found else (),
        "here": lambda **changes: _home_address({"species": species, "q": q.strip(), **changes}),
    }
    response = render(request, "_results.html" if part else "home.html", values)
    response.headers["vary"] = "HX-Request, Accept-Language, Cookie"
    return response


def _neurons_found(platform: Platform, actor: Actor, asked: str, found: ResultPage) -> list[InViewer]:
    """Where in the viewer the neurons among what a search finds are seen together: as far as its first page tells."""
    neurons = [hit.asset.id for hit in found.items if hit.asset.kind is AssetKind.SKELETON]
    return of_assets(platform, actor, search_key(asked), neurons) if len(neurons) > 1 else []


def _region_name(q: str) -> str:
    """The name that a search asks for and nothing else, which may be a region's; "" where it asks for more."""
    try:
        parts = [one for one in leaves(parse(q)) if not (isinstance(one, Said) and one.field is Field.SPECIES)]
    except QueryError:
        return ""
    words = [one.text for one in parts if isinstance(one, Words)]
    named = [one.value for one in parts if isinstance(one, Said) and one.field is Field.REGION]
    alone = len(words) + len(named) == len(parts) and (not named or len(parts) == 1)
    return " ".join(words or named) if alone else ""


def _plain(q: str) -> bool:
    """Whether a search is of words alone, which datasets too are searched for."""
    return all(isinstance(leaf, Words) and not leaf.phrase for leaf in leaves(parse(q))) and "-" not in q


def _datasets_of(platform: Platform, actor: Actor, found: ResultPage) -> tuple[Dataset, ...]:
    ids = dict.fromkeys(hit.dataset_id for hit in found.items)
    return tuple(get_dataset(platform.database, actor, one) for one in ids)


def _home_address(parts: Mapping[str, str | None]) -> str:
    given = {key: value for key, value in parts.items() if value}
    return f"/?{urlencode(given)}" if given else "/"


@router.get("/datasets/{dataset_id}", dependencies=[Depends(kept)])
def dataset(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    version: WantedVersion = None,
) -> Response:
    """One dataset: what it is, how good it is, and how to get it."""
    known = get_dataset(platform.database, actor, dataset_id)
    try:
        versions = list_versions(platform.database, actor, dataset_id)
        shown = version_among(versions, dataset_id, version)
    except NotFound:
        gone = version_pages.tombstone(request, platform, actor, dataset_id, version)
        if gone is None:
            raise
        return gone
    base = str(request.base_url).rstrip("/")
    budget = platform.settings.cutout_budget_mb * 1_000_000
    with platform.database.session() as session:
        right = highest_right(session, actor, dataset_id) or Right.SEE
    may_view, may_read = right >= Right.VIEW, right >= Right.READ
    if not may_read:
        keep_not(request)
    values = {
        "dataset": known,
        "version": shown,
        "may_view": may_view,
        "may_read": may_read,
        "record": shown.record,
        "versions": versions,
        "citation": citation(shown, version_pages.lasting_address(platform, shown)),
        "withdrawn": withdrawals(platform.database, actor, dataset_id),
        "cover": cover_of(shown.assets) if may_view else None,
        "parts": [_part(asset, shown, base, budget) for asset in shown.assets],
        "makings": makings(platform, actor, shown),
        "alignments": [one for one in shown.assets if "alignment" in one.details],
        "pictures_of": pictures_of,
        "warped": deformed_atlases(platform, actor, shown.assets) if may_read else {},
        "doubtful": shared_findings(asset for asset in shown.assets if asset.kind is not AssetKind.VOLUME),
        "has_surfaces": may_view and surface_pages.worth_a_page(shown),
        "can_view": may_view and any(map(can_show, shown.assets)),
        "size_bytes": sum(asset.size_bytes for asset in shown.assets),
        "licence_address": phrases.licence_address(shown.record.licence),
        "metadata_links": metadata_links(shown),
        "anchors": named_anchors(platform, actor, [asset.id for asset in shown.assets[:MOST_ANCHORED]]),
        "collections": list_collections(platform.database, actor, dataset_id=dataset_id),
        "may_collect": is_signed_in(actor) and actor.ceiling >= Right.WRITE,
        "profile": profile_of(shown, language_of(request)),
        "may_run": may_read and may_on_node(actor, Right.WRITE),
        "terms": terms_of(platform, actor, dataset_id),
        "recipe": recipes.of_dataset(base, shown),
        "held": people_pages.held_of(platform, actor, shown) if right >= Right.ADMINISTER else (),
        "lost": shown.id in erased_leaves(platform.database, dataset_id),
        **people_pages.words(),
        "base": base,
    }
    return render(request, "dataset.html", values)


def _part(asset: Asset, version: Version, base: str, budget_bytes: int) -> dict[str, Any]:
    links = asset_links(asset, version.digest)
    found: Download | None = downloads(asset, version, base, budget_bytes)
    measured: Measures | None = measures(asset)
    page = asset_pages.page_of(asset, version)
    kind = phrases.kind_of(asset)
    told = {"asset": asset, "links": links, "downloads": found, "measures": measured, "kind": kind, "page": page}
    return {**told, "recipe": recipes.of_asset(base, version, asset)}


@router.get("/datasets/{dataset_id}/view")
def view(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    version: WantedVersion = None,
    asset: Annotated[list[str] | None, Query(max_length=50)] = None,
) -> Response:
    """The viewer, also with assets of other datasets that lie on volumes of this one.

    Links that are copied from it name the version, so that they go on showing the same data.
    """
    shown = get_version(platform.database, actor, dataset_id, version, Right.VIEW)
    asked = urlencode([("version", shown.number), *(("asset", one) for one in asset or ())])
    values = {
        "version": shown,
        "record": shown.record,
        "built": (HERE / "viewer" / "pulvinar-viewer.js").is_file(),
        "scene": f"/api/v1/scenes/{shown.dataset_id}?{asked}",
        "link": f"/datasets/{shown.dataset_id}/view?{asked}",
        "back": f"/datasets/{shown.dataset_id}?version={shown.number}",
        "what": phrases.mark("Dataset"),
        "compare": f"/compare?{urlencode({'brain': f'dataset:{shown.dataset_id}'})}",
    }
    return render(request, "view.html", values, policy=VIEWER_POLICY)


def error_page(request: Request, failure: Failure) -> Response:
    """What a person sees when a page can't be shown."""
    return render(request, "error.html", {"failure": failure}, status=failure.status)
