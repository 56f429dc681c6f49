"""What a server has, as it shows itself in a notebook, and collections, marks and jobs from Python."""

import json
import re

import pytest
from starlette.testclient import TestClient
from tests.web.conftest import stored_volume

import pulvinar
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.record import Record, Species
from pulvinar.model.volume import VolumeKind
from pulvinar.web.app import create_app

HOSTILE = '<script>alert("x")</script> & "quoted"'


@pytest.fixture(scope="module")
def brains(address):
    return pulvinar.connect(address, "")


@pytest.fixture(scope="module")
def hostile(platform, image):
    """A dataset whose every word is markup."""
    asset, objects = stored_volume(platform, HOSTILE, image.voxels[:, :1, :20, :20, :20], VolumeKind.IMAGE)
    with UnitOfWork(platform.database, platform.actor) as work:
        record = Record(HOSTILE, Species.MOUSE, "CC0-1.0", description=HOSTILE, lab=HOSTILE)
        made = create_dataset(work, record, node="local")
        draft = open_draft(work, made.id)
        add_asset(work, draft.id, asset, objects)
        publish(work, draft.id)
    return made.id


def test_a_dataset_shows_its_assets_with_pictures_that_a_notebook_keeps(brains, image):
    shown = brains.dataset(image.version.dataset_id)._repr_html_()
    assert "A brain with image" in shown
    assert "100 × 130 × 150 (z, y, x), 2 × 1 × 1 µm" in shown
    assert 'src="data:image/webp;base64,' in shown
    assert f'href="{brains.url}/datasets/{image.version.dataset_id}"' in shown
    found = brains.find("image kind:volume")._repr_html_()
    assert "A brain with image" in found
    assert "<tr>" in brains._repr_html_()
    assert brains.find("kind:mesh nothinglikeit")._repr_html_().endswith("<p>Nothing is found.</p>")


def test_what_people_write_is_shown_and_not_run(brains, hostile):
    dataset = brains.dataset(hostile)
    for shown in (dataset, dataset.assets()[0], brains, brains.find("alert"), dataset.explore()):
        markup = shown._repr_html_()
        assert "<script" not in markup
        assert '"quoted"' not in markup


def test_the_viewer_stands_in_a_frame_of_the_sites_that_the_settings_name(brains, platform, image):
    explorer = brains.dataset(image.version.dataset_id).explore(height=400)
    markup = explorer._repr_html_()
    source = re.search(r'<iframe src="([^"]+)"', markup)[1]
    assert source == f"{brains.url}/datasets/{image.version.dataset_id}/embed"
    assert 'height="400"' in markup
    client = TestClient(create_app(platform), headers={"accept": "text/html"})
    page = client.get(source.removeprefix(brains.url))
    assert f"/api/v1/scenes/{image.version.dataset_id}?version=1" in page.text
    assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
    assert client.get(page.text.split('scene="')[1].split('"')[0]).status_code == 200


def test_a_collection_is_made_filled_shared_and_deleted(brains, image, labels, hostile):
    made = brains.make_collection("Figure 3", HOSTILE)
    made.add(brains.dataset(image.version.dataset_id)).add(labels.version.dataset_id)
    made.add(image.version.dataset_id)  # stays in its place
    assert [one.id for one in made.datasets()] == [image.version.dataset_id, labels.version.dataset_id]
    assert made.told["count"] == 2
    assert made.share().told["is_public"]
    assert not made.share(public=False).told["is_public"]
    assert "A brain with labels" in made._repr_html_()
    made.describe("Figure 4", "better")
    assert (brains.collection(made.id).title, brains.collection(made.id).description) == ("Figure 4", "better")
    assert made.id in [one.id for one in brains.collections(labels.version.dataset_id)]
    assert made.id not in [one.id for one in brains.collections(hostile)]
    made.remove(labels.version.dataset_id)
    assert [one.id for one in made.datasets()] == [image.version.dataset_id]
    with pytest.raises(NotFound):
        made.add("local-nothing")
    with pytest.raises(Invalid):
        made.describe(" ")
    made.delete()
    with pytest.raises(NotFound):
        brains.collection(made.id)


def test_marks_go_to_a_document_and_come_back(brains, image):
    document = brains.make_document("Cells to look at", dataset=image.version.dataset_id)
    points = document.add_points([[100, 200, 300], [101.5, 202, 303]], text="here")
    box = document.add_box([100, 200, 300], [110, 210, 310])
    line = document.add_line([[1, 2, 3], [4, 5, 6], [7, 8, 9]], text="a path")
    marks = document.marks()
    assert set(marks) == {*points, box, line}
    assert marks[points[1]] == {"kind": "point", "places_um": [[101.5, 202.0, 303.0]], "text": "here"}
    assert marks[line]["places_um"][2] == [7.0, 8.0, 9.0]
    assert document.id in [one.id for one in brains.documents(dataset=image.version.dataset_id)]
    many = document.add_points([[z, 0, 0] for z in range(1200)])
    assert len(document.marks()) == 1204 == len({*many, *marks})
    with pytest.raises(Invalid):
        document.add_points([1, 2, 3])


def test_a_job_is_asked_for_and_seen(brains, image):
    job = brains.run("measure", {"image": f"{image.version.dataset_id}:image"}, {"block_side": 64}, title="from Python")
    assert job.state == "queued"
    assert job.id in [one.id for one in brains.jobs()]
    assert brains.job(job.id).cancel().state in ("cancelled", "cancelling")
    with pytest.raises(Invalid):
        brains.run("measure", {"nothing": "x"})
    assert json.dumps(job.told)
