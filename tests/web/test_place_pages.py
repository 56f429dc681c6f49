"""The page of a place in an atlas: what is there, on the other side, in other spaces; and of one nobody oriented."""

from __future__ import annotations

import re

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.atlases.toy import VOXEL_UM, install_toy, labels, renamed

from pulvinar.cli.verbs import means_of
from pulvinar.ingest.transform_install import End, TransformFiles, TransformFormat, add_transform
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app

TH = 614454277


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    platform = open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("places")))
    install_toy(platform)
    shifted = tmp_path_factory.mktemp("files") / "affine.txt"
    shifted.write_text("1 0 0 0.005\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    ends = End("toy"), End("scan", "PIR")
    add_transform(means_of(platform), TransformFiles((shifted,), TransformFormat.NIFTYREG, *ends, "CC0-1.0", 12.5))
    install_toy(platform, name="unsaid", ontology=renamed("unsaid"), orientation="")
    yield TestClient(create_app(platform), headers={"accept": "text/html", "accept-language": "en"})
    platform.close()


def asked(client: TestClient, place: str, atlas: str = "toy", **headers: str) -> str:
    answer = client.get(f"/atlases/{atlas}/at", params={"place": place}, headers=headers)
    assert answer.status_code == 200
    return answer.text


def section(page: str, name: str) -> str:
    found = re.search(rf'aria-labelledby="{name}".*?</section>', page, re.S)
    assert found
    return found[0]


@pytest.mark.parametrize("written", ["1025,512.5,130", "1025, 512.5, 130", "(1025 512.5 130)", "1025，512.5；130"])
def test_a_place_is_told_with_its_region_and_all_that_hold_it(client, written: str):
    here = section(asked(client, written), "here")
    assert "cortex layer 1</a>" in here
    assert [*re.findall(r">([^<>]+)</a>(?: ›|</p>)", here)][-3:] == ["root", "grey matter", "cortex"]
    assert "Outside" not in here


def test_the_mirrored_place_is_told_with_its_region(client):
    there = section(asked(client, "1025,512.5,130"), "mirrored")
    assert "3975, 512.5, 130" in there
    assert "cortex layer 1</a>" in there


def test_a_place_outside_says_how_far_it_is_from_what(client):
    here = section(asked(client, "1025,512.5,-90"), "here")
    assert re.search(r"Outside the brain, 1\d\d(\.\d)? µm from", here)
    assert "脑外" in section(asked(client, "1025,512.5,-90", **{"accept-language": "zh-CN"}), "here")


def test_the_viewer_and_the_search_are_asked_for_the_same_place(client):
    page = asked(client, "1025,512.5,130")
    # the toy's z rises to posterior and its y to inferior; the world's to superior and anterior
    assert 'href="/atlases/toy/view#p=1025_-130_-512.5"' in page
    assert "q=within%3A300um+of%3A%281025%2C512.5%2C130%29%40toy" in page
    assert "rising x goes to right, y to inferior, z to posterior" in page


def test_what_is_no_place_is_said_kindly_and_the_question_can_be_asked_again(client):
    for text in ("abc", "1,2", "1,2,nan"):
        answer = client.get("/atlases/toy/at", params={"place": text})
        assert answer.status_code == 422
        assert "is no place: write three numbers" in answer.text
        assert f'value="{text}"' in answer.text
    assert 'name="place"' in client.get("/atlases/toy/at").text
    assert 'action="/atlases/toy/at"' in client.get("/atlases/toy").text


def test_other_spaces_that_transforms_lead_to_are_told_with_the_error(client):
    table = section(asked(client, "10,20,30"), "elsewhere")
    assert re.findall(r"<th scope=\"row\">(\w+)</th>", table) == ["scan"]
    assert "15, 20, 30" in table
    assert "12.5 µm" in table


def test_an_atlas_that_nobody_oriented_is_shown_along_its_own_axes(client):
    scene = client.get("/api/v1/atlases/unsaid/scene", params={"region": "TH"}).json()
    assert scene["oriented"] is False
    # the first voxel's middle is the world's origin
    assert np.array(scene["search"]["from_world"])[:, 3].tolist() == [size / 2 for size in VOXEL_UM]
    index = np.rint(np.array(scene["position_um"]) / VOXEL_UM).astype(int)
    assert labels()[tuple(index)] == TH
    page = asked(client, "1025,512.5,130", "unsaid")
    assert 'href="/atlases/unsaid/view#p=1000_500_120"' in page
    assert "Nobody has said where the middle" in page
