"""Jobs over HTTP: described, asked for, watched while they run, and changed by nobody else's pages."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx2
import numpy as np
import pytest
from tests.solutions.stored import catalogued, stored_volume

from pulvinar.access.export_rules import check_leaving, lift_rule, of_dataset, rules_on, set_rule
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.assets import find_home
from pulvinar.catalogue.versions import get_version
from pulvinar.compute import jobs
from pulvinar.compute.dispatch import Quotas
from pulvinar.errors import Forbidden
from pulvinar.model.access import Right
from pulvinar.model.export_rule import ExportRule, RuleKind, Way
from pulvinar.model.job import JobState
from pulvinar.platform import Platform, open_platform, solution_means
from pulvinar.settings import load_settings
from pulvinar.solutions.carrying import make_runner


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One of our own: what jobs make is nothing that other tests expect."""
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("jobs"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def image(platform: Platform) -> str:
    """The identifier of a published volume."""
    voxels = np.random.default_rng(0).integers(0, 60_000, (1, 2, 100, 130, 150)).astype(np.uint16)
    stored = stored_volume(platform.store, platform.settings.resolved_scratch(), voxels)
    catalogued(platform.database, stored)
    return stored[0].id


@pytest.fixture(scope="module")
def address(platform: Platform, serving) -> Iterator[str]:
    with serving(platform) as found:
        yield found


@pytest.fixture
def api(address: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{address}/api/v1", timeout=60) as client:
        yield client


@pytest.fixture
def work(platform: Platform) -> Callable[[], None]:
    """Carries out what is queued, in this process."""
    settings = load_settings(environment={}, home=platform.settings.home, engine="here", engine_slots="1x2GB")
    here = Platform(settings, platform.database, platform.store)

    def until_idle() -> None:
        make_runner(solution_means(here), here.store, jobs=4, quotas=Quotas(), until_idle=True).run()

    return until_idle


def request_for(image, **parameters: object) -> dict:
    return {"solution": "measure", "inputs": {"image": image}, "parameters": parameters}


def events_of(client: httpx2.Client, job_id: str, last: str = "") -> list[tuple[str, str, dict]]:
    """Kind, id and data of each server-sent event until the stream ends."""
    found, now = [], {}
    headers = {"last-event-id": last} if last else {}
    with client.stream("GET", f"/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name in ("event", "id", "data"):
                now[name] = value
            elif not line and "data" in now:
                found.append((now["event"], now["id"], json.loads(now["data"])))
                now = {}
    return found


def test_solutions_are_described_for_a_form(api: httpx2.Client):
    (measure,) = [one for one in api.get("/solutions").json() if one["name"] == "measure"]
    assert measure == api.get("/solutions/measure").json()
    assert measure["title"] == {"en": "Intensities", "zh": "强度统计"}
    (side,) = [one for one in measure["parameters"] if one["name"] == "block_side"]
    assert (side["kind"], side["default"], side["minimum"], side["maximum"]) == ("integer", 256, 16, 1024)
    assert api.get("/solutions/nothing").status_code == 404


def test_a_job_is_planned_queued_and_watched_to_its_end(api: httpx2.Client, image, work: Callable):
    plan = api.post("/jobs/plan", json=request_for(image, block_side=64)).json()
    assert plan["blocks"] == 2 * 2 * 3 * 3 + 1
    queued = api.post("/jobs", json=request_for(image, block_side=64))
    assert queued.status_code == 201
    job = queued.json()
    assert (job["state"], job["reason"]) == ("queued", "it waits for its turn")
    working = threading.Thread(target=work)
    working.start()
    heard = events_of(api, job["id"])
    working.join()
    kinds = [kind for kind, _, _ in heard]
    assert "log" in kinds
    assert heard[-1][2]["state"] == "done"
    done = [data["progress"]["done"] for kind, _, data in heard if kind == "job"]
    assert done == sorted(done)
    # who reconnects hears what came since, and nothing twice
    middle = len(heard) // 2
    again = events_of(api, job["id"], last=heard[middle - 1][1])
    lines = [data["number"] for kind, _, data in again if kind == "log"]
    assert lines == [data["number"] for kind, _, data in heard[middle:] if kind == "log"]
    assert again[-1][2]["state"] == "done"
    ended = api.get(f"/jobs/{job['id']}").json()
    assert ended["dataset_id"]
    assert ended["progress"]["done"] == plan["blocks"]
    assert api.get(f"/jobs/{job['id']}/failures").json() == []
    log = api.get(f"/jobs/{job['id']}/log").json()
    assert log[0]["text"] == "step measure: 36 of 36 blocks to do"
    (asset_id,) = ended["outputs"].values()
    again = api.post(f"/jobs/rerun/{asset_id}")
    assert again.status_code == 201
    assert again.json()["parameters"] == ended["parameters"]
    api.post(f"/jobs/{again.json()['id']}/cancel")


def test_a_job_is_paused_resumed_and_cancelled(api: httpx2.Client, image):
    job = api.post("/jobs", json=request_for(image)).json()
    at = f"/jobs/{job['id']}"
    assert api.post(f"{at}/pause").json()["state"] == "paused"
    assert api.post(f"{at}/resume").json()["state"] == "queued"
    assert api.post(f"{at}/cancel").json()["state"] == "cancelled"
    refused = api.post(f"{at}/cancel")
    assert refused.status_code == 409
    listed = api.get("/jobs", params={"state": "cancelled", "limit": 1}).json()
    assert listed["items"][0]["id"] == job["id"]
    assert set(JobState) >= {one["state"] for one in listed["items"]}


def test_what_can_not_be_is_told(api: httpx2.Client, image):
    assert api.post("/jobs", json={"solution": "nothing", "inputs": {}}).status_code == 404
    wrong = api.post("/jobs", json=request_for(image, block_side=3))
    assert wrong.status_code == 422
    assert wrong.json()["error"]["hint"] == "use a whole number from 16 to 1024 voxels"
    assert api.get("/jobs/nothing").status_code == 404
    assert api.get("/jobs/nothing/events").status_code == 404
    assert events_of_bad_id(api) == 404


def events_of_bad_id(api: httpx2.Client) -> int:
    return api.get("/jobs/nothing/events", headers={"last-event-id": "x" * 5000}).status_code


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://elsewhere.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)
def test_the_page_of_another_site_changes_nothing(api: httpx2.Client, image, headers: dict):
    job = api.post("/jobs", json=request_for(image)).json()
    refused = api.post(f"/jobs/{job['id']}/cancel", headers=headers)
    assert refused.status_code == 403
    assert api.get(f"/jobs/{job['id']}", headers=headers).json()["state"] == "queued"
    own = {"origin": str(api.base_url).removesuffix("/api/v1/"), "sec-fetch-site": "same-origin"}
    assert api.post(f"/jobs/{job['id']}/cancel", headers=own).json()["state"] == "cancelled"


def test_a_visitor_starts_nothing_and_sees_nobody_s_jobs(platform: Platform, image, serving):
    public = platform.settings.model_copy(update={"public": True})
    with serving(Platform(public, platform.database, platform.store)) as address, httpx2.Client() as client:
        assert client.post(f"{address}/api/v1/jobs", json=request_for(image)).status_code == 403
        assert client.get(f"{address}/api/v1/jobs").json()["items"] == []


def test_what_a_job_makes_of_bound_data_is_bound(api: httpx2.Client, platform: Platform, image, work: Callable):
    held, _ = find_home(platform.database, platform.actor, image)
    elsewhere = api.post("/jobs", json=request_for(image)).json()
    work()
    free = api.get(f"/jobs/{elsewhere['id']}").json()["dataset_id"]
    scope = of_dataset(held.dataset_id)
    with UnitOfWork(platform.database, platform.actor) as unit:
        set_rule(unit, ExportRule(scope, RuleKind.AGGREGATES))
    try:
        # what was made before is bound, too; and nothing new goes where it would bind what is there
        assert kinds_on(platform, free) == [RuleKind.AGGREGATES]
        other = api.post("/jobs", json=request_for(image)).json()
        work()
        made = api.get(f"/jobs/{other['id']}").json()["dataset_id"]
        assert kinds_on(platform, made) == [RuleKind.AGGREGATES]
        table = get_version(platform.database, platform.actor, made).assets[0]
        check_leaving(platform.database, platform.actor, made, table, Way.DOWNLOAD)
        (volume,) = held.assets
        with pytest.raises(Forbidden, match="aggregates"):
            check_leaving(platform.database, platform.actor, held.dataset_id, volume, Way.DOWNLOAD)
        unbound = catalogued(platform.database, stored_of(platform))
        refused = api.post("/jobs", json={**request_for(image), "into": unbound})
        assert refused.status_code == 409
        assert "aggregates" in refused.json()["error"]["message"]
    finally:
        with UnitOfWork(platform.database, platform.actor) as unit:
            lift_rule(unit, scope, RuleKind.AGGREGATES, "end of test")


def kinds_on(platform: Platform, dataset_id: str) -> list[RuleKind]:
    with platform.database.session() as session:
        return [one.kind for one in rules_on(session, dataset_id)]


def stored_of(platform: Platform):
    voxels = np.ones((1, 1, 20, 20, 20), np.uint8)
    return stored_volume(platform.store, platform.settings.resolved_scratch(), voxels)


def test_a_token_that_only_reads_changes_no_job(platform: Platform, image, api: httpx2.Client):
    job = api.post("/jobs", json=request_for(image)).json()
    reader = replace(platform.actor, ceiling=Right.READ)
    for change in (jobs.pause, jobs.resume, jobs.cancel):
        with pytest.raises(Forbidden):
            change(platform.database, reader, job["id"])
    assert jobs.get_job(platform.database, reader, job["id"]).state is JobState.QUEUED
    api.post(f"/jobs/{job['id']}/cancel")
