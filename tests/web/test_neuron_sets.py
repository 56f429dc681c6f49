"""Neurons of many datasets as one source of skeletons: which are in a set, what is said of them, and who reads what."""

from __future__ import annotations

import numpy as np
import pytest
from tests.web.accounts import browser, signed_in
from tests.web.test_neuron_pages import CORTEX_1, THALAMUS, add_neuron

from pulvinar.access.export_rules import of_dataset, set_rule
from pulvinar.access.reads import ReadCounter
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.collections import add_dataset, make_collection
from pulvinar.catalogue.sharing import set_tier
from pulvinar.model.access import LOCAL_OWNER, Tier
from pulvinar.model.export_rule import ExportRule, RuleKind
from pulvinar.web.neuron_sets import _moved, number_of, search_key, segment_of

ROOT = "/data/neurons/toy"


@pytest.fixture(scope="module")
def platform(public_with_atlas):
    return public_with_atlas


@pytest.fixture(scope="module")
def neurons(platform):
    return {
        "one": add_neuron(platform, "one", {CORTEX_1: 30.0, THALAMUS: 70.0}),
        "two": add_neuron(platform, "two", {CORTEX_1: 99.0, THALAMUS: 1.0}, soma=THALAMUS),
        "hidden": add_neuron(platform, "hidden", {CORTEX_1: 1.0, THALAMUS: 1.0}, tier=Tier.PRIVATE),
        "counted": add_neuron(platform, "counted", {CORTEX_1: 1.0}, tier=Tier.CONTROLLED),
    }


@pytest.fixture(scope="module")
def client(platform, neurons):
    with browser(platform, accept="application/json") as opened:
        yield opened


def ids(neurons, *names):
    return {str(number_of(neurons[name].assets[0].id) * 4) for name in names}


def listed(client, key):
    answer = client.get(f"{ROOT}/{key}/segments/info")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return set(answer.json()["inline"]["ids"])


def test_a_set_is_what_is_asked_for_and_what_one_may_read(platform, client, neurons):
    assert listed(client, "all") == ids(neurons, "one", "two")
    assert listed(client, f"soma-{THALAMUS}") == ids(neurons, "two")
    assert listed(client, f"ends-{CORTEX_1}") == ids(neurons, "one", "two")
    assert listed(client, f"ends-{THALAMUS}") == set()
    assert listed(client, f"dataset-{neurons['one'].dataset_id}") == ids(neurons, "one")
    assert listed(client, f"dataset-{neurons['hidden'].dataset_id}") == set()
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        made = make_collection(work, "Two of them")
        add_dataset(work, made, neurons["two"].dataset_id)
        add_dataset(work, made, neurons["hidden"].dataset_id)
    assert client.get(f"{ROOT}/collection-{made}/info").status_code == 404
    with signed_in(platform, "owner1", is_owner=True) as owner:
        assert listed(owner, f"collection-{made}") == ids(neurons, "two", "hidden")
        assert listed(owner, search_key("kind:skeleton two")) == ids(neurons, "two")


def test_what_is_said_of_the_neurons_is_by_what_a_viewer_colours_them(client, neurons):
    inline = client.get(f"{ROOT}/ends-{CORTEX_1}/segments/info").json()["inline"]
    at = inline["ids"].index(*ids(neurons, "one"))
    told = {one["id"]: one["values"][at] for one in inline["properties"]}
    assert (told["label"], told["dataset"]) == ("one", "Dataset of one")
    assert (told["soma"], told["target"], told["strength_um"]) == (CORTEX_1, CORTEX_1, 30.0)
    assert told["length_um"] == pytest.approx(10 + 20 + 30.5)
    tags = next(one for one in inline["properties"] if one["id"] == "tags")
    assert tags["tags"][told["tags"][0]]


def test_a_segment_is_the_stored_skeleton_and_for_ever_the_same(platform, client, neurons):
    asset = neurons["one"].assets[0]
    stored = platform.store.read(f"{asset.prefix}/precomputed/1")
    for form in range(3):  # of four nodes there is no simpler form
        answer = client.get(f"{ROOT}/all/{number_of(asset.id) * 4 + form}")
        assert (answer.status_code, answer.content) == (200, stored)
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert client.get(f"{ROOT}/all/info").json()["@type"] == "neuroglancer_skeletons"


@pytest.mark.parametrize(
    "path", ["all/3", "all/x", "all/12345678901234567890", "ends-999/info", "what/info", "dataset-/info"]
)
def test_what_is_not_there_is_not_found(client, path):
    assert client.get(f"{ROOT}/{path}").status_code == 404


def test_what_others_own_is_as_what_nobody_has(client, neurons):
    hidden = number_of(neurons["hidden"].assets[0].id) * 4
    answers = [client.get(f"{ROOT}/all/{segment}") for segment in (hidden, 4)]
    told = [{**one.json()["error"], "request_id": ""} for one in answers]
    assert [one.status_code for one in answers] == [404, 404]
    assert told[0] == {**told[1], "message": told[0]["message"]}


def test_a_right_that_is_taken_away_bites_at_once(platform, client):
    made = add_neuron(platform, "shown for a while", {CORTEX_1: 5.0})
    address = f"{ROOT}/soma-{CORTEX_1}/{number_of(made.assets[0].id) * 4}"
    listed(client, f"soma-{CORTEX_1}")
    assert client.get(address).status_code == 200
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        set_tier(work, made.dataset_id, Tier.PRIVATE)
    assert client.get(address).status_code == 404


def test_controlled_data_are_counted_and_not_kept(platform, neurons, monkeypatch):
    counted = []
    monkeypatch.setattr(ReadCounter, "add", lambda self, *who, **what: counted.append((who[1], what)))
    asset = neurons["counted"].assets[0]
    with signed_in(platform, "owner2", is_owner=True) as owner:
        answer = owner.get(f"{ROOT}/all/{number_of(asset.id) * 4}")
    assert answer.headers["cache-control"] == "no-store"
    assert (asset.id, {"chunks": 1}) in counted
    assert (asset.id, {"size_bytes": len(answer.content)}) in counted


def test_what_a_rule_keeps_at_this_site_is_in_no_set(platform):
    made = add_neuron(platform, "kept", {CORTEX_1: 5.0})
    with signed_in(platform, "owner3", is_owner=True) as owner:
        assert number_of(made.assets[0].id) * 4 in set(map(int, listed(owner, "all")))
        with UnitOfWork(platform.database, LOCAL_OWNER) as work:
            set_rule(work, ExportRule(of_dataset(made.dataset_id), RuleKind.SITE))
    with signed_in(platform, "owner4", is_owner=True) as owner:
        assert number_of(made.assets[0].id) * 4 not in set(map(int, listed(owner, "all")))


def test_the_scene_of_an_atlas_has_one_layer_a_set(client, neurons):
    asked = {"ends": str(CORTEX_1), "neurons": f"soma-{THALAMUS}"}
    layers = client.get("/api/v1/atlases/toy/scene", params=asked).json()["layers"]
    sets = [layer for layer in layers if layer["kind"] == "neurons"]
    assert [(one["neurons"]["kind"], one["neurons"]["count"]) for one in sets] == [("ends", 2), ("soma", 1)]
    assert sets[0]["source"] == f"precomputed://{ROOT}/ends-{CORTEX_1}"
    assert [form["nodes"] for form in sets[0]["neurons"]["forms"]] == [8, 8, 8]
    page = client.get(f"/atlases/toy/view?neurons=soma-{THALAMUS}", headers={"accept": "text/html"}).text
    assert f"/api/v1/atlases/toy/scene?neurons=soma-{THALAMUS}" in page


def test_the_nearest_form_that_is_there_stands_for_one_that_is_not():
    overview, crowd = {"overview": {"segment": 2}}, {"crowd": {"segment": 3}}
    assert [segment_of({**overview, **crowd}, form) for form in range(3)] == [1, 2, 3]
    assert [segment_of(overview, form) for form in range(3)] == [1, 2, 2]
    assert [segment_of({}, form) for form in range(3)] == [1, 1, 1]


def test_a_skeleton_is_brought_to_where_its_layer_lies():
    head = np.array([2, 1], "<u4").tobytes()
    places = np.array([[1000.0, 2000.0, 3000.0], [0.0, 0.0, 0.0]], "<f4")
    tail = np.array([1, 0], "<u4").tobytes() + np.array([7.0, 8.0], "<f4").tobytes()
    # (z, y, x) micrometres: z goes to y, y to z turned over, x stays 5 further
    rows = [[0.0, -1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 5.0]]
    moved = _moved(head + places.tobytes() + tail, rows)
    assert moved[:8] == head
    assert moved[-len(tail) :] == tail
    assert np.frombuffer(moved, "<f4", 6, 8).reshape(2, 3).tolist() == [[6000, 3000, -2000], [5000, 0, 0]]
