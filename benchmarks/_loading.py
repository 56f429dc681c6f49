"""Loads made-up rows into SQLite and PostgreSQL at once, and measures what is asked of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pulvinar.catalogue.word_index import WordIndex, signature_of, vector_literal
from pulvinar.storage.database import Database

BATCH = 5_000
ROUNDS = 100
WARMING = 3
LONGEST_S = 20.0
Tables = Mapping[str, tuple[str, ...]]
"""Names of columns by table, each table after those to which it refers."""
Ask = Callable[[], object]


@dataclass(frozen=True)
class Portion:
    """Rows of every table, and the words of each row of the index of words by its number."""

    values: dict[str, list[tuple[object, ...]]]
    words: list[tuple[int, list[str]]]


def load(databases: Sequence[Database], tables: Tables, index: WordIndex, portions: Iterable[Portion]) -> None:
    """Put the same rows into every database; each row is made once for all of them."""
    with ExitStack() as ending:
        loads = [
            ending.enter_context((_sqlite if one.is_sqlite else _postgresql)(one, tables, index)) for one in databases
        ]
        pool = ending.enter_context(ThreadPoolExecutor(len(loads)))
        running: list[Future[None]] = []
        for portion in portions:
            for before in running:
                before.result()
            running = [pool.submit(one, portion) for one in loads]
        for last in running:
            last.result()


@contextmanager
def _sqlite(database: Database, tables: Tables, index: WordIndex) -> Iterator[Callable[[Portion], None]]:
    """The index is left in the pieces in which it was written, as on a node that is in use: nothing is optimised."""

    def put(portion: Portion) -> None:
        for table, columns in tables.items():
            marks = ",".join("?" * len(columns))
            cursor.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", portion.values[table])
        rows = ((number, " ".join(words)) for number, words in portion.words)
        cursor.executemany(f"INSERT INTO {index} (rowid, words) VALUES (?,?)", rows)

    with closing(sqlite3.connect(str(database.engine.url.database), check_same_thread=False)) as connection:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.execute("PRAGMA cache_size=-200000")
        yield put
        cursor.execute("ANALYZE")
        connection.commit()


@contextmanager
def _postgresql(database: Database, tables: Tables, index: WordIndex) -> Iterator[Callable[[Portion], None]]:
    """The index of words is made at the end, in one go: row by row it would take three times as long."""

    def put(portion: Portion) -> None:
        for table, columns in tables.items():
            with cursor.copy(f"COPY {table} ({','.join(columns)}) FROM STDIN") as copy:
                for row in portion.values[table]:
                    copy.write_row(row)
        with cursor.copy(f"COPY {index} (seq, words, signature) FROM STDIN") as copy:
            for number, words in portion.words:
                copy.write_row((number, vector_literal(index, number, words), signature_of(words)))

    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        (made,) = connection.exec_driver_sql(f"SELECT pg_get_indexdef('{index}_by_word'::regclass)").one()
        connection.exec_driver_sql(f"DROP INDEX {index}_by_word")
        with connection.connection.cursor() as cursor:
            yield put
        connection.exec_driver_sql("SET maintenance_work_mem = '512MB'")
        connection.exec_driver_sql(made)
        connection.exec_driver_sql("VACUUM ANALYZE")


class Figures(NamedTuple):
    """What a question took in ms: by the clock, and of processors, which a busy machine hardly lengthens. And how many
    KiB of files were read, from the memory of the system or from the disk: half of the times, and at most."""

    median: float
    p99: float
    cpu_median: float = 0.0
    cpu_p99: float = 0.0
    read_kib: float = 0.0
    most_read_kib: float = 0.0


Meter = Callable[[], tuple[float, float, float]]
"""Tells the time in seconds: by the clock, and of processors so far; and how many bytes were read so far."""


def meter_of(database: Database) -> Meter:
    """Of this process and of the processes of a server here that answer it, or read for those that do."""
    processes = [Path("/proc/self")]
    if not database.is_sqlite:
        asked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() OR backend_type = 'io worker'"
        with database.engine.connect() as connection:
            processes += [Path(f"/proc/{pid}") for (pid,) in connection.exec_driver_sql(asked)]

    def now() -> tuple[float, float, float]:
        processors, read = time.process_time(), 0
        for one in processes:
            with suppress(OSError):
                read += int((one / "io").read_text().split()[1])
                processors += int((one / "schedstat").read_text().split()[0]) / 1e9 if one is not processes[0] else 0
        return time.perf_counter(), processors, read

    return now


def _own_meter() -> tuple[float, float, float]:
    return time.perf_counter(), time.process_time(), 0.0


def measure(question: Ask, meter: Meter = _own_meter) -> Figures:
    """Medians and 99th percentiles, after three questions to warm up; what is slow is asked for 20 s."""
    return _figures([question] * (WARMING + ROUNDS), meter)


def measure_twice(draw: Callable[[], Ask], meter: Meter) -> tuple[Figures, Figures]:
    """The same questions twice: as they come, when what they read may lie on the disk alone, and once more."""
    questions = [draw() for _ in range(WARMING + ROUNDS)]
    return _figures(questions, meter), _figures(questions, meter)


def _figures(questions: Sequence[Ask], meter: Meter) -> Figures:
    took: list[tuple[float, float, float]] = []
    for question in questions:
        before = meter()
        question()
        wall, processors, read = np.subtract(meter(), before).tolist()
        took.append((wall * 1000, processors * 1000, read / 1024))
        if sum(wall for wall, *_ in took) > LONGEST_S * 1000:
            break
    wall, processors, read = np.array(took[WARMING:] or took).T
    times = [float(one) for row in (wall, processors) for one in (np.median(row), np.percentile(row, 99))]
    return Figures(*times, float(np.median(read)), float(read.max()))


class server_database:  # noqa: N801 (used as a verb)
    """A database of the server, removed at the end unless it is kept; one that was kept is taken as it is."""

    def __init__(self, server: str, size: int, *, keep: bool = False) -> None:
        self._server, self._name, self._keep = server, f"bench_{size}", keep

    def _run(self, statement: str) -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(self._server, autocommit=True) as connection:
            done = connection.execute(statement)  # type: ignore[call-overload]
            return done.fetchall() if done.description else []

    def __enter__(self) -> str:
        from sqlalchemy import make_url

        if not self._run(f"SELECT 1 FROM pg_database WHERE datname = '{self._name}'"):
            self._run(f"CREATE DATABASE {self._name} TEMPLATE template0 ENCODING 'UTF8'")
        url = make_url(self._server).set(drivername="postgresql+psycopg", database=self._name)
        return url.render_as_string(hide_password=False)

    def __exit__(self, *about: object) -> None:
        if not self._keep:
            self._run(f"DROP DATABASE {self._name} WITH (FORCE)")
