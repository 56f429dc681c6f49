"""Where a made asset comes from: enough to tell a reader, and to make it once more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pulvinar.model.dataset import Asset
from pulvinar.model.job import JobInput


@dataclass(frozen=True)
class Derivation:
    """How an asset was made: by which solution from what, with which parameters, code, engine, when, and for whom.

    `commit` is that of the code, "" where it was installed from a package. `libraries` has the version of each.
    """

    job_id: str
    output: str
    solution: str
    solution_version: str
    inputs: tuple[JobInput, ...]
    parameters: Mapping[str, Any]
    actor_id: str
    actor_name: str
    engine: str
    commit: str
    libraries: Mapping[str, str]
    started: datetime
    ended: datetime


def derivation_to_json(one: Derivation) -> dict[str, Any]:
    """`one` as JSON values."""
    return {**asdict(one), "started": one.started.isoformat(), "ended": one.ended.isoformat()}


def made_by_job(assets: Iterable[Asset]) -> list[tuple[Derivation, list[Asset]]]:
    """How assets were made, one entry a job, with those that it made; nothing of those that were brought in."""
    found: dict[str, list[Asset]] = {}
    for asset in assets:
        if "derivation" in asset.details:
            found.setdefault(asset.details["derivation"]["job_id"], []).append(asset)
    return [(derivation_from_json(some[0].details["derivation"]), some) for some in found.values()]


def derivation_from_json(values: Mapping[str, Any]) -> Derivation:
    """What `derivation_to_json` wrote."""
    moments = {name: datetime.fromisoformat(values[name]) for name in ("started", "ended")}
    return Derivation(**{**values, **moments, "inputs": tuple(JobInput(**one) for one in values["inputs"])})
