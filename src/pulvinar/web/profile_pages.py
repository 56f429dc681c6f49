"""The page of one's own account: who one is, how one signs in, where one is signed in, and tokens for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import segno
from fastapi import APIRouter, Depends, Request, Response

from pulvinar.access import external_identities, letters, passwords, recovery, second_factor
from pulvinar.access.accounts import checked_profile, describe
from pulvinar.access.sign_ins import end_all_sign_ins, end_sign_in, list_sign_ins
from pulvinar.access.signing_in import confirm_password
from pulvinar.access.tokens import MOST_DAYS, list_tokens, make_token, revoke_token
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Invalid, NotAuthenticated, PulvinarError, TooOften
from pulvinar.model.access import Right
from pulvinar.model.account import Account, Profile
from pulvinar.platform import Platform
from pulvinar.web.context import BrowserAccount, CurrentPlatform, current_actor, refuse_other_sites
from pulvinar.web.forms import Form, SentForm, go_to, private_page
from pulvinar.web.identification import cookie_of
from pulvinar.web.joining_pages import host_of
from pulvinar.web.phrases import RIGHTS

router = APIRouter(prefix="/profile", include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

_SERVICE = "Pulvinar"
_SAID = (Invalid, Conflict, NotAuthenticated, TooOften)
CEILINGS = {right.name.lower(): right for right in RIGHTS}


@dataclass(frozen=True)
class _Trouble:
    """What went wrong in which part of the page."""

    error: PulvinarError
    part: str
    form: Form


class _Profile:
    """The page of an account, and what a change of it does."""

    def __init__(self, request: Request, platform: Platform, account: Account) -> None:
        self.request = request
        self.platform = platform
        self.account = account
        self.actor = current_actor(request)
        self.secret = cookie_of(platform.settings, request.scope)

    def page(self, trouble: _Trouble | None = None, **shown: Any) -> Response:
        """The whole page; `shown` is what is to be seen this once."""
        database, provider = self.platform.database, self.platform.identity_provider
        with database.session() as session:
            values = {
                "has_password": passwords.hash_of(session, self.account.id) is not None,
                "has_second_factor": second_factor.is_on(session, self.account.id),
                "codes_left": second_factor.codes_left(session, self.account.id),
                "issuers": external_identities.issuers_of(session, self.account.id),
            }
        values |= {
            "account": self.account,
            "sign_ins": list_sign_ins(database, self.actor, self.secret),
            "tokens": list_tokens(database, self.actor, self.account.id),
            "rights": RIGHTS,
            "most_days": MOST_DAYS,
            "provider": provider.title if provider else "",
            "trouble_at": trouble.part if trouble else "",
            "form": trouble.form if trouble else Form({}),
            "new_token": "",
            "new_codes": (),
            **shown,
        }
        return private_page(self.request, "profile.html", values, trouble.error if trouble else None)

    def changed(self, part: str, form: Form, change: Callable[[], None]) -> Response:
        """Make a change and show the part of the page that it is of, or show what is wrong with it there."""
        try:
            change()
        except _SAID as error:
            return self.page(_Trouble(error, part, form))
        return go_to(f"/profile#{part}")

    @contextmanager
    def working(self) -> Iterator[UnitOfWork]:
        """A unit of work of this account."""
        with UnitOfWork(self.platform.database, self.actor) as work:
            yield work

    def confirm(self, form: Form) -> None:
        """Ask for the password once more."""
        confirm_password(self.platform.database, self.account.id, form["current"])

    def tell(self, english: str, chinese: str, to: str = "") -> None:
        """Mail the person that something was changed."""
        if to or self.account.profile.email:
            mail = letters.changed(self.account, english, chinese, host_of(self.platform), to)
            self.platform.postman.send(mail)


def _profile(request: Request, platform: CurrentPlatform, account: BrowserAccount) -> _Profile:
    return _Profile(request, platform, account)


Own = Depends(_profile)


@router.get("")
def show(own: _Profile = Own) -> Response:
    """The page."""
    return own.page()


@router.post("")
def change_profile(form: SentForm, own: _Profile = Own) -> Response:
    """Say something else of oneself. Where mail goes is changed with the password alone."""
    said = Profile(form["name"], form["email"], form["orcid"], form["lab"])

    def change() -> None:
        kept, old = checked_profile(said), own.account.profile.email
        if kept.email != old:
            own.confirm(form)
        with own.working() as work:
            describe(work, own.account.id, said)
        if kept.email != old and old:
            own.tell("the mail address was changed", "电子邮箱已更改", to=old)

    return own.changed("about", form, change)


@router.post("/password")
def change_password(form: SentForm, own: _Profile = Own) -> Response:
    """Set another password; every other browser is signed out."""

    def change() -> None:
        if form["password"] != form["again"]:
            raise Invalid("the two passwords are not the same", hint="type it twice")
        own.confirm(form)
        recovery.change_password(own.platform.database, own.account, form["password"], except_secret=own.secret)
        own.tell("the password was changed", "密码已更改")

    return own.changed("password", form, change)


@router.post("/second-factor")
def offer_second_factor(form: SentForm, own: _Profile = Own) -> Response:
    """Show the secret for an app."""
    try:
        own.confirm(form)
        with own.working() as work:
            secret = second_factor.offer(work, own.account, own.platform.sealer)
    except _SAID as error:
        return own.page(_Trouble(error, "second-factor", form))
    return _offered(own, secret)


@router.post("/second-factor/confirm")
def confirm_second_factor(form: SentForm, own: _Profile = Own) -> Response:
    """Switch it on by a first code, and show the recovery codes."""
    sealer = own.platform.sealer
    try:
        with own.working() as work:
            codes = second_factor.confirm(work, own.account, form["code"], sealer)
    except Invalid as error:
        secret = second_factor.offered(own.platform.database, own.account.id, sealer)
        return _offered(own, secret, error) if secret else own.page(_Trouble(error, "second-factor", form))
    own.tell("two-factor sign-in was switched on", "两步验证已开启")
    return own.page(new_codes=codes)


def _offered(own: _Profile, secret: str, trouble: PulvinarError | None = None) -> Response:
    code = segno.make(second_factor.app_address(secret, own.account, _SERVICE), error="m")
    grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    values = {"picture": code.svg_data_uri(scale=5, border=3, dark="#000", light="#fff"), "secret": grouped}
    return private_page(own.request, "second_factor.html", values, trouble)


@router.post("/second-factor/remove")
def remove_second_factor(form: SentForm, own: _Profile = Own) -> Response:
    """Switch it off."""

    def change() -> None:
        own.confirm(form)
        with own.working() as work:
            second_factor.remove(work, own.account.id)
        own.tell("two-factor sign-in was switched off", "两步验证已关闭")

    return own.changed("second-factor", form, change)


@router.post("/second-factor/codes")
def renew_codes(form: SentForm, own: _Profile = Own) -> Response:
    """Show other recovery codes instead of those that there are."""
    try:
        own.confirm(form)
        with own.working() as work:
            codes = second_factor.renew_codes(work, own.account)
    except _SAID as error:
        return own.page(_Trouble(error, "second-factor", form))
    return own.page(new_codes=codes)


@router.post("/sign-ins/end")
def end_sign_ins(form: SentForm, own: _Profile = Own) -> Response:
    """Sign out one browser, or all but this one."""
    with own.working() as work:
        if form["id"]:
            end_sign_in(work, own.account.id, form["id"])
        else:
            end_all_sign_ins(work, own.account.id, except_secret=own.secret)
    return go_to("/profile#sign-ins")


@router.post("/tokens")
def add_token(form: SentForm, own: _Profile = Own) -> Response:
    """Make a token, and show it this once."""
    try:
        ceiling, days = asked_token(form)
        with own.working() as work:
            _, secret = make_token(work, own.account.id, form["name"], ceiling, days)
    except _SAID as error:
        return own.page(_Trouble(error, "tokens", form))
    return own.page(new_token=secret)


def asked_token(form: Form) -> tuple[Right, int]:
    """How far and how many days a token is asked for. Raises `Invalid`."""
    if form["ceiling"] not in CEILINGS or not form["days"].isdecimal() or len(form["days"]) > 3:
        raise Invalid("a token lasts from 1 to 366 days", hint="choose what it may do, and how long")
    return CEILINGS[form["ceiling"]], int(form["days"])


@router.post("/tokens/revoke")
def end_token(form: SentForm, own: _Profile = Own) -> Response:
    """Have a token open nothing any longer."""
    with own.working() as work:
        revoke_token(work, own.account.id, form["id"])
    return go_to("/profile#tokens")


@router.post("/unlink")
def unlink(form: SentForm, own: _Profile = Own) -> Response:
    """Sign in at another service no longer."""

    def change() -> None:
        with own.working() as work:
            external_identities.unlink_identity(work, own.account.id, form["issuer"])

    return own.changed("elsewhere", form, change)
