"""Versions over their life, by pages and API: compared, published, withdrawn, and what a visitor finds then."""

import time

import numpy as np
import pytest
from tests.web.accounts import browser, signed_in
from tests.web.conftest import stored_volume

from pulvinar.access.audiences import person
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.sharing import share
from pulvinar.catalogue.versions import get_version
from pulvinar.model.access import LOCAL_OWNER, Right
from pulvinar.model.record import Record, Species
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


@pytest.fixture
def platform(tmp_path):
    settings = load_settings(environment={}, home=tmp_path / "home", public=True)
    with open_platform(settings) as opened:
        yield opened


@pytest.fixture
def visitor(platform):
    with browser(platform) as client:
        yield client


@pytest.fixture
def ada(platform):
    with signed_in(platform, "ada") as client:
        yield client


@pytest.fixture
def dataset(platform, ada):
    """A draft that Ada administers."""
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        made = create_dataset(work, Record("Quetzal brain", Species.MOUSE, "CC0-1.0"))
        draft = open_draft(work, made.id)
        voxels = np.ones((1, 1, 20, 20, 20), np.uint8)
        add_asset(work, draft.id, *stored_volume(platform, "volume", voxels, VolumeKind.IMAGE))
        share(work, made.id, person(work.session, "ada"), Right.ADMINISTER)
    return made


def _main(client, path, status=200, **asked):
    answer = client.get(path, headers={"accept": "text/html"}, follow_redirects=True, **asked)
    assert answer.status_code == status, answer.text[:1000]
    return answer.text.partition("<main")[2]


def _publish(ada, dataset, number=1):
    answer = ada.post(f"/datasets/{dataset.id}/versions/publish", data={"number": str(number)})
    assert answer.status_code == 303, answer.text


def _withdraw(ada, dataset, number, reason="The wrong animal.", instead=""):
    form = {"number": str(number), "reason": reason, "replaced_by": instead}
    return ada.post(f"/datasets/{dataset.id}/versions/withdraw", data=form)


def test_a_published_version_is_cited_by_an_identifier_that_leads_to_it(platform, ada, visitor, dataset):
    _publish(ada, dataset)
    version = get_version(platform.database, LOCAL_OWNER, dataset.id)
    assert f"{platform.settings.resolved_address()}/id/{version.id}" in _main(visitor, f"/datasets/{dataset.id}")
    assert "Quetzal brain" in _main(visitor, f"/id/{version.id}")
    assert visitor.get(f"/id/{dataset.id}").status_code == 404


def test_a_withdrawn_version_is_a_tombstone_that_tells_why_and_what_replaced_it(platform, ada, visitor, dataset):
    _publish(ada, dataset)
    first = get_version(platform.database, LOCAL_OWNER, dataset.id)
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        open_draft(work, dataset.id)
    _publish(ada, dataset, 2)
    chunk = f"/data/{first.digest}/{first.assets[0].id}/chunks/zarr.json"
    assert visitor.get(chunk).status_code == 200
    assert _withdraw(ada, dataset, 1, instead="2").status_code == 303
    for path in (f"/datasets/{dataset.id}?version=1", f"/id/{first.id}"):
        told = _main(visitor, path, 410)
        assert "The wrong animal." in told
        assert f'href="/datasets/{dataset.id}?version=2"' in told
        assert first.digest in told
        assert "已撤回" in _main(visitor, f"/datasets/{dataset.id}?version=1&lang=zh", 410)
    assert "Withdrawn" in _main(visitor, f"/datasets/{dataset.id}?lang=en")
    (tombstone,) = visitor.get(f"/api/v1/datasets/{dataset.id}/withdrawals").json()
    assert (tombstone["number"], tombstone["replaced_by"]) == (1, "2")
    assert visitor.get(f"/api/v1/datasets/{dataset.id}/versions/1").status_code == 404
    # who administers it still sees it, and that others don't
    assert "You see the data because" in _main(ada, f"/datasets/{dataset.id}?version=1")


def test_a_dataset_of_which_all_was_withdrawn_says_so_where_it_was(platform, ada, visitor, dataset):
    _publish(ada, dataset)
    shown = get_version(platform.database, LOCAL_OWNER, dataset.id)
    chunk = f"/data/{shown.digest}/{shown.assets[0].id}/chunks/zarr.json"
    assert visitor.get(chunk).status_code == 200
    assert _withdraw(ada, dataset, 1).status_code == 303
    assert "Nothing has replaced it." in _main(visitor, f"/datasets/{dataset.id}", 410)
    assert '<span class="badge">Withdrawn</span>' in _main(visitor, "/?q=quetzal")
    assert "The wrong animal." in _main(visitor, f"/datasets/{dataset.id}/versions")
    assert visitor.get(f"/datasets/{dataset.id}/view").status_code == 404
    until = time.monotonic() + 5
    while visitor.get(chunk).status_code == 200 and time.monotonic() < until:
        time.sleep(0.1)
    assert visitor.get(chunk).status_code == 401


def test_what_is_wrong_is_said_and_what_was_written_stays(ada, dataset):
    _publish(ada, dataset)
    refused = _withdraw(ada, dataset, 1, reason="It has a reason", instead="nonsense")
    assert refused.status_code == 422
    assert 'value="It has a reason"' in refused.text
    assert "can&#39;t replace" in refused.text


def test_who_may_not_is_offered_nothing_and_refused(visitor, ada, dataset, platform):
    _publish(ada, dataset)
    with signed_in(platform, "bo") as bo:
        assert "Withdraw" not in _main(bo, f"/datasets/{dataset.id}/versions")
        assert _withdraw(bo, dataset, 1).status_code == 403
    assert _withdraw(visitor, dataset, 1).status_code in (401, 403)


def test_two_versions_are_compared_on_a_page_and_by_the_api(platform, ada, visitor, dataset):
    _publish(ada, dataset)
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset.id)
        voxels = np.zeros((1, 1, 20, 20, 20), np.uint8)
        add_asset(work, draft.id, *stored_volume(platform, "another", voxels, VolumeKind.IMAGE))
    told = _main(ada, f"/datasets/{dataset.id}/compare?before=1&after=2")
    assert "another" in told
    assert "1 asset is the same." in told
    assert told == _main(ada, f"/datasets/{dataset.id}/compare")
    # the draft is Ada's
    assert visitor.get(f"/datasets/{dataset.id}/compare?before=1&after=2").status_code == 404
    answer = ada.post(f"/api/v1/datasets/{dataset.id}/versions/2/publish")
    assert answer.json()["state"] == "published"
    found = visitor.get(f"/api/v1/datasets/{dataset.id}/compare", params={"before": 1, "after": 2}).json()
    assert [(one["name"], one["change"]) for one in found["assets"]] == [("another", "added")]
    assert found["file_counts"]["added"] == len(found["files"]) > 3
    body = {"reason": "It was too dark.", "replaced_by": "2"}
    answer = ada.post(f"/api/v1/datasets/{dataset.id}/versions/1/withdraw", json=body)
    assert answer.json()["reason"] == "It was too dark."
