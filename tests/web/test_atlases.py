"""Atlases over HTTP and from Python: what is told of regions, and questions about places."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from dataclasses import replace

import httpx2
import nibabel
import numpy as np
import pytest
from tests.atlases.toy import VOXEL_UM, install_toy, labels, renamed

import pulvinar
from pulvinar.errors import Invalid, NotFound, SpaceMismatch
from pulvinar.model.access import ANONYMOUS
from pulvinar.model.ontology import Ontology
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings

TH = 614454277


@pytest.fixture(scope="module")
def installed(platform: Platform):
    return install_toy(platform)


@pytest.fixture
def atlas(address: str, installed):
    client = pulvinar.connect(address)
    yield client.atlas("toy")
    client.close()


@pytest.fixture
def http():
    with httpx2.Client() as client:
        yield client


def middle_of(z: int, y: int, x: int) -> tuple[float, ...]:
    return tuple((i + 0.5) * size for i, size in zip((z, y, x), VOXEL_UM, strict=True))


def test_installed_atlases_are_listed_with_their_licence_and_space(address: str, installed):
    client = pulvinar.connect(address)
    (toy,) = [one for one in client.atlases() if one.name == "toy"]
    assert toy.about["licence"] == "CC0-1.0"
    assert toy.about["space"]["orientation"] == "PIR"
    assert toy.about["dataset_id"] == installed.dataset_id
    client.close()


@pytest.mark.parametrize("name", ["TH", "thalamus", "丘脑", str(TH)])
def test_a_region_is_asked_for_by_any_name(atlas, name: str):
    region = atlas.region(name)
    assert (region["id"], region["name_zh"]) == (TH, "丘脑")
    assert [one["name"] for one in region["ancestors"]] == ["grey matter", "root"]
    assert region["volume_mm3"] == pytest.approx((labels() == TH).sum() * 20 * 25 * 50 / 1e9)


def test_regions_are_searched_and_walked(atlas):
    assert [one["id"] for one in atlas.search("皮层")] == [10]
    assert [one["name"] for one in atlas.children("cortex")] == ["cortex layer 1", "cortex layer 2"]
    assert {one["id"] for one in atlas.descendants("grey matter")} == {10, 11, 12, TH}


def test_an_unknown_region_is_refused_with_what_is_near(atlas):
    with pytest.raises(NotFound) as caught:
        atlas.region("thalamos")
    assert "thalamus" in caught.value.hint


def test_places_out_of_the_brain_have_a_nearest_region_and_a_distance(atlas):
    inside = np.argwhere(labels() == TH)[0]
    within = (inside + 0.5) * VOXEL_UM
    far = within - [1e5, 0, 0]
    region, distance = atlas.nearest_region([within, far])
    assert (region[0], distance[0]) == (TH, 0)
    assert region[1] != 0
    assert 9e4 < distance[1] < 1e5 + labels().shape[0] * VOXEL_UM[0]
    with pytest.raises(Invalid, match="shape"):
        atlas.nearest_region([1.0, 2.0])


def test_places_are_told_with_the_names_of_their_regions(atlas):
    thalamus, near = atlas.at([middle_of(16, 20, 20), middle_of(0, 20, 20)])
    assert (thalamus["name"], thalamus["name_zh"], thalamus["distance_um"]) == ("thalamus", "丘脑", 0)
    assert near["acronym"] == "CTX1"
    assert 80 <= near["distance_um"] <= 100


def test_points_that_know_another_space_are_refused_before_they_are_sent(atlas):
    places = np.array([middle_of(16, 20, 20)])
    own, other = (pulvinar.Points(pulvinar.Space(name, "mouse", "PIR"), places) for name in ("toy", "mni152"))
    assert atlas.regions_at(own).tolist() == [TH]
    for verb in (atlas.regions_at, atlas.nearest_region, atlas.at, atlas.mirror):
        with pytest.raises(SpaceMismatch, match=r"mni152.*toy"):
            verb(other)


def test_places_are_mirrored_at_the_middle_that_the_atlas_states(atlas):
    places = np.array([[10.0, 20.0, 30.0]])
    (mirrored,) = atlas.mirror(places)
    assert mirrored.tolist() == [10.0, 20.0, 2 * atlas.about["midline_um"] - 30.0]
    assert np.array_equal(atlas.mirror([mirrored]), places)


def test_the_server_mirrors_as_python_does(address: str, atlas, http):
    places = [[10.0, 20.0, 30.0], [40.0, 50.0, 4000.0]]
    told = http.post(f"{address}/api/v1/atlases/toy/mirror", json={"points": places, "space": "toy"}).json()
    assert told["points"] == atlas.mirror(places).tolist()
    refused = http.post(f"{address}/api/v1/atlases/toy/mirror", json={"points": places, "space": "mni152"})
    assert refused.status_code == 422


def test_a_name_that_means_several_regions_says_which(platform: Platform, address: str, installed):
    sides = renamed("sides", r11="hippocampus, left", r12="hippocampus, right")
    sided = {11: "left", 12: "right"}
    regions = (
        replace(one, side=sided[one.id], synonyms=("hippocampal formation",)) if one.id in sided else one
        for one in sides.regions
    )
    install_toy(platform, name="sides", ontology=Ontology("sides", "1", tuple(regions)))
    with closing(pulvinar.connect(address)) as client:
        atlas = client.atlas("sides")
        with pytest.raises(NotFound, match="means 2 regions") as caught:
            atlas.region("hippocampus")
        assert "hippocampus, left (CTX1); hippocampus, right (CTX2)" in caught.value.hint
        assert [one["id"] for one in atlas.search("hippocampus")[:2]] == [11, 12]
        assert atlas.region("hippocampus, right")["id"] == 12


def test_a_region_is_known_by_its_common_name_where_the_atlas_calls_it_otherwise(
    platform: Platform, address: str, installed
):
    install_toy(platform, name="formation", ontology=renamed("formation", r11="Hippocampal formation"))
    with closing(pulvinar.connect(address)) as client:
        atlas = client.atlas("formation")
        assert atlas.region("hippocampus")["id"] == atlas.region("海马")["id"] == 11
        assert [one["id"] for one in atlas.search("hippocampus")] == [11]
        assert atlas.mask_of("hippocampus")[0].all()


def test_the_place_of_a_region_lies_in_it(atlas):
    for name in ("root", "cortex", "thalamus", "fiber tracts"):
        told = atlas.region(name)
        (found,) = atlas.regions_at([told["place_um"]])
        assert found in {told["id"], *(one["id"] for one in atlas.descendants(name))}


def test_many_places_come_back_as_regions(atlas):
    rng = np.random.default_rng(3)
    index = rng.integers(0, labels().shape, (50_000, 3))
    places = (index + rng.uniform(0.05, 0.95, index.shape)) * VOXEL_UM
    assert np.array_equal(atlas.regions_at(places), labels()[tuple(index.T)])


def test_no_places_are_no_question(atlas):
    assert atlas.regions_at(np.zeros((0, 3))).tolist() == []
    with pytest.raises(Invalid, match="shape"):
        atlas.regions_at([1.0, 2.0, 3.0])


def test_a_place_outside_is_told_how_far_it_is(address: str, installed, http):
    asked = {"points": [middle_of(6, 20, 20), middle_of(0, 20, 20)], "space": "toy"}
    told = http.post(f"{address}/api/v1/atlases/toy/regions-at", json=asked).json()
    assert told["regions"] == [11, 0]
    assert told["nearest"] == [11, 11]
    assert told["distance_um"][0] == 0
    assert 80 <= told["distance_um"][1] <= 100
    assert told["known"]["11"]["acronym"] == "CTX1"


def test_places_of_another_space_are_refused(address: str, installed, http):
    answer = http.post(f"{address}/api/v1/atlases/toy/regions-at", json={"points": [[0, 0, 0]], "space": "mni152"})
    assert answer.status_code == 422
    assert "mni152" in answer.json()["error"]["message"]


def test_bytes_that_are_no_places_are_refused(address: str, installed, http):
    answer = http.post(f"{address}/api/v1/atlases/toy/regions-at/binary", content=b"12345")
    assert answer.status_code == 422


def test_the_mask_of_a_region_lies_where_its_voxels_are(atlas):
    mask, start = atlas.mask_of("cortex")
    whole = np.zeros(labels().shape, bool)
    whole[tuple(slice(a, a + n) for a, n in zip(start, mask.shape, strict=True))] = mask
    assert np.array_equal(whole, np.isin(labels(), (11, 12)))


def test_the_mask_is_a_nifti_for_other_programs(address: str, installed, http):
    answer = http.get(f"{address}/api/v1/atlases/toy/regions/fiber/mask")
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(answer.content))
    assert np.asarray(image.dataobj).sum() == (labels() == 20).sum()


def test_a_region_without_voxels_at_a_level_and_an_unknown_level_are_not_found(address: str, installed, http):
    assert http.get(f"{address}/api/v1/atlases/toy/regions/fiber/mask?level=60").status_code == 404


def test_an_atlas_that_is_not_published_does_not_exist_for_visitors(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path)) as platform:
        install_toy(platform, published=False)
        from pulvinar.atlases.installed import find_atlas, list_atlases

        assert [one.atlas.name for one in list_atlases(platform.database, platform.actor)] == ["toy"]
        assert list_atlases(platform.database, ANONYMOUS) == ()
        with pytest.raises(NotFound) as caught:
            find_atlas(platform.database, ANONYMOUS, "toy")
        assert "toy" not in caught.value.hint.split(";")[0]


def test_the_manifest_reads_back(installed):
    from pulvinar.model.atlas import atlas_from_json, atlas_to_json

    assert atlas_from_json(json.loads(json.dumps(atlas_to_json(installed.atlas)))) == installed.atlas


def test_the_scene_of_an_atlas_goes_to_the_region_that_is_asked_for(address: str, installed, http):
    told = http.get(f"{address}/api/v1/atlases/toy/scene", params={"region": "TH"}).json()
    assert [layer["kind"] for layer in told["layers"]] == ["labels"]
    assert told["title"] == "A toy brain"
    z, y, x = told["position_um"]
    # the space's axes rise to posterior, inferior and right; the world's to superior, anterior and right
    index = tuple(int(c // size) for c, size in zip((-y, -z, x), VOXEL_UM, strict=True))
    assert labels()[index] == TH


def test_data_are_shown_in_the_atlas_that_they_lie_in(address: str, installed, image, draft, http):
    shown = http.get(f"{address}/api/v1/atlases/toy/scene", params={"asset": image.asset.id}).json()
    assert any(image.asset.id in layer["source"] for layer in shown["layers"])
    assert http.get(f"{address}/api/v1/atlases/toy/scene", params={"asset": "nothing"}).status_code == 404
