"""The form in which people say what they think of a page or a service: without scripts, and without who they are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from pulvinar.errors import Invalid, PulvinarError, TooOften
from pulvinar.operations.feedback import LONGEST_COMMENT, SCORES, Kind, Service, say
from pulvinar.web.administration_pages import SERVICES
from pulvinar.web.context import CurrentPlatform, refuse_other_sites
from pulvinar.web.forms import Form, SentForm, go_to, local_path, private_page
from pulvinar.web.language import language_of
from pulvinar.web.limits import Buckets, address_of
from pulvinar.web.phrases import mark

router = APIRouter(prefix="/feedback", include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

PER_MINUTE = 6
"""So often may be said something from one address."""
SCORE_NAMES = {
    1: mark("very bad"),
    2: mark("bad"),
    3: mark("fair"),
    4: mark("good"),
    5: mark("very good"),
}
_CLUSTER = ("/jobs", "/solutions", "/usage")
_MANUAL = ("/manual", "/learn", "/docs")


def service_of(page: str) -> Service:
    """The service that a page belongs to."""
    if page.startswith(_CLUSTER):
        return Service.CLUSTER
    return Service.MANUAL if page.startswith(_MANUAL) else Service.PORTAL


@router.get("")
def form(
    request: Request,
    page: Annotated[str, Query(max_length=200)] = "/",
    survey: bool = False,
    thanks: bool = False,
) -> Response:
    """The form, about a page."""
    return _page(request, local_path(page), survey=survey, thanks=thanks)


@router.post("")
def send(request: Request, platform: CurrentPlatform, form: SentForm) -> Response:
    """Take what somebody says."""
    page = local_path(form["page"][:200])
    survey = form["kind"] == Kind.SURVEY.value
    try:
        buckets: Buckets = request.app.state.feedback_buckets
        wait_s = buckets.take(address_of(request))
        if wait_s:
            raise TooOften("too much was said within a minute", hint=f"again in {wait_s} s", wait_s=wait_s)
        # a field that people don't see, and programs that fill in forms do
        if not form["website"]:
            score = int(form["score"]) if form["score"].isdecimal() else None
            service = Service(form["service"]) if form["service"] in list(Service) else service_of(page)
            about = {"page": page.partition("?")[0], "language": language_of(request)}
            kind = Kind.SURVEY if survey else Kind.FEEDBACK
            say(platform.database, kind, service, score=score, comment=form["comment"], **about)
    except (Invalid, TooOften) as error:
        return _page(request, page, survey=survey, sent=form, trouble=error)
    return go_to("/feedback?thanks=true")


def _page(
    request: Request,
    page: str,
    *,
    survey: bool,
    thanks: bool = False,
    sent: Form | None = None,
    trouble: PulvinarError | None = None,
) -> Response:
    values = {
        "page": page,
        "survey": survey,
        "thanks": thanks,
        "services": SERVICES,
        "service": service_of(page),
        "scores": [(score, SCORE_NAMES[score]) for score in SCORES],
        "longest": LONGEST_COMMENT,
        "sent": sent or Form({}),
    }
    return private_page(request, "feedback.html", values, trouble)
