"""Every broken and hostile file, and every valid twin, through the real `pulvinar ingest`, while a server answers.

Each is taken into a home of its own by a process of its own. It must come to what the table in `tests/ingest/
hostile_files` says: refused with this reason, or stored with these values; nothing may be left behind of what was
refused, neither files nor processes, and nothing beside it be touched. Meanwhile a server on the same machine is asked
for a page or a chunk every 100 ms.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tests.ingest.hostile_files.case import Case, Good, Ingested, Result, every_case, every_twin, wrongs
from tests.ingest.hostile_files.outcome import remains, stored_assets

from benchmarks._processes import at_work_below, watched_run
from benchmarks._report import Cost, machine, report
from benchmarks._serving import pulvinar_server

WORK = Path(".bench") / "hostile"
FLAGS = ("--title", "A brain", "--species", "mouse", "--licence", "CC0-1.0")
MEMORY_BYTES, CPU_S, PERIOD_S, PATIENCE_S = 2e9, 60.0, 0.1, 10.0


@dataclass
class Asked:
    """What a server was asked meanwhile: how long each answer took, and those that did not come."""

    waits_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def main() -> int:
    """Take every case and twin and print what came of each; 0 when all is as the table says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="*", help="cases and twins of this name or pattern")
    parser.add_argument("--jobs", type=int, default=1, help="so many at once")
    chosen = parser.parse_args()
    items: list[Case | Good] = [item for item in (*every_case(), *every_twin()) if fnmatch(item.name, chosen.only)]
    # only what an earlier run of this very command has left
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    print(machine(), flush=True)
    first = every_twin()[0]
    served = WORK / "served"
    _take(first, served, WORK / "first")
    costs, wrong = [], 0
    with _asked_meanwhile(served) as asked, ThreadPoolExecutor(chosen.jobs) as pool:
        results = pool.map(_tried, items, (WORK / f"{number}" for number in range(len(items))))
        for item, (found, cost) in zip(items, results, strict=True):
            costs.append(cost)
            wrong += bool(found)
            _print(item, found, cost)
    shutil.rmtree(WORK)
    return _close(items, costs, asked, wrong)


def _tried(item: Case | Good, place: Path) -> tuple[list[str], Cost]:
    """Everything that is wrong with how an item was taken, and what that took."""
    home, folder = place / "home", place / "files"
    given, before, code, cost, words = _take(item, home, folder)
    left = [] if code == 0 else remains(home)
    assets = stored_assets(home) if code == 0 else None
    stored = None if assets is None else {name: values for name, (values, _) in assets.items()}
    findings = [line for _, said in (assets or {}).values() for line in said]
    found = wrongs(item, given, Result(words, stored, home, findings))
    found += [f"it is left: {name}" for name in left[:3]]
    found += [f"process {number} goes on" for number in at_work_below(home)]
    found += ["files beside it were changed"] if _listing(folder) != before else []
    found += [f"it took {cost.peak_bytes / 1e9:.2f} GB"] if cost.peak_bytes > MEMORY_BYTES else []
    found += [f"it took {cost.cpu_s:.0f} s of processor time"] if cost.cpu_s > CPU_S else []
    shutil.rmtree(place)
    return found, cost


def _take(item: Case | Good, home: Path, folder: Path) -> tuple[Path, dict[str, int], int, Cost, str]:
    """Make the files of an item and ingest them: what was handed in, what lay there, exit code, cost and words."""
    folder.mkdir(parents=True)
    given = item.make(folder.absolute())
    before = _listing(folder)
    command = [sys.executable, "-c", "from pulvinar.cli import main; main()", "ingest", given, *FLAGS, *item.flags]
    log = folder.parent / "words"
    code, cost = watched_run(command, log, {"PULVINAR_HOME": str(home.absolute())})
    return given, before, code, cost, log.read_text(errors="replace")


def _listing(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted(folder.rglob("*")) if not path.is_dir()}


def _print(item: Case | Good, found: list[str], cost: Cost) -> None:
    outcome = item.outcome if isinstance(item, Case) else Ingested()
    meant = "twin" if isinstance(item, Good) else "ingested" if isinstance(outcome, Ingested) else "refused"
    print(f"  {meant:8} {cost.peak_bytes / 1e6:6.0f} MB {cost.cpu_s:5.1f} s  {item.name}", flush=True)
    for line in found:
        print(f"    WRONG: {line.strip()}", flush=True)


@contextmanager
def _asked_meanwhile(home: Path) -> Iterator[Asked]:
    """A server over `home`, which is asked all the while for its page, its list and its health."""
    asked, ended = Asked(), threading.Event()
    with pulvinar_server(home) as server:
        pages = [f"{server.address}{path}" for path in ("/", "/api/v1/datasets", "/healthz")]
        asking = threading.Thread(target=_ask, args=(pages, asked, ended))
        asking.start()
        try:
            yield asked
        finally:
            ended.set()
            asking.join()


def _ask(pages: list[str], asked: Asked, ended: threading.Event) -> None:
    number = 0
    while not ended.wait(PERIOD_S):
        page, start = pages[number % len(pages)], time.perf_counter()
        number += 1
        try:
            with urllib.request.urlopen(page, timeout=PATIENCE_S) as answer:
                answer.read()
        except OSError as error:
            asked.failures.append(f"{page}: {error}")
        asked.waits_s.append(time.perf_counter() - start)


def _close(items: list[Case | Good], costs: list[Cost], asked: Asked, wrong: int) -> int:
    cases = sum(isinstance(item, Case) for item in items)
    peak, cpu_s = max(cost.peak_bytes for cost in costs), max(cost.cpu_s for cost in costs)
    for line in asked.failures[:5]:
        print(f"  UNANSWERED: {line}")
    figure = (
        f"{cases} cases and {len(items) - cases} twins, {wrong} wrong, peak {peak / 1e9:.2f} GB, cpu {cpu_s:.1f} s, "
        f"{len(asked.failures)} of {len(asked.waits_s)} requests unanswered (slowest {max(asked.waits_s):.2f} s)"
    )
    passed = wrong == 0 and not asked.failures and peak <= MEMORY_BYTES and cpu_s <= CPU_S
    return report("hostile", figure, f"0 wrong, <= {MEMORY_BYTES / 1e9} GB, <= {CPU_S} s, 0 unanswered", passed=passed)


if __name__ == "__main__":
    sys.exit(main())
