"""What becomes of a job's outputs: assets of a draft, under the strictest terms of the inputs, with where they come
from."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from pulvinar.access.dataset_access import strictest as strictest_access
from pulvinar.access.inheritance import inherit
from pulvinar.access.visibility import EVERYONE, REGISTERED, grants_on, show
from pulvinar.access.work import UnitOfWork, may_in
from pulvinar.catalogue.anchors import set_anchor
from pulvinar.catalogue.asset_index import index_assets
from pulvinar.catalogue.assets import find_home
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.derivations import record_derivation
from pulvinar.catalogue.drafts import add_assets, open_draft
from pulvinar.catalogue.licences import strictest
from pulvinar.catalogue.versions import get_version
from pulvinar.compute.engine import MadeObject
from pulvinar.compute.lease import release
from pulvinar.compute.ledger import results
from pulvinar.errors import Conflict, Invalid, JobFailed
from pulvinar.ingest.anchoring import Anchorer
from pulvinar.model.access import Right
from pulvinar.model.dataset import Asset, Dataset, StoredObject, Version, asset_digest
from pulvinar.model.derivation import Derivation, derivation_to_json
from pulvinar.model.job import Job, JobState
from pulvinar.model.plan import Plan
from pulvinar.model.record import Record, Related
from pulvinar.model.solution import SolutionDescription
from pulvinar.solutions.solution import output_prefix
from pulvinar.storage.database import Database

_LIBRARIES = (
    *("numpy", "scipy", "scikit-image", "numba", "tensorstore", "pyarrow", "onnxruntime", "picsl-greedy"),
    *("dask", "distributed"),
)


def make_visible(
    database: Database,
    job: Job,
    plan: Plan,
    description: SolutionDescription,
    anchorer: Anchorer,
    *,
    engine: str,
    owner: str,
    reason: str,
) -> str:
    """Put the outputs of a job into a draft, anchored in the atlases that `anchorer` knows, and end the job, in one
    transaction; the identifier of the dataset.

    Raises `JobFailed` for an output that has no object, `Forbidden` and `NotFound` where the actor has lost its rights,
    `Conflict` when another runner holds the job.
    """
    sources = [find_home(database, job.actor, one.asset_id) for one in job.inputs]
    made = _derivations(job, engine)
    assets = _assets(database, job, plan, description, [asset for _, asset in sources], made)
    state = JobState.DONE_EXCEPT if reason else JobState.DONE
    if job.into:
        record = get_version(database, job.actor, job.into).record
    else:
        record = derived_record(description, job.title, [held for held, _ in sources])
    anchors = {asset.id: anchorer.anchors(record, asset) for asset, _ in assets}
    with UnitOfWork(database, job.actor) as work:
        for one in job.inputs:
            work.ask(Right.READ, one.dataset_id)
        node, datasets = job.id.partition("-")[0], [one.dataset_id for one in job.inputs]
        dataset_id = job.into or new_home(work, record, datasets, node).id
        inherit(work.session, dataset_id, {one.dataset_id for one in job.inputs} - {dataset_id})
        draft = open_draft(work, dataset_id)
        add_assets(work, draft.id, assets)
        for asset, _ in assets:
            record_derivation(work.session, asset.id, made[asset.id])
            for found in anchors[asset.id]:
                set_anchor(work.session, asset.id, found.anchor, found.positions, found.blocks, found.known)
        index_assets(work.session, dataset_id, [asset_id for asset_id, placed in anchors.items() if placed])
        work.record_event("derive", draft.id, {"job": job.id, "assets": [asset.id for asset, _ in assets]})
        release(work.session, job.id, owner, state, reason, dataset_id=dataset_id)
    return dataset_id


def new_home(work: UnitOfWork, record: Record, sources: Collection[str], node: str) -> Dataset:
    """A dataset for what was made from the datasets `sources`, for no more people than they are."""
    access = strictest_access(work.session, set(sources))
    if access.home is not None and not may_in(work.actor, Right.WRITE, access.home):
        access = replace(access, home=None)
    made = create_dataset(work, record, node=node, access=access)
    _show_as_inputs(work.session, made.id, sources)
    return made


def _derivations(job: Job, engine: str) -> dict[str, Derivation]:
    now = datetime.now(UTC)
    return {
        asset_id: Derivation(
            job_id=job.id,
            output=name,
            solution=job.solution,
            solution_version=job.solution_version,
            inputs=job.inputs,
            parameters=job.parameters,
            actor_id=job.actor.id,
            actor_name=job.actor.name,
            engine=engine,
            commit=code_commit(),
            libraries=library_versions(),
            started=job.started or now,
            ended=now,
        )
        for name, asset_id in job.outputs.items()
    }


def _assets(
    database: Database,
    job: Job,
    plan: Plan,
    description: SolutionDescription,
    sources: Sequence[Asset],
    made: Mapping[str, Derivation],
) -> list[tuple[Asset, list[StoredObject]]]:
    objects: dict[str, dict[str, StoredObject]] = {name: {} for name in job.outputs}
    details: dict[str, dict[str, Any]] = {name: {} for name in job.outputs}
    for number in range(len(plan.steps)):
        for _, result in results(database, job.id, number):
            for one in result.objects:
                _add_object(objects, job, one)
            for name, known in result.details.items():
                details[name] |= known
    built = []
    for output in description.outputs:
        asset_id, held = job.outputs[output.name], list(objects[output.name].values())
        if not held and output.optional:
            continue
        if not held:
            raise JobFailed(f"solution {job.solution!r} made nothing of its output {output.name!r}")
        asset = Asset(
            id=asset_id,
            name=details[output.name].pop("name", output.title.en),
            kind=output.kind,
            prefix=output_prefix(asset_id),
            size_bytes=sum(one.size_bytes for one in held),
            object_count=len(held),
            digest=asset_digest(held),
            details={
                "findings": [],
                **details[output.name],
                "derivation": derivation_to_json(made[asset_id]),
            },
        )
        built.append((asset, held))
    return built


def _add_object(objects: dict[str, dict[str, StoredObject]], job: Job, one: MadeObject) -> None:
    before = objects[one.output].get(one.path)
    if before is not None and before.sha256 != one.sha256:
        raise Conflict(
            f"two blocks of job {job.id} stored different bytes as {one.path}",
            hint=f"this is a fault of solution {job.solution!r}: an object belongs to one block",
        )
    objects[one.output][one.path] = StoredObject(one.path, one.size_bytes, one.sha256)


def derived_record(description: SolutionDescription, title: str, sources: Sequence[Version]) -> Record:
    """What is to be said of the outputs: of whom they are, under which terms, from what. Raises `Invalid` without
    inputs, or where they are of several species."""
    records = [one.record for one in sources]
    if len({one.species for one in records}) != 1:
        of = ", ".join(sorted(f"{one.species.value} ({one.title})" for one in records)) or "nothing"
        raise Invalid(
            f"the inputs are of {of}: the outputs can't be said to be of one species",
            hint="choose inputs of one species, or name a dataset that takes the outputs",
        )
    first = records[0]
    subjects = {one.subject for one in records}
    related = [Related(one.doi, "IsDerivedFrom") for one in records if one.doi]
    citations = [*(one.citation for one in records), description.citation]
    return replace(
        first,
        title=f"{title or description.title.en}: {first.title}",
        description=description.summary.en,
        licence=strictest(one.licence for one in records),
        subject=first.subject if len(subjects) == 1 else None,
        citation="; ".join(dict.fromkeys(one for one in citations if one)),
        source=", ".join(f"dataset {one.dataset_id} version {one.number}" for one in sources),
        doi="",
        related=tuple(dict.fromkeys(related)),
    )


def _show_as_inputs(session: Session, dataset_id: str, sources: Collection[str]) -> None:
    """Let those who were named read the dataset who may read every one of its sources; others once it is published."""
    given = [{one.audience for one in grants_on(session, source) if one.right >= Right.READ} for source in set(sources)]
    known = {one.audience for one in grants_on(session, dataset_id)}
    for audience in sorted(set[str]().union(*given) - known - {EVERYONE, REGISTERED}):
        if all(not one.isdisjoint({audience, EVERYONE}) for one in given):
            show(session, dataset_id, audience, Right.READ)


@cache
def code_commit() -> str:
    """The commit of the code that runs, "" where it is no checkout, with "+" where that has been changed."""
    folder = Path(__file__).parents[3]
    if not (folder / ".git").exists():
        return ""
    try:
        commit, changed = (_git(folder, *words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno")))
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit + ("+" if changed else "")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


@cache
def library_versions() -> dict[str, str]:
    """The versions of what computes."""
    found = {"python": platform.python_version(), "pulvinar": version("pulvinar")}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
