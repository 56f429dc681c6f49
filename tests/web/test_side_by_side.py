"""Brains side by side: what the server writes for them, and what stands for a region of one in another."""

from __future__ import annotations

from urllib.parse import urlencode

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.atlases.pair import HIPPOCAMPUS, LAYER, install_pair
from tests.atlases.toy import VOXEL_UM, labels

from pulvinar.documents.views import get_view, save_view
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.access import ANONYMOUS
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app

BOTH = [("brain", "atlas:toy_mouse"), ("brain", "atlas:toy_macaque")]


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("pair"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def pair(platform):
    return install_pair(platform)


@pytest.fixture(scope="module")
def client(platform, pair):
    return TestClient(create_app(platform), headers={"accept": "text/html", "accept-language": "en"})


def compare(client, *asked: tuple[str, str]) -> str:
    answer = client.get(f"/compare?{urlencode(asked)}")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_each_brain_goes_to_its_own_hippocampus(client):
    page = compare(client, *BOTH, ("region", f"toy_mouse:{HIPPOCAMPUS}"))
    for atlas in ("toy_mouse", "toy_macaque"):
        assert f'scene="/api/v1/atlases/{atlas}/scene?region={HIPPOCAMPUS}"' in page
        assert f'link="/atlases/{atlas}/view?region={HIPPOCAMPUS}"' in page
    assert "come from the same structure" in page


def test_a_region_without_a_row_has_the_counterparts_of_those_below_or_above(client):
    found = client.get(f"/api/v1/atlases/toy_mouse/regions/{LAYER}/counterparts?other=toy_macaque").json()
    assert [(one["asked"], one["region"]["name"]) for one in found] == [("Cerebral cortex", "Cerebral cortex")]
    assert found[0]["relation"] == "homologous"
    assert found[0]["source"]
    # grey matter has no row, but the regions right below it have
    below = client.get("/api/v1/atlases/toy_mouse/regions/8/counterparts?other=toy_macaque").json()
    assert {one["asked"] for one in below} == {"Cerebral cortex", "Hippocampal formation"}
    none = client.get("/api/v1/atlases/toy_mouse/regions/20/counterparts?other=toy_macaque").json()
    assert none == []


def test_a_region_says_where_it_is_in_the_world(client):
    extent = client.get(f"/api/v1/atlases/toy_mouse/regions/{LAYER}").json()["extent"]
    z, y, x = extent["place_um"]
    index = tuple(int(c // size) for c, size in zip((-y, -z, x), VOXEL_UM, strict=True))
    assert labels()[index] == LAYER
    # planes 10 to 13 of 20 um to posterior, rows 10 to 59 of 25 um to inferior, columns 10 to 89 of 50 um
    np.testing.assert_allclose(extent["low_um"], (-60 * 25, -14 * 20, 10 * 50))
    np.testing.assert_allclose(extent["high_um"], (-10 * 25, -10 * 20, 90 * 50))


def test_the_neurons_that_end_in_a_region_are_listed_and_shown(client, pair):
    (listed,) = client.get(f"/api/v1/atlases/toy_mouse/neurons?end={HIPPOCAMPUS}").json()["items"]
    assert (listed["asset_id"], listed["name"], listed["shown"]) == (pair.neuron_id, "ender", True)
    assert [one["id"] for one in listed["soma"]] == [LAYER]
    assert client.get("/api/v1/atlases/toy_mouse/neurons?end=20").json()["items"] == []

    asked = {"region": str(HIPPOCAMPUS), "ends": str(HIPPOCAMPUS)}
    scene = client.get("/api/v1/atlases/toy_mouse/scene", params=asked).json()
    (shown,) = [layer for layer in scene["layers"] if layer["kind"] == "neurons"]
    assert (shown["neurons"]["kind"], shown["neurons"]["name"]) == ("ends", "Hippocampal formation")
    assert shown["neurons"]["count"] == 1
    assert scene["chosen"] == [str(HIPPOCAMPUS)]
    page = compare(client, *BOTH, ("region", f"toy_mouse:{HIPPOCAMPUS}"), ("ends", "1"))
    assert f"/api/v1/atlases/toy_mouse/scene?region={HIPPOCAMPUS}&amp;ends={HIPPOCAMPUS}" in page


def test_with_one_brain_the_others_are_offered_without_scripts(client):
    page = compare(client, BOTH[0], ("region", "toy_mouse:12"))
    assert 'value="atlas:toy_mouse" checked' in page
    assert 'value="atlas:toy_macaque"> ' in page
    assert '<input type="hidden" name="region" value="toy_mouse:12">' in page
    assert "pulvinar-viewer" not in page


@pytest.mark.parametrize(("brain", "status"), [("atlas:nothing", 404), ("dataset:nothing", 404), ("brain:toy", 422)])
def test_what_is_no_brain_is_refused(client, brain, status):
    asked = urlencode([BOTH[0], ("brain", brain)])
    assert client.get(f"/compare?{asked}").status_code == status


def test_the_ways_to_it_stand_on_the_pages_of_atlases_regions_and_the_viewer(client):
    for page in ("/atlases/toy_mouse", f"/atlases/toy_mouse/regions/{HIPPOCAMPUS}", "/atlases/toy_mouse/view"):
        assert "/compare?brain=atlas%3Atoy_mouse" in client.get(page).text
    beside = f"/compare?brain=atlas:toy_mouse&amp;brain=atlas:toy_macaque&amp;region=toy_mouse:{HIPPOCAMPUS}"
    assert beside in client.get(f"/atlases/toy_mouse/regions/{HIPPOCAMPUS}").text


def test_a_short_link_keeps_brains_side_by_side(platform, client, pair):
    path = f"/compare?{urlencode([*BOTH, ('region', 'toy_mouse:12'), ('evil', '1')])}"
    kept = save_view(platform.database, platform.actor, "Two", path, "#link=turn&v0=p%3D1_2_3")
    assert kept.dataset_id == pair.mouse.dataset_id
    answer = client.get(f"/v/{kept.id}", follow_redirects=False)
    assert answer.headers["location"].startswith("/compare?brain=atlas%3Atoy_mouse&brain=atlas%3Atoy_macaque&region=")
    assert answer.headers["location"].endswith("#link=turn&v0=p%3D1_2_3")
    assert "evil" not in answer.headers["location"]
    assert client.get(f"/embed/{kept.id}").status_code == 404
    assert get_view(platform.database, ANONYMOUS, kept.id).id == kept.id


@pytest.mark.parametrize("query", ["brain=atlas:toy_mouse", "brain=atlas:toy_mouse&brain=file:etc", ""])
def test_no_short_link_leads_to_fewer_than_two_brains(platform, pair, query):
    with pytest.raises(Invalid):
        save_view(platform.database, platform.actor, "One", f"/compare?{query}", "")
    with pytest.raises(NotFound):
        save_view(platform.database, platform.actor, "None", "/compare?brain=atlas:toy_mouse&brain=atlas:no", "")
