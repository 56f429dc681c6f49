"""How soon a right that is taken away is gone: from its end, in another process, to the last chunk that is served.

A public server runs as a process of its own, and somebody asks it for a chunk as fast as it answers. Meanwhile this
process takes the right away, in each of the ways in which that happens. Goal: at most 5 s.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from tests.access.people import a_person, acting
from tests.web.conftest import add_dataset, stored_volume

from benchmarks._report import machine, report
from benchmarks._serving import free_port, running
from pulvinar.access.accounts import disable
from pulvinar.access.organisations import make_organisation, remove_member, set_member
from pulvinar.access.tokens import make_token, revoke_token
from pulvinar.access.visibility import audience_of
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.sharing import end_link, move, set_tier, share, share_by_link, unshare
from pulvinar.model.access import LOCAL_OWNER, OrganisationKind, Right, Tier
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings

LIMIT_S = 5.0


@dataclass(frozen=True)
class Way:
    """One way to lose a right: what is sent along with each request, and what takes the right away."""

    name: str
    authorization: str
    take: Callable[[], object]


def main() -> int:
    """Take rights away in every way; 0 when the last chunk came soon enough after each."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="pulvinar-revoke-") as folder:
        settings = load_settings(environment={}, home=Path(folder) / "home", public=True)
        with open_platform(settings) as platform:
            slowest = _measure(platform)
    figure = f"last chunk {slowest:.2f} s after the right was gone"
    return report("revoke", figure, f"<= {LIMIT_S:.0f} s", passed=slowest <= LIMIT_S)


def _measure(platform: Platform) -> float:
    asset, objects = stored_volume(platform, "volume", np.ones((1, 1, 20, 20, 20), np.uint8), VolumeKind.IMAGE)
    version = add_dataset(platform, "Private", [(asset, objects)])
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        set_tier(work, version.dataset_id, Tier.PRIVATE)
    port = free_port()
    os.environ |= {"PULVINAR_HOME": str(platform.settings.home), "PULVINAR_PUBLIC": "true"}
    command = [str(Path(sys.executable).parent / "pulvinar"), "serve", "--port", str(port)]
    path = f"/data/{version.digest}/{asset.id}/chunks/0/c/0/0/0/0/0"
    slowest = 0.0
    with running(command, port) as server:
        for way in _ways(platform, version.dataset_id):
            took_s, served = _until_refused(server.address, path, way)
            print(f"  {way.name:34} {took_s:5.2f} s, {served} chunks before", flush=True)
            slowest = max(slowest, took_s)
    return slowest


def _ways(platform: Platform, dataset_id: str) -> list[Way]:
    database = platform.database

    def owning(change: Callable[[UnitOfWork], object]) -> Callable[[], None]:
        def run() -> None:
            with UnitOfWork(database, LOCAL_OWNER) as work:
                change(work)

        return run

    def person(login: str, right: Right | None = Right.READ) -> tuple[str, str, str]:
        made = a_person(database, login)
        if right is not None:
            with UnitOfWork(database, LOCAL_OWNER) as work:
                share(work, dataset_id, audience_of(made.id), right)
        with UnitOfWork(database, acting(database, made.id)) as work:
            token, secret = make_token(work, made.id, "a program", Right.READ, 1)
        return made.id, token.id, f"Bearer {secret}"

    first, second, third, fourth = person("first"), person("second"), person("third"), person("fourth", None)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "A lab", OrganisationKind.LAB)
        set_member(work, lab.id, fourth[0], Right.READ)
        move(work, dataset_id, lab.id)
        ends = datetime.now(UTC) + timedelta(days=1)
        link, secret = share_by_link(work, dataset_id, ends=ends)

    def revoke_second() -> None:
        with UnitOfWork(database, acting(database, second[0])) as work:
            revoke_token(work, second[0], second[1])

    return [
        Way("a share is taken back", first[2], owning(lambda work: unshare(work, dataset_id, audience_of(first[0])))),
        Way("a token is revoked", second[2], revoke_second),
        Way("an account is disabled", third[2], owning(lambda work: disable(work, third[0], "to measure"))),
        Way("a member is removed", fourth[2], owning(lambda work: remove_member(work, lab.id, fourth[0]))),
        Way("a link is ended", f"Bearer {secret}", owning(lambda work: end_link(work, dataset_id, link.id))),
    ]


def _until_refused(address: str, path: str, way: Way) -> tuple[float, int]:
    """Seconds from the end of the right to the last chunk that was served, and how many were served before it."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=20)

    def ask() -> int:
        connection.request("GET", path, headers={"authorization": way.authorization})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    # answers are remembered for two seconds: the right goes just after one was asked anew, which is the worst moment
    served, until = 0, time.monotonic() + 2.1
    while time.monotonic() < until:
        status = ask()
        assert status == 200, f"{way.name}: {status} before anything was taken away"
        served += 1
    way.take()
    gone = last = time.monotonic()
    while ask() == 200:
        last = time.monotonic()
        assert last - gone < 60, f"{way.name}: chunks are still served"
    connection.close()
    return last - gone, served


if __name__ == "__main__":
    sys.exit(main())
