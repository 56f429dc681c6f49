"""Accounts from the command line, and `pulvinar login` against a server in a process of its own."""

import json
import re
import subprocess

import httpx2
import numpy as np
import pytest
from sqlalchemy import select
from tests.servers import command_line, first_owner, public_server
from tests.web.conftest import add_dataset, stored_volume
from typer.testing import CliRunner

import pulvinar
from pulvinar.access.tables import account, granted
from pulvinar.access.visibility import EVERYONE, hide
from pulvinar.cli.account_app import CeilingChoice
from pulvinar.cli.app import app
from pulvinar.client.sign_ins import (
    drop_token,
    file_of_tokens,
    keep_token,
    only_server,
    origin_of,
    token_for,
)
from pulvinar.errors import Conflict, Invalid, NotAuthenticated, NotFound
from pulvinar.model.access import Right
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def invoke(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return invoke


def test_the_choices_are_the_rights():
    assert [choice.value for choice in CeilingChoice] == [right.name.lower() for right in Right]


def test_an_owner_without_a_browser_looks_after_accounts(run):
    assert re.fullmatch(r"http://127.0.0.1:8765/join\?link=[\w-]{43}\n", run("accounts", "first-link").stdout)
    assert "/join?link=" in run("accounts", "invite", "ada@x.org", "--owner").stdout
    with pytest.raises(Invalid):
        run("accounts", "invite", "nonsense")
    made = json.loads(run("accounts", "make-service", "scope", "--name", "Microscope", "--json").stdout)
    assert made["token"].startswith("pulv_")
    with pytest.raises(Conflict):
        run("accounts", "make-service", "SCOPE")
    (listed,) = json.loads(run("accounts", "list", "--json").stdout)
    assert (listed["login"], listed["kind"], listed["profile"]["name"]) == ("scope", "service", "Microscope")
    with pytest.raises(Invalid, match="reason"):
        run("accounts", "disable", "scope")
    run("accounts", "disable", "scope", "--reason", "scrapped")
    assert "disabled" in run("accounts", "list").stdout
    run("accounts", "enable", "scope")
    with pytest.raises(Conflict):
        run("accounts", "reset", "scope")
    for words in (("reset", "nobody"), ("enable", "nobody"), ("disable", "nobody", "--reason", "x")):
        with pytest.raises(NotFound):
            run("accounts", *words)


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        ("https://Brains.x.org/a?b", "https://brains.x.org"),
        ("brains.x.org", "https://brains.x.org"),
        ("http://127.0.0.1:8765/", "http://127.0.0.1:8765"),
        ("https://x.org:443", "https://x.org"),
        ("http://[::1]:8765", "http://[::1]:8765"),
    ],
)
def test_a_server_is_one_however_its_address_is_written(said, origin):
    assert origin_of(said) == origin


@pytest.mark.parametrize("said", ["ftp://x.org", "https://", "https://u:p@x.org", "https://x.org:99999", ""])
def test_what_is_no_server_is_refused(said):
    with pytest.raises(Invalid):
        origin_of(said)


def test_tokens_are_kept_for_their_owner_alone_and_sent_to_no_other_server(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    keep_token("https://x.org/", "pulv_x")
    keep_token("https://y.org", "pulv_y")
    assert file_of_tokens().stat().st_mode & 0o777 == 0o600
    asked = ("https://x.org", "https://x.org:8443", "http://x.org")
    assert [token_for(one) for one in asked] == ["pulv_x", "", ""]
    with pytest.raises(Invalid, match=r"x\.org"):
        only_server()
    drop_token("https://y.org")
    assert only_server() == "https://x.org"
    assert pulvinar.connect("https://x.org").signed_in == {"authorization": "Bearer pulv_x"}
    assert pulvinar.connect("https://x.org", "").signed_in == {}
    assert list(file_of_tokens().parent.iterdir()) == [file_of_tokens()]
    file_of_tokens().write_text("{")
    with pytest.raises(Invalid, match="can't be read"):
        only_server()


def allowed(browser, output):
    address = re.search(r"or open (http\S+)", output)[1]
    path = address.partition("/device")[2]
    code = path.partition("=")[2]
    assert "Allow" in browser.get(f"/device{path}").text
    return browser.post("/device", data={"code": code, "do": "allow"})


def spoken(process):
    """What a command says until it waits."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("or open"):
            break
    return "".join(lines)


@pytest.mark.slow
def test_a_program_signs_in_by_a_code_reads_what_its_person_may_and_signs_out(tmp_path, monkeypatch):
    settings = load_settings(environment={}, home=tmp_path / "home", public=True)
    with open_platform(settings) as platform:
        voxels = np.full((1, 1, 30, 20, 10), 7, np.uint8)
        asset, objects = stored_volume(platform, "private", voxels, VolumeKind.IMAGE)
        version = add_dataset(platform, "Private", [(asset, objects)])
        with platform.database.writing() as session:
            hide(session, version.dataset_id, EVERYONE)
            assert session.execute(select(granted)).all() == []
    with public_server(tmp_path) as server:
        browser = first_owner(server)
        command, environment = command_line(tmp_path, "login", server.address)
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            output = spoken(process)
            assert "The program is signed in" in allowed(browser, output).text
            assert f"signed in at {server.address} as ada (Ada)" in process.stdout.read()
        assert process.returncode == 0
        who, environment = command_line(tmp_path, "whoami", "--json")
        told = json.loads(subprocess.check_output(who, env=environment, text=True))
        assert (told["login"], told["ceiling"], told["server"]) == ("ada", "write", server.address)

        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        remote = pulvinar.connect(server.address).dataset(version.dataset_id).asset("private")
        assert (remote.volume(level=0).compute().values == 7).all()
        with pytest.raises(NotFound):
            pulvinar.connect(server.address, "").dataset(version.dataset_id)

        token = token_for(server.address)
        out, environment = command_line(tmp_path, "logout")
        assert "signed out" in subprocess.check_output(out, env=environment, text=True)
        assert token_for(server.address) == ""
        with pytest.raises(NotAuthenticated):
            pulvinar.connect(server.address, token).me()
    with open_platform(settings) as platform, platform.database.session() as session:
        assert session.scalar(select(account.c.login)) == "ada"


@pytest.mark.slow
def test_the_first_start_tells_how_its_owner_comes_in_and_the_second_does_not(tmp_path):
    with public_server(tmp_path) as server:
        assert server.first_link.startswith(f"{server.address}/join?link=")
        first_owner(server).close()
        said = {"login": "ada", "password": "admin"}
        assert httpx2.post(f"{server.address}/sign-in", data=said).status_code == 401
    command, environment = command_line(tmp_path, "accounts", "first-link")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "there is an owner already" in done.stderr
