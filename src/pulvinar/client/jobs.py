"""Processing on a server: a solution that is run on assets there, watched from here.

job = brains.run("measure", {"image": f"{dataset.id}:T1"})
job.wait()
job.dataset().assets()
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pulvinar.errors import JobFailed, Unavailable

if TYPE_CHECKING:
    from pulvinar.client import Client, RemoteDataset

_LOOK_S = 1.0


class RemoteJob:
    """One run of a solution; `told` is what the server says of it: see `refresh`."""

    def __init__(self, client: Client, told: dict[str, Any]) -> None:
        self._client = client
        self.id: str = told["id"]
        self.told = told

    def __repr__(self) -> str:
        return f"RemoteJob({self.id!r}, {self.state})"

    @property
    def state(self) -> str:
        """How far it is: queued, running, paused, done, failed, cancelled, ..."""
        return str(self.told["state"])

    def refresh(self) -> RemoteJob:
        """The same, as it is now."""
        self.told = self._client.json(f"/api/v1/jobs/{self.id}")
        return self

    def log(self) -> list[str]:
        """What it has said."""
        return [line["text"] for line in self._client.json(f"/api/v1/jobs/{self.id}/log")]

    def wait(self, timeout_s: float = 3600.0) -> RemoteJob:
        """Wait for its end. Raises `JobFailed` where that is none, `Unavailable` where it doesn't come in time."""
        end = time.monotonic() + timeout_s
        while self.refresh().told["ended"] is None:
            if time.monotonic() > end:
                raise Unavailable(f"job {self.id} is {self.state} after {timeout_s:g} s", hint="is a runner at work?")
            time.sleep(_LOOK_S)
        if self.state != "done":
            raise JobFailed(f"job {self.id} {self.state}: {self.told['reason']}", hint="its log says more")
        return self

    def cancel(self) -> RemoteJob:
        """Have it end; nothing of it becomes visible."""
        self.told = self._client.ask(f"/api/v1/jobs/{self.id}/cancel", {})
        return self

    def dataset(self) -> RemoteDataset:
        """The dataset that holds what it made. Raises `NotFound` before its end."""
        return self._client.dataset(self.told["dataset_id"])


def run(
    client: Client, solution: str, inputs: Mapping[str, str], parameters: Mapping[str, Any] | None, title: str
) -> RemoteJob:
    """As `Client.run` says."""
    asked = {"solution": solution, "inputs": dict(inputs), "parameters": dict(parameters or {}), "title": title}
    return RemoteJob(client, client.ask("/api/v1/jobs", asked))


def get_job(client: Client, job_id: str) -> RemoteJob:
    """As `Client.job` says."""
    return RemoteJob(client, client.json(f"/api/v1/jobs/{quote(job_id, safe='')}"))


def list_jobs(client: Client) -> Iterator[RemoteJob]:
    """As `Client.jobs` says."""
    yield from (RemoteJob(client, told) for told in client.pages("/api/v1/jobs"))
