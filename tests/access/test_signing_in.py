import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyotp
import pytest
from sqlalchemy import select, update
from tests.access.people import BROWSER, PASSWORD, a_person, a_service, acting, everything_recorded, verbs

from pulvinar.access import attempts, second_factor
from pulvinar.access.accounts import disable
from pulvinar.access.known_actors import KnownActors
from pulvinar.access.sealing import open_sealer
from pulvinar.access.sign_ins import Browser, end_all_sign_ins, end_sign_in, list_sign_ins, sign_out
from pulvinar.access.signing_in import confirm_password, sign_in_at_once, sign_in_by_code, sign_in_by_password
from pulvinar.access.tables import attempt, event, sign_in
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Forbidden, NotAuthenticated, NotFound, TooOften
from pulvinar.model.access import LOCAL_OWNER


def signed_in(database, login="ada", browser=BROWSER):
    return sign_in_by_password(database, login, PASSWORD, browser, days=14).secret


def failing(database, login="ada", browser=BROWSER):
    with pytest.raises(NotAuthenticated) as caught:
        sign_in_by_password(database, login, "wrong", browser, days=14)
    return str(caught.value)


def test_a_password_signs_in_and_only_its_hash_is_kept(database):
    ada = a_person(database)
    secret = signed_in(database, "ADA")
    actor = KnownActors(database).find(secret)
    assert (actor.id, actor.name) == (ada.id, "Ada")
    with database.session() as session:
        row = session.execute(select(sign_in)).one()
    assert secret not in repr(row)
    assert (row.address, row.agent) == ("192.0.2.7", "Firefox")
    assert row.ends - row.created == timedelta(days=14)
    assert verbs(database, ada.id)[-1] == "sign-in"
    assert secret not in everything_recorded(database)
    assert PASSWORD not in everything_recorded(database)


def test_what_one_process_is_to_forget_no_other_remembers(database):
    ada = a_person(database)
    secret, both = signed_in(database), SimpleNamespace(value=0)
    here, there = KnownActors(database, lifetime_s=600), KnownActors(database, lifetime_s=600)
    for one in (here, there):
        one.share(both)
        assert one.find(secret)
    assert there.at_once(secret)
    with UnitOfWork(database, acting(database, ada.id)) as work:
        sign_out(work, ada.id, secret)
    assert there.find(secret)
    here.forget()
    assert there.at_once(secret) is None
    assert there.find(secret) is None


def test_a_wrong_password_an_unknown_account_and_one_without_password_look_the_same(database):
    a_person(database)
    a_service(database)
    disabled = a_person(database, "gone")
    with UnitOfWork(database, LOCAL_OWNER) as work:
        disable(work, disabled.id, "left")
    told = {failing(database, login) for login in ("ada", "nobody", "robot")}
    with pytest.raises(NotAuthenticated) as caught:
        sign_in_by_password(database, "gone", PASSWORD, BROWSER, days=14)
    assert told == {str(caught.value)}


def test_failures_in_a_row_make_the_next_one_wait_longer_and_longer_known_account_or_not(database):
    a_person(database)
    for login in ("ada", "nobody"):
        browser = Browser(f"2001:db8:{len(login)}::1", "x")
        for _ in range(5):
            failing(database, login, browser)
        waits = []
        for _ in range(3):
            with database.writing() as session:
                session.execute(update(attempt).values(held_until=attempt.c.last))
            failing(database, login, browser)
            with database.session() as session:
                wanted = select(attempt).where(attempt.c.digest == attempts.of_account("sign-in", login).digest)
                row = session.execute(wanted).one()
            waits.append(round((row.held_until - row.last).total_seconds()))
        assert waits == [2, 4, 8]
        with database.writing() as session:
            session.execute(update(attempt).values(held_until=datetime.now(UTC) + timedelta(minutes=1)))
        with pytest.raises(TooOften):
            sign_in_by_password(database, f"{login.upper()} ", PASSWORD, Browser("203.0.113.9", "x"), days=14)


def test_a_wait_has_an_end_and_a_success_forgets_what_failed(database):
    a_person(database)
    for _ in range(5):
        failing(database)
    signed_in(database)
    for _ in range(5):
        failing(database)
    with database.writing() as session:
        session.execute(update(attempt).values(failures=60))
    failing(database)
    with pytest.raises(TooOften) as caught:
        signed_in(database)
    assert caught.value.wait_s <= 900


def test_one_address_waits_whatever_accounts_it_tries_and_its_own_does_not_help(database, monkeypatch):
    monkeypatch.setattr("pulvinar.access.passwords.is_right", lambda password, kept: password == PASSWORD)
    a_person(database, "mallory")
    for number in range(30):
        failing(database, f"user{number}")
        if number % 10 == 9:
            signed_in(database, "mallory")
    failing(database, "user99")
    with pytest.raises(TooOften):
        failing(database, "user100")
    signed_in(database, "mallory", Browser("198.51.100.1", "x"))


def test_an_address_of_ipv6_counts_as_its_network():
    one, other = (attempts.of_address("sign-in", f"2001:db8:1:2::{n}") for n in (1, 2))
    assert one.digest == other.digest != attempts.of_address("sign-in", "2001:db8:1:3::1").digest
    assert attempts.of_address("x", "::ffff:192.0.2.1").digest == attempts.of_address("x", "192.0.2.1").digest
    assert attempts.of_address("x", "testclient").key == "address testclient"


def test_many_tries_at_once_do_not_slip_through(database):
    tried = []

    def try_it():
        try:
            attempts.begin(database, (attempts.of_account("sign-in", "ada"),))
            tried.append(True)
        except TooOften:
            tried.append(False)

    threads = [threading.Thread(target=try_it) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(tried) == 6


def test_a_code_is_asked_for_and_a_password_alone_signs_nobody_in(database, tmp_path):
    ada, sealer = a_person(database), open_sealer(tmp_path / "key")
    with UnitOfWork(database, acting(database, ada.id)) as work:
        app = pyotp.TOTP(second_factor.offer(work, ada, sealer))
    with UnitOfWork(database, acting(database, ada.id)) as work:
        codes = second_factor.confirm(work, ada, app.at(int(time.time()) - 30), sealer)
    step = sign_in_by_password(database, "ada", PASSWORD, BROWSER, days=14)
    assert step.needs_code
    assert KnownActors(database).find(step.secret) is None
    with pytest.raises(NotAuthenticated):
        sign_in_by_code(database, step.secret, app.at(int(time.time()) - 30), BROWSER, sealer, days=14)
    _, secret = sign_in_by_code(database, step.secret, app.now(), BROWSER, sealer, days=14)
    assert KnownActors(database).find(secret).id == ada.id
    with pytest.raises(NotFound):
        sign_in_by_code(database, step.secret, codes[0], BROWSER, sealer, days=14)
    again = sign_in_by_password(database, "ada", PASSWORD, BROWSER, days=14)
    sign_in_by_code(database, again.secret, codes[0], BROWSER, sealer, days=14)
    assert app.secret not in everything_recorded(database)
    assert codes[0] not in everything_recorded(database)


def test_codes_are_limited_over_all_passwords_that_were_given(database, tmp_path):
    ada, sealer = a_person(database), open_sealer(tmp_path / "key")
    with UnitOfWork(database, acting(database, ada.id)) as work:
        app = pyotp.TOTP(second_factor.offer(work, ada, sealer))
    with UnitOfWork(database, acting(database, ada.id)) as work:
        second_factor.confirm(work, ada, app.now(), sealer)
    for _ in range(6):
        step = sign_in_by_password(database, "ada", PASSWORD, BROWSER, days=14)
        with pytest.raises(NotAuthenticated):
            sign_in_by_code(database, step.secret, "000000", BROWSER, sealer, days=14)
    step = sign_in_by_password(database, "ada", PASSWORD, BROWSER, days=14)
    with pytest.raises(TooOften):
        sign_in_by_code(database, step.secret, app.at(int(time.time()) + 30), BROWSER, sealer, days=14)


def test_sign_ins_are_listed_and_ended_each_or_all(database):
    ada = a_person(database)
    actor = acting(database, ada.id)
    here, there = signed_in(database), signed_in(database, browser=Browser("::1", "Chrome\x1b[2J"))
    listed = list_sign_ins(database, actor, here)
    assert [(one.agent, mine) for one, mine in listed] == [("Chrome\\x1b[2J", False), ("Firefox", True)]
    known = KnownActors(database, lifetime_s=0)
    with pytest.raises(Forbidden), UnitOfWork(database, acting(database, a_person(database, "other").id)) as work:
        end_sign_in(work, ada.id, listed[0][0].id)
    with UnitOfWork(database, actor) as work:
        end_sign_in(work, ada.id, listed[0][0].id)
    assert known.find(there) is None
    there = signed_in(database)
    with UnitOfWork(database, actor) as work:
        end_all_sign_ins(work, ada.id, except_secret=here)
    assert known.find(there) is None
    assert known.find(here).id == ada.id
    with UnitOfWork(database, actor) as work:
        sign_out(work, ada.id, here)
    assert known.find(here) is None
    assert list_sign_ins(database, actor) == ()


@pytest.mark.parametrize("column", ["ends", "seen"])
def test_a_sign_in_ends_by_itself_and_when_nobody_is_seen(database, column):
    a_person(database)
    secret = signed_in(database)
    with database.writing() as session:
        session.execute(update(sign_in).values(**{column: datetime.now(UTC) - timedelta(days=3, seconds=1)}))
    assert KnownActors(database).find(secret) is None


def test_a_disabled_account_is_signed_in_nowhere_and_in_no_way(database):
    ada = a_person(database)
    secret = signed_in(database)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        disable(work, ada.id, "left")
    assert KnownActors(database).find(secret) is None
    with pytest.raises(NotFound):
        sign_in_at_once(database, ada.id, BROWSER, days=1, how="elsewhere")


def test_an_answer_is_remembered_for_a_moment_and_forgotten_on_demand(database):
    ada = a_person(database)
    secret = signed_in(database)
    known = KnownActors(database, lifetime_s=0.3)
    assert known.at_once(secret) is None
    assert known.find(secret).id == ada.id
    assert known.at_once(secret)[0].id == ada.id
    with UnitOfWork(database, acting(database, ada.id)) as work:
        sign_out(work, ada.id, secret)
    assert known.find(secret).id == ada.id
    time.sleep(0.35)
    assert known.find(secret) is None
    other = signed_in(database)
    assert known.find(other)
    with UnitOfWork(database, acting(database, ada.id)) as work:
        sign_out(work, ada.id, other)
    known.forget()
    assert known.find(other) is None


def test_what_was_forgotten_while_it_was_asked_for_is_not_remembered(database, monkeypatch):
    a_person(database)
    secret, known = signed_in(database), KnownActors(database)
    ask = known._by_browser

    def asked(session, digest):
        known.forget()
        return ask(session, digest)

    monkeypatch.setattr(known, "_by_browser", asked)
    assert known.find(secret)
    assert known.at_once(secret) is None


def test_who_is_seen_again_is_noted_beside_the_request(database):
    a_person(database)
    secret = signed_in(database)
    past = datetime.now(UTC) - timedelta(hours=1)
    with database.writing() as session:
        session.execute(update(sign_in).values(seen=past))
    known = KnownActors(database)
    known.find(secret)
    known.close()
    with database.session() as session:
        assert session.scalar(select(sign_in.c.seen)) > past + timedelta(minutes=59)


@pytest.mark.parametrize("secret", ["", "x", "x" * 10_000, "pulv_", "\udcff", "pulv_" + "é" * 40])
def test_what_is_no_secret_signs_nobody_in(database, secret):
    assert KnownActors(database).find(secret) is None


def test_the_password_is_asked_for_once_more(database):
    ada = a_person(database)
    confirm_password(database, ada.id, PASSWORD)
    with pytest.raises(NotAuthenticated):
        confirm_password(database, ada.id, "wrong")
    confirm_password(database, a_person(database, "sso", password="").id, "")


@pytest.mark.parametrize("spelled", ["\uff41\uff44\uff41", "\u24d0da", "A\u1d30a "])
def test_another_spelling_of_a_login_name_gets_no_other_tries(database, spelled):
    """The name is looked up in one form of Unicode; so it is counted in that form."""
    a_person(database)
    for number in range(5):
        failing(database, "ada", Browser(f"192.0.2.{number}", "x"))
    failing(database, "ada", Browser("192.0.2.98", "x"))
    with pytest.raises(TooOften):
        sign_in_by_password(database, spelled, "wrong", Browser("192.0.2.99", "x"), days=14)


def test_what_failed_is_in_the_log_and_what_was_typed_is_not(database, tmp_path):
    ada = a_person(database)
    failing(database, "ada")
    failing(database, "granule cells in rows")
    with UnitOfWork(database, acting(database, ada.id)) as work:
        sealer = open_sealer(tmp_path / "key")
        totp = pyotp.TOTP(second_factor.offer(work, ada, sealer))
        second_factor.confirm(work, ada, totp.now(), sealer)
    waiting = signed_in(database)
    with pytest.raises(NotAuthenticated):
        sign_in_by_code(database, waiting, "000000", BROWSER, sealer, days=1)
    with database.session() as session:
        rows = session.execute(select(event).where(event.c.verb == "sign-in-failed").order_by(event.c.seq)).all()
    address = {"address": "192.0.2.7"}
    assert [(row.actor_id, row.subject_id, row.details) for row in rows] == [
        ("anonymous", ada.id, {"how": "password", "known": True, **address}),
        ("anonymous", "node", {"how": "password", "known": False, **address}),
        ("anonymous", ada.id, {"how": "code", "known": True, **address}),
    ]
    assert "granule" not in everything_recorded(database)
