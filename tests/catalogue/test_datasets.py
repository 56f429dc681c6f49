import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.catalogue.conftest import OBJECTS, new_asset
from tests.catalogue.index_sizes import index_sizes
from tests.examples import examples

from pulvinar.access.visibility import audience_of
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import (
    add_asset,
    create_dataset,
    get_dataset,
    list_datasets,
    open_draft,
    publish,
)
from pulvinar.catalogue.drafts import set_record
from pulvinar.catalogue.sharing import share, unshare
from pulvinar.catalogue.words import Reach, audience_word, species_word, words_of
from pulvinar.errors import Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right
from pulvinar.model.dataset import Dataset
from pulvinar.model.record import Acquisition, Contributor, Record, Species, Specimen, Subject
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


@pytest.mark.parametrize("cursor", ["x", "1", "!!", "🧠", "\0", f"local-{'0' * 26}"])
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
        acquisition=Acquisition(modality="light sheet", stains=("GFP",)),
        contributors=(Contributor("A. Ng"),),
        subject=Subject("m1", Species.MOUSE),
        asset="brain.tif",
    )
    add("Something else", species=Species.HUMAN)
    assert titles(database, query) == ["Naïve whole hippocampus 海马体"]


@pytest.mark.parametrize("title", ["Retrogradely labelled neurons", "One labelled neuron"])
@pytest.mark.parametrize("query", ["neuron", "neurons", "Neurons labelled", "neuro"])
def test_one_and_many_find_each_other(database: Database, add: Add, title: str, query: str):
    add(title)
    add("Neurology of a fish")
    assert title in titles(database, query)


@pytest.mark.parametrize(("said", "other"), [("thalamus", "thalamu"), ("GCaMP6s", "GCaMP6f"), ("axis", "axi")])
def test_an_s_that_is_no_plural_stays(database: Database, add: Add, said: str, other: str):
    add(f"{other} here")
    add(f"{said} here")
    assert titles(database, said) == [f"{said} here"]


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


def test_a_cursor_is_none_where_its_dataset_is_not_seen(database: Database, add: Add):
    hidden = add(published=False)
    with pytest.raises(Invalid, match="cursor"):
        list_datasets(database, ANONYMOUS, cursor=hidden.id)


def test_a_dataset_is_shared_with_one_actor_until_it_is_not(database: Database, add: Add):
    hidden = add("Hidden", published=False)
    guest = Actor("guest", "guest")
    assert titles(database, actor=guest) == []
    with UnitOfWork(database, LOCAL_OWNER) as work:
        share(work, hidden.id, audience_of(guest.id))
    assert titles(database, actor=guest) == titles(database, "hidden", guest) == ["Hidden"]
    assert titles(database, "hidden", ANONYMOUS) == titles(database, actor=Actor("other", "other")) == []
    with UnitOfWork(database, LOCAL_OWNER) as work:
        unshare(work, hidden.id, audience_of(guest.id))
    assert titles(database, actor=guest) == titles(database, "hidden", guest) == []


def test_only_who_may_share_does(database: Database, add: Add):
    seen, guest = add(), Actor("guest", "guest")
    with pytest.raises(Forbidden), UnitOfWork(database, guest) as work:
        share(work, seen.id, audience_of(guest.id), Right.ADMINISTER)


def test_a_draft_is_found_by_the_owner_alone_until_it_is_published(database: Database, add: Add):
    made = add("Old")
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = set_record(work, open_draft(work, made.id).id, replace(made.record, title="New 脑"))
        add_asset(work, draft.id, new_asset("secret"), OBJECTS)
    for query in ("new", "ne", "脑", "secret", "secr"):
        assert titles(database, query, ANONYMOUS) == []
        assert titles(database, query) == ["New 脑"]
    assert titles(database, "old", ANONYMOUS) == ["Old"]
    with UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, draft.id)
    assert titles(database, "new secret", ANONYMOUS) == titles(database, "secr") == ["New 脑"]
    assert titles(database, "old", ANONYMOUS) == titles(database, "old") == []


def test_a_word_that_only_hidden_datasets_have_is_no_word(database: Database, add: Add):
    add("Hippocampus")
    add("Hippo", published=False)
    # were the hidden one asked, "hippo" would be a whole word, and the beginning of none
    assert titles(database, "hippo", ANONYMOUS) == ["Hippocampus"]
    assert titles(database, "hippo") == ["Hippo"]


@pytest.mark.parametrize("count", [3, 40])
def test_the_beginning_of_few_words_and_of_many(database: Database, add: Add, count: int):
    made = [add(f"claustrum{number:02d}").id for number in range(count)]
    assert [one.id for one in list_datasets(database, ANONYMOUS, query="claustrum", limit=50).items] == made[::-1]


def test_no_text_is_taken_for_a_word_of_the_platform(database: Database, add: Add):
    own = (species_word(Species.HUMAN), audience_word(audience_of(ANONYMOUS.id)), Reach.SHARED + "x", Reach.OWNER + "y")
    hidden = add(" ".join(own), published=False)
    assert titles(database, " ".join(own)) == [hidden.record.title]
    assert titles(database, "mouse", species="human") == []
    for word in (*own, "x", "y", "mouse"):
        assert titles(database, word, ANONYMOUS) == []


def test_words_beyond_what_a_database_takes_are_cut(database: Database, add: Add):
    add("a" * 5000, description=" ".join(f"w{number} 第{number}" for number in range(9000)))
    assert len(titles(database, "a" * 4000)) == len(titles(database, "w100 第")) == 1
    assert titles(database, "w8999") == []


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


@dataclass(frozen=True)
class Case:
    """A dataset of the test: what it is made with, what a draft calls it, and who sees it."""

    title: str
    draft: str
    published: bool
    shared: bool

    def text(self, actor: Actor) -> str | None:
        """What is to be found of it for `actor`, or None when they don't see it."""
        if actor.is_owner:
            return f"{self.title} {self.draft} 斑马鱼"
        return f"{self.title} 斑马鱼" if self.published or (self.shared and actor == GUEST) else None


GUEST = Actor("guest", "guest")
TEXT = st.lists(LETTERS, min_size=1, max_size=3).map(" ".join)
CASE = st.builds(Case, TEXT, TEXT | st.just(""), st.booleans(), st.booleans())


def make(work: UnitOfWork, case: Case) -> str:
    made = create_dataset(
        work, Record(title=case.title, species=Species.ZEBRAFISH, licence="x", specimen=Specimen(part=""))
    )
    if case.published:
        draft = open_draft(work, made.id)
        add_asset(work, draft.id, new_asset("scan"), OBJECTS)
        publish(work, draft.id)
    if case.draft:
        set_record(work, open_draft(work, made.id).id, replace(made.record, title=case.draft))
    if case.shared:
        share(work, made.id, audience_of(GUEST.id), Right.SEE)
    return made.id


def every_page(database: Database, actor: Actor, query: str, limit: int) -> list[str]:
    found, page = [], list_datasets(database, actor, query=query, limit=limit)
    while True:
        found += [one.id for one in page.items]
        if page.next_cursor is None:
            return found
        assert len(page.items) == limit
        page = list_datasets(database, actor, query=query, limit=limit, cursor=page.next_cursor)


@pytest.mark.parametrize("small", [False, True], ids=["as they are", "small"])
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CASE, min_size=1, max_size=6), LETTERS, LETTERS, st.integers(1, 3))
def test_lists_and_searches_are_what_a_plain_reading_gives(
    database: Database, small: bool, cases: list[Case], one: str, two: str, limit: int
):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        # what an example before this one left is not to be found
        for table in ("dataset_words", "granted", "dataset"):
            work.session.connection().exec_driver_sql(f"DELETE FROM {table}")
        with index_sizes(small=small):
            made = [make(work, case) for case in cases]
    for actor in (LOCAL_OWNER, ANONYMOUS, GUEST):
        texts = {made[at]: case.text(actor) for at, case in enumerate(cases) if case.text(actor) is not None}
        assert every_page(database, actor, "", limit) == list(texts)[::-1]
        for query in (one, f"{one} {two}"):
            wanted = [key for key, text in texts.items() if expected(text, query, list(texts.values()))]
            with index_sizes(small=small):
                assert every_page(database, actor, query, limit) == wanted[::-1]
