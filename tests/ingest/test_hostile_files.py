"""Every broken and hostile file of the table, and every valid twin, through the command line's own code."""

import os
import shutil

import pytest
from tests.ingest.hostile_files.case import Result, every_case, every_twin, wrongs
from tests.ingest.hostile_files.outcome import remains, stored_assets
from tests.ingest.processes import children

from pulvinar.cli.app import app
from pulvinar.cli.errors import tell
from pulvinar.errors import PulvinarError
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

FLAGS = ("--title", "A brain", "--species", "mouse", "--licence", "CC0-1.0")
CASES, TWINS = every_case(), every_twin()


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory):
    """A home whose catalogue is made already."""
    home = tmp_path_factory.mktemp("empty") / "home"
    with open_platform(load_settings(environment={}, home=home)):
        return home


@pytest.fixture
def taken(tmp_path, empty_home, monkeypatch, capsys):
    """The result of ingesting what a case makes; nothing of a refused one may be left, nor any process."""
    home, folder = tmp_path / "home", tmp_path / "files"
    shutil.copytree(empty_home, home)
    folder.mkdir()
    monkeypatch.setenv("PULVINAR_HOME", str(home))

    def take(case):
        given = case.make(folder)
        before = (listing(folder), children())
        try:
            app(["ingest", str(given), *FLAGS, *case.flags], standalone_mode=False)
            stored, left = stored_assets(home), []
        except PulvinarError as error:
            tell(error)
            stored, left = None, remains(home)
        assert left == []
        assert (listing(folder), children()) == before
        words = "".join(capsys.readouterr())
        found = None if stored is None else {name: values for name, (values, _) in stored.items()}
        findings = [line for _, said in (stored or {}).values() for line in said]
        return given, Result(words, found, home, findings)

    return take


def listing(folder):
    """Names, sizes and times of everything below a folder, links as themselves."""
    return {path: os.lstat(path).st_mtime_ns for path in sorted(folder.rglob("*")) if not path.is_dir()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_file_does_what_the_table_says(taken, case):
    assert wrongs(case, *taken(case)) == []


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_its_valid_twin_comes_in_with_right_values(taken, twin):
    assert wrongs(twin, *taken(twin)) == []


def test_no_two_cases_have_one_name():
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)
