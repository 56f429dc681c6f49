"""A real server of a public platform, in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from tests.conftest import free_ports

PASSWORD = "granule cells in rows"


@dataclass(frozen=True)
class PublicServer:
    """Where it is, and the link by which its first owner comes in; empty once there is one."""

    address: str
    first_link: str


def command_line(home: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    """The command `pulvinar` with its environment: its own folders, and nobody signed in anywhere."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULVINAR_")}
    environment |= {"PULVINAR_HOME": str(home / "home"), "XDG_CONFIG_HOME": str(home / "config")}
    environment |= {"PULVINAR_PUBLIC": "true"}
    return [sys.executable, "-c", "from pulvinar.cli import main; main()", *words], environment


@contextmanager
def public_server(home: Path, **settings: str) -> Iterator[PublicServer]:
    (port,) = free_ports(1)
    command, environment = command_line(home, "serve", "--port", str(port))
    environment["PULVINAR_ADDRESS"] = f"http://127.0.0.1:{port}"
    environment |= {f"PULVINAR_{name.upper()}": value for name, value in settings.items()}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield _told(process)
        finally:
            process.terminate()


def _told(process: subprocess.Popen[str]) -> PublicServer:
    address = first = ""
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        address = address or (found[0].rstrip("/") if (found := re.search(r"http://\S+", line)) else "")
        if "join?link=" in line:
            first = line.strip()
            break
        if address and "nobody owns it" not in line and len(lines) > 1:
            break
    assert address, lines
    return PublicServer(address, first)


def first_owner(server: PublicServer, login: str = "ada") -> httpx2.Client:
    """A browser in which the first owner is signed in."""
    client = httpx2.Client(base_url=server.address, headers={"accept": "text/html"})
    said = {"link": server.first_link.partition("=")[2], "name": login.title(), "login": login}
    said |= {"email": f"{login}@x.org", "password": PASSWORD, "again": PASSWORD}
    assert client.post("/join", data=said).status_code == 303
    return client
