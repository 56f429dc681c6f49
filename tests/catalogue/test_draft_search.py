"""What only a draft says is found by who sees that draft: the list of datasets, assets, counts and facets alike."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.access.people import a_person, acting
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset

from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.visibility import audience_of, organisation_audience
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, list_datasets, open_draft, publish
from pulvinar.catalogue.asset_search import search_assets
from pulvinar.catalogue.drafts import set_record
from pulvinar.catalogue.quarantine import hold, release
from pulvinar.catalogue.search import reindex_all
from pulvinar.catalogue.sharing import share, unshare
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, OrganisationKind, Right
from pulvinar.model.dataset import Dataset
from pulvinar.model.quarantine import Face, Identifiers
from pulvinar.storage.database import Database

Add = Callable[..., Dataset]
WORD = "quetzalword"


@pytest.fixture
def ada(database: Database) -> Callable[[], Actor]:
    person = a_person(database, "ada", password="")
    return lambda: acting(database, person.id)


@pytest.fixture
def dataset(database: Database, add: Add) -> Dataset:
    """A published dataset, and a draft of it that has a word and an asset more."""
    made = add("A public brain")
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, made.id)
        set_record(work, draft.id, replace(draft.record, title=f"A {WORD} brain"))
        add_asset(work, draft.id, new_asset("xylophone"), OBJECTS)
    return made


def _give(database: Database, dataset: Dataset, audience: str, right: Right) -> None:
    with UnitOfWork(database, LOCAL_OWNER) as work:
        share(work, dataset.id, audience, right)


def _found(database: Database, actor: Actor, query: str) -> tuple[int, int, int, int]:
    """Datasets, assets, their count, and how many the species' facet counts."""
    page = search_assets(database, actor, query, facets=True)
    counted = sum(one.count for one in page.facets.get("species", ()))
    return len(list_datasets(database, actor, query=query).items), len(page.items), page.count, counted


@pytest.mark.parametrize("right", [Right.READ, Right.WRITE, Right.ADMINISTER])
def test_who_sees_a_draft_finds_it_by_its_words(database: Database, dataset: Dataset, ada, right: Right):
    assert _found(database, ada(), WORD) == (0, 0, 0, 0)
    _give(database, dataset, audience_of(ada().id), right)
    for query in (WORD, f"brain {WORD}", f'"{WORD} brain"', WORD[:7]):
        datasets, assets, count, facet = _found(database, ada(), query)
        assert (assets, count, facet) == (2, 2, 2), query
        assert datasets == 1 or query.startswith('"')
    assert _found(database, ada(), "xylophone")[1:] == (1, 1, 1)
    assert _found(database, LOCAL_OWNER, WORD)[1:] == (2, 2, 2)


@pytest.mark.parametrize("right", [Right.SEE, Right.VIEW])
def test_who_sees_what_is_published_alone_finds_nothing_of_it(database: Database, dataset: Dataset, ada, right: Right):
    _give(database, dataset, audience_of(ada().id), right)
    for actor in (ada(), ANONYMOUS):
        assert _found(database, actor, WORD) == (0, 0, 0, 0)
        assert _found(database, actor, "xylophone") == (0, 0, 0, 0)
        assert _found(database, actor, "public brain")[1:] == (1, 1, 1)


def test_what_is_taken_back_is_found_no_more(database: Database, dataset: Dataset, ada):
    _give(database, dataset, audience_of(ada().id), Right.READ)
    assert _found(database, ada(), WORD)[2] == 2
    with UnitOfWork(database, LOCAL_OWNER) as work:
        unshare(work, dataset.id, audience_of(ada().id))
    assert _found(database, ada(), WORD) == (0, 0, 0, 0)


def test_a_member_finds_it_as_far_as_the_own_role_goes(database: Database, dataset: Dataset, ada):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "A lab", OrganisationKind.LAB)
        set_member(work, lab.id, ada().id, Right.SEE)
    _give(database, dataset, organisation_audience(lab.id), Right.ADMINISTER)
    assert _found(database, ada(), WORD) == (0, 0, 0, 0)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_member(work, lab.id, ada().id, Right.READ)
    assert _found(database, ada(), WORD) == (1, 2, 2, 2)


def test_a_draft_in_quarantine_is_counted_for_who_administers_it_alone(database: Database, ada):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "A lab", OrganisationKind.LAB)
        set_member(work, lab.id, ada().id, Right.READ)
        made = create_dataset(work, RECORD)
        share(work, made.id, organisation_audience(lab.id), Right.ADMINISTER)
        draft = open_draft(work, made.id)
        set_record(work, draft.id, replace(draft.record, title=f"A {WORD} brain"))
        head = new_asset("head")
        add_asset(work, draft.id, head, OBJECTS)
        hold(work, head.id, Identifiers.NONE, Face.UNKNOWN, None)
    assert _found(database, ada(), WORD) == (0, 0, 0, 0)
    assert _found(database, ada(), "head")[1:] == (0, 0, 0)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_member(work, lab.id, ada().id, Right.ADMINISTER)
    assert _found(database, ada(), WORD) == (1, 1, 1, 1)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_member(work, lab.id, ada().id, Right.READ)
        release(work, made.id, head.id, Face.ABSENT)
    assert _found(database, ada(), WORD) == (1, 1, 1, 1)


def test_pages_are_full_where_hidden_drafts_lie_between(database: Database, add: Add, ada):
    """Of many drafts with the word every other one is in quarantine: pages of 3 give the rest, in order."""
    me = audience_of(ada().id)
    for at in range(14):
        made = add(f"brain {at}", published=False)
        with UnitOfWork(database, LOCAL_OWNER) as work:
            draft = open_draft(work, made.id)
            set_record(work, draft.id, replace(draft.record, title=f"{WORD} {at}"))
            share(work, made.id, me, Right.READ)
            if at % 2:
                hold(work, draft.assets[0].id, Identifiers.NONE, Face.UNKNOWN, None)
    titles, cursor = [], None
    while True:
        page = list_datasets(database, ada(), query=WORD, limit=3, cursor=cursor)
        titles += [one.record.title for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert titles == [f"{WORD} {at}" for at in range(12, -1, -2)]
    seen, cursor = [], None
    while True:
        found = search_assets(database, ada(), WORD, limit=3, cursor=cursor)
        seen += [one.record.title for one in found.items]
        cursor = found.next_cursor
        if cursor is None:
            break
    assert seen == titles


def test_what_is_published_then_is_found_by_all(database: Database, dataset: Dataset, ada):
    _give(database, dataset, audience_of(ada().id), Right.READ)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, open_draft(work, dataset.id).id)
    for actor in (ada(), ANONYMOUS):
        assert _found(database, actor, WORD) == (1, 2, 2, 2)
    with database.writing() as session:
        reindex_all(session)
    assert _found(database, ada(), WORD) == (1, 2, 2, 2)
