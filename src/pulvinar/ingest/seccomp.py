"""Forbidding system calls to this process, for good: programs, child processes, sockets, and memory nobody counts.

What Landlock does not govern is governed here: `chmod` and its like on files of others, limits and signals of other
processes, sockets in the file system. A call that is forbidden fails with EPERM; the process goes on.

Source of the numbers: the Linux user-space API (linux/filter.h, linux/seccomp.h, linux/audit.h, asm/unistd_64.h and
asm-generic/unistd.h).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_PR_SET_NO_NEW_PRIVS = 38
_MODE_FILTER, _SYNC_THREADS = 1, 1
_KILL, _ERROR, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_LOAD, _AND, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16
_X32 = 0x40000000
_CLONE_THREAD = 0x10000
_SHARED_AND_OF_NO_FILE = 0x01 | 0x20

# since Linux 5.1 a new call has one number everywhere
_NEW_CALLS = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434,
    "pidfd_getfd": 438, "mount_setattr": 442, "memfd_secret": 447, "fchmodat2": 452, "setxattrat": 463,
    "removexattrat": 466, "file_setattr": 469,
}  # fmt: skip
_X86_64 = {
    "execve": 59, "execveat": 322, "fork": 57, "vfork": 58,
    "socket": 41,
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "tkill": 200,
    "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
    "setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144, "sched_setaffinity": 203,
    "sched_setattr": 314, "ioprio_set": 251, "migrate_pages": 256, "move_pages": 279,
    "memfd_create": 319, "shmget": 29, "shmat": 30, "msgget": 68, "semget": 64, "mq_open": 240,
    "chmod": 90, "fchmod": 91, "fchmodat": 268, "chown": 92, "lchown": 94, "fchown": 93, "fchownat": 260,
    "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280,
    "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198,
    "fremovexattr": 199,
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "keyctl": 250, "add_key": 248, "request_key": 249,
}  # fmt: skip
_AARCH64 = {
    "execve": 221, "execveat": 281,
    "socket": 198,
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "tkill": 130,
    "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
    "setpriority": 140, "sched_setparam": 118, "sched_setscheduler": 119, "sched_setaffinity": 122,
    "sched_setattr": 274, "ioprio_set": 30, "migrate_pages": 238, "move_pages": 239,
    "memfd_create": 279, "shmget": 194, "shmat": 196, "msgget": 186, "semget": 190, "mq_open": 180,
    "fchmod": 52, "fchmodat": 53, "fchown": 55, "fchownat": 54,
    "utimensat": 88,
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16,
    "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268,
    "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "keyctl": 219, "add_key": 217, "request_key": 218,
}  # fmt: skip


@dataclass(frozen=True)
class _Machine:
    """The numbers of one kind of processor; `forbidden` calls fail whatever their arguments are."""

    audit: int
    seccomp: int
    clone: int
    clone3: int
    mmap: int
    kill: int
    tgkill: int
    prlimit: int
    forbidden: dict[str, int]


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 317, 56, 435, 9, 62, 234, 302, _X86_64 | _NEW_CALLS),
    "aarch64": _Machine(0xC00000B7, 277, 220, 435, 222, 129, 131, 261, _AARCH64 | _NEW_CALLS),
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def forbid_calls() -> bool:
    """Forbid them to this process and all its threads; False, and nothing is changed, where the kernel can't."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    program = b"".join(_program(machine))
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    done: int = _libc.syscall(ctypes.c_long(machine.seccomp), _MODE_FILTER, _SYNC_THREADS, header)
    return done == 0


def _program(machine: _Machine) -> Iterator[bytes]:
    """The filter: a call that nothing below refuses is allowed."""
    yield _step(_LOAD, _MACHINE_AT)
    yield _step(_IF_EQUAL, machine.audit, if_not=0, if_so=1)
    yield _step(_RETURN, _KILL)
    yield _step(_LOAD, _NUMBER_AT)
    # x86-64 has a second set of numbers for the same calls
    yield from _refuse_if(_IF_AT_LEAST, _X32, errno.ENOSYS)
    for number in machine.forbidden.values():
        yield from _refuse_if(_IF_EQUAL, number, errno.EPERM)
    # its argument lies in memory, where a filter can't look; the C library then takes `clone`
    yield from _refuse_if(_IF_EQUAL, machine.clone3, errno.ENOSYS)
    yield from _for_call(machine.clone, [_argument(0), _step(_IF_ANY_BIT, _CLONE_THREAD, if_so=1), _error(errno.EPERM)])
    flags = [_argument(3), _step(_AND, _SHARED_AND_OF_NO_FILE)]
    yield from _for_call(
        machine.mmap, [*flags, _step(_IF_EQUAL, _SHARED_AND_OF_NO_FILE, if_not=1), _error(errno.ENOMEM)]
    )
    own = os.getpid()
    for number in (machine.kill, machine.tgkill):
        yield from _for_call(number, [_argument(0), _step(_IF_EQUAL, own, if_so=1), _error(errno.EPERM)])
    mine = [_argument(0), _step(_IF_EQUAL, own, if_so=2), _step(_IF_EQUAL, 0, if_so=1), _error(errno.EPERM)]
    yield from _for_call(machine.prlimit, mine)
    yield _step(_RETURN, _ALLOW)


def _step(code: int, value: int, *, if_so: int = 0, if_not: int = 0) -> bytes:
    """One instruction; a test goes on `if_so` or `if_not` steps after the next."""
    return struct.pack("=HBBI", code, if_so, if_not, value)


def _argument(index: int) -> bytes:
    return _step(_LOAD, _ARGUMENTS_AT + 8 * index)


def _error(number: int) -> bytes:
    return _step(_RETURN, _ERROR | number)


def _refuse_if(test: int, value: int, number: int) -> list[bytes]:
    return [_step(test, value, if_not=1), _error(number)]


def _for_call(number: int, steps: list[bytes]) -> list[bytes]:
    """`steps` for that call only; a call that they don't refuse is allowed."""
    return [_step(_IF_EQUAL, number, if_not=len(steps) + 1), *steps, _step(_RETURN, _ALLOW)]
