"""The seal on the log: everything is sealed once, late commits too, and whatever is done to it afterwards shows."""

import threading

import pytest
from sqlalchemy import delete, insert, select, text, update

from pulvinar.access.audit_chain import NOTHING, last_seal, seal, seal_all, verify_chain
from pulvinar.access.tables import event, event_seal
from pulvinar.access.work import UnitOfWork
from pulvinar.model.access import LOCAL_OWNER, Right
from pulvinar.storage.database import Database


def happen(database: Database, *verbs: str) -> None:
    for verb in verbs:
        with UnitOfWork(database, LOCAL_OWNER) as work:
            work.ask(Right.ADMINISTER)
            work.record_event(verb, "brain", {"of": 0.1, "名": "脑", "list": [1, None, True]})


def change(database: Database, *statements) -> None:
    with database.writing() as session:
        for statement in statements:
            session.execute(statement)


@pytest.fixture
def sealed(database: Database) -> Database:
    """Three seals of three events each, and one event that isn't sealed yet."""
    for _ in range(3):
        happen(database, "a", "b", "c")
        seal(database)
    happen(database, "late")
    return database


def test_nothing_is_sealed_where_nothing_happened(database: Database):
    assert seal(database) is None
    assert verify_chain(database) == verify_chain(database, "")
    assert verify_chain(database).last == NOTHING


def test_what_happened_is_sealed_once_and_fits(sealed: Database):
    found = verify_chain(sealed)
    assert (found.events, found.seals, found.unsealed, found.fault) == (9, 3, 1, None)
    with sealed.session() as session:
        newest = last_seal(session)
    assert newest.hash == found.last
    assert newest.count == 3
    assert seal_all(sealed) == 1
    assert seal_all(sealed) == 0
    assert verify_chain(sealed).events == 10


def seqs(database: Database) -> list[int]:
    with database.session() as session:
        return list(session.scalars(select(event.c.seq).order_by(event.c.seq)))


@pytest.mark.parametrize(
    "values",
    [
        {"verb": "z"},
        {"actor_id": "x"},
        {"subject_id": "x"},
        {"details": {"of": 0.2, "名": "脑", "list": [1, None, True]}},
        {"details": {}},
        {"chain": "0" * 64},
    ],
    ids=str,
)
def test_a_changed_event_is_named(sealed: Database, values):
    fifth = seqs(sealed)[4]
    change(sealed, update(event).where(event.c.seq == fifth).values(**values))
    found = verify_chain(sealed)
    assert (found.fault.seq, found.fault.seal, found.events) == (fifth, 2, 3)


def test_an_event_that_was_taken_out_shows_at_the_next(sealed: Database):
    numbers = seqs(sealed)
    change(sealed, delete(event).where(event.c.seq == numbers[4]))
    assert verify_chain(sealed).fault.seq == numbers[5]


def test_an_event_that_was_taken_out_at_the_end_of_a_seal_shows(sealed: Database):
    numbers = seqs(sealed)
    change(sealed, delete(event).where(event.c.seq == numbers[5]))
    found = verify_chain(sealed)
    assert (found.fault.seq, found.fault.seal) == (None, 2)
    assert "of which there are 2 and were 3" in found.fault.what


def test_the_moment_counts(sealed: Database):
    first = seqs(sealed)[0]
    with sealed.session() as session:
        second = session.scalar(select(event.c.at).where(event.c.seq == seqs(sealed)[1]))
    change(sealed, update(event).where(event.c.seq == first).values(at=second))
    assert verify_chain(sealed).fault.seq == first


def test_an_event_that_was_slipped_in_shows(sealed: Database):
    with sealed.session() as session:
        row = session.execute(select(event).order_by(event.c.seq).limit(1)).one()._asdict()
    added = {**row, "seq": 1000, "seal": 2}
    change(sealed, insert(event).values(**added))
    assert verify_chain(sealed).fault.seq == 1000


@pytest.mark.parametrize("seal_number", [-3, 0, 4, 99])
def test_an_event_of_a_seal_that_is_not_there_shows(sealed: Database, seal_number):
    with sealed.session() as session:
        row = session.execute(select(event).order_by(event.c.seq).limit(1)).one()._asdict()
    change(sealed, insert(event).values(**{**row, "seq": 1000, "seal": seal_number}))
    assert verify_chain(sealed).fault.seq == 1000


def test_a_seal_that_is_gone_shows(sealed: Database):
    change(sealed, delete(event_seal).where(event_seal.c.number == 2))
    assert verify_chain(sealed).fault.what == "seal 2 is missing"


def test_the_last_seal_that_is_gone_shows(sealed: Database):
    change(sealed, delete(event_seal).where(event_seal.c.number == 3))
    found = verify_chain(sealed)
    assert (found.seals, found.fault.seq) == (2, seqs(sealed)[6])


@pytest.mark.parametrize(
    "values", [{"count": 4}, {"first_seq": 7}, {"previous": "1" * 64}, {"hash": "2" * 64}], ids=str
)
def test_a_changed_seal_shows(sealed: Database, values):
    change(sealed, update(event_seal).where(event_seal.c.number == 2).values(**values))
    assert verify_chain(sealed).fault.seal == 2


def test_a_log_that_was_written_anew_shows_against_a_hash_kept_elsewhere(sealed: Database):
    kept = verify_chain(sealed).last
    assert verify_chain(sealed, kept).fault is None
    seal_all(sealed)
    # a hash of before is good for ever
    assert verify_chain(sealed, kept).fault is None
    change(
        sealed,
        update(event).where(event.c.seq == seqs(sealed)[4]).values(verb="z"),
        update(event).values(seal=None, chain=None),
        delete(event_seal),
    )
    seal_all(sealed)
    assert verify_chain(sealed).fault is None
    assert "was rewritten or cut off" in verify_chain(sealed, kept).fault.what


def test_a_log_that_was_cut_off_shows_against_a_hash_kept_elsewhere(sealed: Database):
    kept = verify_chain(sealed).last
    change(sealed, delete(event).where(event.c.seal == 3), delete(event_seal).where(event_seal.c.number == 3))
    assert verify_chain(sealed).fault is None
    assert verify_chain(sealed, kept).fault is not None


def test_what_commits_after_a_higher_number_was_sealed_is_sealed_later(postgres_server, migrated, request):
    database = Database(migrated(request, "postgresql"))
    slow = UnitOfWork(database, LOCAL_OWNER)
    with slow as work:
        work.ask(Right.ADMINISTER)
        work.record_event("slow", "brain")
        happen(database, "quick")
        first = seal(database)
        assert first.count == 1
        assert seal(database) is None
    second = seal(database)
    assert (second.count, second.number) == (1, 2)
    assert second.last_seq < first.first_seq
    found = verify_chain(database)
    assert (found.events, found.fault) == (2, None)
    database.close()


def test_numbers_that_were_drawn_and_given_up_leave_no_fault(database: Database):
    happen(database, "a")
    with pytest.raises(ZeroDivisionError), UnitOfWork(database, LOCAL_OWNER) as work:
        work.ask(Right.ADMINISTER)
        work.record_event("undone", "brain")
        _ = 1 / 0
    happen(database, "b")
    assert seal_all(database) == 1
    assert verify_chain(database).fault is None


def test_one_seals_at_a_time_and_writers_go_on(database: Database):
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            happen(database, "w")

    def close() -> None:
        while not stop.is_set():
            seal(database)

    threads = [threading.Thread(target=one) for one in (write, write, close, close, close)]
    for one in threads:
        one.start()
    stop.wait(2)
    stop.set()
    for one in threads:
        one.join()
    seal_all(database)
    found = verify_chain(database)
    assert (found.fault, found.unsealed) == (None, 0)
    assert found.events == len(seqs(database)) > 10


def test_another_sealer_at_work_is_left_alone(postgres_server, migrated, request):
    from pulvinar.access.audit_chain import _LOCK

    database = Database(migrated(request, "postgresql"))
    happen(database, "a")
    with database.writing() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        assert seal(database) is None
    assert seal(database).count == 1
    database.close()
