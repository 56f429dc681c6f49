"""Many viewers at once: 50 with 100 requests in flight each, two minutes long, and nginx on the same chunks in turn.

Both have one process (ours more with --workers), and the program that asks has the other core. Goal: at least 0.4 times
nginx's goodput, a p99 of the accepted of at most 2.5 times nginx's, no error but 503 with Retry-After, memory that does
not grow, and not one wrong byte among the responses that a witness compares meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks._report import report
from benchmarks._serving import Server, nginx_server, pulvinar_server, tool
from benchmarks.chunks import SHAPE, Chunk, stored, tissue

VIEWERS, EACH = 50, 100
GOODPUT, SLOWER, GROWTH = 0.4, 2.5, 1.1
_WITNESSES = 4

_SCRIPT = """
local chunks = {%s}
local at = %d
function request()
  at = at %% #chunks + 1
  local c = chunks[at]
  return wrk.format("GET", %s)
end
function done(summary, latency, requests)
  local e = summary.errors
  local form = "TOLD all=%%d refused=%%d connect=%%d read=%%d write=%%d timeout=%%d us=%%d p50=%%d p99=%%d\\n"
  io.write(string.format(form,
    summary.requests, e.status, e.connect, e.read, e.write, e.timeout, summary.duration,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Load:
    """What came of a load: answers a second that held what was asked, others, connections that were lost."""

    good_per_s: float
    refused_share: float
    lost: int
    p50_ms: float
    p99_ms: float
    cpu_us: float


def main() -> int:
    """Run, print, and say by the exit code whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="how long each server is asked")
    parser.add_argument("--rounds", type=int, default=1, help="how often each server is asked, in turn")
    parser.add_argument("--workers", type=int, default=1, help="processes of our server")
    chosen = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="pulvinar-load-") as folder:
        place = Path(folder)
        chunks = stored(place / "home", tissue(SHAPE))
        with (
            pulvinar_server(place / "home", workers=chosen.workers) as ours,
            nginx_server(place / "home/store", place / "nginx", 8192) as nginx,
        ):
            return _judged(place, chunks, ours, nginx, chosen.rounds, chosen.seconds)


def _judged(place: Path, chunks: list[Chunk], ours: Server, nginx: Server, rounds: int, seconds: int) -> int:
    order = np.random.default_rng(3).permutation(len(chunks)).tolist()
    _script(place / "ours.lua", (f'"{chunks[n].path}"' for n in order), "c")
    ranges = (
        f'{{"/{chunks[n].shard}","bytes={chunks[n].start}-{chunks[n].start + chunks[n].size - 1}"}}' for n in order
    )
    _script(place / "nginx.lua", ranges, 'c[1], {["Range"] = c[2]}')
    pairs, sizes, compared, wrong = [], [], 0, 0
    _load(ours, place / "ours.lua", "warming up", 5)
    for _ in range(rounds):
        theirs = _load(nginx, place / "nginx.lua", "nginx", seconds)
        with _watched(ours.pid) as memory, _witness(ours, chunks, place / "home/store") as seen:
            pairs.append((_load(ours, place / "ours.lua", "pulvinar", seconds), theirs))
        compared, wrong = compared + seen[0], wrong + seen[1]
        third = max(1, len(memory) // 3)
        sizes.append(max(memory[-third:]) / max(memory[:third]))
    goodput = median(a.good_per_s / b.good_per_s for a, b in pairs)
    slower = median(a.p99_ms / b.p99_ms for a, b in pairs)
    errors, growth, busy = sum(a.lost for a, _ in pairs), max(sizes), max(a.refused_share for a, _ in pairs)
    print(f"{compared} responses compared meanwhile, {wrong} wrong; memory at the end {growth:.2f}x that at the start")
    figure = f"goodput {goodput:.2f}x, p99 {slower:.2f}x nginx's, {errors} errors, {busy:.1%} 503, {wrong} wrong bytes"
    goal = f">= {GOODPUT}x, <= {SLOWER}x, 0 errors, memory flat, 0 wrong"
    passed = goodput >= GOODPUT and slower <= SLOWER and errors == wrong == 0 and growth <= GROWTH and compared > 0
    return report("load", figure, goal, passed=passed)


def _script(path: Path, chunks: Iterator[str], asked: str) -> None:
    path.write_text(_SCRIPT % (",".join(chunks), 0, asked))


def _load(server: Server, script: Path, name: str, seconds: int) -> Load:
    before = server.cpu_s()
    command = [tool("wrk"), "-t1", f"-c{VIEWERS * EACH}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script)]
    told = subprocess.run([*command, server.address], capture_output=True, text=True, check=True).stdout
    spent = server.cpu_s() - before
    found = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", told.partition("TOLD")[2])}
    good = found["all"] - found["refused"]
    lost = {key: found[key] for key in ("connect", "read", "write", "timeout") if found[key]}
    made = Load(
        good / found["us"] * 1e6,
        found["refused"] / max(1, found["all"]),
        sum(lost.values()),
        found["p50"] / 1e3,
        found["p99"] / 1e3,
        spent / max(1, good) * 1e6,
    )
    print(
        f"{name}: {made.good_per_s:.0f} good a second, {made.cpu_us:.0f} us CPU each, p50 {made.p50_ms:.0f} ms, "
        f"p99 {made.p99_ms:.0f} ms, {made.refused_share:.1%} refused, lost {lost or 0}",
        flush=True,
    )
    return made


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """The memory of a process and those that it has started, in pages of their own, once a second."""
    found: list[int] = []
    stop = threading.Event()

    def look() -> None:
        while True:
            pids = [str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            sizes = (Path(f"/proc/{one}/statm").read_text().split()[1:3] for one in pids)
            found.append(sum(int(resident) - int(shared) for resident, shared in sizes))
            if stop.wait(1):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


@contextmanager
def _witness(server: Server, chunks: list[Chunk], store: Path) -> Iterator[list[int]]:
    """Compares what is answered meanwhile, byte for byte: how many, and how many are neither right nor a 503 that says
    when to come again."""
    seen = [0, 0]
    stop = threading.Event()
    shards = {key: np.memmap(store / key, np.uint8, "r") for key in {chunk.shard for chunk in chunks}}
    host, port = server.address.removeprefix("http://").split(":")

    async def ask(seed: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
        pick = np.random.default_rng(seed)
        while not stop.is_set():
            chunk = chunks[int(pick.integers(len(chunks)))]
            writer.write(f"GET {chunk.path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(re.findall(rb"content-length: (\d+)", head)[0]))
            seen[0] += 1
            if head.startswith(b"HTTP/1.1 503 ") and b"\r\nretry-after: " in head:
                await asyncio.sleep(0.1)
                continue
            truth = shards[chunk.shard][chunk.start : chunk.start + chunk.size].tobytes()
            seen[1] += not head.startswith(b"HTTP/1.1 200 ") or body != truth
        writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(ask(seed) for seed in range(_WITNESSES)))

    thread = threading.Thread(target=lambda: asyncio.run(all_of_them()))
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
