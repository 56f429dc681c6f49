"""Requests, agreements, codes of use and rules through the API: the same abilities as the pages."""

import httpx
import numpy as np
import pytest
from tests.access.terms import SAID, TERMS
from tests.web.conftest import Shown, add_dataset, stored_volume
from tests.web.people import a_visitor

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.sharing import hand_over, set_tier
from pulvinar.model.access import LOCAL_OWNER, Tier
from pulvinar.model.agreement import terms_to_json
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


@pytest.fixture(scope="module")
def site(tmp_path_factory, serving):
    """Who administers a controlled dataset, who asks for it, and the dataset."""
    settings = load_settings(environment={"PULVINAR_PUBLIC": "yes"}, home=tmp_path_factory.mktemp("access-api"))
    with open_platform(settings) as platform, serving(platform) as address:
        voxels = np.arange(1, 8001, dtype=np.uint16).reshape(1, 1, 20, 20, 20)
        stored = stored_volume(platform, "brain", voxels, VolumeKind.IMAGE)
        version = add_dataset(platform, "A brain", [stored])
        ada, cy = (a_visitor(platform, address, name) for name in ("ada", "cy"))
        with UnitOfWork(platform.database, LOCAL_OWNER) as work:
            hand_over(work, version.dataset_id, ada.id)
            set_tier(work, version.dataset_id, Tier.CONTROLLED)
        yield address, ada.client, cy.client, Shown(version, stored[0], voxels)


def told(response, status=200):
    assert response.status_code == status, response.text
    return response.json() if response.content else None


def test_the_whole_way_to_a_file(site):
    address, ada, cy, brain = site
    at = f"/api/v1/datasets/{brain.version.dataset_id}"
    told(ada.put(f"{at}/use", json={"codes": {"HMB": ""}}), 204)
    agreement = told(ada.post(f"{at}/agreements", json=terms_to_json(TERMS)), 201)
    assert told(httpx.get(f"{address}{at}/agreements"))[0]["digest"] == TERMS.digest
    asked = told(cy.post(f"{at}/requests", json={"purpose": "To look.", "stated": {"use": "disease"}}), 201)
    assert asked["matches"] == [{"code": "HMB", "detail": "", "verdict": "met"}]
    waiting = told(ada.get("/api/v1/requests?which=waiting"))
    assert [one["id"] for one in waiting] == [asked["id"]]
    told(cy.post(f"/api/v1/requests/{asked['id']}/grant", json={}), 404)
    told(ada.post(f"/api/v1/requests/{asked['id']}/grant", json={"message": "Welcome."}))
    assert told(cy.get("/api/v1/requests"))[0]["message"] == "Welcome."
    manifest = f"{at}/versions/1/manifest"
    told(cy.get(manifest), 403)
    acceptances = f"/api/v1/agreements/{agreement['id']}/acceptances"
    told(cy.post(acceptances, json={"digest": "0" * 64, "values": SAID}), 409)
    accepted = told(cy.post(acceptances, json={"digest": agreement["digest"], "values": SAID}), 201)
    assert accepted["address"] == "127.0.0.1"
    told(cy.get(manifest))
    told(cy.get(f"{acceptances}?which=all"), 403)
    assert told(ada.get(f"{acceptances}?which=all"))[0]["values"]["role"] == "staff"
    told(ada.put(f"{at}/export-rules/site", json={"jurisdiction": "the law"}), 204)
    assert told(cy.get(f"{at}/export-rules"))[0]["kind"] == "site"
    cutout = f"{brain.api}/cutout?start=0,0,0&stop=1,1,1"
    assert "the law" in told(cy.get(cutout), 403)["error"]["message"]
    told(ada.delete(f"{at}/export-rules/site?reason=changed"), 204)
    assert cy.get(cutout).status_code == 200
    told(ada.post(f"/api/v1/acceptances/{accepted['id']}/end", json={"reason": "left"}))
    told(cy.get(manifest), 403)
    told(ada.delete(f"{at}/agreements/{agreement['id']}"), 204)
    told(cy.get(manifest))


def test_a_visitor_asks_for_nothing(site):
    address, _, _, brain = site
    at = f"{address}/api/v1/datasets/{brain.version.dataset_id}"
    told(httpx.post(f"{at}/requests", json={"purpose": "To look."}), 401)
    told(httpx.get(f"{address}/api/v1/requests"), 401)
    told(httpx.put(f"{at}/use", json={}), 403)


def test_an_end_without_a_zone_is_refused_and_said(site):
    """A moment means nothing without one."""
    _, ada, _, _ = site
    decide = "/api/v1/requests/local-01nobody/grant"
    told(ada.post(decide, json={"ends": "2030-01-31T00:00:00"}), 422)
    told(ada.post(decide, json={"ends": "2030-01-31T00:00:00+08:00"}), 404)
