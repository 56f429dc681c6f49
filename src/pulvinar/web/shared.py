"""What several processes of one server must have in common, in memory that all of them see."""

from __future__ import annotations

import hashlib
import secrets
from ctypes import c_ubyte, c_uint64
from multiprocessing import get_context
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

CONTEXT = get_context("spawn")
"""Processes begin anew: a fork would take along the threads' locks, and not the threads."""

_SLOT = np.dtype([("who", np.uint64), ("tokens", np.float64), ("at_s", np.float64)])
_WAYS = 8
_SETS = 8192


class Slots:
    """How many tokens somebody had, and when: of the last 65,536 who came, or nearly so. The lock is to be held.

    A name has eight places that its digest leads to, with a key that nobody outside knows; the one of them that was
    looked at the longest ago is given to who is new.
    """

    def __init__(self, *, between_processes: bool = False, sets: int = _SETS) -> None:
        size = sets * _WAYS * _SLOT.itemsize
        self._raw: Any = CONTEXT.RawArray(c_ubyte, size) if between_processes else bytearray(size)
        self.lock: Any = CONTEXT.Lock() if between_processes else Lock()
        self._key = secrets.token_bytes(16)
        self._sets = sets

    def find(self, who: str) -> tuple[npt.NDArray[Any], bool]:
        """The row of `who` (a view, of shape (1,)), and whether it was theirs before; if not, it is now."""
        digest = hashlib.blake2b(who.encode(), digest_size=16, key=self._key).digest()
        name, at = int.from_bytes(digest[:8]) or 1, int.from_bytes(digest[8:]) % self._sets
        rows = np.frombuffer(self._raw, _SLOT)[at * _WAYS : (at + 1) * _WAYS]
        held = np.flatnonzero(rows["who"] == np.uint64(name))
        index = int(held[0] if len(held) else np.argmin(rows["at_s"]))
        row = rows[index : index + 1]
        row["who"] = name
        return row, bool(len(held))


class Shared:
    """All of it, made before the processes are."""

    def __init__(self, *, between_processes: bool = False) -> None:
        self.costly = Slots(between_processes=between_processes)
        self.feedback = Slots(between_processes=between_processes)
        self.sign_ins: Any = CONTEXT.RawValue(c_uint64, 0) if between_processes else None
        """Counted up when what is known of who is who is to be forgotten."""
