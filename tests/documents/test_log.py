"""The log of a document: order, undo and redo for each person, and what comes of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulvinar.access.work import UnitOfWork
from pulvinar.documents.documents import create_document, get_document
from pulvinar.documents.log import append, read_marks, read_operations, redo, undo
from pulvinar.documents.rights import share_document
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.document import Document, apply
from pulvinar.model.mark import Mark, MarkKind
from pulvinar.storage.database import Database

POINT = Mark(MarkKind.POINT, ((1.0, 2.0, 3.0),))
NAMES = ("a", "b", "c")


@pytest.fixture
def write(database: Database, written: Document) -> Callable[..., object]:
    """Does something to the document as somebody."""

    def do(actor: Actor, verb=append, *given, **more):
        with UnitOfWork(database, actor) as work:
            return verb(work, written.id, *given, **more)

    return do


def marks_of(database: Database, actor: Actor, document: Document) -> dict[str, Mark]:
    return {name: mark for name, _, mark in read_marks(database, actor, document.id)[1]}


@pytest.fixture
def bo(database: Database, written: Document, ada: Actor, people) -> Actor:
    """Somebody who writes in it too."""
    found = people("bo")
    with UnitOfWork(database, ada) as work:
        share_document(work, written.id, f"actor:{found.id}", Right.WRITE)
    return found


def test_operations_are_numbered_and_tell_who_did_what(database, written, ada, bo, write):
    write(ada, append, {"a": POINT, "b": POINT})
    moved = replace(POINT, places_um=((9.0, 9.0, 9.0),))
    write(bo, append, {"a": moved, "b": None}, expected=1)
    log = read_operations(database, ada, written.id)
    assert [(one.number, one.actor_id) for one in log] == [(1, ada.id), (2, bo.id)]
    assert [(one.mark_id, one.before, one.after) for one in log[1].changes] == [("a", POINT, moved), ("b", POINT, None)]
    assert read_operations(database, ada, written.id, after=1) == log[1:]
    assert read_marks(database, ada, written.id) == (2, [("a", ada.id, moved)])
    assert get_document(database, ada, written.id).number == 2


def test_who_did_not_hear_of_an_operation_is_told_whose_came_between(database, written, ada, bo, write):
    write(ada, append, {"a": POINT}, expected=0)
    with pytest.raises(Conflict, match=f"at operation 1, not 0.*1 by {ada.id}") as refused:
        write(bo, append, {"a": None}, expected=0)
    assert "after 0" in refused.value.hint
    assert get_document(database, ada, written.id).number == 1


def test_what_is_sent_again_after_a_lost_answer_is_done_once(database, written, ada, write):
    first = write(ada, append, {"a": POINT}, expected=0, key="k1")
    assert write(ada, append, {"a": POINT}, expected=0, key="k1") == first
    assert write(ada, append, {"b": POINT}, expected=1).number == 2
    assert len(read_operations(database, ada, written.id)) == 2


def test_everyone_undoes_only_what_is_their_own(database, written, ada, bo, write):
    write(ada, append, {"a": POINT})
    write(bo, append, {"b": POINT})
    write(ada, undo)
    assert set(marks_of(database, ada, written)) == {"b"}
    with pytest.raises(Conflict, match="nothing of yours to undo"):
        write(ada, undo)
    write(ada, redo)
    assert set(marks_of(database, ada, written)) == {"a", "b"}
    with pytest.raises(Conflict, match="nothing of yours to redo"):
        write(bo, redo)


def test_an_undo_keeps_what_others_did_to_the_same_mark(database, written, ada, bo, write):
    write(ada, append, {"a": POINT})
    write(ada, append, {"a": replace(POINT, color="FF0000")})
    write(bo, append, {"a": replace(POINT, color="FF0000", text="a cell")})
    write(ada, undo)
    assert marks_of(database, ada, written)["a"] == replace(POINT, text="a cell")


def test_a_mark_that_somebody_removed_stays_away(database, written, ada, bo, write):
    write(ada, append, {"a": POINT})
    write(ada, append, {"a": replace(POINT, text="mine")})
    write(bo, append, {"a": None})
    assert write(ada, undo).changes == ()
    write(bo, undo)
    assert marks_of(database, ada, written)["a"].text == "mine"


def test_whoever_does_something_new_has_nothing_to_redo(written, ada, write):
    write(ada, append, {"a": POINT})
    write(ada, undo)
    write(ada, append, {"b": POINT})
    with pytest.raises(Conflict):
        write(ada, redo)


def test_undo_and_redo_go_to_and_fro(database, written, ada, write):
    for name in NAMES:
        write(ada, append, {name: POINT})
    for verb, left in [(undo, 2), (undo, 1), (redo, 2), (undo, 1), (undo, 0), (redo, 1), (redo, 2), (redo, 3)]:
        write(ada, verb)
        assert len(marks_of(database, ada, written)) == left, verb


def test_only_who_may_write_writes_and_a_stranger_finds_nothing(database, written, ada, people, write):
    reader = people("reader")
    with UnitOfWork(database, ada) as work:
        share_document(work, written.id, f"actor:{reader.id}", Right.READ)
    assert read_marks(database, reader, written.id) == (0, [])
    for verb, told in ((append, ({"a": POINT},)), (undo, ()), (redo, ())):
        with pytest.raises(Forbidden):
            write(reader, verb, *told)
        with pytest.raises(NotFound):
            write(people("stranger"), verb, *told)


@pytest.mark.parametrize("marks", [{}, {"a/b": POINT}, {f"m{i}": POINT for i in range(10_001)}])
def test_what_is_no_operation_is_refused(database, written, ada, write, marks):
    with pytest.raises(Invalid):
        write(ada, append, marks)
    assert get_document(database, ada, written.id).number == 0


def test_a_mark_stays_of_its_kind(written, ada, write):
    write(ada, append, {"a": POINT})
    with pytest.raises(Invalid, match="stays of the kind"):
        write(ada, append, {"a": Mark(MarkKind.NOTE, POINT.places_um, text="now a note")})


def test_two_at_once_get_numbers_of_their_own(database, written, ada, write):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda name: write(ada, append, {name: POINT}).number, [f"m{i}" for i in range(24)]))
    assert sorted(done) == list(range(1, 25))
    assert len(marks_of(database, ada, written)) == 24


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["ada", "bo"]), st.just("set"), st.sampled_from(NAMES), st.integers(0, 3)),
        st.tuples(st.sampled_from(["ada", "bo"]), st.sampled_from(["remove"]), st.sampled_from(NAMES), st.just(0)),
        st.tuples(st.sampled_from(["ada", "bo"]), st.sampled_from(["undo", "redo"]), st.just("a"), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_log_played_again_gives_the_marks(database, brain, ada, people, steps):
    """After anything that two people may do, the log alone tells what stands there."""
    document = create_document(database, ada, "anything", dataset_id=brain.id)
    who = {"ada": ada, "bo": people("bo")}
    with UnitOfWork(database, ada) as work:
        share_document(work, document.id, f"actor:{who['bo'].id}", Right.WRITE)
    for actor, verb, name, value in steps:
        before = marks_of(database, ada, document)
        try:
            with UnitOfWork(database, who[actor]) as work:
                if verb in ("undo", "redo"):
                    done = (undo if verb == "undo" else redo)(work, document.id)
                else:
                    done = append(work, document.id, {name: replace(POINT, text=str(value)) if verb == "set" else None})
        except Conflict:
            assert verb in ("undo", "redo")
        else:
            assert marks_of(database, ada, document) == apply(before, [done])
    assert apply({}, read_operations(database, ada, document.id)) == marks_of(database, ada, document)


@pytest.mark.slow
def test_a_hundred_thousand_marks_are_brought_in_changed_and_read_page_by_page(database, written, ada, write):
    for piece in range(10):
        write(ada, append, {f"m{piece}-{i}": replace(POINT, text=str(i)) for i in range(10_000)})
    write(ada, append, {"m3-77": replace(POINT, color="00FF00")})
    after, found = "", {}
    while page := read_marks(database, ada, written.id, after=after)[1]:
        assert after < page[0][0]
        after = page[-1][0]
        found |= {name: mark for name, _, mark in page}
    assert len(found) == 100_000
    assert found["m3-77"].color == "00FF00"
    assert found["m3-78"].text == "78"
