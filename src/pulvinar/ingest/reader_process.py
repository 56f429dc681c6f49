"""The reader process: give up every right, then answer the platform's questions about one submission.

`serve` is what a process that was forked by `fork_server` does, for one `sandbox.ReaderHost`.
"""

from __future__ import annotations

import gc
import site
import socket
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from pulvinar.errors import PulvinarError, TooLarge, UnreadableFile
from pulvinar.extensions import Registry
from pulvinar.ingest import landlock
from pulvinar.ingest.channel import Channel, ChannelClosed, SharedMemory
from pulvinar.ingest.geometry_wire import geometry_to_wire, on_the_wire, wire_bytes
from pulvinar.ingest.matrices import AsVolume, stays_in_its_file
from pulvinar.ingest.people.cleaning import check_clean, clean
from pulvinar.ingest.people.identifiers import Identifier, IdentifierKind, identifiers_in
from pulvinar.ingest.people.pseudonyms import Pseudonyms
from pulvinar.ingest.protection import give_up_rights
from pulvinar.ingest.reader import FoundAsset, OpenVolume, Options, Reader, SourceFile
from pulvinar.ingest.recognition import recognise
from pulvinar.ingest.source_files import source_file
from pulvinar.ingest.unpacking import holds, unpack
from pulvinar.model.space import Window
from pulvinar.storage.space import is_full, no_room

_FOUND = TypeAdapter(FoundAsset)
_OPTIONS = TypeAdapter(Options)
READERS: Registry[type[Reader]] = Registry("reader")
"""All that are installed; loaded before the first process is forked."""
_AT_ONCE = 200
"""So many assets are told of in one answer."""

Answer = tuple[dict[str, Any], Sequence[memoryview]]
"""A message, and the bytes that follow it."""


def serve(end: socket.socket) -> None:
    """Answer over this end of a socket until the platform hangs up."""
    channel = Channel(end)
    landlock.die_with_parent()
    try:
        begin, _ = channel.receive()
        protect(begin)
        process = ReaderProcess(begin)
        channel.send({})
        while True:
            question, descriptor = channel.receive()
            answer, following = process.answer(question, descriptor)
            try:
                channel.send(answer)
            except (TypeError, ValueError) as error:
                # a reader described a file by what is no JSON
                channel.send(_unforeseen(error))
            for part in following:
                channel.send_bytes(part)
            if "error" in answer or answer.get("unreadable"):
                # what a reader had open when it failed, files and threads, is held by the circles of its traceback
                gc.collect()
    except ChannelClosed:
        return


def protect(begin: dict[str, Any]) -> None:
    """Give up what reading one submission does not need; what the kernel can't take, it leaves."""
    limits = begin["limits"]
    give_up_rights(
        readable=[*_libraries(), *map(Path, begin["readable"])],
        writable=[Path(begin["scratch"]), Path("/dev/null")],
        memory_bytes=limits["memory_bytes"],
        cpu_s=limits["cpu_s"],
        file_bytes=limits["budget_bytes"],
    )


def _libraries() -> list[Path]:
    """What Python and its packages load at run time."""
    paths = {*sysconfig.get_paths().values(), *site.getsitepackages(), *sys.path, sys.prefix, sys.base_prefix}
    paths |= {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo"}
    paths |= {"/dev/urandom", "/dev/zero", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"}
    return [Path(path) for path in paths if path and path != "/"]


class ReaderProcess:
    """What the process holds: the readers, the open volumes with the shared memory of each, arrays on their way out."""

    def __init__(self, begin: dict[str, Any]) -> None:
        self._root = Path(begin["root"])
        self._scratch = Path(begin["scratch"])
        self._budget_bytes: int = begin["limits"]["budget_bytes"]
        self._options = _OPTIONS.validate_python(begin["options"])
        self._volumes: dict[int, tuple[OpenVolume, str]] = {}
        self._slots: dict[tuple[int, int], SharedMemory] = {}
        self._untold: list[FoundAsset] = []
        self._parts: list[memoryview] = []
        self._verbs: dict[str, Callable[[dict[str, Any], int | None], Answer]] = {
            "find": self._find,
            "more": self._more,
            "open": self._open,
            "slot": self._slot,
            "drop": self._drop,
            "read": self._read,
            "close": self._close,
            "geometry": self._geometry,
            "arrays": self._arrays,
            "unpack": self._unpack,
            "holds": self._holds,
            "identifiers": self._identifiers,
            "look for": self._look_for,
            "clean": self._clean,
        }
        self._looked_for: list[Identifier] = []
        self._pseudonyms = Pseudonyms(b"")

    def answer(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        """The answer to one question; an error is an answer too."""
        try:
            return self._verbs[question["verb"]](question, descriptor)
        except MemoryError:
            return _NO_MEMORY, ()
        except Exception as error:  # noqa: BLE001 (whatever a format library throws at a bad file)
            return self._told_of(error), ()

    def _told_of(self, error: Exception) -> dict[str, Any]:
        if isinstance(error, PulvinarError):
            return _told(error)
        if isinstance(error, OSError) and is_full(error):
            return _told(no_room(self._scratch, error.strerror))
        return _unforeseen(error)

    def _find(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        readers = [reader() for reader in READERS.working().values()]
        # the beginnings of ten thousand files are let go before the answer is made
        found, unreadable = recognise(readers, self._source_files(question["names"]), self._options)
        told = [{"name": name, **self._told_of(error)} for name, error in unreadable]
        found.reverse()
        self._untold = found
        return {**self._some_found(), "unreadable": told}, ()

    def _more(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        return self._some_found(), ()

    def _some_found(self) -> dict[str, Any]:
        """The next assets, which are let go as they are told of, and whether there are more."""
        assets = [asdict(self._untold.pop()) for _ in range(min(len(self._untold), _AT_ONCE))]
        return {"assets": assets, "more": bool(self._untold)}

    def _source_files(self, names: list[str]) -> list[SourceFile]:
        return [source_file(self._root / name, name) for name in names]

    def _reader(self, asset: FoundAsset) -> Reader:
        return next(reader for reader in READERS.working().values() if reader.name == asset.reader)()

    def _open(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        asset = _FOUND.validate_python(question["asset"])
        scratch = self._scratch / f"volume-{question['volume']}"
        scratch.mkdir()
        opened = self._reader(asset).open_volume(asset, self._root, self._options, scratch)
        assert asset.volume is not None
        self._volumes[question["volume"]] = (opened, asset.volume.dtype)
        return {}, ()

    def _slot(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        if descriptor is None:
            raise UnreadableFile("shared memory did not arrive")
        self._slots[question["volume"], question["slot"]] = SharedMemory(descriptor, question["size"], whole=True)
        return {}, ()

    def _drop(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        self._slots.pop((question["volume"], question["slot"])).close()
        return {}, ()

    def _read(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        opened, dtype = self._volumes[question["volume"]]
        memory = self._slots[question["volume"], question["slot"]]
        window = Window(tuple(question["start"]), tuple(question["stop"]))
        out = np.frombuffer(memory.map, dtype, prod(window.shape)).reshape(window.shape)
        opened.read_into(window, out)
        return {}, ()

    def _close(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        number = question["volume"]
        self._volumes.pop(number)[0].close()
        for key in [key for key in self._slots if key[0] == number]:
            self._slots.pop(key).close()
        return {}, ()

    def _geometry(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        asset = _FOUND.validate_python(question["asset"])
        data = self._reader(asset).read_geometry(asset, self._root, self._options)
        described, self._parts = geometry_to_wire(data)
        if (matrix := stays_in_its_file(data)) is not None:
            self._volumes[question["volume"]] = (AsVolume(matrix), matrix.dtype.name)
        return {"described": described, "size": wire_bytes(self._parts)}, ()

    def _arrays(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        """The arrays of the geometry that was asked for last."""
        parts, self._parts = self._parts, []
        return {}, on_the_wire(parts)

    def _unpack(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        unpack(Path(question["archive"]), Path(question["into"]), self._budget_bytes)
        return {}, ()

    def _holds(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        found = holds(Path(question["archive"]), question["name"], self._scratch, self._budget_bytes)
        return {"found": found}, ()

    def _identifiers(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        """What files say of a person, each once."""
        found = (one for file in self._source_files(question["names"]) for one in identifiers_in(file))
        return {"identifiers": [asdict(one) for one in dict.fromkeys(found)]}, ()

    def _look_for(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        """What no cleaned file may hold, and the key of the pseudonyms in them."""
        self._looked_for = [
            Identifier(one["text"], one["where"], IdentifierKind(one["kind"])) for one in question["identifiers"]
        ]
        self._pseudonyms = Pseudonyms(bytes.fromhex(question["key"]))
        return {}, ()

    def _clean(self, question: dict[str, Any], descriptor: int | None) -> Answer:
        """Write a copy of a file without identifiers, and look into it once more."""
        (file,) = self._source_files([question["name"]])
        into = Path(question["into"])
        made = clean(file, into, self._pseudonyms)
        own = [one for one in identifiers_in(file) if one.kind is IdentifierKind.FREE]
        return {**asdict(made), "left": check_clean(into, [*self._looked_for, *own])}, ()


def _told(error: PulvinarError, *, named: bool = True) -> dict[str, Any]:
    """An error as an answer; `named`: its message says of what it is."""
    hint = error.hint or "save the file again with the program that made it, or leave it out"
    return {"error": {"kind": type(error).__name__, "message": error.message, "hint": hint, "named": named}}


def _unforeseen(error: Exception) -> dict[str, Any]:
    message = f"it can't be read: {type(error).__name__}: {error}"[:2000]
    return _told(UnreadableFile(message, hint="the file may be damaged: copy or save it again"), named=False)


# made while there is memory
_NO_MEMORY = _told(
    TooLarge(
        "reading it takes more memory than a reader may have",
        hint="raise reader_memory_mb if the file is known to be good",
    ),
    named=False,
)
