"""The commands `pulvinar request` and `pulvinar agreement`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import Json

request_app = typer.Typer(help="Requests to read datasets.", no_args_is_help=True)
agreement_app = typer.Typer(help="Agreements on the use of data, and who accepted them.", no_args_is_help=True)

DatasetId = Annotated[str, typer.Argument(help="Identifier of a dataset.")]
RequestId = Annotated[str, typer.Argument(help="Identifier of a request.")]
AgreementId = Annotated[str, typer.Argument(help="Identifier of an agreement.")]
Terms = Annotated[Path, typer.Argument(help="JSON file of what it says, as `agreement show --json` prints.")]
Message = Annotated[str, typer.Option(help="What to tell who asked.")]


@request_app.command("list")
def list_requests(
    decided: Annotated[bool, typer.Option("--decided", help="Those that were decided.")] = False, json: Json = False
) -> None:
    """The requests that wait to be decided."""
    from pulvinar.cli.agreements import list_requests

    list_requests(decided=decided, as_json=json)


@request_app.command("grant")
def grant(
    request: RequestId, until: Annotated[str, typer.Option(help="Last day, as 2027-01-31.")] = "", message: Message = ""
) -> None:
    """Let who asked read the dataset."""
    from pulvinar.cli.agreements import grant_request

    grant_request(request, until, message)


@request_app.command("refuse")
def refuse(request: RequestId, message: Message = "") -> None:
    """Refuse a request."""
    from pulvinar.cli.agreements import refuse_request

    refuse_request(request, message)


@agreement_app.command("list")
def list_agreements(dataset: DatasetId, json: Json = False) -> None:
    """The agreements that bind a dataset."""
    from pulvinar.cli.agreements import list_agreements

    list_agreements(dataset, as_json=json)


@agreement_app.command("show")
def show(
    agreement: AgreementId,
    version: Annotated[int, typer.Option(help="What an earlier version said; 0 is the newest.")] = 0,
    json: Json = False,
) -> None:
    """What an agreement says."""
    from pulvinar.cli.agreements import show_agreement

    show_agreement(agreement, version or None, as_json=json)


@agreement_app.command("set")
def set_agreement(terms: Terms, dataset: Annotated[str, typer.Option(help="The dataset that it binds.")]) -> None:
    """Set an agreement of a dataset."""
    from pulvinar.cli.agreements import set_agreement

    set_agreement(terms, dataset)


@agreement_app.command("change")
def change(agreement: AgreementId, terms: Terms) -> None:
    """Have an agreement say something else: everybody is asked again."""
    from pulvinar.cli.agreements import change_agreement

    change_agreement(agreement, terms)


@agreement_app.command("accepted")
def accepted(agreement: AgreementId, json: Json = False) -> None:
    """Who accepted an agreement: the evidence."""
    from pulvinar.cli.agreements import list_acceptances

    list_acceptances(agreement, as_json=json)
