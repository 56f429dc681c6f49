"""From a dataset's page to what a job made of it, by forms alone, and what the pages say on the way."""

import re
from collections.abc import Iterator
from dataclasses import replace

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


def test_how_well_a_solution_does_is_said_beside_its_form_in_both_languages(visitor):
    english = visitor.get("/solutions/align").text
    assert english.count('class="tiles"') == 1
    assert "<dd>0.953</dd>" in english
    assert "Zebrafish whole<br>Dice of regions over 500 voxels" in english
    assert "ANTs SyN" in english
    # each sentence on how it was measured stands once, however many figures it is of
    assert english.count("A real template under a warp that is known") == 1
    chinese = visitor.get("/solutions/align", headers={"accept-language": "zh"}).text
    assert "斑马鱼，全脑<br>500 体素以上脑区的 Dice" in chinese
    assert "A real template" not in chinese
    assert "GOLD：专家" in chinese
    assert "F1, cross-validated <strong>0.926</strong>" in visitor.get("/solutions").text


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


def cells_judged(platform: Platform, visitor: TestClient, voxels: np.ndarray) -> tuple[str, str]:
    """A document that says so of three places in the cells that a job has found; and the volume's identifier."""
    stored = stored_volume(platform.store, platform.settings.resolved_scratch(), voxels)
    brain = catalogued(platform.database, stored)
    parameters = {"diameter_um": 12.0, "signal": 0, "block_side": 64}
    asked = {"solution": "cells", "inputs": {"image": f"{brain}:brain"}, "parameters": parameters}
    job = visitor.post("/api/v1/jobs", json=asked).json()
    run_all(platform)
    done = visitor.get(f"/api/v1/jobs/{job['id']}").json()
    wanted = {"title": "Judged", "dataset": done["dataset_id"], "asset": done["outputs"]["cells"]}
    document = visitor.post("/api/v1/documents", json=wanted).json()["id"]
    marks = [
        {"id": f"m{at}", "mark": {"kind": "verdict", "places_um": [[at, 2.0, 3.0]], "verdict": verdict}}
        for at, verdict in enumerate(("accept", "reject", "add"))
    ]
    assert visitor.post(f"/api/v1/documents/{document}/operations", json={"changes": marks}).status_code == 201
    return document, stored[0].id


def test_what_was_said_of_cells_leads_to_the_form_that_teaches_with_it(platform, visitor):
    voxels = np.random.default_rng(3).integers(0, 90, (1, 1, 30, 40, 50)).astype(np.uint16)
    voxels[0, 0, 15:19, 20:28, 20:28] = 4000
    document, image = cells_judged(platform, visitor, voxels)
    assert f'action="/marks/{document}/teach"' in visitor.get("/marks").text
    page = visitor.post(f"/marks/{document}/teach")
    assert page.url.path == "/solutions/teach_cells"
    assert re.search(rf'<option value="{image}" selected', page.text)
    table = re.search(r'<textarea id="input-corrections"[^>]*>([^<]+)</textarea>', page.text)[1]
    assert re.search(r'id="parameter-diameter_um"[^>]* value="12.0"', page.text)
    frozen = visitor.post(f"/api/v1/documents/{document}/freeze")
    assert frozen.status_code == 201
    told = frozen.json()
    assert (told["count"], told["image_id"], told["parameters"]["diameter_um"]) == (3, image, 12.0)
    assert told["asset_id"] != table
    # three are too few, and that is said before anything runs
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    fields = {"input.image": image, "input.corrections": table, "do": "plan"}
    refused = visitor.post("/solutions/teach_cells", data=fields)
    assert (refused.status_code, "3 corrections teach nothing" in refused.text) == (422, True)


def test_a_box_drawn_in_the_world_fills_in_the_form_in_the_volume_s_own_space(platform, visitor):
    voxels = np.zeros((1, 1, 20, 30, 40), np.uint16)
    voxels[0, 0, 5, 5, 5] = 9
    folder = platform.settings.resolved_scratch()
    asset, objects = stored_volume(platform.store, folder, voxels)
    # its voxels of 2 x 1 x 1 um run the other way along z, and begin at 1000 um
    turned = [[-2.0, 0, 0, 1000], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1]]
    volume = {**asset.details["volume"], "affine_um": turned}
    brain = catalogued(platform.database, (replace(asset, details={**asset.details, "volume": volume}), objects))
    asked = f"asset={asset.id}&box=980,2,3,990,12,13"
    listed = visitor.get(f"/solutions?{asked}").text
    assert ("/solutions/cells?" in listed, "/solutions/measure?" in listed) == (True, False)
    link = re.search(r'href="(/solutions/cells[^"]+)"', listed)[1].replace("&amp;", "&")
    page = visitor.get(link).text
    assert re.search(r'id="parameter-box"[^>]* value="10,2,3,20,12,13"', page)
    assert re.search(rf'<option value="{asset.id}" selected', page)
    assert f'action="/solutions/cells?dataset={brain}&amp;version=1"' in page
    for wrong in ("1,2,3", "x", "5,5,5,1,1,1"):
        assert visitor.get(f"/solutions/cells?asset={asset.id}&box={wrong}").status_code == 422
