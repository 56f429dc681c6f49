"""What survives: an ingest killed at random moments, and the power cut under it.

`kills` times an ingest's whole process group gets SIGKILL, and the same command is given again. Then `cuts` times the
file system under the platform is shut down without flushing (FS_IOC_SHUTDOWN on a loop mount), which is what a power
cut leaves. Each time: nothing was visible too early, everything that had been acknowledged is there and whole, no
finished shard is written again, `verify` finds no damage, and the digest is that of an undisturbed ingest.

The figure is the number of things lost, torn, redone or wrong; the goal is 0 over all kills and all cuts.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

WORK = Path(".bench") / "kill"
FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
IMAGE_BYTES = 2 << 30
# long, so that shards of three levels are finished one after the other all the while: 5, 3 and 2
SHAPE = (2112, 290, 288)
Shard = tuple[str, str]
"""An asset's identifier and the path of an object in it."""


@dataclass
class Tally:
    """What was tried, and everything that went wrong."""

    tried: int = 0
    resumed: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, good: bool, what: str) -> None:
        """Note `what` unless `good`."""
        if not good:
            self.wrong.append(what)
            print(f"  WRONG: {what}", flush=True)


@dataclass(frozen=True)
class Bench:
    """What every trial shares: the source, how long an undisturbed ingest takes, and the digest it gives."""

    source: Path
    duration_s: float
    digest: str
    shards: int

    def moment(self, number: int) -> dict[str, Any]:
        """When to strike: any time at all, and every other time when some shards are finished and others are not."""
        if number % 2:
            return {"moment_s": 10 * self.duration_s, "objects": random.randrange(1, self.shards)}
        return {"moment_s": random.uniform(0.0, self.duration_s)}


def main() -> int:
    """Run the trials; 0 only when nothing went wrong and every trial could be made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--cuts", type=int, default=25)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="leave the working folder for a look")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else int(time.time())
    random.seed(seed)
    print(f"seed {seed}")
    # only what an earlier run of this very command has left
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    bench = undisturbed(make_stack(WORK / "stack"))
    kills, cuts = Tally(), Tally()
    for number in range(arguments.kills):
        one_kill(bench, kills, number)
    for kind in file_systems():
        for number in range(arguments.cuts):
            one_cut(bench, cuts, number, kind)
    if not arguments.keep:
        shutil.rmtree(WORK, ignore_errors=True)
    return close(arguments, kills, cuts)


def close(arguments: argparse.Namespace, kills: Tally, cuts: Tally) -> int:
    """Print what came of it; the last line is name, figure, goal, verdict."""
    wrong = len(kills.wrong) + len(cuts.wrong)
    print(f"{kills.tried} kills, {kills.resumed} in the middle of the work and resumed; {len(kills.wrong)} wrong")
    print(f"{cuts.tried} power cuts, {cuts.resumed} in the middle of the work and resumed; {len(cuts.wrong)} wrong")
    whole = kills.tried >= min(arguments.kills, 50) and cuts.tried >= arguments.cuts
    if not whole:
        print("not every trial could be made on this machine")
    good = wrong == 0 and whole and kills.resumed > 0
    print(f"kill {wrong} 0 {'pass' if good else 'short'}")
    return 0 if good else 1


def make_stack(folder: Path) -> Path:
    """A folder of TIFF planes with structure on a dim background, uint16."""
    folder.mkdir(parents=True)
    random_numbers = np.random.default_rng(7)
    depth, height, width = SHAPE
    coarse = random_numbers.random((depth // 32 + 2, height // 32 + 2, width // 32 + 2))
    rows, columns = np.arange(height) / 32, np.arange(width) / 32
    for z in range(depth):
        low, share = divmod(z / 32, 1)
        plane = coarse[int(low)] * (1 - share) + coarse[int(low) + 1] * share
        plane = np.stack([np.interp(columns, np.arange(plane.shape[1]), row) for row in plane])
        plane = np.stack([np.interp(rows, np.arange(plane.shape[0]), column) for column in plane.T], axis=1)
        tissue = np.where(plane > 0.45, plane * 3000, 90)
        noisy = tissue + random_numbers.normal(0, 12, tissue.shape)
        tifffile.imwrite(folder / f"plane{z:04d}.tif", np.clip(noisy, 0, 65535).astype("<u2"))
    return folder


def undisturbed(source: Path) -> Bench:
    """Ingest once without disturbance: its digest is the truth, its duration the range of moments."""
    home = WORK / "undisturbed"
    with_warm_caches = start(source, WORK / "warm")
    with_warm_caches.wait()
    shutil.rmtree(WORK / "warm")
    began = time.monotonic()
    process = start(source, home)
    if process.wait() != 0:
        raise SystemExit(f"the undisturbed ingest failed: see {home.parent / (home.name + '.log')}")
    took = time.monotonic() - began
    version = published(home)[0]
    digest, shards = version[1], sum(map(is_shard, objects_of(home, version)))
    shutil.rmtree(home)
    print(f"undisturbed: {took:.1f} s, {shards} shards, digest {digest[:16]}", flush=True)
    return Bench(source, took, digest, shards)


def one_kill(bench: Bench, tally: Tally, number: int) -> None:
    """Kill an ingest with everything it has started, start it again, and look."""
    home = WORK / f"kill{number}"
    process = start(bench.source, home)
    began = time.monotonic()
    watch_until(process, home, **bench.moment(number))
    stop_group(process)
    moment = time.monotonic() - began
    tally.tried += 1
    before = recorded(home)
    stamps = {key: stamp(home, key) for key in before}
    tally.check(None not in stamps.values(), f"kill {number}: a recorded object is not in the store")
    started_late = published(home)
    tally.check(len(started_late) <= 1, f"kill {number}: {len(started_late)} versions after one ingest")
    finish_and_look(bench, tally, f"kill {number}", home, before, stamps)
    shutil.rmtree(home)
    print(f"kill {number} after {moment:.2f} s: {len(before)} objects were finished", flush=True)


def one_cut(bench: Bench, tally: Tally, number: int, kind: str) -> None:
    """Cut the power under an ingest, start the file system anew, look, start the ingest again, look again."""
    image, place = WORK / f"{kind}.img", (WORK / f"{kind}").absolute()
    make_file_system(image, kind)
    home = place / "home"
    with mounted(image, place):
        process = start(bench.source, home, log=WORK / "cut.log")
        acknowledged = watch_until(process, home, **bench.moment(number))
        visible = published(home)
        cut_power(place)
        stop_group(process)
    tally.tried += 1
    with mounted(image, place):
        there = recorded(home)
        after = published(home)
        gone_on = {key for version in after for key in objects_of(home, version)}
        lost = acknowledged.keys() - there.keys() - gone_on
        tally.check(not lost, f"{kind} cut {number}: {len(lost)} acknowledged objects are lost")
        tally.check(set(visible) <= set(after), f"{kind} cut {number}: a visible version is gone")
        for key, digest in there.items():
            tally.check(sha256(home, key) == digest, f"{kind} cut {number}: {key[1]} is recorded and not whole")
        stamps = {key: stamp(home, key) for key in there}
        finish_and_look(bench, tally, f"{kind} cut {number}", home, there, stamps)
    image.unlink()
    print(f"{kind} cut {number}: {len(acknowledged)} objects were acknowledged, none may be lost", flush=True)


def finish_and_look(
    bench: Bench,
    tally: Tally,
    name: str,
    home: Path,
    before: Mapping[Shard, str],
    stamps: Mapping[Shard, tuple[int, int] | None],
) -> None:
    """Give the command again; then digest, damage, and whether anything finished was written once more."""
    done_before = bool(published(home))
    process = start(bench.source, home, log=WORK / "again.log")
    code = process.wait()
    tally.check(code == 0, f"{name}: the restart ended with {code}: {(WORK / 'again.log').read_text()[-400:]}")
    if code:
        return
    versions = published(home)
    tally.check(len(versions) == 1, f"{name}: {len(versions)} versions after the restart")
    tally.check(all(digest == bench.digest for _, digest in versions), f"{name}: another digest")
    redone = [key[1] for key in before if is_shard(key) and stamp(home, key) != stamps[key]]
    tally.check(not redone, f"{name}: {len(redone)} finished shards were written again")
    tally.check(damages(home, versions) == 0, f"{name}: verify finds damage")
    tally.check(not recorded(home), f"{name}: the session was not closed")
    if before and not done_before:
        tally.resumed += 1


def start(source: Path, home: Path, log: Path | None = None) -> subprocess.Popen[bytes]:
    """`pulvinar ingest` in a process group of its own."""
    command = [*pulvinar(), "ingest", str(source), "--title", "Kill", "--species", "mouse", "--licence", "CC0-1.0"]
    with (log or home.with_suffix(".log")).open("wb") as output:
        return subprocess.Popen(
            [*command, "--voxel-size", "2", "--axes", "zyx", "--originals", "discard"],
            env={**os.environ, "PULVINAR_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def pulvinar() -> list[str]:
    """The command line, of this very environment."""
    return [sys.executable, "-c", "from pulvinar.cli import main; main()"]


def stop_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the process, its readers and whatever else it has started; all of it is gone on return."""
    family = descendants(process.pid)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for number in family:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()
    for number in family:
        while Path(f"/proc/{number}").exists() and b"\nState:\tZ" not in Path(f"/proc/{number}/status").read_bytes():
            time.sleep(0.005)


def descendants(number: int) -> list[int]:
    """Every process below process `number`."""
    found: list[int] = []
    waiting = [number]
    while waiting:
        try:
            text = Path(f"/proc/{waiting[-1]}/task/{waiting.pop()}/children").read_text()
        except OSError:
            continue
        children = [int(word) for word in text.split()]
        found += children
        waiting += children
    return found


def rows(home: Path, query: str) -> list[tuple[str, ...]]:
    """What the catalogue answers; nothing where there is none yet."""
    path = home / "catalogue.sqlite"
    if not path.exists():
        return []
    try:
        return asked(f"file:{path}?mode=ro", query)
    except sqlite3.OperationalError as error:
        if "readonly" not in str(error):
            raise
    # its log has to be played back first: in a copy, so that the platform finds what the trial has left
    with tempfile.TemporaryDirectory() as copy:
        for file in home.glob("catalogue.sqlite*"):
            shutil.copy(file, copy)
        return asked(f"file:{copy}/catalogue.sqlite", query)


def asked(address: str, query: str) -> list[tuple[str, ...]]:
    """The rows of a query; none where the trial struck before there were tables."""
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=10)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error) or "unable to open" in str(error):
            return []
        raise


def recorded(home: Path) -> dict[Shard, str]:
    """SHA-256 of every object that the session's ledger holds."""
    return {(asset, path): digest for asset, path, digest in rows(home, LEDGER)}


LEDGER = "SELECT asset_id, path, sha256 FROM ingest_object"
VERSIONS = "SELECT dataset_id, digest FROM version"
OBJECTS = "SELECT asset_id, path FROM asset_object"


def published(home: Path) -> list[tuple[str, str]]:
    """Every visible version: its dataset and its digest."""
    return [(dataset, digest) for dataset, digest in rows(home, VERSIONS)]


def objects_of(home: Path, version: tuple[str, str]) -> set[Shard]:
    """Every object that the catalogue holds."""
    del version  # there is one version in each trial
    return {(asset, path) for asset, path in rows(home, OBJECTS)}


def is_shard(key: Shard) -> bool:
    """Whether an object is a shard of a pyramid, and not one of its documents or pictures."""
    return "/c/" in key[1]


def file_of(home: Path, key: Shard) -> Path:
    """Where an object lies in the platform's folder."""
    return home / "store" / "assets" / key[0] / key[1]


def stamp(home: Path, key: Shard) -> tuple[int, int] | None:
    """What changes when an object is written again; None when it isn't there."""
    try:
        status = file_of(home, key).stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def sha256(home: Path, key: Shard) -> str:
    """SHA-256 of the stored bytes; "" when there are none."""
    try:
        return hashlib.sha256(file_of(home, key).read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def damages(home: Path, versions: list[tuple[str, str]]) -> int:
    """How many of the datasets `pulvinar verify` finds damaged."""
    environment = {**os.environ, "PULVINAR_HOME": str(home)}
    commands = [[*pulvinar(), "verify", dataset] for dataset, _ in versions]
    return sum(
        subprocess.run(command, env=environment, capture_output=True, check=False).returncode != 0
        for command in commands
    )


def watch_until(
    process: subprocess.Popen[bytes], home: Path, moment_s: float, objects: int | None = None
) -> dict[Shard, str]:
    """Everything that the ledger has shown before the moment came, or before it showed `objects`: the promises."""
    began = time.monotonic()
    acknowledged: dict[Shard, str] = {}
    while process.poll() is None and time.monotonic() - began < moment_s:
        acknowledged |= recorded(home)
        if objects is not None and len(acknowledged) >= objects:
            time.sleep(random.uniform(0.0, 0.1))
            break
        time.sleep(0.01)
    return acknowledged


def cut_power(place: Path) -> None:
    """Stop the file system at once: what was not synced is lost, and nothing more is written."""
    folder = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    finally:
        os.close(folder)


def file_systems() -> list[str]:
    """The kinds of file system that this machine lets us make, mount and cut; a line for each that it doesn't."""
    found = []
    for kind in ("ext4", "xfs"):
        if shutil.which(f"mkfs.{kind}") is None:
            print(f"{kind}: no mkfs.{kind} on this machine: no power cuts on it")
            continue
        image, place = WORK / "trial.img", (WORK / "trial").absolute()
        try:
            make_file_system(image, kind)
            with mounted(image, place):
                cut_power(place)
            found.append(kind)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{kind}: this machine does not allow loop mounts or their shutdown ({error}): no power cuts on it")
        finally:
            image.unlink(missing_ok=True)
    return found


def make_file_system(image: Path, kind: str) -> None:
    """An empty file system in a sparse file."""
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    options = ["-q", "-F"] if kind == "ext4" else ["-q", "-f"]
    subprocess.run([f"mkfs.{kind}", *options, str(image)], check=True, capture_output=True)


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[None]:
    """`image` mounted at `place`; mounting replays the journal, as after a real cut."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True, capture_output=True)
    try:
        yield
    finally:
        unmount(place)


def unmount(place: Path) -> None:
    """Unmount, waiting for the last open file of a killed process to be let go."""
    for _ in range(50):
        if subprocess.run(["umount", str(place)], check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    raise SystemExit(f"{place} can't be unmounted")


if __name__ == "__main__":
    sys.exit(main())
