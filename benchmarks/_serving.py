"""What the benchmarks of the web share: a platform with a volume in it, and servers as processes of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Server(NamedTuple):
    """A running server: where it answers, and its process."""

    address: str
    pid: int

    def cpu_s(self) -> float:
        """CPU seconds of the process and its children until now."""
        return sum(_cpu_s(pid) for pid in (self.pid, *_children(self.pid)))


@contextmanager
def pulvinar_server(home: Path, *, public: bool = False, workers: int = 1) -> Iterator[Server]:
    """`pulvinar serve` over the platform in `home`, by so many processes; `public`: whoever doesn't sign in is a
    visitor."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks._serving", str(home), str(port), str(workers)]
    command += ["public"] if public else []
    with running(command, port) as server:
        yield server


@contextmanager
def nginx_server(root: Path, folder: Path, connections: int = 1024) -> Iterator[Server]:
    """nginx with one worker, serving the files below `root`; `folder` takes what it writes."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "nginx.conf"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    # Started by root, nginx would give its worker to nobody, who may not read the folder.
    user = "user root root;" if os.geteuid() == 0 else ""
    configuration.write_text(
        f"{user} worker_processes 1; daemon off; pid {folder / 'pid'}; error_log {folder / 'error.log'};\n"
        f"worker_rlimit_nofile {connections + 4096}; events {{ worker_connections {connections}; }}\n"
        f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; {temporary}\n"
        f"  open_file_cache max=1000; server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
    )
    command = [tool("nginx"), "-c", str(configuration), "-e", str(folder / "error.log")]
    with running(command, port) as server:
        yield server


def tool(name: str) -> str:
    """The path of a program; ends with advice where it isn't installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        sys.exit(f"this benchmark needs {name}: on Debian, apt-get install nginx wrk")
    return found


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(command: list[str], port: int) -> Iterator[Server]:
    process = subprocess.Popen(command)
    try:
        _wait_for(port, process)
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"{process.args!r} did not start")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def main() -> None:
    """Serve the platform whose home is the first argument at the port that is the second, by as many processes as the
    third says; "public" may follow."""
    from pulvinar import load_settings, open_platform
    from pulvinar.web.server import serve

    platform = open_platform(load_settings(environment={}, home=Path(sys.argv[1]), public="public" in sys.argv[4:]))
    try:
        port, workers = int(sys.argv[2]), int(sys.argv[3])
        serve(platform, host="127.0.0.1", port=port, ready=lambda address: None, workers=workers)
    finally:
        platform.close()


if __name__ == "__main__":
    main()
