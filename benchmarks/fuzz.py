"""Look for files that a reader can't stand: `python -m benchmarks.fuzz READER --minutes 60`.

READER is a valid file by its name or a pattern ("nifti*", "samples of tck", "*" for all): one of the table in
`tests/ingest/hostile_files`, or the folder of files on which a reader's contract is tested. It is mutated again and
again, inside its compression too, and each mutant is found, opened and read in the real reader
process. The valid file must be read first: a reader that finds nothing would stand any mutant. What crashes, hangs,
takes all memory, or raises what no reader meant is tried once more by itself, and kept in `tests/ingest/found`, one
file a fault.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import random
import re
import shutil
import struct
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from tests.ingest.fuzzing import LIMITS, OPTIONS, read_all, read_submission, trouble
from tests.ingest.hostile_files.case import Good, every_twin
from tests.ingest.readers import test_contract

from benchmarks._report import report
from pulvinar.errors import NotFound, PulvinarError
from pulvinar.ingest.reader_contract import ReaderContract
from pulvinar.ingest.sandbox import ReaderHost
from pulvinar.ingest.source_files import source_file
from pulvinar.ingest.unpacking import is_packed

FOUND = Path("tests/ingest/found")
_FRESH_EACH = 300
_INTEGERS = (0, 1, -1, 127, 128, 255, 256, 32767, -32768, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**62, -(2**63))
_FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 1e-300, 1e300)
_WORDS = (
    b"nan",
    b"inf",
    b"-1",
    b"0",
    b"1e999",
    b"99999999999999999999",
    b"",
    b'"',
    b"#",
    b"\t",
    b"\\",
    b"null",
    b"[[",
    b"\xff",
)


def main() -> int:
    """Fuzz the chosen files for the time given; 0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("reader", help="a valid file of the table, by name or pattern")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each of them")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    twins = [twin for twin in valid_files() if fnmatch(twin.name, chosen.reader)]
    print(f"seed {chosen.seed}: {', '.join(twin.name for twin in twins)}", flush=True)
    tried = found = 0
    for twin in twins:
        with tempfile.TemporaryDirectory() as folder:
            one = Fuzzed(twin, Path(folder), random.Random(f"{chosen.seed} {twin.name}"))
            one.run(chosen.minutes * 60)
        counts = ", ".join(f"{number} {outcome}" for outcome, number in one.outcomes.items())
        print(f"  {twin.name}: {one.tried} mutants ({counts}), {len(one.known)} faults", flush=True)
        tried, found = tried + one.tried, found + len(one.known)
    return report("fuzz", f"{found} faults in {tried} mutants", "0", passed=found == 0)


def valid_files() -> list[Good]:
    """What can be mutated: the valid twins of the hostile files, and the files of every reader's contract."""
    contracts = [kind for kind in vars(test_contract).values() if isinstance(kind, type) and "reader" in vars(kind)]
    return every_twin() + [Good(f"samples of {kind.reader.name}", partial(_samples, kind()), {}) for kind in contracts]


def _samples(contract: ReaderContract, folder: Path) -> Path:
    samples = folder / "samples"
    samples.mkdir()
    contract.write_samples(samples)
    return samples


class Fuzzed:
    """One valid file, mutated until the time is up. `known` are the faults that were found, each by its words.

    `outcomes` counts the mutants that were read, that were refused with a reason, that no reader takes for its own,
    and at which the reader process failed.
    """

    def __init__(self, twin: Good, place: Path, choice: random.Random) -> None:
        self._twin, self._place, self._choice = twin, place, choice
        self.outcomes = dict.fromkeys(("read", "refused", "unrecognised", "failed"), 0)
        self.tried = 0
        self.known: set[str] = set()
        sound = place / "sound"
        sound.mkdir()
        self._given = twin.make(sound)
        self._is_packed = self._given.is_file() and is_packed(self._given, self._given.read_bytes()[:512])

    def run(self, seconds: float) -> None:
        """Mutate and read for so long. Raises what the reader does where the valid file itself isn't read."""
        if not read_submission(self._given, self._fresh("alone")):
            raise NotFound(f"{self._twin.name}: no reader finds anything in the valid file", hint="Mend its reader.")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._is_packed:
                self._try(lambda mutant: read_submission(mutant, self._fresh("scratch")))
                continue
            root = self._place / "mutant"
            root.mkdir(exist_ok=True)
            with ReaderHost(root, scratch=self._fresh("scratch"), limits=LIMITS, options=OPTIONS) as host:
                for _ in range(_FRESH_EACH):
                    # each volume has a folder there
                    fault = self._try(lambda mutant: self._read(host, root, mutant))  # noqa: B023 (called at once)
                    if fault or time.monotonic() >= until:
                        break

    def _read(self, host: ReaderHost, root: Path, mutant: Path) -> int:
        paths = [mutant] if mutant.is_file() else sorted(path for path in mutant.rglob("*") if path.is_file())
        return read_all(host, [source_file(path, path.relative_to(root).as_posix()) for path in paths])

    def _try(self, read: Callable[[Path], int]) -> bool:
        """Read one mutant; whether that showed a fault."""
        mutant = self._mutant()
        self.tried += 1
        try:
            outcome = "read" if read(mutant) else "unrecognised"
        except Exception as error:
            if trouble(error):
                self.outcomes["failed"] += 1
                if not self._keep(mutant):
                    print(f"  not when it was read alone: {_words(error)[:300]}", flush=True)
                return True
            if "you may not read it" in str(error):
                raise
            outcome = "refused"
        self.outcomes[outcome] += 1
        return False

    def _mutant(self) -> Path:
        """A copy of the valid file, or of its folder, of which one file is changed."""
        root = self._place / "mutant"
        root.mkdir(exist_ok=True)
        # the folder itself stays: the reader process may read this one, and none that is made in its place
        for before in root.iterdir():
            shutil.rmtree(before) if before.is_dir() else before.unlink()
        mutant = root / self._given.name
        if self._given.is_dir():
            shutil.copytree(self._given, mutant)
            changed = self._choice.choice(sorted(path for path in mutant.rglob("*") if path.is_file()))
        else:
            shutil.copyfile(self._given, mutant)
            changed = mutant
        changed.write_bytes(mutated(changed.read_bytes(), self._choice))
        return mutant

    def _keep(self, mutant: Path) -> bool:
        """Try a mutant by itself, and keep it where the fault is there again and is a new one; whether it is there."""
        try:
            read_submission(mutant, self._fresh("alone"))
        except Exception as error:  # noqa: BLE001 (whatever a reader or the platform throws)
            kind, words = trouble(error), _words(error)
            # the same fault at another place of the file
            key = kind + re.sub(r"[^A-Za-z ]+", "", words)[:120]
            if not kind or key in self.known:
                return bool(kind)
            self.known.add(key)
            name = re.sub("[^a-z0-9]+", "-", self._twin.name)
            number = hashlib.sha256(key.encode()).hexdigest()[:6]
            target = FOUND / f"{name}-{kind}-{number}"
            _store(mutant, target)
            print(f"  {kind}: {target.name}: {words[:300]}", flush=True)
            return True
        return False

    def _fresh(self, name: str) -> Path:
        folder = self._place / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


def _words(error: BaseException) -> str:
    return error.message if isinstance(error, PulvinarError) else f"{type(error).__name__}: {error}"


def _store(mutant: Path, target: Path) -> None:
    if mutant.is_dir():
        with tarfile.open(f"{target}.tar", "w") as archive:
            archive.add(mutant, mutant.name)
    else:
        shutil.copyfile(mutant, f"{target}.{mutant.name.partition('.')[2]}")


def mutated(content: bytes, choice: random.Random) -> bytes:
    """`content` with a few changes; of a gzip stream, mostly of what is in it."""
    if content[:2] == b"\x1f\x8b" and choice.random() < 0.8:
        with suppress(OSError, EOFError):
            return gzip.compress(mutated(gzip.decompress(content), choice), 1)
    changed = bytearray(content)
    for _ in range(choice.choice((1, 1, 1, 2, 3, 8))):
        choice.choice(_MUTATIONS)(changed, choice)
    return bytes(changed)


def _at(content: bytearray, choice: random.Random, size: int = 1) -> int:
    """A place; half of them near the beginning, where headers are."""
    most = max(len(content) - size, 0)
    return choice.randint(0, min(most, 512) if choice.random() < 0.5 else most)


def _flip(content: bytearray, choice: random.Random) -> None:
    if content:
        content[_at(content, choice)] ^= 1 << choice.randrange(8)


def _integer(content: bytearray, choice: random.Random) -> None:
    size = choice.choice((1, 2, 4, 8))
    order = choice.choice(("little", "big"))
    value = choice.choice(_INTEGERS) & ((1 << 8 * size) - 1)
    at = _at(content, choice, size)
    content[at : at + size] = value.to_bytes(size, order)  # type: ignore[arg-type]


def _float(content: bytearray, choice: random.Random) -> None:
    form = choice.choice(("<f", ">f", "<d", ">d"))
    value = choice.choice(_FLOATS)
    new = struct.pack(form, value if form[1] == "d" or abs(value) < 3e38 or value != value else float("inf"))
    at = _at(content, choice, len(new))
    content[at : at + len(new)] = new


def _word(content: bytearray, choice: random.Random) -> None:
    words = list(re.finditer(rb"[^\s,:\[\]{}\"]+", content[: 1 << 16]))
    if words:
        word = choice.choice(words)
        content[word.start() : word.end()] = choice.choice(_WORDS)


def _cut(content: bytearray, choice: random.Random) -> None:
    del content[_at(content, choice) :]


def _drop(content: bytearray, choice: random.Random) -> None:
    at = _at(content, choice)
    del content[at : at + choice.randint(1, 64)]


def _repeat(content: bytearray, choice: random.Random) -> None:
    at, size = _at(content, choice), choice.randint(1, 64)
    content[at:at] = content[at : at + size] * choice.choice((1, 2, 100))


def _noise(content: bytearray, choice: random.Random) -> None:
    at = _at(content, choice)
    content[at : at + 4] = choice.randbytes(choice.randint(0, 16))


_MUTATIONS = (_flip, _flip, _integer, _integer, _integer, _float, _word, _word, _cut, _drop, _repeat, _noise)


if __name__ == "__main__":
    sys.exit(main())
