"""A person has a brain measured from the command line, watches it, and makes the table once more."""

import json
import signal

import numpy as np
import pytest
from tests.solutions.stored import catalogued, stored_volume
from typer.testing import CliRunner

from pulvinar.cli.app import app
from pulvinar.cli.job_app import StateChoice
from pulvinar.cli.jobs import duration
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.model.job import JobState
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULVINAR_ENGINE", "here")
    monkeypatch.setenv("PULVINAR_ENGINE_SLOTS", "1x2GB")

    def invoke(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return invoke


@pytest.fixture
def brain(run):
    with open_platform(load_settings()) as platform:
        voxels = np.arange(40 * 40 * 40, dtype=np.uint16).reshape(1, 1, 40, 40, 40)
        stored = stored_volume(platform.store, platform.settings.resolved_scratch(), voxels)
        return catalogued(platform.database, stored)


def submitted(run, brain, *more):
    words = ["job", "submit", "measure", "--input", f"image={brain}:brain", "--set", "block_side=16", *more]
    return json.loads(run(*words, "--json").stdout)


def test_a_brain_is_measured(run, brain):
    said = run("job", "solutions").stdout
    assert "--set block_side=256  Side of a block: a whole number from 16 to 1024 voxels" in said
    dry = run("job", "submit", "measure", "--input", f"image={brain}:brain", "--set", "block_side=16", "--dry").stdout
    assert "measure  map     27" in dry
    assert "there is no job" in run("job", "list").stdout
    job = submitted(run, brain, "--title", "How bright")
    assert job["id"] in run("job", "list", "--state", "queued").stdout
    run("work", "--until-idle")
    shown = run("job", "show", job["id"]).stdout
    assert "28 of 28 blocks" in shown
    ended = json.loads(run("job", "show", job["id"], "--json").stdout)
    assert ended["state"] == "done"
    assert "step measure: 27 of 27 blocks to do" in run("job", "log", job["id"], "--follow").stdout
    assert ended["dataset_id"] in shown
    assert "How bright: A brain" in run("show", ended["dataset_id"]).stdout
    again = json.loads(run("rerun", ended["outputs"]["statistics"], "--json").stdout)
    assert again["parameters"] == ended["parameters"]
    usage = run("job", "usage", "--by", "solution").stdout
    assert "measure" in usage


def test_a_job_is_paused_resumed_and_cancelled(run, brain):
    job = submitted(run, brain)["id"]
    assert "paused" in run("job", "pause", job).stdout
    before = signal.getsignal(signal.SIGINT)
    run("work", "--until-idle")
    assert signal.getsignal(signal.SIGINT) is before
    assert "queued" in run("job", "resume", job).stdout
    assert "cancelled" in run("job", "cancel", job).stdout
    with pytest.raises(Conflict):
        run("job", "resume", job)


def test_a_rule_is_made_listed_and_removed(run, brain):
    assert "there is no rule" in run("rule", "list").stdout
    made = run("rule", "add", "mice", "measure", "--species", "mouse", "--set", "block_side=64").stdout
    assert made == "rule mice: measure for every species mouse that is published\n"
    run("rule", "switch", "mice", "--off")
    assert json.loads(run("rule", "list", "--json").stdout)[0]["enabled"] is False
    run("rule", "remove", "mice")
    with pytest.raises(NotFound):
        run("rule", "switch", "mice")


def test_what_can_not_be_is_told(run, brain):
    with pytest.raises(Invalid, match="is no NAME=VALUE"):
        run("job", "submit", "measure", "--input", brain)
    with pytest.raises(NotFound):
        run("job", "log", "nothing")


def test_the_states_are_those_of_the_model():
    assert [one.value for one in StateChoice] == [one.value for one in JobState]


def test_time_is_told_for_people():
    assert [duration(seconds) for seconds in (3, 75, 3900)] == ["3 s", "1 min 15 s", "1 h 05 min"]
