"""Chunks over HTTP: CPU a request against nginx serving the same ranges of the same shards, and not one wrong byte.

Goal: at most 1.5 times nginx's CPU with rights checked, at 64 connections; 0 wrong among 100,000 responses that are
compared byte for byte. A response is held against what lies in the shard, and every chunk of the volume is decoded
from its response by tensorstore and held against the voxels that went in.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import tensorstore
import uvloop

from benchmarks._report import report
from benchmarks._serving import Server, nginx_server, pulvinar_server, tool
from benchmarks._volumes import add_volume, new_platform
from pulvinar.model.volume import Shape5
from pulvinar.storage.shards import chunks_per_shard, index_size, parse_index, shard_path

SHAPE: Shape5 = (1, 1, 512, 512, 1024)
CONNECTIONS = 64
GOAL = 1.5


@dataclass(frozen=True)
class Chunk:
    """One stored chunk: its address at the gateway, its shard's path below the store, and where it lies in it."""

    path: str
    shard: str
    start: int
    size: int


def main() -> int:
    """Run, print, and say by the exit code whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="how long each measurement takes")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each server, taken in turn")
    parser.add_argument("--compared", type=int, default=100_000, help="how many responses are compared")
    chosen = parser.parse_args()
    tool("wrk")
    with tempfile.TemporaryDirectory(prefix="pulvinar-chunks-") as folder:
        home = Path(folder) / "home"
        voxels = tissue(SHAPE)
        chunks = stored(home, voxels)
        print(f"{len(chunks)} chunks, {np.mean([chunk.size for chunk in chunks]) / 1e3:.0f} kB each on average")
        with pulvinar_server(home) as ours, nginx_server(home / "store", Path(folder) / "nginx") as nginx:
            ratio = _measure(ours, nginx, chunks, Path(folder), chosen.rounds, chosen.seconds)
            _decode_all(ours, chunks, voxels)
            wrong = uvloop.run(_compare(ours, chunks, home / "store", chosen.compared))
    print(f"{chosen.compared} responses compared, {wrong} wrong")
    figure = f"{ratio:.2f}x nginx's CPU a request, {wrong} of {chosen.compared} wrong"
    return report("chunks", figure, f"<= {GOAL}x, 0 wrong", passed=ratio <= GOAL and wrong == 0)


def tissue(shape: Shape5) -> np.ndarray:
    """Voxels that compress as stained tissue does: a smooth structure, and the noise of a camera."""
    rng = np.random.default_rng(11)
    z, y, x = np.meshgrid(
        *(np.linspace(0, 9, side, dtype=np.float32) for side in shape[2:]), indexing="ij", sparse=True
    )
    smooth = 900 + 300 * np.sin(z + np.cos(y)) * np.cos(x)
    noise = rng.standard_normal(shape[2:], dtype=np.float32)
    return (smooth + 60 * noise).clip(0, 65535).astype(np.uint16)[None, None]


def stored(home: Path, voxels: np.ndarray) -> list[Chunk]:
    """Store `voxels` as a published volume, and find every chunk of its finest level."""
    platform = new_platform(home)
    version, asset, volume = add_volume(platform, "tissue", voxels)
    level = volume.levels[0]
    grid = chunks_per_shard(level)
    chunks = []
    for shard in np.ndindex(*(-(-a // b) for a, b in zip(level.shape, level.shard_shape, strict=True))):
        key = f"{asset.prefix}/{shard_path(0, shard)}"
        length = index_size(grid)
        index = parse_index(platform.store.read(key, platform.store.size(key) - length, length), grid)
        for inner in np.ndindex(*grid):
            found = index.locate(inner)
            if found:
                place = "/".join(str(a * n + b) for a, n, b in zip(shard, grid, inner, strict=True))
                chunks.append(Chunk(f"/data/{version.digest}/{asset.id}/chunks/0/c/{place}", key, *found))
    platform.close()
    return chunks


def _measure(ours: Server, nginx: Server, chunks: list[Chunk], folder: Path, rounds: int, seconds: int) -> float:
    """The median of the ratios of CPU seconds a request."""
    order = np.random.default_rng(3).permutation(len(chunks))
    plain = [f'"{chunks[n].path}"' for n in order]
    ranged = [
        f'{{"/{chunks[n].shard}","bytes={chunks[n].start}-{chunks[n].start + chunks[n].size - 1}"}}' for n in order
    ]
    (folder / "ours.lua").write_text(SCRIPT % (",".join(plain), "c"))
    (folder / "nginx.lua").write_text(SCRIPT % (",".join(ranged), 'c[1], {["Range"] = c[2]}'))
    ratios = []
    for _ in range(rounds):
        theirs = cpu_a_request(nginx, folder / "nginx.lua", "nginx", seconds)
        ratios.append(cpu_a_request(ours, folder / "ours.lua", "pulvinar", seconds) / theirs)
    print("ratios: " + ", ".join(f"{ratio:.2f}" for ratio in ratios))
    return median(ratios)


SCRIPT = """
local chunks = {%s}
local at = 0
request = function()
  at = at %% #chunks + 1
  local c = chunks[at]
  return wrk.format("GET", %s)
end
"""


def cpu_a_request(server: Server, script: Path, name: str, seconds: int) -> float:
    """CPU seconds a request under load."""
    before = server.cpu_s()
    command = [tool("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), server.address]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = server.cpu_s() - before
    if "Non-2xx" in told or "Socket errors" in told:
        sys.exit(f"{name} failed under load:\n{told}")
    requests = int(re.findall(r"(\d+) requests in", told)[0])
    p50, p99 = (re.findall(rf"{part}%\s+([\d.]+\w+)", told)[0] for part in (50, 99))
    print(
        f"{name}: {requests / seconds:.0f} requests/s, {spent / requests * 1e6:.0f} us CPU each, p50 {p50}, p99 {p99}"
    )
    return spent / requests


def _decode_all(server: Server, chunks: list[Chunk], voxels: np.ndarray) -> None:
    """Ends the benchmark unless tensorstore reads from the gateway the voxels that went in."""
    folder = chunks[0].path.partition("/c/")[0]
    array = tensorstore.open({"driver": "zarr3", "kvstore": f"{server.address}{folder}/"}).result()
    for z in range(0, voxels.shape[2], 64):
        if not np.array_equal(array[:, :, z : z + 64].read().result(), voxels[:, :, z : z + 64]):
            sys.exit(f"tensorstore reads other voxels from the gateway at z {z}")
    print(f"tensorstore reads all {voxels.size / 1e6:.0f} million voxels as they went in")


async def _compare(server: Server, chunks: list[Chunk], store: Path, count: int) -> int:
    """How many of `count` responses differ from what lies in the shards."""
    shards = {key: np.memmap(store / key, np.uint8, "r") for key in {chunk.shard for chunk in chunks}}
    todo = iter(np.random.default_rng(5).integers(0, len(chunks), count).tolist())
    host, port = server.address.removeprefix("http://").split(":")

    async def worker() -> int:
        wrong = 0
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
        for number in todo:
            chunk = chunks[number]
            writer.write(f"GET {chunk.path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.findall(rb"content-length: (\d+)", head)[0])
            body = await reader.readexactly(length)
            truth = shards[chunk.shard][chunk.start : chunk.start + chunk.size].data
            wrong += not head.startswith(b"HTTP/1.1 200 ") or body != truth
        writer.close()
        return wrong

    return sum(await asyncio.gather(*(worker() for _ in range(CONNECTIONS))))


if __name__ == "__main__":
    sys.exit(main())
