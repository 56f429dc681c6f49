"""The command line as a person has it, in a home of its own."""

import pytest
from typer.testing import CliRunner

from pulvinar.cli.app import app


@pytest.fixture
def pulvinar(tmp_path, monkeypatch):
    """Run a command and give what it prints; what it raises is raised."""
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "home"))

    def run(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return run
