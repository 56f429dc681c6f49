"""What stands between somebody and the bytes of a dataset: what to ask for, what to accept, what may not leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from pulvinar.access.acceptances import acceptances_by
from pulvinar.access.agreements import agreements_on
from pulvinar.access.dataset_access import access_of
from pulvinar.access.export_rules import rules_on
from pulvinar.access.visibility import REGISTERED, grants_to
from pulvinar.catalogue.requests import newest_request
from pulvinar.catalogue.uses import DatasetUse, use_told
from pulvinar.model.access import ANONYMOUS, Actor, Right
from pulvinar.model.access_request import AccessRequest
from pulvinar.model.agreement import Acceptance, Agreement
from pulvinar.model.export_rule import ExportRule
from pulvinar.platform import Platform


@dataclass(frozen=True)
class AgreementState:
    """An agreement on a dataset, and what somebody has accepted of it that has not ended."""

    agreement: Agreement
    accepted: Acceptance | None
    counts: Acceptance | None
    """The one by which it is fulfilled now."""

    @property
    def is_outdated(self) -> bool:
        """Whether the agreement says something else than what was accepted."""
        return self.accepted is not None and self.accepted.number != self.agreement.number


@dataclass(frozen=True)
class DatasetTerms:
    """What one actor is told of the way to the bytes of a dataset."""

    right: Right | None
    awaits_agreement: bool
    request: AccessRequest | None
    agreements: tuple[AgreementState, ...]
    rules: tuple[ExportRule, ...]
    use: DatasetUse
    has_account: bool
    embargo_ends: datetime | None = None

    @property
    def may_ask(self) -> bool:
        """Whether there is something to ask for."""
        is_open = self.request is not None and self.request.is_open
        return (self.right or 0) < Right.READ and not self.awaits_agreement and not is_open

    @property
    def may_read(self) -> bool:
        """Whether there is nothing in the way."""
        return (self.right or 0) >= Right.READ

    @property
    def may_administer(self) -> bool:
        """Whether the terms may be changed."""
        return (self.right or 0) >= Right.ADMINISTER

    @property
    def is_worth_telling(self) -> bool:
        """Whether there is anything to say."""
        stated = self.agreements or self.rules or self.use.codes or self.may_administer or self.embargo_ends
        return bool(stated or self.request or not self.may_read)


def terms_of(platform: Platform, actor: Actor, dataset_id: str) -> DatasetTerms:
    """The terms of a dataset for `actor`, who need not see it: then they tell nothing but the own request."""
    request = newest_request(platform.database, actor, dataset_id) if actor != ANONYMOUS else None
    has_account = any(one.audience == REGISTERED for one in actor.memberships)
    with platform.database.session() as session:
        grants = () if actor.is_owner else grants_to(session, actor, dataset_id)
        right = actor.ceiling if actor.is_owner else max((one.right for one in grants), default=None)
        if right is None:
            return DatasetTerms(None, False, request, (), (), DatasetUse(), has_account)
        awaits = any(one.awaits_agreement for one in grants)
        agreements = tuple(
            state_of(one, acceptances_by(session, actor.id, one.id))
            for one in ([] if actor.is_blind else agreements_on(session, dataset_id))
        )
        rules, use = rules_on(session, dataset_id), use_told(session, actor, dataset_id)
        opens = access_of(session, dataset_id).opens
    awaits = awaits and right < Right.READ
    return DatasetTerms(right, awaits, request, agreements, rules, use, has_account, opens)


def state_of(agreement: Agreement, accepted: Iterable[Acceptance]) -> AgreementState:
    """An agreement with what somebody has accepted of it."""
    now = datetime.now(UTC)
    going = sorted((one for one in accepted if not one.is_over(now)), key=lambda one: (one.number, one.accepted))
    counting = [one for one in going if one.counts(now)]
    return AgreementState(agreement, going[-1] if going else None, counting[-1] if counting else None)
