"""Taking rights away from this process, for good: Landlock, namespaces and resource limits, by the kernel's own calls.

Source of the numbers: the Linux user-space API (linux/landlock.h, linux/sched.h, linux/prctl.h, linux/capability.h);
system call numbers 444 to 446 are the same on every architecture.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READ = _EXECUTE | _READ_FILE | _READ_DIR
# the rights that each version of the interface knows: 1 begins with 13, then REFER, TRUNCATE, IOCTL_DEV
_ALL_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | (1 << 14) | (1 << 15)
_TCP_BIND, _TCP_CONNECT = 1, 2
_SCOPE_ABSTRACT_SOCKET, _SCOPE_SIGNAL = 1, 2

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CAPABILITY_VERSION = 0x20080522
_CAP_DAC_READ_SEARCH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """The version of the Landlock interface of this kernel; 0 when there is none."""
    version: int = _libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    return max(0, version)


def die_with_parent() -> None:
    """Have the kernel end this process when the one that started it ends; forbid gaining rights by `exec`."""
    _libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def limit_resources(memory_bytes: int, cpu_s: int, file_bytes: int) -> None:
    """Bound what this process may take.

    Memory is bounded as data (heap and private mappings), not as address space: a file that is mapped to be read costs
    address space and no memory.
    """
    bounds = {
        resource.RLIMIT_DATA: (memory_bytes, memory_bytes),
        resource.RLIMIT_CPU: (cpu_s, cpu_s + 1),
        resource.RLIMIT_FSIZE: (file_bytes, file_bytes),
        resource.RLIMIT_NOFILE: (1024, 1024),
        resource.RLIMIT_CORE: (0, 0),
    }
    for what, (soft, hard) in bounds.items():
        ceiling = resource.getrlimit(what)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(what, (soft, hard))


def cut_network() -> bool:
    """Give this process a network of its own with nothing in it; False when the kernel refuses."""
    return any(_libc.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))


def drop_capabilities() -> None:
    """Give up every power of root but to read files, which Landlock then narrows."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    kept = 1 << _CAP_DAC_READ_SEARCH if os.geteuid() == 0 else 0
    _libc.capset(header, struct.pack("=6I", kept, kept, 0, 0, 0, 0))


def restrict_files(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Let this process read below `readable`, read and write below `writable`, and touch no other file.

    A path that isn't there, or that this user can't reach, is passed over. From version 4 of the interface TCP is
    forbidden too, from 6 signals and sockets to the outside. Returns False, and changes nothing, where the kernel has
    no Landlock.
    """
    version = landlock_version()
    if version == 0:
        return False
    known = max(number for number in _ALL_BY_VERSION if number <= version)
    handled = _ALL_BY_VERSION[known]
    tcp = _TCP_BIND | _TCP_CONNECT if version >= 4 else 0
    scoped = _SCOPE_ABSTRACT_SOCKET | _SCOPE_SIGNAL if version >= 6 else 0
    attributes = struct.pack("=QQQ", handled, tcp, scoped)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    try:
        for path in readable:
            _allow(ruleset, path, _READ & handled)
        for path in writable:
            # no execution of what was written; no device, socket or pipe is made either
            made = (1 << 4) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << 13) | (1 << 14)
            _allow(ruleset, path, (_READ_FILE | _READ_DIR | _WRITE_FILE | made) & handled)
        _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        if not path.is_dir():
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
