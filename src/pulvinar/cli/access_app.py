"""The commands `pulvinar access` and `pulvinar organisations`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pulvinar.cli.options import Json

access_app = typer.Typer(help="Whom a dataset is for, and who else may see it.", no_args_is_help=True)
organisations_app = typer.Typer(help="Labs, projects and teams, and who is in them.", no_args_is_help=True)


class TierChoice(StrEnum):
    """Whom published versions are for."""

    PUBLIC = "public"
    REGISTERED = "registered"
    CONTROLLED = "controlled"
    EMBARGOED = "embargoed"
    PRIVATE = "private"


class RightChoice(StrEnum):
    """What somebody may do at most."""

    SEE = "see"
    VIEW = "view"
    READ = "read"
    WRITE = "write"
    SHARE = "share"
    ADMINISTER = "administer"


class LinkRight(StrEnum):
    """What may be done by a link."""

    VIEW = "view"
    READ = "read"


class KindChoice(StrEnum):
    """What an organisation is."""

    LAB = "lab"
    PROJECT = "project"
    TEAM = "team"


DatasetId = Annotated[str, typer.Argument(help="Identifier of a dataset.")]
OrganisationId = Annotated[str, typer.Argument(help="Identifier of an organisation.")]
Login = Annotated[str, typer.Argument(help="Login name.")]
Who = Annotated[str, typer.Argument(help="Login name, or organisation:IDENTIFIER.")]
Until = Annotated[str, typer.Option(help="Last day, as 2027-01-31.")]


@access_app.command("show")
def show(dataset: DatasetId, json: Json = False) -> None:
    """Whom a dataset is for, and what was given to whom."""
    from pulvinar.cli.access import show_access

    show_access(dataset, as_json=json)


@access_app.command("tier")
def tier(
    dataset: DatasetId,
    tier: TierChoice,
    opens: Annotated[str, typer.Option(help="Last day of an embargo, as 2027-01-31.")] = "",
) -> None:
    """Say whom the published versions of a dataset are for."""
    from pulvinar.cli.access import choose_tier

    choose_tier(dataset, tier.value, opens)


@access_app.command("share")
def share(dataset: DatasetId, who: Who, right: RightChoice = RightChoice.READ, until: Until = "") -> None:
    """Give a person or an organisation a right on a dataset."""
    from pulvinar.cli.access import share_with

    share_with(dataset, who, right.value, until)


@access_app.command("unshare")
def unshare(dataset: DatasetId, who: Who) -> None:
    """Take back what was given."""
    from pulvinar.cli.access import unshare_with

    unshare_with(dataset, who)


@access_app.command("link")
def link(
    dataset: DatasetId,
    until: Until,
    right: LinkRight = LinkRight.READ,
    blind: Annotated[bool, typer.Option("--blind", help="Hide the names of people and labs.")] = False,
    label: Annotated[str, typer.Option(help="For whom it is.")] = "",
) -> None:
    """A link by which whoever has it looks at a dataset, its draft too, until a day."""
    from pulvinar.cli.access import print_link

    print_link(dataset, until, right.value, label, blind=blind)


@access_app.command("move")
def move(
    dataset: DatasetId,
    organisation: Annotated[str, typer.Argument(help="Identifier of an organisation; none without it.")] = "",
) -> None:
    """Say to which organisation a dataset belongs."""
    from pulvinar.cli.access import move_to

    move_to(dataset, organisation)


@organisations_app.command("list")
def list_all(json: Json = False) -> None:
    """The organisations of this node."""
    from pulvinar.cli.access import show_organisations

    show_organisations(as_json=json)


@organisations_app.command("make")
def make(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    kind: KindChoice = KindChoice.LAB,
    parent: Annotated[str, typer.Option(help="Identifier of the organisation in which it lies.")] = "",
) -> None:
    """Make a lab, a project or a team, and print its identifier."""
    from pulvinar.cli.access import make_one

    make_one(name, kind.value, parent)


@organisations_app.command("members")
def members(organisation: OrganisationId, json: Json = False) -> None:
    """Who is in an organisation, in which role."""
    from pulvinar.cli.access import show_members

    show_members(organisation, as_json=json)


@organisations_app.command("take-in")
def take_in(organisation: OrganisationId, login: Login, role: RightChoice = RightChoice.READ) -> None:
    """Make somebody a member, or give a member another role."""
    from pulvinar.cli.access import take_in as take_somebody_in

    take_somebody_in(organisation, login, role.value)


@organisations_app.command("take-out")
def take_out(organisation: OrganisationId, login: Login) -> None:
    """Have somebody be a member no more."""
    from pulvinar.cli.access import take_out as take_somebody_out

    take_somebody_out(organisation, login)
