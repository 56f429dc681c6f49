"""From a dataset's page to what a job made of it, by forms alone, and what the pages say on the way."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.solutions.stored import catalogued, stored_volume

from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.solutions.carrying import make_runner
from pulvinar.web.app import create_app

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def platform(tmp_path) -> Iterator[Platform]:
    with open_platform(load_settings(environment={}, home=tmp_path / "home", engine="here")) as opened:
        yield opened


@pytest.fixture
def brain(platform) -> str:
    voxels = np.random.default_rng(3).integers(0, 4000, (1, 1, 30, 40, 50)).astype(np.uint16)
    stored = stored_volume(platform.store, platform.settings.resolved_scratch(), voxels)
    return catalogued(platform.database, stored)


@pytest.fixture
def visitor(platform) -> Iterator[TestClient]:
    with TestClient(create_app(platform), base_url="http://testserver", headers={"accept-language": "en"}) as client:
        yield client


def run_all(platform: Platform) -> None:
    from pulvinar.compute.dispatch import Quotas
    from pulvinar.platform import solution_means

    means = solution_means(platform, platform.actor)
    make_runner(means, platform.store, jobs=2, quotas=Quotas(), until_idle=True).run()


def form_of(visitor: TestClient, brain: str) -> tuple[str, str]:
    """Where the form of `measure` is sent, and the asset that it offers."""
    page = visitor.get(f"/solutions/measure?dataset={brain}").text
    return re.search(r'action="([^"]+)"', page)[1], re.search(r'<option value="([^"]+)" selected', page)[1]


def test_the_asset_that_somebody_comes_from_is_chosen_where_it_fits(platform, visitor):
    voxels = np.random.default_rng(4).integers(0, 9, (1, 1, 20, 20, 20)).astype(np.uint16)
    folder = platform.settings.resolved_scratch()
    stored = [stored_volume(platform.store, folder, voxels) for _ in range(2)]
    brain = catalogued(platform.database, *stored)
    first, second = (asset.id for asset, _ in stored)
    chosen = re.compile(r'<option value="([^"]+)" selected')
    assert chosen.search(visitor.get(f"/solutions/measure?dataset={brain}").text)[1] == first
    asked = f"dataset={brain}&amp;asset={second}"
    assert asked in visitor.get(f"/solutions?dataset={brain}&asset={second}").text
    page = visitor.get(f"/solutions/measure?dataset={brain}&asset={second}").text
    assert chosen.search(page)[1] == second
    other = visitor.get(f"/solutions/measure?dataset={brain}&asset=elsewhere").text
    assert chosen.search(other)[1] == first


def test_a_dataset_leads_to_a_job_and_the_job_to_what_it_made(visitor, platform, brain):
    assert f'href="/solutions?dataset={brain}' in visitor.get(f"/datasets/{brain}").text
    assert "Intensities" in visitor.get(f"/solutions?dataset={brain}").text
    address, asset = form_of(visitor, brain)
    fields = {"input.image": asset, "parameter.level": "0", "parameter.block_side": "16", "title": "Mine", "do": "run"}
    page = visitor.post(address, data=fields)
    assert page.url.path.startswith("/jobs/")
    assert "Waiting" in page.text
    assert "data-events" in page.text
    run_all(platform)
    done = visitor.get(page.url).text
    assert ">Done<" in done
    assert "data-events" not in done
    made = re.search(r'href="(/datasets/[^"]+)">See what it made', done)[1]
    assert "Mine" in visitor.get(made).text
    listed = visitor.get("/jobs?state=done").text
    assert "Mine" in listed
    assert "Mine" not in visitor.get("/jobs?state=failed").text
    usage = visitor.get("/usage?span=hour").text
    assert "local-owner" in usage
    assert "measure" in usage


def test_what_a_job_would_take_is_said_and_nothing_is_queued(visitor, brain):
    address, asset = form_of(visitor, brain)
    page = visitor.post(address, data={"input.image": asset, "parameter.block_side": "16", "do": "plan"})
    assert page.status_code == 200
    assert "In all 25 blocks" in page.text
    # what was filled in is still there
    assert 'value="16"' in page.text
    assert "No jobs" in visitor.get("/jobs").text


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"parameter.block_side": "7"}, 422, "a whole number from 16 to 1024 voxels"),
        ({"parameter.block_side": "1024", "input.image.other": "nothing:here"}, 404, "there is no dataset nothing"),
        ({"priority": "soon"}, 422, "the priority is"),
    ],
)
def test_what_cant_be_met_comes_back_with_the_form(visitor, brain, fields, status, said):
    address, asset = form_of(visitor, brain)
    page = visitor.post(address, data={"input.image": asset, "do": "run", **fields})
    assert page.status_code == status
    assert said in page.text
    assert 'name="parameter.level"' in page.text
    assert "No jobs" in visitor.get("/jobs").text


def test_a_job_is_paused_taken_up_and_cancelled_by_buttons(visitor, platform, brain):
    address, asset = form_of(visitor, brain)
    job = visitor.post(address, data={"input.image": asset, "do": "run"}).url.path
    assert "Paused" in visitor.post(f"{job}/pause", data={"a": ""}).text
    assert "Waiting" in visitor.post(f"{job}/resume", data={"a": ""}).text
    assert "Cancelled" in visitor.post(f"{job}/cancel", data={"a": ""}).text
    again = visitor.post(f"{job}/pause", data={"a": ""})
    assert again.status_code == 409


def test_a_page_of_another_site_starts_nothing(visitor, brain):
    address, asset = form_of(visitor, brain)
    body = {"input.image": asset, "do": "run"}
    refused = visitor.post(address, data=body, headers={"origin": "http://elsewhere.test", "host": "testserver"})
    assert refused.status_code == 403
    assert visitor.post(address, json=body).status_code == 422
    assert "No jobs" in visitor.get("/jobs").text


def test_pages_speak_chinese(visitor, brain):
    chinese = {"accept-language": "zh-CN"}
    assert "强度统计" in visitor.get(f"/solutions?dataset={brain}", headers=chinese).text
    assert "需要多少资源" in visitor.get("/solutions/measure", headers=chinese).text
    assert "没有作业" in visitor.get("/jobs", headers=chinese).text
    assert "集群使用情况" in visitor.get("/usage", headers=chinese).text


def test_the_changing_part_comes_alone(visitor, brain):
    address, asset = form_of(visitor, brain)
    job = visitor.post(address, data={"input.image": asset, "do": "run"}).url.path
    part = visitor.get(f"{job}?part=1").text
    assert "Waiting" in part
    assert "<html" not in part
