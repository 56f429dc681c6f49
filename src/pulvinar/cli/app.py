"""The commands. Each parses, calls one verb of a room below, and prints."""

from __future__ import annotations

import signal
import sys

import typer

from pulvinar.cli.access_app import access_app, organisations_app
from pulvinar.cli.account_app import accounts_app, sign_in_app
from pulvinar.cli.agreement_app import agreement_app, request_app
from pulvinar.cli.atlas_app import atlas_app
from pulvinar.cli.audit_app import audit_app
from pulvinar.cli.backup_app import backup_app
from pulvinar.cli.care_app import care_app
from pulvinar.cli.catalogue_app import catalogue_app
from pulvinar.cli.collection_app import collection_app
from pulvinar.cli.errors import exit_code, tell
from pulvinar.cli.intake_app import intake_app
from pulvinar.cli.job_app import job_app, rule_app
from pulvinar.cli.mark_app import mark_app
from pulvinar.cli.measure_app import measure_app
from pulvinar.cli.metadata_app import metadata_app
from pulvinar.cli.movie_app import movie_app
from pulvinar.cli.people_app import people_app
from pulvinar.cli.samples_app import samples_app
from pulvinar.cli.server_app import server_app
from pulvinar.cli.solution_app import solution_app
from pulvinar.cli.transform_app import transform_app
from pulvinar.errors import PulvinarError

app = typer.Typer(
    name="pulvinar",
    help="A data platform for brain atlases: raw data in, verified chunked volumes, a catalogue and a viewer out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(intake_app)
app.add_typer(catalogue_app)
app.add_typer(solution_app)
app.add_typer(care_app)
app.add_typer(server_app)
app.add_typer(samples_app, name="samples")
app.add_typer(metadata_app)
app.add_typer(people_app)
app.add_typer(atlas_app, name="atlas")
app.add_typer(transform_app, name="transform")
app.add_typer(job_app, name="job")
app.add_typer(rule_app, name="rule")
app.add_typer(sign_in_app)
app.add_typer(accounts_app, name="accounts")
app.add_typer(access_app, name="access")
app.add_typer(request_app, name="request")
app.add_typer(agreement_app, name="agreement")
app.add_typer(organisations_app, name="organisations")
app.add_typer(audit_app, name="audit")
app.add_typer(mark_app, name="marks")
app.add_typer(collection_app, name="collection")
app.add_typer(measure_app, name="measure")
app.add_typer(movie_app)
app.add_typer(backup_app)


def run() -> None:
    """Run the command line: errors become one message, a hint and an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # who started this process may have it ignore them
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        app(standalone_mode=True)
    except PulvinarError as error:
        tell(error)
        sys.exit(exit_code(error))
    except _Interrupted as interrupted:
        print("pulvinar: interrupted; the same command goes on from what is finished", file=sys.stderr)
        sys.exit(128 + interrupted.number)


class _Interrupted(BaseException):
    """A signal asks the process to end, and it cleans up first. No `KeyboardInterrupt`, of which typer says nothing."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _interrupt(number: int, frame: object) -> None:
    raise _Interrupted(number)
