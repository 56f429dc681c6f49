"""The web application of one platform: the chunk gateway beside the API and the pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from importlib.metadata import version
from math import ceil
from typing import Any, cast

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from pulvinar.access.reads import ReadCounter
from pulvinar.access.refusals import Refusal, RefusalCounter
from pulvinar.errors import Forbidden, Invalid, NotAuthenticated, NotFound, PulvinarError, TooOften
from pulvinar.model.access import ANONYMOUS
from pulvinar.operations.log_keeping import LogKeeper
from pulvinar.operations.refused_reads import RefusedReads
from pulvinar.operations.use import UseCounter
from pulvinar.platform import Platform
from pulvinar.web import gateway, portal, scene, sign_in_pages
from pulvinar.web.admission import Admission
from pulvinar.web.api import (
    access,
    arcs,
    assets,
    atlas_places,
    atlases,
    audit,
    bucket_uploads,
    collections,
    datasets,
    displacements,
    document_access,
    document_files,
    documents,
    health,
    jobs,
    me,
    measurements,
    metadata,
    movies,
    organisations,
    region_files,
    requests,
    rules,
    search,
    solutions,
    submissions,
    surfaces,
    terms,
    transforms,
    uploads,
    versions,
    views,
)
from pulvinar.web.api.schemas import Envelope
from pulvinar.web.context import actor_at_once, actor_of, who_is_signed_in
from pulvinar.web.cors import Cors
from pulvinar.web.counted_use import counting_use
from pulvinar.web.due import Clock
from pulvinar.web.errors import MethodNotAllowed, code_of, tell
from pulvinar.web.forms import browser_of
from pulvinar.web.identification import bearer_of
from pulvinar.web.kept_answers import KeptAnswers
from pulvinar.web.limits import Buckets
from pulvinar.web.neuron_sets import NeuronSets
from pulvinar.web.reads import CountedReads
from pulvinar.web.requests import Application, Message, Receive, Scope, Send
from pulvinar.web.security import Guarded
from pulvinar.web.shared import Shared
from pulvinar.web.static_files import FilesFirst
from pulvinar.web.warming import warm_up

API_ROOT = "/api/v1"
_SAFE = ("GET", "HEAD", "OPTIONS")

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_FAILURES = {
    401: "Nobody is signed in.",
    429: "Asked again too soon; Retry-After says when to try again.",
    404: "It doesn't exist, or you may not see it.",
    422: "What was given can't be right.",
    413: "It is more than this server allows.",
    500: "The server failed; its log says more under the request id.",
    503: "The store or the database does not answer.",
}


class WebApplication:
    """One ASGI application: paths below `/data/` go straight to the gateway, all others to FastAPI."""

    def __init__(self, platform: Platform, shared: Shared) -> None:
        cors = Cors(platform.settings.cors_origins)
        reads, refusals = ReadCounter(platform.database), RefusalCounter(platform.database)
        refused = RefusedReads(platform.database, refusals)
        self._settings = platform.settings
        self._use = UseCounter(platform.database)
        self.gateway = gateway.Gateway(
            platform.database,
            platform.store,
            actor_of=lambda scope: actor_of(platform, scope),
            actor_at_once=lambda scope: actor_at_once(platform, scope),
            cors=cors,
            sources=platform.sources,
            reads=reads,
            refused=refused.add,
            neurons=NeuronSets(platform),
        )
        if shared.sign_ins is not None:
            platform.known_actors.share(shared.sign_ins)
        self._forget = platform.known_actors.forget
        self._clock = Clock(platform)
        keeper = LogKeeper(platform.database, reads, refused, refusals, self._use)
        self.pages = _pages(platform, self._running(keeper), shared)
        self.pages.state.refusals = refusals
        counted = CountedReads(cast(Application, self.pages), reads)
        kept = KeptAnswers(counted, platform, platform.settings.kept_answers_mb * 1_000_000)
        filed = FilesFirst(cast(Application, kept), portal.files())
        # The gateway needs no scheme and no client: only pages pay for believing a proxy on this machine.
        self._guarded = cast(Application, ProxyHeadersMiddleware(cast(Any, Guarded(filed, cors))))
        self._admitted = Admission(self._answer, platform.settings.requests_at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or say that it is too much now."""
        await self._admitted(scope, receive, send)

    async def warm_up(self, address: str) -> None:
        """Make pages that visitors will ask for, at `address` where the settings name no other, before anybody does:
        their first one is no slower than the next."""
        if self._settings.public:
            await warm_up(self._guarded, self._settings.address or address)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        send = counting_use(self._use, scope, send)
        if scope["type"] == "http" and scope["path"].startswith(gateway.ROOT):
            await self.gateway(scope, receive, send)
        else:
            await self._guarded(scope, receive, self._forgetting(scope, send))

    def _forgetting(self, scope: Scope, send: Send) -> Send:
        """`send`, before which what is known of who is who is forgotten: what was asked for may have changed it."""
        if scope["type"] != "http" or scope["method"] in _SAFE:
            return send

        async def forgetting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._forget()
            await send(message)

        return forgetting

    def _running(self, keeper: LogKeeper) -> Lifespan:
        """What goes on beside the answers: the log is kept until the last answer is out."""

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            self._clock.start()
            with keeper:
                yield
                await asyncio.to_thread(self._clock.stop)
                self.gateway.close()

        return lifespan


def create_app(platform: Platform, shared: Shared | None = None) -> WebApplication:
    """The ASGI application that serves `platform`; closing `platform` stays the caller's business.

    `shared` is what it has in common with other processes that serve the same, where there are some.
    """
    return WebApplication(platform, shared or Shared())


def describe_api() -> FastAPI:
    """The API's routes as an application that knows no platform: enough for its OpenAPI document."""
    pages = FastAPI(
        title="Pulvinar",
        version=version("pulvinar"),
        description="Datasets, versions and assets of one Pulvinar. Lengths are micrometres, axes (z, y, x).",
        openapi_url=f"{API_ROOT}/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={code: {"model": Envelope, "description": text} for code, text in _FAILURES.items()},
        generate_unique_id_function=lambda route: route.name,
    )
    api = APIRouter(prefix=API_ROOT)
    for part in (datasets, versions, assets, atlases, scene, metadata, search, transforms, solutions, jobs, audit):
        api.include_router(part.router)
    for part in (submissions, bucket_uploads, uploads, documents, document_files, document_access, views):
        api.include_router(part.router)
    for part in (access, organisations, requests, terms, rules, collections):
        api.include_router(part.router)
    for part in (arcs, atlas_places, displacements, region_files, surfaces):
        api.include_router(part.router)
    api.include_router(measurements.router)
    api.include_router(movies.router)
    api.include_router(me.router)
    api.include_router(me.device_router)
    pages.include_router(api)
    pages.include_router(health.router)
    return pages


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """All that is served, which knows no platform. Built once: to look at every parameter takes most of a second."""
    pages = describe_api()
    portal.mount(pages)
    return tuple(pages.routes)


def _pages(platform: Platform, lifespan: Lifespan, shared: Shared) -> FastAPI:
    pages = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    pages.router.routes.extend(_routes())
    pages.state.platform = platform
    pages.state.buckets = Buckets(platform.settings.costly_per_minute, shared.costly)
    portal.prepare(pages.state, shared.feedback)
    for kind in (PulvinarError, HTTPException, RequestValidationError, Exception):
        pages.add_exception_handler(kind, _told)
    return pages


def _told(request: Request, error: Exception) -> Response:
    """The answer to a request that failed: a page for people, the envelope for programs."""
    failure = tell(_as_known(error, request), request.state.request_id)
    request.state.told = True
    if isinstance(error, Forbidden | TooOften | NotAuthenticated):
        _count_refusal(request, error)
    if wants_page(request):
        asks_who = isinstance(error, NotAuthenticated) and request.method == "GET" and bearer_of(request.scope) is None
        page = sign_in_pages.ask_first(request) if asks_who else portal.error_page(request, failure)
        page.headers.update(_headers(error))
        return page
    return Response(failure.body, failure.status, headers=_headers(error), media_type="application/json")


def _count_refusal(request: Request, error: PulvinarError) -> None:
    """Have it written down, but for a visitor who is asked to sign in first."""
    who = who_is_signed_in(request)
    if isinstance(error, NotAuthenticated) and who is None and bearer_of(request.scope) is None:
        return
    what = f"{request.method} {getattr(request.scope.get('route'), 'path', '')}"
    address = browser_of(request).address
    refusals: RefusalCounter = request.app.state.refusals
    refusals.add(Refusal(who.id if who else ANONYMOUS.id, what, code_of(error), address))


def _headers(error: Exception) -> dict[str, str]:
    """The headers that an answer of 405 or 429 must have: what can be done here, and when."""
    if isinstance(error, TooOften):
        return {"retry-after": str(ceil(error.wait_s))}
    headers = error.headers if isinstance(error, HTTPException) else None
    return {name: value for name, value in (headers or {}).items() if name.lower() == "allow"}


def _as_known(error: Exception, request: Request) -> Exception:
    """What the framework raises, as one of our errors where there is one."""
    if isinstance(error, RequestValidationError):
        problems = (f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors())
        return Invalid("; ".join(problems), hint=f"see {API_ROOT}/openapi.json")
    # a body that is refused while the framework reads it
    if isinstance(error, HTTPException) and isinstance(error.__cause__, PulvinarError):
        return error.__cause__
    if isinstance(error, HTTPException) and error.status_code == 404:
        return NotFound(f"nothing is served at {request.url.path}")
    if isinstance(error, HTTPException) and error.status_code == 405:
        return MethodNotAllowed(f"{request.method} is not for {request.url.path}")
    # bytes that are no text, where JSON was to come
    if isinstance(error, HTTPException) and error.status_code == 400:
        return Invalid("the body can't be read", hint="send JSON in UTF-8")
    return error


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer, in a browser."""
    return "text/html" in request.headers.get("accept", "")
