"""The commands `pulvinar login`, `logout`, `whoami` and `pulvinar accounts`: who you are there, and who may be here."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pulvinar.cli.options import Json

sign_in_app = typer.Typer()
accounts_app = typer.Typer(no_args_is_help=True, help="Who may sign in at the server of this machine's settings.")


class CeilingChoice(StrEnum):
    """What a token may do at most; a test compares them with the model's, which is heavy to import."""

    SEE = "see"
    VIEW = "view"
    READ = "read"
    WRITE = "write"
    SHARE = "share"
    ADMINISTER = "administer"


Address = Annotated[str, typer.Argument(help="Address of the server; without it, the one that you are signed in at.")]
Login = Annotated[str, typer.Argument(help="Login name of an account.")]
Ceiling = Annotated[CeilingChoice, typer.Option("--may", help="What it may do at most.")]


@sign_in_app.command()
def login(
    address: Annotated[str, typer.Argument(help="Address of the server, as https://brains.institute.org.")],
    may: Ceiling = CeilingChoice.WRITE,
    json: Json = False,
) -> None:
    """Sign in at a server somewhere else: shows a code, which you allow in a browser on any machine."""
    from pulvinar.cli.sign_ins import log_in

    log_in(address, may.value, as_json=json)


@sign_in_app.command()
def logout(address: Address = "") -> None:
    """Revoke the token that pulvinar login has kept, and forget it."""
    from pulvinar.cli.sign_ins import log_out

    log_out(address)


@sign_in_app.command()
def whoami(address: Address = "", json: Json = False) -> None:
    """Say who you are at a server, and how far the kept token goes."""
    from pulvinar.cli.sign_ins import say_who

    say_who(address, as_json=json)


@accounts_app.command("list")
def list_them(
    words: Annotated[str, typer.Argument(help="Only those whose names, mail address or lab hold this.")] = "",
    json: Json = False,
) -> None:
    """List the accounts."""
    from pulvinar.cli.accounts import show_accounts

    show_accounts(words, as_json=json)


@accounts_app.command("first-link")
def first_link() -> None:
    """Print a link that makes the first owner's account. It works once, within a day."""
    from pulvinar.cli.accounts import print_first_link

    print_first_link()


@accounts_app.command()
def invite(
    email: Annotated[str, typer.Argument(help="Mail address of whom to invite.")],
    owner: Annotated[bool, typer.Option("--owner", help="As an owner, who sees and may do everything.")] = False,
) -> None:
    """Mail a link by which somebody makes an account, and print it."""
    from pulvinar.cli.accounts import invite_by_mail

    invite_by_mail(email, is_owner=owner)


@accounts_app.command()
def disable(
    login: Login, reason: Annotated[str, typer.Option(help="Why: it is kept with what was done.")] = ""
) -> None:
    """Have an account be used no more: signed out everywhere, its tokens revoked."""
    from pulvinar.cli.accounts import disable_account

    disable_account(login, reason)


@accounts_app.command()
def enable(login: Login) -> None:
    """Let a disabled account be used again."""
    from pulvinar.cli.accounts import enable_account

    enable_account(login)


@accounts_app.command()
def reset(login: Login) -> None:
    """Print a link to a new password. Signs out everywhere, revokes tokens, switches the second factor off."""
    from pulvinar.cli.accounts import reset_account

    reset_account(login)


@accounts_app.command("make-service")
def make_service(
    login: Annotated[str, typer.Argument(help="Login name for it.")],
    name: Annotated[str, typer.Option(help="What it is, as 'Light-sheet microscope'.")] = "",
    days: Annotated[int, typer.Option(help="How long its first token lasts.", min=1, max=366)] = 90,
    may: Ceiling = CeilingChoice.WRITE,
    json: Json = False,
) -> None:
    """Make an account for a program, and print an access token for it."""
    from pulvinar.cli.accounts import make_a_service

    make_a_service(login, name, days, may.value, as_json=json)
