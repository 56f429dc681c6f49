import time

import pyotp
import pytest
from sqlalchemy import select
from tests.access.people import a_person, acting

from pulvinar.access import second_factor
from pulvinar.access.sealing import open_sealer
from pulvinar.access.tables import second_factor as table
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Corrupt, Forbidden, Invalid, Unavailable


@pytest.fixture
def sealer(tmp_path):
    return open_sealer(tmp_path / "secret.key")


@pytest.fixture
def ada(database):
    return a_person(database)


def switched_on(database, of, sealer):
    with UnitOfWork(database, acting(database, of.id)) as work:
        secret = second_factor.offer(work, of, sealer)
    with UnitOfWork(database, acting(database, of.id)) as work:
        codes = second_factor.confirm(work, of, pyotp.TOTP(secret).at(int(time.time()) - 30), sealer)
    return pyotp.TOTP(secret), codes


def use(database, of, code, sealer):
    with database.writing() as session:
        return second_factor.use(session, of.id, code, sealer)


def test_it_is_on_once_a_code_was_right(database, ada, sealer):
    with UnitOfWork(database, acting(database, ada.id)) as work:
        secret = second_factor.offer(work, ada, sealer)
    assert second_factor.offered(database, ada.id, sealer) == secret
    assert f"secret={secret}" in second_factor.app_address(secret, ada, "Pulvinar")
    with database.session() as session:
        assert not second_factor.is_on(session, ada.id)
    wrong = "000000" if pyotp.TOTP(secret).now() != "000000" else "111111"
    with pytest.raises(Invalid), UnitOfWork(database, acting(database, ada.id)) as work:
        second_factor.confirm(work, ada, wrong, sealer)
    with UnitOfWork(database, acting(database, ada.id)) as work:
        assert len(set(second_factor.confirm(work, ada, pyotp.TOTP(secret).now(), sealer))) == 10
    with database.session() as session:
        assert second_factor.is_on(session, ada.id)
    assert second_factor.offered(database, ada.id, sealer) is None
    with pytest.raises(Conflict), UnitOfWork(database, acting(database, ada.id)) as work:
        second_factor.offer(work, ada, sealer)


def test_no_code_counts_twice_and_none_that_is_older(database, ada, sealer):
    app, _ = switched_on(database, ada, sealer)
    now = int(time.time())
    assert use(database, ada, app.at(now - 30), sealer) is None
    assert use(database, ada, f" {app.at(now)[:3]} {app.at(now)[3:]} ", sealer) == "code"
    assert use(database, ada, app.at(now), sealer) is None
    assert use(database, ada, app.at(now + 30), sealer) == "code"
    assert use(database, ada, app.at(now), sealer) is None
    assert use(database, ada, app.at(now + 3000), sealer) is None


def test_each_recovery_code_counts_once_for_its_account(database, ada, sealer):
    _, codes = switched_on(database, ada, sealer)
    other = a_person(database, "other")
    assert use(database, other, codes[0], sealer) is None
    assert use(database, ada, codes[0].upper().replace("-", " "), sealer) == "recovery-code"
    assert use(database, ada, codes[0], sealer) is None
    with database.session() as session:
        assert second_factor.codes_left(session, ada.id) == 9
    with UnitOfWork(database, acting(database, ada.id)) as work:
        fresh = second_factor.renew_codes(work, ada)
    assert use(database, ada, codes[1], sealer) is None
    assert use(database, ada, fresh[1], sealer) == "recovery-code"


def test_it_is_switched_off_by_whose_it_is(database, ada, sealer):
    _, codes = switched_on(database, ada, sealer)
    other = a_person(database, "other")
    with pytest.raises(Forbidden), UnitOfWork(database, acting(database, other.id)) as work:
        second_factor.remove(work, ada.id)
    with UnitOfWork(database, acting(database, ada.id)) as work:
        second_factor.remove(work, ada.id)
    assert use(database, ada, codes[0], sealer) is None


def test_the_secret_is_sealed_in_the_database(database, ada, sealer, tmp_path):
    app, _ = switched_on(database, ada, sealer)
    with database.session() as session:
        kept = session.scalar(select(table.c.secret))
    assert app.secret not in kept
    assert sealer.open(kept) == app.secret
    with pytest.raises(Corrupt):
        open_sealer(tmp_path / "another.key").open(kept)


def test_the_key_is_for_its_owner_alone_and_made_once(tmp_path):
    file = tmp_path / "secret.key"
    sealed = open_sealer(file).seal("hush")
    assert file.stat().st_mode & 0o777 == 0o600
    assert open_sealer(file).open(sealed) == "hush"
    assert list(tmp_path.iterdir()) == [file]
    file.chmod(0o644)
    with pytest.raises(Unavailable, match="others"):
        open_sealer(file)
    file.chmod(0o600)
    file.write_text("no key")
    with pytest.raises(Unavailable):
        open_sealer(file)
