"""My space: what one has handed in, drafted, started, marked, asked for, and what is left of one's room."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pulvinar.access.tokens import list_tokens
from pulvinar.access.visibility import is_signed_in
from pulvinar.catalogue.collections import list_collections
from pulvinar.catalogue.drafts import own_drafts
from pulvinar.catalogue.requests import count_to_decide, own_requests
from pulvinar.compute.jobs import list_own_jobs
from pulvinar.documents.documents import list_documents
from pulvinar.documents.views import list_views
from pulvinar.errors import NotAuthenticated
from pulvinar.ingest.uploads.landing import waiting_bytes
from pulvinar.ingest.uploads.submissions import list_submissions
from pulvinar.model.access import Right
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.forms import private_page
from pulvinar.web.phrases import JOB_STATES, SUBMISSION_STATES

router = APIRouter(include_in_schema=False)

_SHOWN = 8


@router.get("/me")
def mine(request: Request, platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """Everything of one's own on one page, each with what can be done next."""
    if not is_signed_in(actor):
        raise NotAuthenticated("nobody is signed in", hint="sign in first")
    database, public = platform.database, platform.settings.public
    values = {
        "submissions": list_submissions(database, actor, limit=_SHOWN),
        "submission_states": SUBMISSION_STATES,
        "drafts": own_drafts(database, actor, limit=_SHOWN),
        "jobs": list_own_jobs(database, actor, limit=_SHOWN),
        "job_states": JOB_STATES,
        "views": list_views(database, actor, limit=_SHOWN),
        "documents": list_documents(database, actor, limit=_SHOWN).items,
        "collections": list_collections(database, actor, right=Right.WRITE)[:_SHOWN],
        "requests": own_requests(database, actor)[:_SHOWN] if public else (),
        "to_decide": count_to_decide(database, actor) if public else 0,
        "tokens": list_tokens(database, actor, actor.id) if public else (),
        "waiting_bytes": waiting_bytes(database, actor),
        "quota_bytes": int(platform.settings.upload_quota_gb * 1e9),
    }
    return private_page(request, "me.html", values)
