"""From a brain's page to the brain in its atlas, by forms alone, and what the pages then show."""

import re
from collections.abc import Iterator
from html import unescape

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.solutions.align.small_mouse import as_microscope, small_atlas, small_mouse
from tests.solutions.stored import catalogued, stored_volume
from tests.web.test_job_pages import run_all

from pulvinar.ingest.atlas_install import install_atlas
from pulvinar.ingest.request import Means
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.record import Species
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.solutions.align.known_warps import known_brain
from pulvinar.web.app import create_app

VOXEL_UM = 400.0


@pytest.fixture(scope="module")
def platform(samples, tmp_path_factory) -> Iterator[Platform]:
    home = tmp_path_factory.mktemp("aligned")
    with open_platform(load_settings(environment={}, home=home, engine="here")) as opened:
        yield opened


@pytest.fixture(scope="module")
def visitor(platform: Platform) -> Iterator[TestClient]:
    with TestClient(create_app(platform), base_url="http://testserver", headers={"accept-language": "en"}) as client:
        yield client


@pytest.fixture(scope="module")
def brain(samples, platform: Platform) -> str:
    """The identifier of a dataset with a brain; an atlas that it belongs to is installed."""
    pytest.importorskip("picsl_greedy")
    if not (samples / "mouse").is_dir():
        pytest.skip("sample mouse is not there")
    mouse = small_mouse(samples)
    scratch = platform.settings.resolved_scratch()
    install_atlas(Means(platform.database, platform.store, scratch, Limits()), small_atlas(mouse), surfaces=False)
    known = known_brain(mouse.template, mouse.labels, VOXEL_UM, 7)
    return catalogued(
        platform.database, stored_volume(platform.store, scratch, as_microscope(known), size_um=(VOXEL_UM,) * 3)
    )


@pytest.fixture(scope="module")
def job(platform: Platform, visitor: TestClient, brain: str) -> str:
    """The address of the page of a job that has aligned it."""
    page = visitor.get(f"/solutions/align?dataset={brain}").text
    chosen = re.findall(r'<option value="([^"]+)" selected', page)
    assert len(chosen) == 2, "the brain, and the template of the atlas"
    fields = {"input.image": chosen[0], "input.template": chosen[1], "parameter.work_voxel_um": "400", "do": "run"}
    address = re.search(r'action="([^"]+)"', page)[1]
    queued = visitor.post(unescape(address), data={**fields, "parameter.carry_regions": "true"})
    assert queued.url.path.startswith("/jobs/"), queued.text
    run_all(platform)
    return str(queued.url.path)


def test_the_form_offers_the_atlases_of_the_species_alone(visitor: TestClient, platform: Platform, brain: str):
    assert "A small mouse: average" in visitor.get(f"/solutions/align?dataset={brain}").text
    assert "小鼠: average" in visitor.get(f"/solutions/align?dataset={brain}&lang=zh").text
    visitor.get("/?lang=en")
    voxels = np.random.default_rng(3).integers(0, 4000, (1, 1, 30, 40, 50)).astype(np.uint16)
    fish = catalogued(
        platform.database,
        stored_volume(platform.store, platform.settings.resolved_scratch(), voxels),
        species=Species.ZEBRAFISH,
    )
    assert "Align to atlas" not in visitor.get(f"/solutions?dataset={fish}").text
    assert "Align to atlas" in visitor.get(f"/solutions?dataset={brain}").text


def test_a_job_shows_pictures_of_what_it_made(visitor: TestClient, job: str):
    page = visitor.get(job).text
    assert ">Done<" in page
    pictures = re.findall(r'<img src="(/data/[^"]+checkerboard.png)"', page)
    assert len(pictures) == 1
    assert visitor.get(pictures[0]).content[:4] == b"\x89PNG"


def test_the_dataset_tells_how_well_it_went_and_what_it_came_from(visitor: TestClient, job: str, brain: str):
    made = re.search(r'href="(/datasets/[^"]+)">See what it made', visitor.get(job).text)[1]
    page = visitor.get(made).text
    assert "Overlap of the outlines (Dice)" in page
    assert "How it was made" in page
    assert f'href="/datasets/{brain}?version=1"' in page
    assert "pulvinar rerun" in page
    assert "Somebody should look at this alignment" in page  # nobody stated how the brain lies
    assert "nobody stated it for this axis" in page
    chinese = visitor.get(f"{made}?lang=zh").text
    visitor.get("/?lang=en")
    assert "该轴的左右没有声明" in chinese
    assert "生成方式" in chinese


def test_the_brain_is_seen_in_the_atlas_and_the_regions_on_the_brain(visitor: TestClient, job: str, brain: str):
    made = re.search(r'href="(/datasets/[^"]+)">See what it made', visitor.get(job).text)[1]
    page = visitor.get(made).text
    in_atlas = unescape(re.search(r'href="/atlases/small_mouse/view\?(asset=[^"]+)"', page)[1])
    scene = visitor.get(f"/api/v1/atlases/small_mouse/scene?{in_atlas}").json()
    assert [one["name"] for one in scene["layers"] if one["name"].startswith("brain in")]
    on_brain = unescape(re.search(rf'href="/datasets/{brain}/view\?([^"]+)"', page)[1])
    scene = visitor.get(f"/api/v1/scenes/{brain}?{on_brain}").json()
    assert [(one["kind"], one["visible"]) for one in scene["layers"]] == [("image", True), ("labels", True)]
    # what lies in two spaces is not drawn over each other
    own = visitor.get(f"/api/v1/scenes/{made.rpartition('/')[2]}").json()
    assert {one["kind"] for one in own["layers"] if one["visible"]} == {"image"}


def test_what_does_not_lie_on_a_volume_is_refused_beside_it(visitor: TestClient, brain: str):
    template = re.findall(r'<option value="([^"]+)" selected', visitor.get(f"/solutions/align?dataset={brain}").text)[1]
    answer = visitor.get(f"/api/v1/scenes/{brain}?asset={template}")
    assert answer.status_code == 422
    assert "does not lie on a volume" in answer.text
