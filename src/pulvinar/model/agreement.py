"""Agreements on the use of data: what they say, and who accepted it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pulvinar.errors import Invalid

_LONGEST_ANSWER = 4000


class FieldKind(StrEnum):
    """What a field of an agreement takes."""

    TEXT = "text"
    CHOICE = "choice"
    DATE = "date"
    TICK = "tick"


@dataclass(frozen=True)
class Bilingual:
    """One thing said in both languages."""

    en: str
    zh: str

    def in_language(self, language: str) -> str:
        """What it says in "zh" or "en"; in the other where one is missing."""
        return (self.zh or self.en) if language == "zh" else (self.en or self.zh)


@dataclass(frozen=True)
class AgreementField:
    """What whoever accepts has to say; a tick that is asked for has to be set. `choices` are those of a choice."""

    name: str
    kind: FieldKind
    label: Bilingual
    required: bool = True
    choices: tuple[Bilingual, ...] = ()

    def shown(self, said: str, language: str) -> str:
        """What was said, as a choice is called in a language."""
        return next((one.in_language(language) for one in self.choices if one.en == said), said)

    def checked(self, said: str) -> str:
        """`said` as it is kept. Raises `Invalid` for nothing where something is asked for, or for what can't be."""
        said = said.strip()
        if self.kind is FieldKind.TICK:
            said = "yes" if said in ("yes", "true", "on") else ""
        if not said:
            if self.required:
                raise Invalid(f"{self.label.en} is missing", hint="the agreement asks for it")
            return ""
        if len(said) > _LONGEST_ANSWER:
            raise Invalid(f"{self.label.en} is too long", hint=f"up to {_LONGEST_ANSWER} characters")
        if self.kind is FieldKind.CHOICE and said not in [one.en for one in self.choices]:
            raise Invalid(f"{said[:50]!r} is no choice of {self.label.en}")
        if self.kind is FieldKind.DATE:
            _check_date(self.label.en, said)
        return said


def _check_date(label: str, said: str) -> None:
    try:
        date.fromisoformat(said)
    except ValueError as error:
        raise Invalid(f"{said[:50]!r} is no date for {label}", hint="as 2026-03-31") from error


@dataclass(frozen=True)
class Terms:
    """What one version of an agreement says.

    An acceptance lasts `lasts_days` (0: until it is ended) and counts once it is countersigned where `countersigned` is
    set. Acceptances of earlier versions last `grace_days` from when this one was set.
    """

    title: Bilingual
    text: Bilingual
    fields: tuple[AgreementField, ...] = ()
    countersigned: bool = False
    lasts_days: int = 0
    grace_days: int = 30

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says, in hex: what was accepted can be proven by it."""
        said = json.dumps(terms_to_json(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()

    def checked(self, said: Mapping[str, str]) -> dict[str, str]:
        """What was filled in, as it is kept. Raises `Invalid` for the first field that is wrong."""
        return {one.name: one.checked(said.get(one.name, "")) for one in self.fields}


@dataclass(frozen=True)
class Agreement:
    """An agreement as it is now: version `number` says `terms`.

    Its givers are the members of an organisation, or those of one dataset; exactly one of the two is named.
    """

    id: str
    organisation_id: str | None
    dataset_id: str | None
    number: int
    terms: Terms
    made: datetime


@dataclass(frozen=True)
class Acceptance:
    """That somebody accepted one version of an agreement: the evidence.

    `counts_from` is None until it is countersigned where that is asked for; `ends` None where it has no end yet.
    """

    id: str
    agreement_id: str
    number: int
    digest: str
    account_id: str
    name: str
    address: str
    accepted: datetime
    values: Mapping[str, str] = field(default_factory=dict)
    counts_from: datetime | None = None
    countersigned_by: str | None = None
    ends: datetime | None = None

    def counts(self, now: datetime) -> bool:
        """Whether it opens what depends on it."""
        return self.counts_from is not None and not self.is_over(now)

    def is_over(self, now: datetime) -> bool:
        """Whether it has ended."""
        return self.ends is not None and self.ends <= now


def terms_to_json(terms: Terms) -> dict[str, Any]:
    """Terms as JSON values."""
    return asdict(terms)


def terms_from_json(said: Mapping[str, Any]) -> Terms:
    """Terms that `terms_to_json` wrote. Raises `Invalid` for what are none."""
    try:
        fields = tuple(_field(one) for one in said.get("fields", ()))
        return Terms(
            Bilingual(**said["title"]),
            Bilingual(**said["text"]),
            fields,
            bool(said.get("countersigned", False)),
            int(said.get("lasts_days", 0)),
            int(said.get("grace_days", 30)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"these are no terms of an agreement: {error}") from error


def _field(said: Mapping[str, Any]) -> AgreementField:
    choices = tuple(Bilingual(**one) for one in said.get("choices", ()))
    label = Bilingual(**said["label"])
    return AgreementField(said["name"], FieldKind(said["kind"]), label, bool(said.get("required", True)), choices)
