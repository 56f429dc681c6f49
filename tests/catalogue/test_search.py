"""A search finds what a person can read on the page, whatever they write with, on both databases."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import create_dataset, list_datasets
from pulvinar.catalogue.words import words_of
from pulvinar.errors import Invalid
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import Dataset
from pulvinar.model.record import Record, Species
from pulvinar.storage.database import Database

Add = Callable[..., Dataset]
# letters that SQLite's tables of Unicode 6.1 take for marks: New Tai Lue vowels, and two Vedic signs
MARKS = "".join(map(chr, [*range(0x19B0, 0x19CA), 0x1CF2, 0x1CF3]))
WRITING = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters=MARKS), max_size=12)


def found(database: Database, query: str, species: str | None = None) -> list[str]:
    return [one.record.title for one in list_datasets(database, LOCAL_OWNER, query=query, species=species).items]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(titles=st.lists(WRITING, min_size=1, max_size=4, unique=True))
@example(titles=["해마", "ヒト海馬", "гиппокамп", "𠮷野", "ⅷ 〇二", "𞤀𞤣", "ꭰꭱ", "\u08a0x", "\u1c89", "ૹ", "龦鿕"])
def test_a_dataset_is_found_by_its_title_and_each_word_of_it_in_any_writing(database: Database, titles: list[str]):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        for table in ("dataset_words", "dataset"):
            work.session.connection().exec_driver_sql(f"DELETE FROM {table}")
        for title in titles:
            create_dataset(work, Record(title, Species.HUMAN, "CC0"))
    for title in titles:
        runs = words_of(title)
        if not runs or len(runs) > 16:
            continue
        assert title in found(database, title)
        for run in runs:
            word = "".join(pair[0] for pair in run) if len(run) > 1 else run[0]
            assert title in found(database, word), word


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("Ammonshorn", ["Das Ammonshörn"]),
        ("AMMONSHÖRN", ["Das Ammonshörn"]),
        ("ammonsh", ["Das Ammonshörn"]),
        ("área", ["Area CA1", "Area 17"]),
        ("ca1", ["Area CA1"]),
        ("1", ["Area 17"]),
        ("a", ["Area CA1", "Area 17", "Das Ammonshörn"]),
        ("区", ["海马CA1区"]),
        ("海", ["海马CA1区"]),
        ("海马 区", ["海马CA1区"]),
        ("海马区", []),
        ("马c", ["海马CA1区"]),
    ],
)
def test_accents_beginnings_and_single_letters(database: Database, add: Add, query: str, titles: list[str]):
    for title in ("Das Ammonshörn", "Area 17", "Area CA1", "海马CA1区"):
        add(title, species=Species.HUMAN)
    shown = found(database, query)
    assert set(titles) <= set(shown)
    if query not in ("a", "ca1"):
        assert shown == titles


def test_the_beginning_of_a_word_goes_over_pages_and_with_a_species(database: Database, add: Add):
    for number in range(5):
        add(f"Thalamus {number}")
        add(f"Thalamocortical {number}", species=Species.MACAQUE)
    first = list_datasets(database, LOCAL_OWNER, query="thalam", species="macaque", limit=3)
    rest = list_datasets(database, LOCAL_OWNER, query="thalam", species="macaque", limit=3, cursor=first.next_cursor)
    shown = [one.record.title for one in (*first.items, *rest.items)]
    assert shown == [f"Thalamocortical {number}" for number in (4, 3, 2, 1, 0)]
    assert rest.next_cursor is None


def test_more_words_than_a_search_takes_are_refused(database: Database, add: Add):
    add(" ".join(f"w{number}" for number in range(20)))
    assert len(found(database, " ".join(f"w{number}" for number in range(16)))) == 1
    with pytest.raises(Invalid, match="17 words") as caught:
        found(database, " ".join(f"w{number}" for number in range(17)))
    assert "16" in caught.value.hint
