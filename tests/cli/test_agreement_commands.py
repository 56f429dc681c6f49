"""Requests and agreements from the command line, by who owns the machine."""

import json
from dataclasses import replace

import pytest
from tests.access.people import a_person, acting
from tests.access.terms import SAID, TERMS
from typer.testing import CliRunner

from pulvinar.access.acceptances import accept
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.requests import ask_for
from pulvinar.cli.app import app
from pulvinar.errors import Conflict, Invalid
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.agreement import terms_from_json, terms_to_json
from pulvinar.model.record import Record, Species
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "home"))

    def invoke(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    return invoke


def written(path, terms):
    path.write_text(json.dumps(terms_to_json(terms), ensure_ascii=False), "utf-8")
    return path


def test_a_request_is_granted_and_an_agreement_set_and_changed(run, tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path / "home")) as platform:
        database, cy = platform.database, a_person(platform.database, "cy", password="")
        with UnitOfWork(database, LOCAL_OWNER) as work:
            made = create_dataset(work, Record("A brain", Species.MOUSE, "CC0-1.0"))
        with UnitOfWork(database, acting(database, cy.id)) as work:
            asked = ask_for(work, made.id, "To look.")
        assert [one["purpose"] for one in json.loads(run("request", "list", "--json"))] == ["To look."]
        assert "granted" in run("request", "grant", asked.id, "--until", "2099-01-31", "--message", "Welcome.")
        assert asked.id in run("request", "list", "--decided")
        with pytest.raises(Conflict):
            run("request", "refuse", asked.id)
        said = run("agreement", "set", written(tmp_path / "terms.json", TERMS), "--dataset", made.id)
        agreement = said.split()[0]
        assert terms_from_json(json.loads(run("agreement", "show", agreement, "--json"))) == TERMS
        assert "数据使用协议" in run("agreement", "show", agreement)
        with UnitOfWork(database, acting(database, cy.id)) as work:
            accept(work, agreement, TERMS.digest, SAID)
        changed = written(tmp_path / "changed.json", replace(TERMS, lasts_days=30))
        assert "version 2" in run("agreement", "change", agreement, changed)
        (evidence,) = json.loads(run("agreement", "accepted", agreement, "--json"))
        assert (evidence["number"], evidence["digest"], evidence["values"]["role"]) == (1, TERMS.digest, "staff")
        assert "Cy" in run("agreement", "accepted", agreement)
        assert json.loads(run("agreement", "list", made.id, "--json"))[0]["version"] == "2"
        (tmp_path / "none.json").write_text("{}")
        with pytest.raises(Invalid):
            run("agreement", "change", agreement, tmp_path / "none.json")
