"""The command line: parse, call one verb, print. Heavy imports wait until a command needs them."""

from __future__ import annotations


def main() -> None:
    """The entry point of the command `pulvinar`."""
    from pulvinar.cli.app import run

    run()
