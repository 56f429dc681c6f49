"""The page on which a person allows a program to sign in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pulvinar.access import attempts, device_login
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import NotFound, TooOften
from pulvinar.model.account import Account
from pulvinar.platform import Platform
from pulvinar.web.context import BrowserAccount, CurrentPlatform, current_actor, refuse_other_sites
from pulvinar.web.forms import SentForm, private_page
from pulvinar.web.phrases import RIGHTS

router = APIRouter(prefix="/device", include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

Code = Annotated[str, Query(max_length=20)]


@router.get("")
def ask(request: Request, platform: CurrentPlatform, account: BrowserAccount, code: Code = "") -> Response:
    """The form for a code, or, with a code, who asks for what."""
    return _page(request, platform, account, code)


def _page(request: Request, platform: Platform, account: Account, code: str) -> Response:
    """What a code is for. Codes are short: whoever tries them waits."""
    values: dict[str, Any] = {"code": code, "asked": None, "decided": "", "rights": RIGHTS}
    if not code:
        return private_page(request, "device.html", values)
    tries = attempts.of_account("device", account.id, free=10)
    try:
        attempts.begin(platform.database, (tries,))
        values["asked"] = device_login.waiting(platform.database, code)
    except (NotFound, TooOften) as error:
        return private_page(request, "device.html", values, error)
    with platform.database.writing() as session:
        attempts.forget(session, tries)
    return private_page(request, "device.html", values)


@router.post("")
def decide(request: Request, platform: CurrentPlatform, account: BrowserAccount, form: SentForm) -> Response:
    """Let the program sign in, or not."""
    if form["do"] not in ("allow", "refuse"):
        return _page(request, platform, account, form["code"])
    values = {"code": form["code"], "asked": None, "decided": form["do"], "rights": RIGHTS}
    try:
        attempts.begin(platform.database, (attempts.of_account("device", account.id, free=10),))
        with UnitOfWork(platform.database, current_actor(request)) as work:
            device_login.decide(work, form["code"], allow=form["do"] == "allow")
    except (NotFound, TooOften) as error:
        return private_page(request, "device.html", {**values, "decided": ""}, error)
    with platform.database.writing() as session:
        attempts.forget(session, attempts.of_account("device", account.id, free=10))
    return private_page(request, "device.html", values)
