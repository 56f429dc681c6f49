"""Which process works on something, said so that another one can tell whether it still lives."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def this_process() -> str:
    """A new owner text for this process: machine, boot, process namespace, number, start, and a word of its own."""
    start = _start_of(os.getpid()) or "0"
    return "/".join((_machine(), _boot(), _namespace(), str(os.getpid()), start, secrets.token_hex(4)))


def is_alive(owner: str) -> bool | None:
    """Whether the process that `owner` names lives; None when that can't be told from here."""
    parts = owner.split("/")
    if len(parts) != 6:
        return False
    machine, boot, namespace, number, start, _ = parts
    if machine != _machine():
        return None
    if boot != _boot():
        return False  # the same machine has started anew since: nothing of before lives
    if namespace != _namespace():
        return None
    return _start_of(int(number)) == start


def _start_of(number: int) -> str | None:
    """When process `number` started, in clock ticks; None when there is none, or only its unburied remains."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text("ascii", errors="replace")
    except OSError:
        return None
    # the second field is the command in brackets and may hold anything
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _machine() -> str:
    for place in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            text = Path(place).read_text("ascii").strip()
        except OSError:
            continue
        if text:
            return text
    return os.uname().nodename.replace("/", "_")


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "unknown"


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "unknown"
