"""The program of a `Computing` block: a process for each core, which nothing of Python keeps from running.

`python _computing_process.py CORES SECONDS work|sleep` prints the seconds that all of them were on a processor, and in
the queue for one, as the kernel counts them. It imports little, so that it starts within a moment.
"""

import hashlib
import os
import sys
import time
from contextlib import suppress

_DATA = bytes(range(256)) * 1024


def main() -> None:
    """Compute, or sleep, on so many cores."""
    cores, seconds, asleep = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "sleep"
    until_s, parent = time.monotonic() + seconds, os.getpid()
    heard, said = os.pipe()
    for _ in range(cores):
        if os.fork() == 0:
            os.write(said, b"%d %d\n" % _one_core(until_s, parent, asleep))
            os._exit(0)
    os.close(said)
    # the platform's own processes go first: on a cluster they don't share the blocks' processors
    _set_group_nice(19)
    time.sleep(max(0.0, until_s - time.monotonic()))
    _set_group_nice(0)
    with os.fdopen(heard, encoding="ascii") as lines:
        accounts = [tuple(map(int, line.split())) for line in lines]
    if len(accounts) != cores:
        sys.exit(f"{cores - len(accounts)} of {cores} processes did not end well")
    print(*(sum(part) / 1e9 for part in zip(*accounts, strict=True)))


def _one_core(until_s: float, parent: int, asleep: bool) -> tuple[int, int]:
    """Compute until then, or until the block has been ended; nanoseconds on a processor and in the queue for one."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    before = _account()
    while time.monotonic() < until_s and os.getppid() == parent:
        if asleep:
            time.sleep(0.05)
        else:
            hashlib.sha256(_DATA).digest()
            # hundreds of processes take turns within a fraction of a second, one piece of work each
            os.sched_yield()
    after = _account()
    return after[0] - before[0], after[1] - before[1]


def _set_group_nice(value: int) -> None:
    """How far all processes of this session give way to other sessions, where the kernel groups them by session."""
    with suppress(OSError):
        handle = os.open("/proc/self/autogroup", os.O_WRONLY)
        os.write(handle, str(value).encode())
        os.close(handle)


def _account() -> tuple[int, int]:
    """See schedstat in the kernel's Documentation/scheduler/sched-stats.rst; the rest of the time it slept."""
    handle = os.open("/proc/self/schedstat", os.O_RDONLY)
    on_processor_ns, waiting_ns, _ = os.read(handle, 100).split()
    os.close(handle)
    return int(on_processor_ns), int(waiting_ns)


if __name__ == "__main__":
    main()
