"""Names of people and labs in what a blind reviewer reads.

Fields that name somebody are hidden; a description in which somebody writes "our lab in Suzhou" is not, and no program
can rewrite it. So whoever makes the link is told where which name stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pulvinar.access.dataset_access import access_of
from pulvinar.access.deciders import who_may_in, who_may_on
from pulvinar.access.links import Link, actor_by
from pulvinar.access.organisations import public_organisation
from pulvinar.catalogue.tables import version
from pulvinar.catalogue.versions import list_versions, read_versions
from pulvinar.model.access import Right
from pulvinar.model.dataset import Version
from pulvinar.storage.database import Database

_AROUND = 40
_MOST = 50
_SHORTEST = 3
"""Letters of a family name or login name that is looked for by itself: "Li" stands in too many words' places."""
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class NameInText:
    """A name, where it stands ("2: description": in version 2) and the words around it."""

    name: str
    where: str
    text: str


def names_shown(database: Database, link: Link) -> tuple[NameInText, ...]:
    """Where whoever comes by `link` reads names of those who made its dataset or may change it, 50 at most.

    Looked for are the contributors and labs of all its versions, the people who may write to it, everybody in the
    organisation that it belongs to, and that organisation itself. Whoever asks may share the dataset.
    """
    with database.session() as session:
        pattern = _pattern(_names(session, link.dataset_id))
    found: dict[NameInText, None] = {}
    for one in list_versions(database, actor_by(link), link.dataset_id):
        for where, text in _texts(one):
            for match in pattern.finditer(text) if pattern else ():
                around = text[max(match.start() - _AROUND, 0) : match.end() + _AROUND]
                found[NameInText(match.group(), f"{one.number}: {where}", " ".join(around.split()))] = None
    return tuple(found)[:_MOST]


def _names(session: Session, dataset_id: str) -> set[str]:
    rows = session.execute(select(version).where(version.c.dataset_id == dataset_id)).all()
    records = [one.record for one in read_versions(session, rows)]
    names = {person for record in records for one in record.contributors for person in _spellings(one.name)}
    names |= {record.lab for record in records}
    people = {one.id: one for one in who_may_on(session, dataset_id, Right.WRITE)}
    home = access_of(session, dataset_id).home
    if home is not None:
        people |= {one.id: one for one in who_may_in(session, home, Right.SEE)}
        organisation = public_organisation(session, home)
        names |= {organisation.name} if organisation else set()
    for one in people.values():
        names |= {*_spellings(one.profile.name), one.profile.lab, *_alone(one.login)}
    return {name.strip() for name in names if len(name.strip()) > 1}


def _spellings(name: str) -> set[str]:
    """A name as texts may have it: in both orders, and the family name alone."""
    family, comma, given = (part.strip() for part in name.partition(","))
    if not comma:
        given, _, family = name.strip().rpartition(" ")
    return {name, f"{given} {family}".strip(), f"{family} {given}".strip(), *_alone(family)}


def _alone(word: str) -> set[str]:
    return {word} if len(word) >= _SHORTEST or _IDEOGRAPH.search(word) else set()


def _pattern(names: set[str]) -> re.Pattern[str] | None:
    """Any of `names`, the longest first: of letters as whole words; of ideographs anywhere, as no gaps are between."""
    if not names:
        return None
    found = sorted(names, key=lambda one: (-len(one), one))
    each = (re.escape(one) if _IDEOGRAPH.search(one) else rf"(?<!\w){re.escape(one)}(?!\w)" for one in found)
    return re.compile("|".join(each), re.IGNORECASE)


def _texts(one: Version) -> Iterator[tuple[str, str]]:
    """Every text of a version as it is told, with where it stands."""
    yield from _strings(one.document, "")
    for each in one.assets:
        yield f"{each.name}: name", each.name
        yield from _strings(each.details, f"{each.name}: ")


def _strings(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where.rstrip("."), value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _strings(inner, f"{where}{key}.")
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _strings(inner, where)
