"""A real OpenID Connect provider in a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2
from tests.conftest import free_ports


@contextmanager
def an_open_id_provider() -> Iterator[str]:
    """Its issuer. Whoever types a subject into its form is believed."""
    (port,) = free_ports(1)
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            issuer = f"http://127.0.0.1:{port}"
            _wait_for(issuer, process)
            yield issuer
        finally:
            process.terminate()


def _wait_for(issuer: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None
        try:
            httpx2.get(f"{issuer}/.well-known/openid-configuration").raise_for_status()
            return
        except httpx2.HTTPError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def signed_in_there(address: str, subject: str, **claims: object) -> str:
    """Sign in at the provider as somebody, and give the address that the browser is sent back to."""
    if claims:
        origin = address.partition("/oauth2")[0]
        httpx2.put(f"{origin}/users/{subject}", json=claims).raise_for_status()
    answer = httpx2.post(address, data={"sub": subject})
    assert answer.status_code in (302, 303), answer.text
    return answer.headers["location"]


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
