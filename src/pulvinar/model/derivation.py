"""Where a made asset comes from: enough to tell a reader, and to make it once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

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


def derivation_from_json(values: Mapping[str, Any]) -> Derivation:
    """What `derivation_to_json` wrote."""
    moments = {name: datetime.fromisoformat(values[name]) for name in ("started", "ended")}
    return Derivation(**{**values, **moments, "inputs": tuple(JobInput(**one) for one in values["inputs"])})
