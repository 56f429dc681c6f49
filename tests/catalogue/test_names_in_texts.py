"""Whoever makes a link for blind review is told which names it still shows; what is hidden anyway is not told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.access.people import a_person

from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.drafts import open_draft, set_record
from pulvinar.catalogue.names_in_texts import names_shown
from pulvinar.catalogue.sharing import move, share_by_link
from pulvinar.model.access import LOCAL_OWNER, OrganisationKind, Right
from pulvinar.model.record import Contributor

PEOPLE = (Contributor("Lovelace, Ada"), Contributor("王小明"), Contributor("Li Wu"))
MADE_BY = {"contributors": PEOPLE, "lab": "Babbage Lab"}


def told(database, made):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        link, _ = share_by_link(work, made.id, ends=datetime.now(UTC) + timedelta(days=1), blind=True)
    return [(one.name, one.where) for one in names_shown(database, link)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Made by ADA LOVELACE in spring.", ["ADA LOVELACE"]),
        ("Traced as in Lovelace's notes", ["Lovelace"]),
        ("Lovelacesque tracing", []),
        ("由王小明采集", ["王小明"]),
        ("Wu staining", []),
        ("stained by Wu Li", ["Wu Li"]),
        ("from the Babbage Lab, with love", ["Babbage Lab"]),
        ("A babbage grows", []),
    ],
)
def test_names_are_found_as_texts_have_them(database, add, text, names):
    made = add("A brain", description=text, **MADE_BY)
    assert told(database, made) == [(name, "1: description") for name in names]


def test_members_and_the_organisation_are_looked_for_in_every_text_and_version(database, add):
    made = add("The brain of grace", keywords=("Institute of Engines",), asset="ada lovelace's", **MADE_BY)
    grace = a_person(database, "grace")
    with UnitOfWork(database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "Institute of Engines", OrganisationKind.LAB)
        set_member(work, lab.id, grace.id, Right.READ)
        move(work, made.id, lab.id)
        draft = open_draft(work, made.id)
        set_record(work, draft.id, replace(draft.record, title="A brain"))
    found = told(database, made)
    assert set(found) == {
        ("grace", "1: title"),
        ("Institute of Engines", "1: keywords"),
        ("ada lovelace", "1: ada lovelace's: name"),
        ("Institute of Engines", "2: keywords"),
        ("ada lovelace", "2: ada lovelace's: name"),
    }
