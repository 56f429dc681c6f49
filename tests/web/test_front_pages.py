"""The first page and the pages of species: what a stranger finds there, full and empty, in both languages."""

from __future__ import annotations

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.atlases.toy import install_toy
from tests.web.conftest import add_dataset, stored_volume

from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app

ENGLISH = {"accept": "text/html", "accept-language": "en"}
CHINESE = {"accept": "text/html", "accept-language": "zh-CN"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    platform = open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("front")))
    install_toy(platform)
    stored = stored_volume(platform, "volume", np.ones((1, 1, 20, 20, 20), np.uint8), VolumeKind.IMAGE)
    add_dataset(platform, "A brain of somebody", [stored])
    yield TestClient(create_app(platform), headers=ENGLISH)
    platform.close()


def test_the_first_page_has_four_species_numbers_ways_in_and_the_newest_data(client):
    page = client.get("/").text
    for species in ("zebrafish", "mouse", "macaque", "human"):
        assert f'href="/species/{species}"' in page
    for text in ("<dd>7</dd>", 'href="/atlases/toy"', "No atlas is installed for it yet.", "A brain of somebody"):
        assert text in page
    for way in ("Look", "Hand in", "Analyse", "Run it"):
        assert f">{way}<" in page
    assert 'name="q"' in page
    assert "四个物种" in client.get("/", headers=CHINESE).text


def test_who_searches_sees_results_and_not_the_first_page(client):
    page = client.get("/", params={"q": "somebody"}).text
    assert "A brain of somebody" in page
    assert "Four species" not in page


def test_a_fresh_platform_says_what_to_do_next(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path)) as platform:
        browser = TestClient(create_app(platform), headers=ENGLISH)
        page = browser.get("/").text
        species = browser.get("/species/human").text
    assert "pulvinar demo" in page
    assert "Four species" in page
    assert "What is here, in numbers" not in page
    assert 'href="/submissions">Hand in data' in page
    assert "There are no data of this species yet." in species


def test_a_species_has_its_atlases_its_figures_and_its_data(client):
    page = client.get("/species/mouse").text
    for text in ("Mus musculus", "NCBITaxon:10090", 'href="/atlases/toy"', "A brain of somebody", "<dd>2</dd>"):
        assert text in page
    assert "小鼠" in client.get("/species/mouse", headers=CHINESE).text
    assert "A brain of somebody" not in client.get("/species/human").text


def test_another_species_is_not_found(client):
    assert client.get("/species/unicorn").status_code == 404
