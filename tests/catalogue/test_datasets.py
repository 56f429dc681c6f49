import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from pulvinar.access.tables import granted
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import create_dataset, get_dataset, list_datasets
from pulvinar.catalogue.search import words_of
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right
from pulvinar.model.dataset import Dataset
from pulvinar.model.record import Acquisition, Contributor, Record, Species, Specimen, Subject
from pulvinar.platform import migrate
from pulvinar.storage.database import Database

Add = Callable[..., Dataset]


def titles(database: Database, query: str = "", actor: Actor = LOCAL_OWNER, species: str | None = None) -> list[str]:
    return [one.record.title for one in list_datasets(database, actor, query=query, species=species).items]


def test_pages_follow_each_other_newest_first_without_gap_or_repeat(database: Database, add: Add):
    made = [add(f"Brain {number}").id for number in range(7)]
    seen, cursor = [], None
    while True:
        page = list_datasets(database, LOCAL_OWNER, cursor=cursor, limit=3)
        seen += [one.id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        add("One more, made while somebody pages")
    assert seen == made[::-1]


def test_a_page_that_ends_the_list_has_no_next(database: Database, add: Add):
    for _ in range(3):
        add()
    assert list_datasets(database, LOCAL_OWNER, limit=3).next_cursor is None


@pytest.mark.parametrize("cursor", ["x", "ZHg", "!!", "🧠", "ZA", "d1"])
def test_a_cursor_that_no_page_gave_is_refused(database: Database, cursor: str):
    with pytest.raises(Invalid, match="cursor"):
        list_datasets(database, LOCAL_OWNER, cursor=cursor)


def test_unknown_species_and_limits_are_refused(database: Database):
    with pytest.raises(Invalid, match="rat") as caught:
        list_datasets(database, LOCAL_OWNER, species="rat")
    assert "zebrafish" in caught.value.hint
    with pytest.raises(Invalid, match="limit"):
        list_datasets(database, LOCAL_OWNER, limit=0)


def test_species_filter_alone_and_with_a_search(database: Database, add: Add):
    add("Cortex of a mouse")
    add("Cortex of a monkey", species=Species.MACAQUE)
    assert titles(database, species="macaque") == ["Cortex of a monkey"]
    assert titles(database, "cortex", species="mouse") == ["Cortex of a mouse"]
    assert titles(database, "cortex") == ["Cortex of a monkey", "Cortex of a mouse"]


@pytest.mark.parametrize(
    "query",
    ["hippocampus", "HIPPOCAMPUS", "hippoc", "whole hippoc", "海马", "马", "海马体", "小鼠 海马", "mouse", "小鼠",
     "naive", "naïve", "Institute", "light sheet", "GFP", "Ng", "brain.tif", "mus musculus", "thy1"],
)  # fmt: skip
def test_a_dataset_is_found_by(database: Database, add: Add, query: str):
    add(
        "Naïve whole hippocampus 海马体",
        lab="Institute of Neuroscience",
        keywords=("全脑", "Thy1"),
        acquisition=Acquisition(modality="light sheet", stain="GFP"),
        contributors=(Contributor("A. Ng"),),
        subject=Subject("m1", Species.MOUSE),
        asset="brain.tif",
    )
    add("Something else", species=Species.HUMAN)
    assert titles(database, query) == ["Naïve whole hippocampus 海马体"]


@pytest.mark.parametrize("query", ["马海", "海体", "脑海", "ippocampus", "hippo campus", "zebrafish", "鼠海马"])
def test_a_dataset_is_not_found_by(database: Database, add: Add, query: str):
    add("Hippocampus 海马体", keywords=("全脑",))
    assert titles(database, query) == []


@pytest.mark.parametrize(
    "query", ["'", '"', "a AND", "* OR *", "(", ":*", "\\", "NEAR(a b)", "' | 'x", "%", "--", "\0"]
)
def test_nothing_in_a_query_is_an_instruction(database: Database, add: Add, query: str):
    add("Plain")
    assert titles(database, query) in ([], ["Plain"])


def test_an_endless_query_is_refused(database: Database):
    with pytest.raises(Invalid, match="words"):
        list_datasets(database, LOCAL_OWNER, query="a " * 17)


def test_a_search_pages_like_a_list(database: Database, add: Add):
    made = [add(f"Thalamus {number}").id for number in range(5)]
    first = list_datasets(database, LOCAL_OWNER, query="thalamus", limit=3)
    rest = list_datasets(database, LOCAL_OWNER, query="thalamus", limit=3, cursor=first.next_cursor)
    assert [one.id for one in (*first.items, *rest.items)] == made[::-1]


def test_what_an_actor_may_not_see_is_nowhere(database: Database, add: Add):
    hidden = add("Hidden", published=False)
    shown = add("Shown")
    assert titles(database, actor=ANONYMOUS) == ["Shown"]
    assert titles(database, "hidden", ANONYMOUS) == []
    assert list_datasets(database, ANONYMOUS, limit=1).next_cursor is None
    with pytest.raises(NotFound):
        get_dataset(database, ANONYMOUS, hidden.id)
    assert get_dataset(database, ANONYMOUS, shown.id).id == shown.id


def test_a_grant_shows_one_dataset_more(database: Database, add: Add):
    hidden = add("Hidden", published=False)
    guest = Actor("guest", "guest")
    assert titles(database, actor=guest) == []
    with UnitOfWork(database, LOCAL_OWNER) as work:
        work.ask(Right.SHARE, hidden.id)
        work.session.execute(insert(granted).values(actor_id=guest.id, dataset_id=hidden.id, level=int(Right.SEE)))
        work.record_event("grant", hidden.id)
    assert titles(database, actor=guest) == ["Hidden"]
    assert titles(database, "hidden", guest) == ["Hidden"]


LETTERS = st.text(alphabet="ab海马脑", min_size=1, max_size=4)


def expected(text: str, query: str, all_texts: list[str]) -> bool:
    """What the search means, said plainly: a slow oracle."""

    def is_chinese(run: str) -> bool:
        return unicodedata.name(run[0]).startswith("CJK")

    def runs(of: str) -> list[str]:
        return ["".join(pair[0] for pair in run) if is_chinese(run[0]) else run[0] for run in words_of(of)]

    def holds(run: str, within: str, *, beginning: bool) -> bool:
        others = runs(within)
        if is_chinese(run):
            return any(run in other for other in others)
        return any(other.startswith(run) if beginning else other == run for other in others)

    asked = runs(query)
    last_is_whole = any(holds(asked[-1], one, beginning=False) for one in all_texts)
    checks = [holds(run, text, beginning=False) for run in asked[:-1]]
    return all(checks) and holds(asked[-1], text, beginning=not last_is_whole)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(LETTERS, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=5), LETTERS, LETTERS)
def test_search_finds_what_a_plain_reading_finds(database_url: str, texts: list[str], one: str, two: str):
    database = Database(database_url)
    migrate(database)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        # what an example before this one left is not to be found
        for table in ("dataset_words", "dataset"):
            work.session.connection().exec_driver_sql(f"DELETE FROM {table}")
        for text in texts:
            create_dataset(work, Record(title=text, species=Species.ZEBRAFISH, licence="x", specimen=Specimen(part="")))
    query = f"{one} {two}"
    found = titles(database, query)
    read = [f"{text} 斑马鱼" for text in texts]
    assert sorted(found) == sorted(
        text for text, whole in zip(texts, read, strict=True) if expected(whole, query, read)
    )
    database.close()
