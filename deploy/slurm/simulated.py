"""A whole Slurm on one machine: real slurmctld, slurmd and munge, with as many nodes and cores as one cares to declare.

For tests and measurements, without systemd and without cgroups. `python deploy/slurm/simulated.py --nodes 4 --cpus 2`
runs it until it is interrupted and prints what to export; `--install` first brings in Debian's packages. Every daemon
is a child of this process and ends with it.
"""

from __future__ import annotations

import argparse
import getpass
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge", "slurm-wlm-basic-plugins")
_READY_S = 60
_END_S = 5


@dataclass(frozen=True)
class Nodes:
    """How many nodes are declared, and what each has."""

    count: int = 2
    cpus: int = 2
    memory_mb: int = 4000
    gpus: int = 0


CONFIGURATION = """
ClusterName=simulated
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdSpoolDir={folder}/spool/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=0
AccountingStorageType=accounting_storage/none
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=2
MinJobAge=30
SlurmdParameters=config_overrides
LaunchParameters=disable_send_gids
{gpu_types}
NodeName=n[1-{count}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first_port}-{last_port}] CPUs={cpus} \
RealMemory={memory_mb} State=UNKNOWN{gres}
PartitionName=main Nodes=n[1-{count}] Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def simulated_slurm(folder: Path, nodes: Nodes) -> Iterator[Path]:
    """Start a cluster in `folder`; its configuration file, for the variable SLURM_CONF. Raises `RuntimeError`."""
    folder = folder.absolute()
    # munged refuses to work below a folder that others can write in
    for name in ("state", "spool", "log"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    configuration = _configured(folder, nodes)
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        daemons.append(_started(folder, "munged", *_munge(folder)))
        _wait(lambda: (folder / "munge.socket").exists(), "munged does not answer", daemons)
        daemons.append(_started(folder, "slurmctld", "-D", "-i", "-f", str(configuration)))
        for number in range(1, nodes.count + 1):
            (folder / "spool" / f"n{number}").mkdir(exist_ok=True)
            daemons.append(_started(folder, "slurmd", "-D", "-f", str(configuration), "-N", f"n{number}"))
        _wait(lambda: _idle(configuration) == nodes.count, f"the nodes do not come up: see {folder}/log", daemons)
        yield configuration
    finally:
        _end(daemons)


def _configured(folder: Path, nodes: Nodes) -> Path:
    ports = _free_ports(nodes.count + 1)
    gpus = [folder / f"gpu{number}" for number in range(nodes.gpus)]
    for gpu in gpus:
        if not gpu.exists():
            # a device that is no GPU: Slurm counts it, and nobody computes on it
            os.mknod(gpu, 0o666 | 0o020000, os.makedev(1, 3))
    (folder / "gres.conf").write_text(
        "".join(f"NodeName=n[1-{nodes.count}] Name=gpu File={gpu}\n" for gpu in gpus), "ascii"
    )
    text = CONFIGURATION.format(
        host=socket.gethostname().partition(".")[0],
        user=getpass.getuser(),
        folder=folder,
        port=ports[0],
        first_port=ports[1],
        last_port=ports[1] + nodes.count - 1,
        count=nodes.count,
        cpus=nodes.cpus,
        memory_mb=nodes.memory_mb,
        gpu_types="GresTypes=gpu" if gpus else "",
        gres=f" Gres=gpu:{nodes.gpus}" if gpus else "",
    )
    path = folder / "slurm.conf"
    path.write_text(text, "ascii")
    return path


def _free_ports(count: int) -> list[int]:
    """A port for the controller, and `count - 1` in a row for nodes, which nobody listens on now."""
    for first in range(20_000 + os.getpid() % 10_000, 60_000, count):
        with suppress(OSError):
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return list(range(first, first + count))
    raise RuntimeError("there are no free ports")


def _munge(folder: Path) -> list[str]:
    key = folder / "munge.key"
    if not key.exists():
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(1024))
    files = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munged.pid"}
    files |= {"log-file": folder / "log" / "munged", "seed-file": folder / "munge.seed"}
    return ["--foreground", "--force", *(f"--{name}={path}" for name, path in files.items())]


def _started(folder: Path, command: str, *options: str) -> subprocess.Popen[bytes]:
    name = f"{command}-{options[-1]}" if command == "slurmd" else command
    with (folder / "log" / f"{name}.out").open("ab") as log:
        path = f"{os.environ['PATH']}:/usr/sbin"
        return subprocess.Popen(
            [command, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "PATH": path}
        )


def _idle(configuration: Path) -> int:
    told = subprocess.run(
        ["sinfo", "-h", "-N", "-o", "%T"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SLURM_CONF": str(configuration)},
    )
    return told.stdout.split().count("idle")


def _wait(ready: Callable[[], bool], failure: str, daemons: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + _READY_S
    while not ready():
        dead = [process.args for process in daemons if process.poll() is not None]
        if dead or time.monotonic() > deadline:
            raise RuntimeError(f"{failure}{f'; ended: {dead}' if dead else ''}")
        time.sleep(0.1)


def _end(daemons: list[subprocess.Popen[bytes]]) -> None:
    # the nodes before their controller, and munge last
    for process in reversed(daemons):
        process.terminate()
    for process in reversed(daemons):
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def install() -> None:
    """Bring in Debian's packages. Needs to be root."""
    for words in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        subprocess.run(
            ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *words],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )


def main() -> int:
    """Run a cluster until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(".slurm"))
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory-mb", type=int, default=4000)
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--install", action="store_true", help="first install Debian's packages")
    arguments = parser.parse_args()
    if arguments.install:
        install()
    nodes = Nodes(arguments.nodes, arguments.cpus, arguments.memory_mb, arguments.gpus)
    with simulated_slurm(arguments.folder, nodes) as configuration:
        print(f"export SLURM_CONF={configuration}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main())
