"""Mail on requests and agreements, to whom they concern; written and sent beside the request that caused it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from pulvinar.access import request_letters
from pulvinar.access.agreements import read_agreement
from pulvinar.access.deciders import accounts_named, who_may_in, who_may_on
from pulvinar.access.mail import Mail
from pulvinar.catalogue.requests import deciders_of
from pulvinar.model.access import Right
from pulvinar.model.access_request import AccessRequest
from pulvinar.model.account import Account
from pulvinar.model.agreement import Acceptance
from pulvinar.platform import Platform
from pulvinar.web.forms import link_to


def tell_deciders(platform: Platform, made: AccessRequest) -> None:
    """Somebody asks to read a dataset. Of one that isn't there nobody is told, in the same time."""

    def write() -> list[Mail]:
        with platform.database.session() as session:
            people = deciders_of(session, made)
        return _to(people, lambda to: request_letters.asked(to, _inbox(platform), _host(platform)))

    platform.postman.soon(write)


def tell_applicant(platform: Platform, decided: AccessRequest) -> None:
    """A request was decided."""

    def write() -> list[Mail]:
        with platform.database.session() as session:
            people = accounts_named(session, [decided.account_id]).values()
        inbox, host = _inbox(platform), _host(platform)
        return _to(people, lambda to: request_letters.decided(to, decided.state, inbox, host))

    platform.postman.soon(write)


def tell_givers(platform: Platform, made: Acceptance) -> None:
    """An acceptance waits to be countersigned; one that counts already needs nobody."""
    if made.counts_from is not None:
        return

    def write() -> list[Mail]:
        with platform.database.session() as session:
            of = read_agreement(session, made.agreement_id)
            if of.organisation_id is not None:
                people = who_may_in(session, of.organisation_id, Right.SHARE)
            else:
                people = who_may_on(session, str(of.dataset_id), Right.SHARE)
        return _to(people, lambda to: request_letters.accepted(to, _inbox(platform), _host(platform)))

    platform.postman.soon(write)


def tell_signer(platform: Platform, signed: Acceptance) -> None:
    """What somebody accepted was countersigned."""

    def write() -> list[Mail]:
        with platform.database.session() as session:
            people = accounts_named(session, [signed.account_id]).values()
        return _to(people, lambda to: request_letters.countersigned(to, _inbox(platform), _host(platform)))

    platform.postman.soon(write)


def _to(people: Iterable[Account], letter: Callable[[str], Mail]) -> list[Mail]:
    return [letter(one.profile.email) for one in people if one.is_active and one.profile.email]


def _inbox(platform: Platform) -> str:
    return link_to(platform, "/inbox")


def _host(platform: Platform) -> str:
    return urlsplit(platform.settings.resolved_address()).netloc
