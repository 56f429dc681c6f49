"""Rules, for owners of the node: what starts by itself when data are published."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from pulvinar.access.audit import Wanted, search_events
from pulvinar.errors import Conflict, Invalid, PulvinarError
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Species
from pulvinar.model.solution import SolutionDescription
from pulvinar.model.terms import Vocabulary, terms
from pulvinar.platform import solution_means
from pulvinar.solutions.rules import (
    CONDITIONS,
    FAILED,
    add_rule,
    list_rules,
    remove_rule,
    set_enabled,
    solutions_for_rules,
)
from pulvinar.solutions.solution import describe_all, find_solution
from pulvinar.web.administration_pages import only_owners
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites
from pulvinar.web.forms import Form, SentForm, go_to, private_page
from pulvinar.web.job_pages import parameters_sent, parameters_shown

router = APIRouter(
    prefix="/administration/rules",
    include_in_schema=False,
    dependencies=[Depends(refuse_other_sites), Depends(only_owners)],
)

_SHOWN = 20
RuleId = Annotated[str, Path(max_length=100)]


@router.get("")
def show_all(request: Request, platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """The rules, and what they could not start."""
    values = {
        "rules": list_rules(solution_means(platform, actor)),
        "titles": {one.name: one.title for one in describe_all()},
        "startable": solutions_for_rules(),
        "failed": search_events(platform.database, actor, Wanted(verb=FAILED), limit=_SHOWN).items,
    }
    return private_page(request, "rules.html", values)


@router.get("/new")
def begin(request: Request, solution: Annotated[str, Query(max_length=64)]) -> Response:
    """The form of a new rule that starts one solution."""
    return _form(request, find_solution(solution).description, Form({}))


@router.post("/new")
def make(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    form: SentForm,
    solution: Annotated[str, Query(max_length=64)],
) -> Response:
    """Make a rule. What can't be comes back with the form as it was filled in."""
    description = find_solution(solution).description
    try:
        add_rule(
            solution_means(platform, actor),
            form["name"],
            solution,
            conditions={name: form[name].strip() for name in CONDITIONS if form[name].strip()},
            parameters=parameters_sent(description, dict(form)),
            project=form["project"].strip(),
        )
    except (Conflict, Invalid) as error:
        return _form(request, description, form, error)
    return go_to("/administration/rules")


def _form(
    request: Request, description: SolutionDescription, form: Form, trouble: PulvinarError | None = None
) -> Response:
    first = next(one for one in description.inputs if not one.optional)
    values: dict[str, Any] = {
        "solution": description,
        "form": form,
        "chosen": parameters_shown(description, dict(form)),
        "species": list(Species),
        "modalities": terms(Vocabulary.MODALITY),
        "kinds": [one for one in AssetKind if one in first.kinds],
    }
    return private_page(request, "rule.html", values, trouble)


@router.post("/{rule_id}/{action}")
def change(platform: CurrentPlatform, actor: CurrentActor, rule_id: RuleId, action: str, _: SentForm) -> Response:
    """Have a rule pause or go on, or take it away."""
    means = solution_means(platform, actor)
    if action == "remove":
        remove_rule(means, rule_id)
    elif action in ("pause", "resume"):
        set_enabled(means, rule_id, enabled=action == "resume")
    else:
        raise Invalid(f"a rule can't be {action!r}", hint="use pause, resume or remove")
    return go_to("/administration/rules")
