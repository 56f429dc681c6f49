"""Handing in over a bad line, and how fast over a good one.

A file of `--gb` goes through a loopback line that is cut at 200 random moments, to a server that is killed 20 times
with SIGKILL: it must end complete, byte for byte what was sent, with at most one part re-sent a break. Then the same
file over the good line, against `curl` that PUTs it to a plain server which writes it to the same disk and syncs it.

The figure is our MB/s over curl's; the goal 0.7, with nothing lost and nothing re-sent beyond that.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._cutting import CuttingLine
from benchmarks._report import machine, report
from pulvinar.client.tus import PIECE_BYTES

WORK = Path(".bench") / "upload"
GOAL = 0.7


def main() -> int:
    """Run both; 0 only when nothing was lost and the speed is as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--gb", type=float, default=10.0)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else int(time.time())
    random.seed(seed)
    print(f"{machine()}, seed {seed}", flush=True)
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    try:
        source, digest = make_source(WORK / "source.bin", int(arguments.gb * 1e9))
        sound = bad_line(source, digest, arguments.cuts, arguments.kills)
        ratio = good_line(source, arguments.rounds)
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    whole = arguments.gb >= 10 and arguments.cuts >= 200 and arguments.kills >= 20
    if not whole:
        print("a trial smaller than what the goal is about")
    return report("upload", f"{ratio:.2f}", f"{GOAL}", passed=sound and ratio >= GOAL and whole)


def make_source(path: Path, size_bytes: int) -> tuple[Path, str]:
    """A file of noise, and its SHA-256."""
    numbers, digest, left = np.random.default_rng(5), hashlib.sha256(), size_bytes
    with path.open("wb") as file:
        while left:
            block = numbers.bytes(min(left, 64 << 20))
            file.write(block)
            digest.update(block)
            left -= len(block)
        file.flush()
        os.fsync(file.fileno())
    return path, digest.hexdigest()


class Server:
    """`pulvinar serve` at one port, which can be killed and started anew."""

    def __init__(self, home: Path, port: int = 0) -> None:
        self._home, self.port = home, port
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-c", "from pulvinar.cli import main; main()", "serve", "--port", str(self.port)]
        environment = {**os.environ, "PULVINAR_HOME": str(self._home.absolute()), "PULVINAR_UPLOAD_QUOTA_GB": "0"}
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        words = self._process.stdout.readline()
        self.port = int(words.split("127.0.0.1:")[1].split("/")[0])

    def kill(self) -> None:
        """SIGKILL, and another server in its place."""
        self.stop(signal.SIGKILL)
        self._start()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the process."""
        self._process.send_signal(number)
        self._process.wait()


def upload(source: Path, port: int) -> tuple[float, dict[str, Any]]:
    """`pulvinar upload`: how long it took, and what it says."""
    command = [sys.executable, "-c", "from pulvinar.cli import main; main()", "upload", str(source), "--json"]
    begun = time.perf_counter()
    done = subprocess.run([*command, "--to", f"http://127.0.0.1:{port}"], check=True, stdout=subprocess.PIPE)
    return time.perf_counter() - begun, json.loads(done.stdout)


def bad_line(source: Path, digest: str, cuts: int, kills: int) -> bool:
    """Whether the file comes through the bad line as it was, with no more re-sent than is allowed."""
    size = source.stat().st_size
    server = Server(WORK / "bad")
    moments = [random.randrange(size) for _ in range(cuts + kills)]
    line = CuttingLine(server.port, moments[:cuts], moments[cuts:], server.kill)
    try:
        took, told = upload(source, line.port)
        arrived = WORK / "bad" / "scratch" / "uploads" / told["id"] / "files" / source.name
        with arrived.open("rb") as file:
            right = hashlib.file_digest(file, "sha256").hexdigest() == digest
    finally:
        line.close()
        server.stop()
        shutil.rmtree(WORK / "bad", ignore_errors=True)
    again, allowed = line.sent - size, line.breaks * PIECE_BYTES
    print(
        f"bad line: {size / 1e9:.1f} GB in {took:.0f} s, {cuts} cuts, {kills} kills, {line.breaks} connections broken, "
        f"{line.left} events left; {'complete and verified' if right else 'NOT WHAT WAS SENT'}; "
        f"{again / 1e6:.0f} MB sent again, {again / max(line.breaks, 1) / PIECE_BYTES:.2f} parts a break",
        flush=True,
    )
    return right and again <= allowed and line.left == 0


def good_line(source: Path, rounds: int) -> float:
    """Our speed over curl's, the median of some rounds, one after the other."""
    size = source.stat().st_size
    ours, kept, dropped = [], [], []
    for number in range(rounds):
        kept.append(size / curl(source, WORK / "sink.bin") / 1e6)
        dropped.append(size / curl(source, None) / 1e6)
        server = Server(WORK / f"good{number}")
        try:
            ours.append(size / upload(source, server.port)[0] / 1e6)
        finally:
            server.stop()
            shutil.rmtree(WORK / f"good{number}", ignore_errors=True)
        print(
            f"good line: {ours[-1]:.0f} MB/s; curl to a file {kept[-1]:.0f} MB/s, to nothing {dropped[-1]:.0f} MB/s",
            flush=True,
        )
    return statistics.median(ours) / statistics.median(kept)


def curl(source: Path, target: Path | None) -> float:
    """How long curl takes to PUT the file to a plain server, which keeps it where there is a target."""
    with sink(target) as port:
        begun = time.perf_counter()
        subprocess.run(["curl", "-sSf", "-o", "/dev/null", "-T", str(source), f"http://127.0.0.1:{port}/"], check=True)
        took = time.perf_counter() - begun
    if target is not None:
        target.unlink()
    return took


@contextmanager
def sink(target: Path | None) -> Iterator[int]:
    """A plain server; its port."""
    command = [sys.executable, "-m", "benchmarks._sink", str(target or "")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
