"""Asking for a solution: its inputs are found with the actor's rights, its plan is made, and a job is queued."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pulvinar.access.export_rules import check_kept
from pulvinar.access.work import UnitOfWork, check_right
from pulvinar.atlases.installed import Installed, list_atlases
from pulvinar.catalogue.assets import find_asset, find_home
from pulvinar.catalogue.derivations import derivation_of
from pulvinar.catalogue.versions import get_version
from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.jobs import enqueue
from pulvinar.compute.slots import check_fits
from pulvinar.errors import Invalid
from pulvinar.model.access import LOCAL_OWNER, Actor, Right
from pulvinar.model.atlas import PartKind
from pulvinar.model.dataset import Asset, Version
from pulvinar.model.identity import new_id
from pulvinar.model.job import Job, JobInput, JobState
from pulvinar.model.plan import Plan
from pulvinar.model.record import Species
from pulvinar.model.solution import Input, SolutionDescription, Value
from pulvinar.solutions.derived import derived_record
from pulvinar.solutions.solution import Asked, Places, find_solution
from pulvinar.storage.database import Database


@dataclass(frozen=True)
class Means:
    """What solutions work with: the catalogue, where bytes are, who acts, and on which engine jobs will run.

    `job_limit` is the most jobs that a user may have that have not ended; 0: no limit.
    """

    database: Database
    places: Places
    engine: EngineOptions
    actor: Actor = LOCAL_OWNER
    node: str = "local"
    job_limit: int = 0


@dataclass(frozen=True)
class Request:
    """What a person asks: a solution by name, assets for its inputs, parameters, and where the outputs go.

    An asset is named by its identifier, or as DATASET:NAME; a template also by the name of its atlas. `into` is a
    dataset whose draft takes the outputs; "" makes a new one.
    """

    solution: str
    inputs: Mapping[str, str]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    project: str = ""
    priority: int = 0
    into: str = ""


@dataclass(frozen=True)
class Prepared:
    """A request that can be met: its inputs, every parameter, and the plan."""

    description: SolutionDescription
    inputs: tuple[JobInput, ...]
    parameters: Mapping[str, Value]
    plan: Plan


def prepare(means: Means, request: Request) -> Prepared:
    """See whether `request` can be met, and what it needs; nothing is begun.

    Raises `NotFound` for an unknown solution or asset, `Forbidden` for one that may not be read, `Invalid` for inputs
    and parameters that don't do, `TooLarge` for a plan that fits no slot of the engine.
    """
    solution = find_solution(request.solution)
    description = solution.description
    parameters = description.checked(request.parameters)
    found = _inputs(means, description, request.inputs)
    atlases = _atlases(means.database, means.actor, description, {name: asset for name, (_, asset) in found.items()})
    asked = Asked({name: asset for name, (_, asset) in found.items()}, parameters, atlases)
    if not request.into:
        derived_record(description, request.title, [version for version, _ in found.values()])
    plan = solution.plan(asked)
    check_fits(plan, means.engine.slots, means.engine.name)
    inputs = tuple(
        JobInput(name, version.dataset_id, version.number, version.digest, asset.id)
        for name, (version, asset) in found.items()
    )
    return Prepared(description, inputs, parameters, plan)


def submit(means: Means, request: Request, *, cause: str | None = None) -> Job:
    """Queue a job that acts as `means.actor`, with that actor's rights. Raises as `prepare` and `compute.jobs.enqueue`.

    A `cause` starts one job at most.
    """
    ready = prepare(means, request)
    title = request.title or ready.description.title.en
    new = Job(
        id=new_id(means.node),
        actor=means.actor,
        project=request.project,
        solution=ready.description.name,
        solution_version=ready.description.version,
        inputs=ready.inputs,
        parameters=ready.parameters,
        outputs={one.name: new_id(means.node) for one in ready.description.outputs},
        priority=request.priority,
        state=JobState.QUEUED,
        submitted=datetime.now(UTC),
        title=title,
        into=request.into,
    )
    with UnitOfWork(means.database, means.actor) as work:
        for one in ready.inputs:
            work.ask(Right.READ, one.dataset_id)
        # to be told now that the outputs may be made, and not when all the work is done
        work.ask(Right.WRITE, request.into or None)
        if request.into:
            check_kept(work.session, request.into, {one.dataset_id for one in ready.inputs} - {request.into})
        return enqueue(work, new, ready.plan, limit=means.job_limit, cause=cause)


def rerun(means: Means, asset_id: str) -> Job:
    """Make an asset once more, from the same inputs with the same parameters. Raises `NotFound`, `Invalid` for one that
    was not made here, and as `submit`."""
    find_home(means.database, means.actor, asset_id)
    with means.database.session() as session:
        made = derivation_of(session, asset_id)
    if made is None:
        raise Invalid(f"asset {asset_id} was brought in, not made", hint="ingest it again")
    inputs = {one.name: one.asset_id for one in made.inputs}
    return submit(means, Request(made.solution, inputs, made.parameters))


def open_asked(database: Database, job: Job) -> Asked:
    """What a job was asked for, as long as its actor may read the inputs. Raises `NotFound`, `Forbidden`."""
    found = {}
    for one in job.inputs:
        version, asset = find_home(database, job.actor, one.asset_id, Right.SEE)
        _check_read(database, job.actor, version)
        found[one.name] = asset
    description = find_solution(job.solution).description
    return Asked(found, job.parameters, _atlases(database, job.actor, description, found))


def _atlases(
    database: Database, actor: Actor, description: SolutionDescription, found: Mapping[str, Asset]
) -> dict[str, Installed]:
    """The atlas of each input that is to be a template of one, in the newest version that has it. Raises `Invalid`."""
    wanted = [one.name for one in description.inputs if one.of_atlas and one.name in found]
    if not wanted:
        return {}
    of_template = {
        part.asset_id: one
        for one in reversed(list_atlases(database, actor, all_versions=True))
        for part in one.atlas.parts
        if part.kind is PartKind.TEMPLATE
    }
    for name in wanted:
        if found[name].id not in of_template:
            raise Invalid(
                f"input {name!r} is to be a template of an installed atlas, and {found[name].name} is of none",
                hint="name an atlas: pulvinar atlas list shows them",
            )
    return {name: of_template[found[name].id] for name in wanted}


def _inputs(
    means: Means, description: SolutionDescription, given: Mapping[str, str]
) -> dict[str, tuple[Version, Asset]]:
    takers = {name: description.input_for(name) for name in given}
    known = {one.name: one for one in description.inputs}
    unknown = sorted(name for name, taker in takers.items() if taker is None)
    if unknown:
        names = ", ".join(f"{name}.1, {name}.2 ..." if one.several else name for name, one in known.items())
        raise Invalid(f"solution {description.name!r} has no input {unknown[0]!r}", hint=f"it has {names or 'none'}")
    met = {taker.name for taker in takers.values() if taker}
    missing = [one for name, one in known.items() if name not in met and not one.optional]
    lacking = [one for one in missing if not one.of_atlas]
    if lacking:
        raise Invalid(
            f"solution {description.name!r} needs the input {lacking[0].name!r}",
            hint=f"name an asset of the kind {' or '.join(lacking[0].kinds)}",
        )
    order = list(known.values())
    found = {
        name: _found(means, taker, given[name])
        for name, taker in sorted(takers.items(), key=lambda one: order.index(one[1]) if one[1] else 0)
        if taker
    }
    for one in missing:
        # a rule names no atlas: where the species has one alone, that is meant
        species = {version.record.species for version, _ in found.values()}
        found[one.name] = _found(means, one, _only_atlas(means, one.name, species))
    return found


def _only_atlas(means: Means, name: str, species: Collection[Species]) -> str:
    """The one installed atlas of the species that has a template. Raises `Invalid` where there is none, or several."""
    atlases = [one.atlas for one in list_atlases(means.database, means.actor)]
    fitting = [one.name for one in atlases if one.species in species and one.has(PartKind.TEMPLATE)]
    if len(fitting) != 1:
        of = ", ".join(sorted(one.value for one in species))
        raise Invalid(
            f"the input {name!r} is to be an atlas, and {len(fitting)} of the species {of} have a template here",
            hint=f"name one: {', '.join(fitting)}" if fitting else "pulvinar atlas install brings one in",
        )
    return fitting[0]


def _found(means: Means, wanted: Input, named: str) -> tuple[Version, Asset]:
    dataset_id, colon, name = named.partition(":")
    if colon:
        version = get_version(means.database, means.actor, dataset_id)
        asset = find_asset(version, name)
    else:
        wanted_id = _template(means, named) if wanted.of_atlas else named
        version, asset = find_home(means.database, means.actor, wanted_id, Right.SEE)
    _check_read(means.database, means.actor, version)
    if asset.kind not in wanted.kinds:
        raise Invalid(
            f"input {wanted.name!r} is to be of the kind {' or '.join(wanted.kinds)}, and {asset.name} is of "
            f"{asset.kind.value}"
        )
    return version, asset


def _template(means: Means, named: str) -> str:
    """The first template of the atlas that is called `named`, or `named` itself."""
    for one in list_atlases(means.database, means.actor):
        if one.atlas.name == named and one.atlas.has(PartKind.TEMPLATE):
            return one.atlas.part(PartKind.TEMPLATE).asset_id
    return named


def _check_read(database: Database, actor: Actor, version: Version) -> None:
    with database.session() as session:
        check_right(session, actor, Right.READ, version.dataset_id)
