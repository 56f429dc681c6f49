"""Pages of atlases: what a person reads of them, in both languages, with and without scripts."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.atlases.pair import HIPPOCAMPUS, install_pair
from tests.atlases.toy import install_toy, renamed

from pulvinar.atlases.trees import keep_tree
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    platform = open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("atlases")))
    install_toy(platform)
    yield TestClient(create_app(platform), headers={"accept": "text/html", "accept-language": "en"})
    platform.close()


def in_chinese(client: TestClient, address: str) -> str:
    return client.get(address, headers={"accept-language": "zh-CN"}).text


def test_the_list_names_each_atlas_its_species_regions_and_licence(client):
    page = client.get("/atlases").text
    for text in ("A toy brain", "Mouse", "7 regions", "CC0-1.0", 'href="/atlases/toy"'):
        assert text in page
    assert "玩具脑" in in_chinese(client, "/atlases")


def test_an_empty_platform_says_how_to_get_an_atlas(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path)) as platform:
        page = TestClient(create_app(platform), headers={"accept": "text/html"}).get("/atlases").text
    assert "pulvinar atlas install" in page


def test_the_tree_shows_names_in_both_languages_and_volumes(client):
    page = client.get("/atlases/toy").text
    assert 'href="/atlases/toy/regions/614454277">thalamus</a>' in page
    assert "丘脑" in page
    assert "mm³" in page
    assert in_chinese(client, "/atlases/toy").count(">丘脑</a>") == 1


def test_a_branch_can_be_asked_for_alone(client):
    part = client.get("/atlases/toy/tree/10", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert "cortex layer 1" in part
    assert "cortex layer 2" in part


def test_regions_are_found_by_a_part_of_their_name_in_either_language(client):
    for query in ("thalam", "丘脑"):
        page = client.get("/atlases/toy", params={"q": query}).text
        assert "1 region for" in page
        assert "/regions/614454277" in page
    assert "No region is called" in client.get("/atlases/toy", params={"q": "cerebellum"}).text
    part = client.get("/atlases/toy", params={"q": "cortex"}, headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert "HX-Request" in part.headers["vary"]


def test_a_region_says_where_it_is_what_is_below_it_and_what_lies_in_it(client):
    page = client.get("/atlases/toy/regions/cortex").text
    for text in ("grey matter", "皮层", "0.9 mm³", "pallium", "2 regions below it", "cortex layer 1"):
        assert text in page
    assert "q=region%3A%22COR%22" in page


def test_a_section_through_a_region_shows_it_in_its_colour(client):
    answer = client.get("/atlases/toy/regions/TH/picture/y")
    picture = np.asarray(Image.open(BytesIO(answer.content)).convert("RGB")).astype(int)
    assert (np.abs(picture - 128).max(axis=2) < 12).mean() > 0.1
    again = client.get("/atlases/toy/regions/TH/picture/y", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


def test_what_is_not_there_is_a_page_that_says_so(client):
    for address in ("/atlases/nothing", "/atlases/toy/regions/nothing", "/atlases/toy/regions/nothing/picture/z"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "nothing" in answer.text


def test_the_table_of_neurons_says_when_there_is_none_and_refuses_unknown_regions(client):
    assert "No neuron found" in client.get("/atlases/toy/neurons").text
    assert client.get("/atlases/toy/neurons", params={"soma": "nowhere"}).status_code == 404


def test_a_region_can_be_had_as_files_and_its_place_lies_in_it(client):
    page = client.get("/atlases/toy/regions/thalamus").text
    for form in ("nii.gz", "tif", "npy", "zarr"):
        address = f"/api/v1/atlases/toy/regions/614454277/mask?format={form}"
        assert f'href="{address}"' in page
        assert client.get(address).status_code == 200
    assert "/surface?" not in page
    (place,) = re.findall(r"/atlases/toy/at\?place=([^\"]+)", page)
    assert "thalamus</a>" in client.get(f"/atlases/toy/at?place={place}").text


def test_a_region_s_page_shows_what_lies_in_it(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path)) as platform:
        pair = install_pair(platform)
        with platform.database.writing() as session:
            keep_tree(session, "toy_mouse", "1", pair.mouse.dataset_id, renamed("toy_mouse"))
        with TestClient(create_app(platform), headers={"accept": "text/html", "accept-language": "en"}) as client:
            full = client.get(f"/atlases/toy_mouse/regions/{HIPPOCAMPUS}").text
            empty = client.get("/atlases/toy_mouse/regions/fiber").text
    assert '/neuron">ender</a>' in full
    assert "1 asset found" in full
    assert "Nothing that you may see lies in it yet." in empty


def test_a_name_that_means_several_regions_leads_to_their_list(tmp_path):
    parts = {"r11": "Superior colliculus, sensory related", "r12": "Superior colliculus, motor related"}
    with open_platform(load_settings(environment={}, home=tmp_path)) as platform:
        install_toy(platform, name="parts", ontology=renamed("parts", **parts))
        with TestClient(create_app(platform), headers={"accept": "text/html", "accept-language": "en"}) as client:
            answer = client.get("/atlases/parts/regions/superior colliculus")
    assert answer.url.query == b"q=superior+colliculus"
    assert "2 regions for" in answer.text
