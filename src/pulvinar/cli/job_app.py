"""The commands `pulvinar job` and `pulvinar rule`: ask for processing, watch it, end it, have it start by itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pulvinar.cli.options import Json

job_app = typer.Typer(no_args_is_help=True, help="Processing: submit it, watch it, cancel, pause and resume it.")
rule_app = typer.Typer(no_args_is_help=True, help="What starts processing by itself when something is published.")

JobId = Annotated[str, typer.Argument(help="Identifier of a job.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the solution; repeatable.")
]
Project = Annotated[str, typer.Option(help="What it is counted for.")]
Priority = Annotated[int, typer.Option(help="-10 to 10: higher ones come first.", min=-10, max=10)]


class StateChoice(StrEnum):
    """The states of a job; a test compares them with the model's, which is heavy to import."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    DONE = "done"
    DONE_EXCEPT = "done_except"
    FAILED = "failed"


class ByChoice(StrEnum):
    """By what use is told apart."""

    USER = "user"
    PROJECT = "project"
    SOLUTION = "solution"


@job_app.command()
def solutions(json: Json = False) -> None:
    """List the solutions that are installed, with their inputs and parameters."""
    from pulvinar.cli.jobs import show_solutions

    show_solutions(as_json=json)


@job_app.command()
def submit(
    solution: Annotated[str, typer.Argument(help="Name of a solution: pulvinar job solutions lists them.")],
    inputs: Annotated[
        list[str],
        typer.Option(
            "--input",
            metavar="NAME=ASSET",
            help="An asset, by its identifier or as DATASET:NAME; a template also by its atlas. "
            "Several for one input: a.1=, a.2= ...",
        ),
    ],
    parameters: Set = None,
    title: Annotated[str, typer.Option(help="What the outputs are called.")] = "",
    project: Project = "",
    priority: Priority = 0,
    into: Annotated[str, typer.Option(help="Put the outputs into a draft version of this dataset.")] = "",
    dry: Annotated[bool, typer.Option("--dry", help="Only say what it would take.")] = False,
    json: Json = False,
) -> None:
    """Queue a job. It runs as soon as a runner (pulvinar work) has room for it, and with your rights."""
    from pulvinar.cli.jobs import pairs, submit_job
    from pulvinar.solutions.submission import Request

    asked = Request(solution, pairs(inputs), pairs(parameters or []), title, project, priority, into)
    submit_job(asked, dry=dry, as_json=json)


@job_app.command("list")
def list_them(
    state: Annotated[StateChoice | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=200)] = 50,
    json: Json = False,
) -> None:
    """List jobs, newest first."""
    from pulvinar.cli.jobs import show_jobs

    show_jobs(state.value if state else None, limit, as_json=json)


@job_app.command()
def show(job: JobId, json: Json = False) -> None:
    """Show a job: its state and why, how far it is, and which blocks failed."""
    from pulvinar.cli.jobs import show_job

    show_job(job, as_json=json)


@job_app.command()
def log(
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job has ended.")] = False,
    json: Json = False,
) -> None:
    """Print what a job has said."""
    from pulvinar.cli.jobs import print_log

    print_log(job, follow=follow, as_json=json)


@job_app.command()
def cancel(job: JobId, json: Json = False) -> None:
    """End a job within seconds. Nothing of it becomes visible."""
    from pulvinar.cli.jobs import change_job

    change_job("cancel", job, as_json=json)


@job_app.command()
def pause(job: JobId, json: Json = False) -> None:
    """Have a job begin no further block; what is done is kept."""
    from pulvinar.cli.jobs import change_job

    change_job("pause", job, as_json=json)


@job_app.command()
def resume(job: JobId, json: Json = False) -> None:
    """Let a paused job go on."""
    from pulvinar.cli.jobs import change_job

    change_job("resume", job, as_json=json)


@job_app.command()
def usage(
    hours: Annotated[float, typer.Option(help="Of the last so many hours.", min=0.02)] = 24,
    span_minutes: Annotated[int, typer.Option(help="In spans of so many minutes.", min=1)] = 60,
    by: Annotated[ByChoice, typer.Option(help="Tell apart by user, project or solution.")] = ByChoice.USER,
    json: Json = False,
) -> None:
    """Say how much of what the engine offered was used, over time, and by whom."""
    from pulvinar.cli.jobs import show_usage

    show_usage(hours, span_minutes, by.value, as_json=json)


@rule_app.command("add")
def add_rule(
    name: Annotated[str, typer.Argument(help="What the rule is called.")],
    solution: Annotated[str, typer.Argument(help="Name of a solution with one needed input.")],
    species: Annotated[str, typer.Option(help="Only what is of this species.")] = "",
    modality: Annotated[str, typer.Option(help="Only what was recorded so.")] = "",
    kind: Annotated[str, typer.Option(help="Only assets of this kind, as volume.")] = "",
    parameters: Set = None,
    project: Project = "",
    priority: Priority = 0,
    json: Json = False,
) -> None:
    """Start a solution for every asset that is published from now on and is as said, with your rights."""
    from pulvinar.cli.jobs import add_a_rule, pairs

    conditions = {key: value for key, value in (("species", species), ("modality", modality), ("kind", kind)) if value}
    add_a_rule(name, solution, conditions, pairs(parameters or []), project, priority, as_json=json)


@rule_app.command("list")
def list_rules(json: Json = False) -> None:
    """List the rules."""
    from pulvinar.cli.jobs import show_rules

    show_rules(as_json=json)


@rule_app.command("switch")
def switch_rule(
    name: Annotated[str, typer.Argument(help="Name of a rule.")],
    off: Annotated[bool, typer.Option("--off", help="Have it start nothing.")] = False,
) -> None:
    """Switch a rule on, or off."""
    from pulvinar.cli.jobs import switch

    switch(name, enabled=not off)


@rule_app.command("remove")
def remove_rule(name: Annotated[str, typer.Argument(help="Name of a rule.")]) -> None:
    """Take a rule away. Jobs that it has started go on."""
    from pulvinar.cli.jobs import take_away

    take_away(name)
