"""The platform's side of the reader process: start it, ask it, and say in plain words how it died.

The process can read the submission, write its own scratch folder, and nothing else; see `landlock` for how, and
`reader_process` for what it does.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from pulvinar import errors
from pulvinar.errors import Invalid, PulvinarError, TooLarge, Unavailable, UnreadableFile
from pulvinar.ingest.channel import Channel, ChannelClosed
from pulvinar.ingest.geometry_wire import geometry_from_wire
from pulvinar.ingest.landlock import landlock_version, network_can_be_cut
from pulvinar.ingest.reader import FoundAsset, GeometryData, Options, SourceFile
from pulvinar.ingest.remote_source import RemoteSource

_FOUND = TypeAdapter(tuple[FoundAsset, ...])


@dataclass(frozen=True)
class Limits:
    """What one reader process may take, and what one submission may declare."""

    memory_bytes: int = 4 << 30
    cpu_s: int = 86_400
    budget_bytes: int = 4096 * 10**9
    """The largest size that the data of one file, or an archive's content, may declare."""


def describe_protection() -> list[str]:
    """What this machine lacks for reading hostile files safely, one sentence each; empty when nothing."""
    missing = []
    if landlock_version() == 0:
        missing.append("this kernel has no Landlock: readers can read every file that you can read")
    if not network_can_be_cut():
        missing.append("this kernel forbids own network namespaces: readers can open network connections")
    return missing


class ReaderHost:
    """A running reader process for one submission; a context manager.

    It starts at the first question. `readable` names what may be read, the folder `root` when None. One thread asks at
    a time; others wait.
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
        self._root = root
        self._scratch = scratch
        self._limits = limits
        self._options = options or Options()
        self._readable = tuple(readable) if readable is not None else (root,)
        self._asking = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._volumes = 0

    def find(self, files: Sequence[SourceFile]) -> list[FoundAsset]:
        """What the readers recognise among `files`, each file claimed once; raises `UnreadableFile` and `TooLarge`."""
        names = [file.name for file in files]
        answer = self.ask({"verb": "find", "names": names}, about=_summary(names))
        found = list(_validated(answer["assets"]))
        for asset in found:
            self._refuse_oversized(asset)
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

    def read_geometry(self, asset: FoundAsset) -> GeometryData:
        """A skeleton, mesh, point or other table found before, whole."""
        about = _summary(asset.files)
        answer, descriptor = self.ask_for_memory({"verb": "geometry", "asset": asdict(asset)}, about=about)
        if descriptor is None:
            raise UnreadableFile(f"{about}: the reader sent no data")
        try:
            return geometry_from_wire(answer, descriptor)
        finally:
            os.close(descriptor)

    def unpack(self, archive: Path, into: Path) -> None:
        """Unpack a tar or zip archive, or one compressed file, below `into` (in the scratch folder)."""
        self.ask({"verb": "unpack", "archive": str(archive), "into": str(into)}, about=archive.name)

    def ask(self, question: dict[str, Any], *, about: str, descriptor: int | None = None) -> dict[str, Any]:
        """Send one question, wait for its answer; raises the error that the process answers with."""
        answer, received = self.ask_for_memory(question, about=about, descriptor=descriptor)
        if received is not None:
            os.close(received)
        return answer

    def ask_for_memory(
        self, question: dict[str, Any], *, about: str, descriptor: int | None = None
    ) -> tuple[dict[str, Any], int | None]:
        """As `ask`, and the file descriptor that came with the answer."""
        with self._asking:
            channel = self._channel or self._start()
            try:
                channel.send(question, descriptor)
                answer, received = channel.receive()
            except ChannelClosed:
                raise self._obituary(about) from None
        if "error" in answer:
            raise _error(answer["error"])
        return answer, received

    def _start(self) -> Channel:
        ours, theirs = socket.socketpair()
        # -P and a bare environment: nothing in the working folder, and no secret of ours, reaches the process
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "HOME") if name in os.environ}
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        command = [sys.executable, "-P", "-m", "pulvinar.ingest.reader_process", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env=kept | single | {"TMPDIR": str(self._scratch)},
                cwd=self._scratch,
                stdin=subprocess.DEVNULL,
            )
        self._channel = Channel(ours)
        begin = {
            "root": str(self._root),
            "scratch": str(self._scratch),
            "readable": [str(path) for path in self._readable],
            "limits": asdict(self._limits),
            "options": asdict(self._options),
        }
        try:
            self._channel.send(begin)
            answer, _ = self._channel.receive()
        except ChannelClosed:
            raise Unavailable("the reader process does not start") from None
        if "error" in answer:
            raise _error(answer["error"])
        return self._channel

    def _obituary(self, about: str) -> PulvinarError:
        """Why the process is gone, as an error that names the file."""
        process = self._process
        self._channel = None
        code = process.wait(timeout=30) if process else 0
        if code == -signal.SIGXCPU:
            return UnreadableFile(
                f"{about}: reading it took more than {self._limits.cpu_s} seconds of processor time",
                hint="raise reader_cpu_s if the file is known to be good",
            )
        if code == -signal.SIGKILL:
            return TooLarge(f"{about}: the reader process was killed, most likely for want of memory")
        if code < 0:
            return UnreadableFile(f"{about}: the reader crashed on it ({signal.Signals(-code).name})")
        return UnreadableFile(f"{about}: the reader ended with code {code} before it had answered")

    def _refuse_oversized(self, asset: FoundAsset) -> None:
        if asset.volume is None:
            return
        size = _size_bytes(asset.volume.shape, asset.volume.dtype)
        if size > self._limits.budget_bytes:
            raise TooLarge(
                f"{_summary(asset.files)} declares {size / 1e9:,.0f} GB of voxels, more than the limit of "
                f"{self._limits.budget_bytes / 1e9:,.0f} GB",
                hint="raise reader_budget_gb if the file is known to be good",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _size_bytes(shape: Sequence[int], dtype: str) -> int:
    import numpy as np

    size = np.dtype(dtype).itemsize
    for axis in shape:
        size *= axis
    return size


def _summary(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more" if names else "nothing"


def _validated(assets: Any) -> tuple[FoundAsset, ...]:
    try:
        return _FOUND.validate_python(assets)
    except ValidationError as error:
        raise UnreadableFile(
            f"the reader process described something that can't be: {error.errors()[0]['msg']}"
        ) from None


def _error(told: dict[str, str]) -> PulvinarError:
    kind = getattr(errors, told["kind"], None)
    if not (isinstance(kind, type) and issubclass(kind, PulvinarError)):
        kind = UnreadableFile
    return kind(told["message"], hint=told["hint"])
