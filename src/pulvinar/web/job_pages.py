"""Pages of processing: what can be done to data, a form to ask for it, and jobs as they go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from pulvinar.atlases.installed import list_atlases
from pulvinar.catalogue.assets import find_asset, find_home
from pulvinar.catalogue.versions import get_version
from pulvinar.compute import jobs
from pulvinar.errors import Invalid, NotFound, PulvinarError
from pulvinar.model.access import Actor
from pulvinar.model.atlas import PartKind
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.model.job import Job, JobState
from pulvinar.model.plan import Plan
from pulvinar.model.solution import Input, ParameterKind, SolutionDescription, corners_um
from pulvinar.model.volume import volume_from_json
from pulvinar.platform import Platform, solution_means
from pulvinar.solutions.cards import read_card
from pulvinar.solutions.grids import box_in_grid
from pulvinar.solutions.solution import describe_all, find_solution
from pulvinar.solutions.submission import Request as JobRequest
from pulvinar.solutions.submission import prepare, rerun, submit
from pulvinar.web import phrases
from pulvinar.web.accuracy import shown_card
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites
from pulvinar.web.derived import MadePicture, pictures_of
from pulvinar.web.errors import status_of
from pulvinar.web.kept_answers import kept
from pulvinar.web.language import language_of
from pulvinar.web.recipes import Recipe, of_job, of_solution
from pulvinar.web.rendering import render

router = APIRouter(include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

PAGE_SIZE = 30
_LINES = 400
_MOST_FIELDS = 200
_INPUT, _PARAMETER = "input.", "parameter."
_ACTIONS = {"cancel": jobs.cancel, "pause": jobs.pause, "resume": jobs.resume}

OfDataset = Annotated[str, Query(max_length=100, description="A dataset whose assets are offered.")]
OfVersion = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
OfAsset = Annotated[str, Query(alias="asset", max_length=100, description="The asset that is chosen where it fits.")]
OfBox = Annotated[
    str,
    Query(max_length=200, description="Two corners z,y,x,z,y,x of a box of the world, in which alone is to be worked."),
]
Part = Annotated[bool, Query(description="Only what changes as the job goes on.")]


async def form_fields(request: Request) -> dict[str, str]:
    """The fields of a form that was sent. Raises `Invalid` for what is no form."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Invalid("this is not a form", hint="send it from the page")
    try:
        text = (await request.body()).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise Invalid(f"the form can't be read: {error}", hint="send it from the page") from error


Fields = Annotated[dict[str, str], Depends(form_fields)]


@router.get("/solutions", dependencies=[Depends(kept)])
def solutions(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset: OfDataset = "",
    version: OfVersion = None,
    chosen: OfAsset = "",
    box: OfBox = "",
) -> Response:
    """The solutions that are installed; of a dataset, those that one of its assets will do for; for a box, those that
    can work in a part of it."""
    shown = _shown(platform, actor, dataset, version, chosen)
    offers = _Offers(platform, actor, shown, language_of(request))
    found = [one for one in describe_all() if (shown is None or offers.suit(one)) and not (box and not _box_of(one))]
    query = _query(dataset, version, asset=chosen, box=box)
    cards = {one.name: shown_card(card, offers.language) for one in found if (card := read_card(one.name))}
    values = {"solutions": found, "cards": cards, "version": shown, "query": query, "box": box}
    return render(request, "solutions.html", values)


def _shown(platform: Platform, actor: Actor, dataset: str, version: int | None, asset: str) -> Version | None:
    """The version whose assets are offered: that of the dataset, or of the asset, where one is named."""
    if dataset:
        return get_version(platform.database, actor, dataset, version)
    return find_home(platform.database, actor, asset)[0] if asset else None


def _box_of(one: SolutionDescription) -> str:
    """The name of the parameter that says in which box alone a solution works; "" for one that works on all."""
    return next((item.name for item in one.parameters if item.kind is ParameterKind.BOX), "")


@dataclass(frozen=True)
class Offer:
    """An asset that an input may be, and what it is called in a list."""

    asset_id: str
    label: str
    kind: str


@dataclass(frozen=True)
class _Offers:
    """What may be chosen for an input: assets of a version, and templates of the atlases of its species."""

    platform: Platform
    actor: Actor
    version: Version | None
    language: str

    def of(self, wanted: Input) -> list[Offer]:
        """What `wanted` may be; nothing where no version is looked at."""
        if self.version is None:
            return []
        if wanted.of_atlas:
            return self._templates(self.version)
        return [
            Offer(asset.id, asset.name, phrases.kind_of(asset))
            for asset in self.version.assets
            if asset.kind in wanted.kinds
        ]

    def suit(self, one: SolutionDescription) -> bool:
        """Whether there is something for every input that must be given."""
        return all(self.of(wanted) for wanted in one.inputs if not wanted.optional)

    def _templates(self, version: Version) -> list[Offer]:
        return [
            Offer(part.asset_id, f"{one.atlas.label(self.language)}: {part.name}", "image")
            for one in list_atlases(self.platform.database, self.actor)
            if one.atlas.species is version.record.species and one.dataset_id != version.dataset_id
            for part in one.atlas.parts
            if part.kind is PartKind.TEMPLATE
        ]


def _query(dataset: str, version: int | None, **more: str) -> str:
    given = {"dataset": dataset, "version": version, **more}
    return urlencode({key: value for key, value in given.items() if value})


@router.get("/solutions/{name}", dependencies=[Depends(kept)])
def solution(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    name: str,
    dataset: OfDataset = "",
    version: OfVersion = None,
    chosen: OfAsset = "",
    box: OfBox = "",
) -> Response:
    """The form of one solution."""
    shown = _shown(platform, actor, dataset, version, chosen)
    offers, description = _Offers(platform, actor, shown, language_of(request)), find_solution(name).description
    given = {key: value for key, value in request.query_params.items() if key.startswith((_INPUT, _PARAMETER))}
    if box and shown and _box_of(description):
        given |= {f"{_PARAMETER}{_box_of(description)}": _box_in(box, find_asset(shown, chosen))}
    form = _Form(description, offers, _filled_in(given, description), chosen)
    if shown and not dataset:
        dataset, version = shown.dataset_id, shown.number
    return render(request, "solution.html", form.values(request, _query(dataset, version)))


def _box_in(box: str, asset: Asset) -> str:
    """A box of the world as one of a volume's own space. Raises `Invalid` for what is no box, or no volume."""
    try:
        corners = corners_um(box)
    except ValueError as error:
        raise Invalid(
            f"{box!r} is no box", hint="two corners z,y,x,z,y,x in micrometres, the lower one first"
        ) from error
    if asset.kind is not AssetKind.VOLUME:
        raise Invalid(f"{asset.name} is no volume", hint="a box is drawn in a volume")
    if corners is None:
        return ""
    low, high = box_in_grid(corners, volume_from_json(asset.details["volume"]))
    return ",".join(f"{one:.10g}" for one in (*low, *high))


def _filled_in(given: Mapping[str, str], description: SolutionDescription) -> dict[str, str]:
    """The fields of a form that a link fills in; what it doesn't say is as it is by default, a tick too."""
    if not given:
        return {}
    ticks = (one for one in description.parameters if one.kind is ParameterKind.FLAG)
    return {f"{_PARAMETER}{one.name}": str(one.default).lower() for one in ticks} | dict(given)


@router.post("/solutions/{name}")
def ask(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    name: str,
    fields: Fields,
    dataset: OfDataset = "",
    version: OfVersion = None,
) -> Response:
    """Say what a job would take, or queue it. What can't be met comes back with the form as it was filled in."""
    shown = get_version(platform.database, actor, dataset, version) if dataset else None
    form = _Form(find_solution(name).description, _Offers(platform, actor, shown, language_of(request)), fields)
    means = solution_means(platform, actor)
    plan, trouble = None, None
    try:
        if fields.get("do") == "run":
            return RedirectResponse(f"/jobs/{submit(means, form.request()).id}", 303)
        plan = prepare(means, form.request()).plan
    except PulvinarError as error:
        trouble = error
    values = form.values(request, _query(dataset, version), plan=plan, trouble=trouble)
    return render(request, "solution.html", values, status=status_of(trouble) if trouble else 200)


@dataclass(frozen=True)
class _Form:
    """What is asked of a person, and what was answered so far."""

    description: SolutionDescription
    offers: _Offers
    fields: Mapping[str, str]
    asset_id: str = ""
    """What is chosen for every input that it will do for, before a person chooses."""

    def request(self) -> JobRequest:
        """What was filled in. Raises `Invalid` for a priority that is no number."""
        inputs = dict(pair for one in self.description.inputs for pair in self._given(one))
        try:
            priority = int(self.fields.get("priority") or 0)
        except ValueError as error:
            raise Invalid(f"the priority is {self.fields['priority']!r}", hint="a whole number, -10 to 10") from error
        said = {"title": self.fields.get("title", "").strip(), "project": self.fields.get("project", "").strip()}
        return JobRequest(
            self.description.name, inputs, parameters_sent(self.description, self.fields), priority=priority, **said
        )

    def _given(self, wanted: Input) -> Iterator[tuple[str, str]]:
        """What was given for an input; for one that takes several, a line each."""
        if wanted.several:
            lines = filter(None, map(str.strip, self.fields.get(f"{_INPUT}{wanted.name}", "").splitlines()))
            yield from ((f"{wanted.name}.{number}", line) for number, line in enumerate(lines, 1))
        elif given := self._input(wanted.name):
            yield wanted.name, given

    def _input(self, name: str) -> str:
        return (self.fields.get(f"{_INPUT}{name}.other") or self.fields.get(f"{_INPUT}{name}") or "").strip()

    def recipe(self, base: str) -> Recipe:
        """What the form asks for, in code: with what was chosen, else the first that each input may be."""
        inputs: dict[str, str] = {}
        for one in self.description.inputs:
            given = dict(self._given(one))
            offered = [] if one.several or one.optional else [offer.asset_id for offer in self.offers.of(one)]
            chosen = self.asset_id if self.asset_id in offered else next(iter(offered), "")
            fallback = {one.name: chosen or "DATASET:NAME"} if not one.optional else {}
            inputs |= given or fallback
        return of_solution(base, self.description.name, inputs)

    def values(
        self, request: Request, query: str, *, plan: Plan | None = None, trouble: PulvinarError | None = None
    ) -> dict[str, Any]:
        """What the page shows."""
        card = read_card(self.description.name)
        return {
            "solution": self.description,
            "version": self.offers.version,
            "query": query,
            "recipe": self.recipe(str(request.base_url).rstrip("/")),
            "offered": {one.name: [] if one.several else self.offers.of(one) for one in self.description.inputs},
            "chosen": parameters_shown(self.description, self.fields),
            "card": card and shown_card(card, self.offers.language),
            "fields": self.fields,
            "asset_id": self.asset_id,
            "plan": plan,
            "trouble": trouble,
        }


def parameters_sent(description: SolutionDescription, fields: Mapping[str, str]) -> dict[str, str]:
    """The parameters that were filled in."""
    given = {}
    for one in description.parameters:
        if one.kind is ParameterKind.FLAG:
            # a box that is not ticked is not sent
            given[one.name] = fields.get(f"{_PARAMETER}{one.name}", "false")
        elif f"{_PARAMETER}{one.name}" in fields:
            given[one.name] = fields[f"{_PARAMETER}{one.name}"].strip()
    return given


def parameters_shown(description: SolutionDescription, fields: Mapping[str, str]) -> dict[str, Any]:
    """The value of every parameter's field: as it was sent, else as it is by default."""
    chosen: dict[str, Any] = {}
    for one in description.parameters:
        sent = fields.get(f"{_PARAMETER}{one.name}", "false" if fields else None)
        chosen[one.name] = one.default if sent is None else sent
        if one.kind is ParameterKind.FLAG:
            chosen[one.name] = str(chosen[one.name]).lower() == "true"
    return chosen


@router.get("/jobs")
def job_list(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    state: str = "",
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """Your jobs, newest first."""
    chosen = JobState(state) if state in list(JobState) else None
    found, following = jobs.list_jobs(platform.database, actor, state=chosen, cursor=cursor, limit=PAGE_SIZE)
    following_page = urlencode({"state": state, "cursor": following}) if following else ""
    values = {
        "jobs": found,
        "chosen": chosen,
        "states": list(JobState),
        "next": following_page,
        "first": cursor is None,
    }
    return render(request, "jobs.html", {**values, **_words()})


@router.get("/jobs/{job_id}")
def job(request: Request, platform: CurrentPlatform, actor: CurrentActor, job_id: str, part: Part = False) -> Response:
    """One job: how far it is, what it said, what it made."""
    found = jobs.get_job(platform.database, actor, job_id)
    values: dict[str, Any] = {"job": found, **_words()}
    if not part:
        lines = _last_lines(platform, actor, job_id)
        values |= {"lines": lines, "events": f"/api/v1/jobs/{job_id}/events"}
        values["recipe"] = of_job(str(request.base_url).rstrip("/"), job_id)
    values["pictures"] = _pictures(platform, actor, found)
    values["failures"] = jobs.list_failures(platform.database, actor, job_id, limit=10)
    values["solution"] = _description_of(found)
    return render(request, "_job.html" if part else "job.html", values)


def _pictures(platform: Platform, actor: Actor, found: Job) -> list[MadePicture]:
    """Those of what a job has made, as far as it is there and may be seen."""
    if found.state not in (JobState.DONE, JobState.DONE_EXCEPT):
        return []
    try:
        version = get_version(platform.database, actor, found.dataset_id)
    except NotFound:
        return []
    made = set(found.outputs.values())
    return [one for asset in version.assets if asset.id in made for one in pictures_of(asset, version)]


def _last_lines(platform: Platform, actor: Any, job_id: str) -> Sequence[jobs.LogLine]:
    lines: list[jobs.LogLine] = []
    while more := jobs.read_log(platform.database, actor, job_id, after=lines[-1].number if lines else 0):
        lines = [*lines, *more][-_LINES:]
    return lines


def _description_of(found: Job) -> SolutionDescription | None:
    """What the job's solution says of itself, as far as it is still installed."""
    return next((one for one in describe_all() if one.name == found.solution), None)


@router.post("/jobs/{job_id}/{action}")
def change(platform: CurrentPlatform, actor: CurrentActor, job_id: str, action: str, fields: Fields) -> Response:
    """Cancel, pause or resume a job, or make again what it made."""
    if action == "again":
        found = jobs.get_job(platform.database, actor, job_id)
        made = rerun(solution_means(platform, actor), next(iter(found.outputs.values())))
        return RedirectResponse(f"/jobs/{made.id}", 303)
    if action not in _ACTIONS:
        raise Invalid(f"a job can't be {action!r}", hint=f"use {', '.join(_ACTIONS)} or again")
    _ACTIONS[action](platform.database, actor, job_id)
    return RedirectResponse(f"/jobs/{job_id}", 303)


def _words() -> dict[str, Any]:
    return {"state_names": phrases.JOB_STATES, "failure_names": phrases.FAILURES}
