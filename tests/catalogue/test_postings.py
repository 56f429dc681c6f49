"""Every way of asking an index of words finds the same rows, on both databases."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.catalogue.index_sizes import index_sizes
from tests.conftest import new_postgres_database

from pulvinar.catalogue.postings import among, matching, walk, within
from pulvinar.catalogue.wanted import All, Any, But, Term, Wanted, reaching_all
from pulvinar.catalogue.word_index import WordIndex, signature_of, store_words, vector_literal
from pulvinar.catalogue.word_shares import rare_part
from pulvinar.platform import migrate
from pulvinar.storage.database import Database

INDEX = WordIndex.ASSETS
WORDS = ("ab", "abc", "b", "~ab", "__d1_2", "__d1_23", "海马", "马体")
ROWS = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=12)
TERMS = st.builds(Term, st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(tuple)) | st.builds(
    Term, st.sampled_from([("a",), ("ab",), ("海",), ("__d1",)]), begins=st.just(True)
)
QUESTIONS: st.SearchStrategy[Wanted] = st.recursive(
    TERMS,
    lambda parts: (
        st.builds(All, st.lists(parts, min_size=1, max_size=3).map(tuple))
        | st.builds(Any, st.lists(parts, min_size=1, max_size=6).map(tuple))
        | st.builds(But, parts, parts)
    ),
    max_leaves=7,
)


def plainly(wanted: Wanted, words: list[str]) -> bool:
    """Whether a row has what is wanted, read word by word."""
    if isinstance(wanted, But):
        return plainly(wanted.part, words) and not plainly(wanted.without, words)
    if not isinstance(wanted, Term):
        some = [plainly(part, words) for part in wanted.parts]
        return all(some) if isinstance(wanted, All) else any(some)
    *whole, last = wanted.words
    count = len(wanted.words)
    starts = range(len(words) - count + 1)
    return any(
        words[at : at + count - 1] == whole
        and (words[at + count - 1].startswith(last) if wanted.begins else words[at + count - 1] == last)
        for at in starts
    )


@pytest.mark.parametrize("small", [False, True], ids=["as they are", "small"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, QUESTIONS, st.booleans(), st.integers(1, 5), st.integers(0, 13))
def test_every_way_finds_what_a_plain_reading_does(
    database: Database,
    small: bool,
    rows: list[list[str]],
    wanted: Wanted,
    by_owner: bool,
    limit: int,
    least: int,
) -> None:
    asked = reaching_all(wanted) if by_owner else wanted
    with database.writing() as session, index_sizes(small=small):
        # what an example before this one left is not to be found
        session.execute(text(f"DELETE FROM {INDEX}"))
        for number, words in enumerate(rows, 1):
            store_words(session, INDEX, number, words)
        every = [number for number, words in enumerate(rows, 1) if plainly(asked, words)][::-1]
        numbers = list(range(1, len(rows) + 1))
        assert walk(session, INDEX, asked, None, 100) == every
        assert walk(session, INDEX, asked, least, limit) == [one for one in every if one < least][:limit]
        assert matching(session, INDEX, asked, numbers) == every
        assert among(session, INDEX, asked, numbers, least, limit) == [one for one in every if one < least][:limit]
        assert sorted(within(session, INDEX, asked, least, 9).tolist(), reverse=True) == [
            one for one in every if least <= one < 9
        ]


def test_beside_common_words_only_the_rare_are_asked_for(database: Database) -> None:
    common, rare, phrase = Term(("ab",)), Term(("abc",)), Term(("ab", "b"))
    with database.writing() as session:
        session.execute(text(f"DELETE FROM {INDEX}"))
        for number in range(1, 301):
            store_words(session, INDEX, number, ["ab", *(["b", "abc"] if number == 7 else [])])

        def asked(wanted: Wanted) -> Wanted | None:
            return rare_part(session, INDEX, wanted)

        assert asked(All((common, rare))) == All((rare,))
        assert asked(But(All((common, rare)), Term(("x",)))) == All((rare,))
        # of a phrase the rare word, whoever may find it
        assert asked(phrase) == All((Any((Term(("b",)),)),))
        assert asked(reaching_all(phrase)) == All((Any((Term(("b",)), Term(("_b",)), Term(("~b",)))),))
        # what is common is found soon, and what is one word is asked for as it is
        assert asked(All((common, Term(("__all",))))) is not None
        assert asked(But(common, rare)) is None
        assert asked(rare) is None
        assert walk(session, INDEX, All((common, rare)), None, 5) == [7]


def test_words_that_were_stored_before_rows_had_signatures_get_them(postgres_server: str) -> None:
    database = Database(new_postgres_database(postgres_server))
    migrate(database, "0019")
    rows = {1: ["light", "海马", "__d1_2"], 2: [], 3: ["light.er", "dark"]}
    with database.writing() as session:
        for index, (number, words) in product(WordIndex, rows.items()):
            stored = f"INSERT INTO {index} (seq, words) VALUES (:number, CAST(:words AS tsvector))"
            session.execute(text(stored), {"number": number, "words": vector_literal(index, number, words)})
    migrate(database)
    with database.session() as session:
        for index in WordIndex:
            found = session.execute(text(f"SELECT seq, CAST(signature AS text) AS bits FROM {index}")).all()
            assert {row.seq for row in found} == set(rows)
            for row, word in product(found, ("light", "dark", "light.er", "海马", "__d1_2")):
                needed = int(signature_of([word])[1:], 16)
                assert (int(row.bits, 2) & needed == needed) == (word in rows[row.seq])
            assert matching(session, index, Term(("light",)), [1, 2, 3]) == [1]
            assert walk(session, index, Term(("light.er",)), None, 9) == [3]
    database.close()
