"""200 people who browse the portal for two minutes: how long they wait for a page.

A public server, one process a core, with an atlas and 300 datasets (one of them with voxels and the pictures of an
ingest). Each person has an address of their own, comes without a cookie, and goes from page to page as people do: the
first page, a search, a dataset, an atlas, a region, the manual. They read for 8 seconds on the average before they go
on: 200 of them ask for at most 25 pages a second. Of each page the files that a browser would ask for (sheets and
scripts, pictures on it) are fetched with it, once a person. Goal: a p95 of at most 300 ms from a click to the last byte
of the page, and no error.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx2
import numpy as np

from benchmarks._report import machine, report
from benchmarks._serving import Server, pulvinar_server
from benchmarks._volumes import add_volume
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.cli.atlases import install_packed
from pulvinar.cli.verbs import means_of
from pulvinar.ingest.atlas_packers import packers
from pulvinar.model.dataset import Asset, AssetKind, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Acquisition, Contributor, Record, Species
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

PEOPLE, SECONDS, READS_S = 200, 120.0, 8.0
P95_MS = 300.0
DATASETS = 300
WINDOW_S = 10.0
ATLAS = "/atlases/aal2_human_2mm"
_WORDS = ("cortex", "hippocampus", "light-sheet", "thalamus", "小鼠", "海马", "larval", "neurons")
_FILE = re.compile(r'(?:src|href)="(/(?:static|api/v1/assets)/[^"]+)"')


class Wait(NamedTuple):
    """How long somebody waited for a page of a kind, when they asked (seconds from the start), and whether it had been
    made for another before."""

    kind: str
    at_s: float
    ms: float
    kept: bool


@dataclass
class Told:
    """What was measured, and what went wrong."""

    began_s: float = field(default_factory=time.monotonic)
    waits: list[Wait] = field(default_factory=list)
    files: int = 0
    errors: list[str] = field(default_factory=list)


def main() -> int:
    """Fill a platform, have people browse it, print; 0 when the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of the server")
    chosen = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="pulvinar-portal-") as folder:
        places = _filled(Path(folder) / "home")
        with pulvinar_server(Path(folder) / "home", public=True, workers=chosen.workers) as server:
            began, spent = time.monotonic(), server.cpu_s()
            told = asyncio.run(_browsed(server, places, chosen.people, chosen.seconds))
            wall, cpu = time.monotonic() - began, server.cpu_s() - spent
    _show("page", told.waits, lambda one: one.kind)
    _show("made", told.waits, lambda one: "kept" if one.kept else "made anew")
    _show("from", told.waits, lambda one: f"{one.at_s // WINDOW_S * WINDOW_S:3.0f} s")
    for text in told.errors[:5]:
        print(f"  ERROR {text}", flush=True)
    waits = [one.ms for one in told.waits]
    print(
        f"  {len(waits) / wall:.1f} pages/s, {told.files} files beside them, server used {cpu / wall:.2f} cores, "
        f"{1e3 * cpu / max(len(waits), 1):.0f} ms of processor a page with its files"
    )
    figure = f"{chosen.people} people, {chosen.workers} processes, {chosen.seconds:g} s: {len(waits)} pages, "
    figure += f"p50 {median(waits):.0f} ms, "
    figure += f"p95 {_p95(waits):.0f} ms, {len(told.errors)} errors"
    passed = _p95(waits) <= P95_MS and not told.errors
    return report("portal_load", figure, f"p95 <= {P95_MS:g} ms, 0 errors", passed=passed)


def _show(title: str, waits: Sequence[Wait], group: Callable[[Wait], str]) -> None:
    """A table of the waits, by what `group` says of each."""
    groups = defaultdict(list)
    for one in waits:
        groups[group(one)].append(one)
    print(f"  {title:10}  pages   anew       p50       p95   longest", flush=True)
    for name, ones in sorted(groups.items()):
        ms, anew = [one.ms for one in ones], sum(not one.kept for one in ones)
        figures = f"{median(ms):6.1f} ms {_p95(ms):6.1f} ms {max(ms):6.0f} ms"
        print(f"  {name:10} {len(ones):6} {anew:6} {figures}", flush=True)


def _p95(waits: Sequence[float]) -> float:
    return float(np.percentile(waits, 95))


def _filled(home: Path) -> dict[str, tuple[str, ...]]:
    """A platform with an atlas and datasets; the pages that people go to, by what they are."""
    with open_platform(load_settings(environment={}, home=home)) as platform:
        install_packed(means_of(platform), packers()["aal2_human_2mm"]())
        datasets = []
        with UnitOfWork(platform.database, platform.actor) as work:
            for number in range(DATASETS):
                made = create_dataset(work, _record(number), node="local")
                draft = open_draft(work, made.id).id
                add_asset(work, draft, _cells(number), ())
                publish(work, draft)
                datasets.append(made.id)
        tissue = np.random.default_rng(0).integers(0, 4000, (1, 1, 64, 96, 96), np.uint16)
        version, _, _ = add_volume(platform, "Tissue", tissue, pictures=True)
    return {
        "home": ("/",),
        "search": tuple(f"/?q={word}" for word in _WORDS),
        "species": tuple(f"/species/{one.value}" for one in Species),
        "dataset": tuple(f"/datasets/{one}" for one in [*datasets, *[version.dataset_id] * 30]),
        "atlas": ("/atlases", ATLAS),
        "region": tuple(
            f"/atlases/aal2_human_2mm/regions/{name}" for name in ("Thalamus_L", "Hippocampus_R", "Insula_L")
        ),
        "manual": ("/manual", "/manual/tutorials/first-brain", "/manual/reference/commands", "/manual?q=backup"),
        "lists": ("/collections", "/solutions", "/labs"),
    }


def _cells(number: int) -> Asset:
    """A table of which only the entry is there: nobody here opens it."""
    return Asset(new_id(), f"Cells {number}", AssetKind.TABLE, "none", 0, 0, asset_digest(()), {"count": 100 + number})


def _record(number: int) -> Record:
    words = [_WORDS[(number + step) % len(_WORDS)] for step in range(3)]
    return Record(
        f"Brain {number}: {' '.join(words)}",
        list(Species)[number % len(Species)],
        "CC-BY-4.0",
        description=f"The {number}th of many brains, with {words[0]} and {words[1]}.",
        lab=f"Laboratory {number % 12}",
        acquisition=Acquisition(modality="light-sheet"),
        contributors=(Contributor(f"Person {number % 40}"),),
    )


async def _browsed(server: Server, places: dict[str, tuple[str, ...]], people: int, seconds: float) -> Told:
    told = Told()
    end = time.monotonic() + seconds
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(base_url=server.address, limits=limits, timeout=30.0) as client:
        await asyncio.gather(*(_person(client, places, told, number, end) for number in range(people)))
    return told


async def _person(
    client: httpx2.AsyncClient, places: dict[str, tuple[str, ...]], told: Told, number: int, end: float
) -> None:
    """One person: pages one after the other, each read for a while; what a page shows is kept by their browser."""
    chance = random.Random(number)
    headers = {"accept": "text/html", "accept-language": chance.choice(("en", "zh-CN")), "accept-encoding": "gzip"}
    headers["x-forwarded-for"] = f"10.1.{number // 250}.{number % 250 + 1}"
    known: set[str] = set()
    await asyncio.sleep(chance.random() * READS_S)
    while time.monotonic() < end:
        name = chance.choice(tuple(places))
        path = chance.choice(places[name])
        asked_s, began = time.monotonic() - told.began_s, time.perf_counter()
        page = await _asked(client, path, headers, told)
        if page is not None:
            waited_ms = 1e3 * (time.perf_counter() - began)
            told.waits.append(Wait(name, asked_s, waited_ms, "age" in page.headers))
            new = [one.replace("&amp;", "&") for one in dict.fromkeys(_FILE.findall(page.text)) if one not in known]
            known.update(new)
            await asyncio.gather(*(_asked(client, one, {**headers, "accept": "*/*"}, told) for one in new))
            told.files += len(new)
        await asyncio.sleep(chance.expovariate(1 / READS_S))


async def _asked(client: httpx2.AsyncClient, path: str, headers: dict[str, str], told: Told) -> httpx2.Response | None:
    try:
        answer = await client.get(path, headers=headers)
    except httpx2.HTTPError as error:
        told.errors.append(f"{path}: {error!r}")
        return None
    if answer.status_code != 200:
        told.errors.append(f"{path}: {answer.status_code}")
        return None
    return answer


if __name__ == "__main__":
    raise SystemExit(main())
