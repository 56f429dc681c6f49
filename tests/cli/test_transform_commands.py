"""A person brings a transform in from the command line, lists it, and brings points over."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from pulvinar.cli.app import app
from pulvinar.errors import Invalid, NotFound, UnreadableFile

ITK = """#Insight Transform File V1.0
#Transform 0
Transform: AffineTransform_double_3_3
Parameters: 1 0 0 0 1 0 0 0 1 1 2 3
FixedParameters: 0 0 0
"""
"""Points go 1 mm to the left, 2 mm to the back and 3 mm up."""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "home"))

    def invoke(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return invoke


@pytest.fixture
def added(run, tmp_path):
    file = tmp_path / "moved.tfm"
    file.write_text(ITK)
    ends = ["--from", "scan", "--from-orientation", "sar", "--to", "atlas", "--to-orientation", "PIR"]
    said = ["--format", "itk", "--error-um", 25, "--licence", "CC-BY-4.0", "--species", "小鼠", "--citation", "A. B."]
    done = run("transform", "add", file, *ends, *said, "--json")
    return json.loads(done.stdout)


def test_a_transform_is_added_and_listed(run, added):
    (listed,) = json.loads(run("transform", "list", "--json").stdout)
    assert listed == added
    assert (listed["source"], listed["target"], listed["kind"]) == ("scan", "atlas", "affine")
    assert (listed["expected_error_um"], listed["licence"], listed["citation"]) == (25.0, "CC-BY-4.0", "A. B.")
    assert listed["obtained"] == "itk: moved.tfm"
    table = run("transform", "list").stdout
    assert "scan to atlas" in table
    assert " yes " in table
    assert added["dataset_id"] in table
    shown = json.loads(run("show", added["dataset_id"], "--json").stdout)
    assert [one["kind"] for one in shown["assets"]] == ["transform"]


def test_points_are_brought_over_and_the_path_and_its_error_are_told(run, added):
    done = run("transform", "points", "--from", "scan", "--to", "atlas", "100,200,300", "0,0,0")
    # the atlas rises to the back, down and to the right in z, y, x
    assert done.stdout.splitlines() == ["-900.000,-3300.000,1800.000", "-1000.000,-3000.000,2000.000"]
    assert "scan -> atlas: scan to atlas, 25.0 um" in done.stderr
    assert "expected error: 25.0 um" in done.stderr
    told = json.loads(
        run("transform", "points", "--from", "atlas", "--to", "scan", "-1000,-3000,2000", "--json").stdout
    )
    np.testing.assert_allclose(told["points"], [[0, 0, 0]], atol=1e-9)
    assert told["expected_error_um"] == 25.0
    (leg,) = told["path"]
    assert (leg["source"], leg["target"], leg["transform"]) == ("atlas", "scan", "scan to atlas")
    assert (leg["inverted"], leg["dataset_id"], leg["digest"]) == (True, added["dataset_id"], added["digest"])


def test_a_table_keeps_its_other_columns(run, added, tmp_path):
    table = tmp_path / "cells.csv"
    table.write_text('cell,z,y,x,dose,note\n007,300,200, 100,1.10,NA\n"a, b",0,0,0.5,,2e3\n')
    done = run("transform", "points", "--from", "scan", "--to", "atlas", "--csv", table)
    assert done.stdout.splitlines() == [
        "cell,z,y,x,dose,note",
        "007,1800,-3300,-900,1.10,NA",
        '"a, b",2000,-3000,-999.5,,2e3',
    ]
    table.write_text("cell,z,y\nfirst,300,200\n")
    with pytest.raises(UnreadableFile, match=r"cells\.csv has no columns x, y and z"):
        run("transform", "points", "--from", "scan", "--to", "atlas", "--csv", table)


def test_a_file_that_is_not_there_is_named(run, tmp_path):
    there = tmp_path / "moved.tfm"
    there.write_text(ITK)
    ends = ["--from", "scan", "--to", "atlas", "--format", "itk", "--licence", "CC-BY-4.0"]
    for words in (["nope.tfm"], [there, "--from-image", "nope.tfm"]):
        done = run("transform", "add", *words, *ends)
        assert done.exit_code == 2
        assert "nope.tfm" in done.stderr


def test_what_leads_nowhere_says_what_to_do(run, added):
    with pytest.raises(NotFound, match="no transform leads from scan to mars") as caught:
        run("transform", "points", "--from", "scan", "--to", "mars", "1,2,3")
    assert "brought to atlas; pulvinar transform add" in caught.value.hint
    with pytest.raises(Invalid, match="is no place"):
        run("transform", "points", "--from", "scan", "--to", "atlas", "1,2")
    assert run("transform", "points", "--from", "scan", "--to", "atlas").exit_code == 2


def test_without_a_transform_the_list_says_how_to_add_one(run):
    assert "pulvinar transform add" in run("transform", "list").stdout
