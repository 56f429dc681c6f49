"""The platform's side of the reader process: start it, ask it, and say in plain words how it died.

The process can read the submission, write its own scratch folder, and nothing else; see `landlock` for how, and
`reader_process` for what it does.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from pulvinar.errors import Invalid, PulvinarError, TooLarge, Unavailable, UnreadableFile
from pulvinar.ingest.answers import HOSTILE, Unreadable, check_together, checked_assets, checked_unreadable, told_error
from pulvinar.ingest.channel import MOST_TOLD_BYTES, Channel, ChannelClosed, Garbled, TooLate
from pulvinar.ingest.forked_reader import ForkedReader, fork_reader, last_line
from pulvinar.ingest.geometry_wire import geometry_from_wire
from pulvinar.ingest.progress import bytes_below
from pulvinar.ingest.protection import missing_protection
from pulvinar.ingest.reader import FoundAsset, GeometryData, Matrix, Options, SourceFile
from pulvinar.ingest.remote_source import RemoteMatrix, RemoteSource

# a file over which the process dies is looked for when that takes no longer, and so many of them at most
_SOON_S = 120.0
_MOST_DEADLY = 10
_ROOM_ON_THE_WAY_BYTES = 4 << 20
_DEATH_S = 60.0
_MORE_MEMORY = "raise reader_memory_mb if the file is known to be good"


@dataclass(frozen=True)
class Limits:
    """What one reader process may take, and what one submission may declare.

    `memory_bytes` and `cpu_s` are of one process, `answer_s` is the longest that one question may take by the clock.
    """

    memory_bytes: int = 4 << 30
    cpu_s: int = 86_400
    answer_s: int = 86_400
    budget_bytes: int = 4096 * 10**9
    """The largest size that the data of one file, or an archive's content, may declare."""


def describe_protection() -> list[str]:
    """What this machine lacks for reading hostile files safely, one sentence each; empty when nothing.

    It is tried, once, by a process that gives up its rights as a reader does.
    """
    return [*missing_protection()]


class ReaderHost:
    """A running reader process for one submission; a context manager.

    It starts when the block is entered, at the latest at the first question, and is waited for only then; after its
    death the next question starts another. `readable` names what may be read, the folder `root` when None. One thread
    asks at a time; others wait.
    """

    def __init__(
        self,
        root: Path,
        *,
        scratch: Path,
        limits: Limits,
        options: Options | None = None,
        readable: Sequence[Path] | None = None,
    ) -> None:
        # the process works in a folder of its own: nothing may depend on ours
        self._root, self._scratch = root.absolute(), scratch.absolute()
        self._limits = limits
        self._options = options or Options()
        self._readable = tuple(path.absolute() for path in readable) if readable is not None else (self._root,)
        self._asking = threading.Lock()
        self._process: ForkedReader | None = None
        self._channel: Channel | None = None
        self._words: IO[bytes] | None = None
        self._volumes = 0
        self._listens = False

    def find(self, files: Sequence[SourceFile]) -> list[FoundAsset]:
        """What the readers recognise among `files`, each file claimed once.

        Raises what is wrong with the one file that can't be read, or an `UnreadableFile` that names each of several.
        """
        found, unreadable = self.survey(files)
        if unreadable:
            raise _refusal(unreadable, others=len(files) > len(unreadable))
        return found

    def survey(self, files: Sequence[SourceFile]) -> tuple[list[FoundAsset], list[Unreadable]]:
        """As `find`, and beside it the files that can't be read, which hide no other.

        Nor does one over which the process dies: it is looked for by halves, and the others are asked about again.
        """
        left, deadly = list(files), list[Unreadable]()
        while True:
            began = time.monotonic()
            try:
                found, unreadable = self._survey(left)
            except PulvinarError:
                culprit = None
                if self._died and len(left) > 1 and time.monotonic() - began < _SOON_S and len(deadly) < _MOST_DEADLY:
                    culprit = self._deadly(left)
                if culprit is None:
                    raise
                deadly.append(culprit)
                left = [file for file in left if file.name != culprit.name]
            else:
                return found, [*deadly, *unreadable]

    @property
    def _died(self) -> bool:
        return self._channel is None

    def _deadly(self, files: Sequence[SourceFile]) -> Unreadable | None:
        """The first of `files` over which the process dies when it is asked about it alone; None when there is none."""
        while len(files) > 1:
            halves = files[: len(files) // 2], files[len(files) // 2 :]
            dying = next((half for half in halves if self._death_over(half)), None)
            if dying is None:
                return None
            files = dying
        error = self._death_over(files)
        return Unreadable(files[0].name, error) if error else None

    def _death_over(self, files: Sequence[SourceFile]) -> PulvinarError | None:
        try:
            self._survey(files)
        except PulvinarError as error:
            return error if self._died else None
        return None

    def _survey(self, files: Sequence[SourceFile]) -> tuple[list[FoundAsset], list[Unreadable]]:
        names = [file.name for file in files]
        about = _summary(names)
        answer = self.ask({"verb": "find", "names": names}, about=about)
        unreadable = checked_unreadable(answer, names, about)
        found = self._all_found(answer, about)
        check_together(found, names, about)
        oversized = [(asset, error) for asset in found if (error := self._oversized(asset))]
        unreadable += [Unreadable(asset.files[0], error) for asset, error in oversized]
        return [asset for asset in found if not self._oversized(asset)], unreadable

    def _all_found(self, answer: dict[str, Any], about: str) -> list[FoundAsset]:
        """The assets of an answer and of those that follow it: ten thousand need not be there as text at once."""
        found = checked_assets(answer, about)
        first_bytes = self._channel.heard_bytes if self._channel else 0
        while answer.get("more") is True:
            answer = self.ask({"verb": "more"}, about=about)
            found += checked_assets(answer, about)
            if self._channel is None or self._channel.heard_bytes - first_bytes > MOST_TOLD_BYTES:
                raise self._obituary(about, Garbled())
        return found

    def open_volume(self, asset: FoundAsset) -> RemoteSource:
        """The voxels of a volume found before, as a source whose blocks come through shared memory."""
        if asset.volume is None:
            raise Invalid(f"{asset.name} is no volume")
        self._volumes += 1
        question = {"verb": "open", "asset": asdict(asset), "volume": self._volumes}
        about = _summary(asset.files)
        self.ask(question, about=about)
        return RemoteSource(self.ask, self._volumes, asset.volume, about)

    def unpacked_bytes(self) -> int:
        """How much the process has unpacked into its scratch folder so far; may be asked while it works."""
        return bytes_below(self._scratch)

    def read_geometry(self, asset: FoundAsset) -> GeometryData:
        """A skeleton, mesh, point or other table found before; whole, but for a `Matrix`, which is read by window until
        it is closed."""
        about = _summary(asset.files)
        self._volumes += 1
        number = self._volumes
        answer = self.ask({"verb": "geometry", "asset": asdict(asset), "volume": number}, about=about)
        size, described = answer.get("size"), answer.get("described")
        if not isinstance(size, int) or size < 0 or not isinstance(described, dict):
            raise UnreadableFile(f"{about}: the reader sent no data", hint=HOSTILE)
        if size > self._limits.memory_bytes:
            raise TooLarge(f"{about} makes {size:,} bytes of data, more than a reader may hold", hint=_MORE_MEMORY)
        content = memoryview(np.empty(size, np.uint8).data)
        self.ask({"verb": "arrays"}, about=about, room=content)
        try:
            return geometry_from_wire(described, content, partial(self._matrix, number, about))
        except UnreadableFile as error:
            raise UnreadableFile(f"{about}: {error.message}", hint=HOSTILE) from None

    def _matrix(self, number: int, about: str, shape: tuple[int, int], dtype: str) -> Matrix:
        if dtype not in ("float32", "float64") or min(shape) < 1:
            raise UnreadableFile(f"{about}: the reader described a matrix that can't be", hint=HOSTILE)
        size = _size_bytes(shape, dtype)
        if size > self._limits.budget_bytes:
            raise self._too_large(about, size, "values")
        return RemoteMatrix(self.ask, number, shape, dtype, about)

    def unpack(self, archive: Path, into: Path) -> None:
        """Unpack a tar or zip archive, or one compressed file, below `into` (in the scratch folder)."""
        self.ask({"verb": "unpack", "archive": str(archive), "into": str(into)}, about=archive.name)

    def holds(self, archive: Path, name: str) -> bool:
        """Whether a file in an archive is called `name`; nothing is unpacked."""
        answer = self.ask({"verb": "holds", "archive": str(archive), "name": name}, about=archive.name)
        return answer.get("found") is True

    def ask(
        self, question: dict[str, Any], *, about: str, descriptor: int | None = None, room: memoryview | None = None
    ) -> dict[str, Any]:
        """Send one question, wait for its answer, and for the bytes that fill `room`; raises the error that the process
        answers with."""
        with self._asking:
            if self._channel is None and question["verb"] == "close":
                # what a process had open has ended with it
                return {}
            channel = self._listening(about)
            try:
                channel.send(question, descriptor)
                answer, received = channel.receive()
                if received is not None:
                    os.close(received)
                if room and "error" not in answer:
                    channel.receive_bytes(room)
            except ChannelClosed as error:
                raise self._obituary(about, error) from None
            except BaseException:
                # an answer that still comes would be taken for that to the next question
                self._end(patience_s=0)
                raise
        if "error" in answer:
            raise told_error(answer["error"], about)
        return answer

    def _listening(self, about: str) -> Channel:
        """The channel to a process that answers: the one that runs, or a new one."""
        channel = self._channel or self._start()
        if self._listens:
            return channel
        try:
            answer, received = channel.receive()
        except ChannelClosed:
            process = self._process
            _, words = self._end(patience_s=2)
            words = words or (process.words_of_server() if process else "")
            raise Unavailable(f"the reader process does not start{words}", hint="install Pulvinar again") from None
        except BaseException:
            self._end(patience_s=0)
            raise
        if received is not None:
            os.close(received)
        if "error" in answer:
            self._end(patience_s=0)
            raise told_error(answer["error"], about)
        self._listens = True
        return channel

    def _start(self) -> Channel:
        """A new process, which has got its orders and is not waited for."""
        ours, theirs = socket.socketpair()
        # arrays go through in a third less of time; the kernel gives as much of it as its administrator lets it
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM_ON_THE_WAY_BYTES)
        # what it prints is for nobody's terminal; its last words say how it died
        self._words = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115 (closed in _end)
        with theirs:
            self._process = fork_reader(self._scratch, theirs, self._words)
        self._channel = channel = Channel.to_reader(ours, self._limits.answer_s)
        begin = {
            "root": str(self._root),
            "scratch": str(self._scratch),
            "readable": [str(path) for path in self._readable],
            "limits": asdict(self._limits),
            "options": asdict(self._options),
        }
        # one that is dead already is found out by who waits for its answer
        with suppress(ChannelClosed):
            channel.send(begin)
        return channel

    def _obituary(self, about: str, error: ChannelClosed) -> PulvinarError:
        """Why there is no answer, as an error that names the file; the process is ended."""
        # one that hung up is about to end by itself, and how it does says why
        code, words = self._end(patience_s=0 if isinstance(error, Garbled | TooLate) else 3)
        if isinstance(error, Garbled):
            return UnreadableFile(f"{about}: the reader sent something that is no answer, and was ended", hint=HOSTILE)
        if isinstance(error, TooLate):
            return UnreadableFile(
                f"{about}: the reader gave no answer for {self._limits.answer_s} seconds, and was ended", hint=HOSTILE
            )
        if code == -signal.SIGXCPU:
            return UnreadableFile(
                f"{about}: reading it took more than {self._limits.cpu_s} seconds of processor time",
                hint="raise reader_cpu_s if the file is known to be good",
            )
        if code == -signal.SIGKILL:
            return TooLarge(
                f"{about}: the reader process was killed: for want of memory, or because it went on after its time",
                hint="close other programs, or raise reader_memory_mb, if the file is known to be good",
            )
        if code is None:
            return UnreadableFile(f"{about}: the reader hung up and went on, and was ended", hint=HOSTILE)
        if code < 0:
            return UnreadableFile(f"{about}: the reader crashed on it ({_signal_name(-code)}){words}", hint=HOSTILE)
        return UnreadableFile(f"{about}: the reader ended with code {code} before it had answered{words}", hint=HOSTILE)

    def _oversized(self, asset: FoundAsset) -> TooLarge | None:
        size = _size_bytes(asset.volume.shape, asset.volume.dtype) if asset.volume else 0
        if size <= self._limits.budget_bytes:
            return None
        return self._too_large(_summary(asset.files), size, "voxels")

    def _too_large(self, about: str, size: int, what: str) -> TooLarge:
        return TooLarge(
            f"{about} declares {size / 1e9:,.0f} GB of {what}, more than the limit of "
            f"{self._limits.budget_bytes / 1e9:,.0f} GB",
            hint="raise reader_budget_gb if the file is known to be good",
        )

    def __enter__(self) -> Self:
        with self._asking:
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, also while another thread waits for its answer."""
        process = self._process
        free = self._asking.acquire(blocking=False)
        if not free:
            if process is not None:
                process.kill()
            self._asking.acquire()
        try:
            self._end(patience_s=2)
        finally:
            self._asking.release()

    def _end(self, patience_s: float) -> tuple[int | None, str]:
        """End the process, after waiting so long for it to end by itself, and reap it.

        Gives its exit code, None if it had to be ended, and the last line that it printed, in brackets.
        """
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._listens = False
        code = None
        if self._process is not None:
            code = self._process.wait(patience_s)
            if code is None:
                self._process.kill()
                self._process.wait(_DEATH_S)
            self._process = None
        words, self._words = self._words, None
        if words is None:
            return code, ""
        with words:
            return code, last_line(words)


def _refusal(unreadable: Sequence[Unreadable], *, others: bool) -> PulvinarError:
    """One error for all files that can't be read."""
    leave_out = ["--only leaves it out" if len(unreadable) == 1 else "--only leaves them out"] if others else []
    if len(unreadable) == 1:
        error = unreadable[0].error
        return type(error)(error.message, hint="; ".join([*filter(None, [error.hint]), *leave_out]))
    lines = [f"{len(unreadable)} files can't be read", *(item.error.message for item in unreadable)]
    return UnreadableFile("\n".join(lines), hint="; ".join(["mend them", *leave_out]))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _size_bytes(shape: Sequence[int], dtype: str) -> int:
    size = np.dtype(dtype).itemsize
    for axis in shape:
        size *= axis
    return size


def _summary(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more" if names else "nothing"
