"""Administration, for owners of the node: what waits and what went wrong, storage, use, and what people say."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from pulvinar.access.audit import MAIL_FAILED, Wanted, search_events
from pulvinar.catalogue.figures import figures, largest_datasets, together
from pulvinar.catalogue.requests import count_to_decide
from pulvinar.compute.jobs import list_jobs
from pulvinar.errors import Forbidden, NotAuthenticated
from pulvinar.model.access import ANONYMOUS
from pulvinar.model.job import JobState
from pulvinar.operations.feedback import SCORES, Service, said_by_people, satisfaction
from pulvinar.operations.scrub import FOUND_DAMAGE
from pulvinar.operations.use import Use, use_by_dataset, use_by_month
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.downloads import csv_file
from pulvinar.web.forms import private_page
from pulvinar.web.phrases import mark


def only_owners(actor: CurrentActor) -> None:
    """Raise `NotAuthenticated` for a visitor, `Forbidden` for who is no owner of the node."""
    if actor == ANONYMOUS:
        raise NotAuthenticated("nobody is signed in", hint="sign in first")
    if not actor.is_owner:
        raise Forbidden("only owners of this node administer it")


router = APIRouter(prefix="/administration", include_in_schema=False, dependencies=[Depends(only_owners)])

_SHOWN = 20
_EVERYTHING = 100_000
USES = {
    Use.VISIT: mark("Pages seen"),
    Use.PERSON: mark("People, each day anew"),
    Use.PAGE: mark("Dataset pages"),
    Use.VIEW: mark("Opened in the viewer"),
    Use.DOWNLOAD: mark("Downloads"),
}
OF_DATASETS = (Use.PAGE, Use.VIEW, Use.DOWNLOAD)
SERVICES = {Service.PORTAL: mark("Portal"), Service.CLUSTER: mark("Cluster"), Service.MANUAL: mark("Manual")}


@router.get("")
def overview(request: Request, platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """Where everything is, and what waits."""
    database = platform.database
    running, _ = list_jobs(database, actor, state=JobState.RUNNING)
    waiting, _ = list_jobs(database, actor, state=JobState.QUEUED)
    failed, _ = list_jobs(database, actor, state=JobState.FAILED)
    months = use_by_month(database, actor)
    values = {
        "all": together(figures(database, actor).values()),
        "to_decide": count_to_decide(database, actor),
        "running": len(running),
        "waiting": len(waiting),
        "failed": len(failed),
        "month": months[0] if months else None,
        "Use": Use,
    }
    return private_page(request, "administration.html", values)


@router.get("/storage")
def storage(request: Request, platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """What is stored, of which species and kind, and what takes most room."""
    disk = shutil.disk_usage(platform.settings.home) if platform.settings.home.is_dir() else None
    values = {
        "species": figures(platform.database, actor),
        "largest": largest_datasets(platform.database, actor, limit=_SHOWN),
        "disk": disk,
        "store": platform.store.url,
    }
    return private_page(request, "storage.html", values)


@router.get("/incidents")
def incidents(request: Request, platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """What went wrong: jobs that failed, objects that are damaged, mail that was not sent."""
    failed, _ = list_jobs(platform.database, actor, state=JobState.FAILED, limit=_SHOWN)
    values = {
        "failed": failed,
        "damages": search_events(platform.database, actor, Wanted(verb=FOUND_DAMAGE), limit=_SHOWN).items,
        "mails": search_events(platform.database, actor, Wanted(verb=MAIL_FAILED), limit=_SHOWN).items,
    }
    return private_page(request, "incidents.html", values)


@router.get("/use")
def use(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    month: Annotated[str, Query(pattern=r"^(\d{4}-\d\d)?$")] = "",
) -> Response:
    """Visits, people, looks and downloads, by month and by dataset."""
    months = use_by_month(platform.database, actor)
    values = {
        "months": months,
        "chosen": month,
        "uses": USES,
        "of_datasets": {one: USES[one] for one in OF_DATASETS},
        "most": max((one.counts.get(Use.VISIT, 0) for one in months), default=0),
        "datasets": use_by_dataset(platform.database, actor, month),
        "Use": Use,
    }
    return private_page(request, "use.html", values)


@router.get("/use.csv")
def use_table(platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """The counts of all months, and of each month by dataset, as CSV."""
    months = use_by_month(platform.database, actor)
    rows: list[Sequence[object]] = []
    for one in months:
        rows.append((one.month, "", "", *_figures(one.counts)))
        each = use_by_dataset(platform.database, actor, one.month)
        rows += [(one.month, of.dataset_id, of.title, *_figures(of.counts)) for of in each]
    return csv_file("use.csv", ("month", "dataset", "title", *Use), rows)


@router.get("/feedback")
def feedback(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, service: Service | None = None
) -> Response:
    """How satisfied people are, by service and month, and what they say."""
    values = {
        "months": satisfaction(platform.database, actor),
        "said": said_by_people(platform.database, actor, service=service, limit=200),
        "services": SERVICES,
        "chosen": service,
        "scores": SCORES,
    }
    return private_page(request, "said.html", values)


@router.get("/feedback.csv")
def feedback_table(platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """All that people said, as CSV."""
    said = said_by_people(platform.database, actor, limit=_EVERYTHING)
    rows = (
        (one.at.isoformat(timespec="seconds"), one.kind, one.service, one.page, one.language, one.score, one.comment)
        for one in said
    )
    return csv_file("feedback.csv", ("at", "kind", "service", "page", "language", "score", "comment"), rows)


def _figures(counts: Mapping[Use, int]) -> list[int]:
    return [counts.get(what, 0) for what in Use]
