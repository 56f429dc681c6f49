"""Documents of marks and saved views by HTTP: two people write, others find nothing, and links lead where they may."""

import json

import httpx
import numpy as np
import pytest
from tests.web.accounts import browser, signed_in
from tests.web.conftest import add_dataset, stored_volume

from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

POINT = {"kind": "point", "places_um": [[1.0, 2.0, 3.0]]}
JSON = {"accept": "application/json"}


@pytest.fixture
def platform(tmp_path):
    environment = {"PULVINAR_PUBLIC": "yes", "PULVINAR_EMBED_ORIGINS": "https://lab.example"}
    with open_platform(load_settings(environment=environment, home=tmp_path / "home")) as opened:
        yield opened


@pytest.fixture
def brain(platform):
    voxels = np.ones((1, 1, 20, 20, 20), np.uint8)
    return add_dataset(platform, "A brain", [stored_volume(platform, "volume", voxels, VolumeKind.IMAGE)])


@pytest.fixture
def ada(platform):
    with signed_in(platform, "ada") as client:
        client.headers["accept"] = "application/json"
        yield client


@pytest.fixture
def bo(platform):
    with signed_in(platform, "bo") as client:
        client.headers["accept"] = "application/json"
        yield client


@pytest.fixture
def document(ada, brain):
    """Where Ada's document is asked for."""
    made = told(ada.post("/api/v1/documents", json={"title": "Cells", "dataset": brain.dataset_id}), 201)
    assert made["right"] == "administer"
    return f"/api/v1/documents/{made['id']}"


def told(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def change(marks, **more):
    return {"changes": [{"id": name, "mark": mark} for name, mark in marks.items()], **more}


def test_two_people_write_one_document(ada, bo, document):
    assert told(bo.get(document), 404)["error"]["code"] == "not_found"
    told(ada.post(f"{document}/grants", json={"login": "bo", "right": "write"}), 201)
    first = told(ada.post(f"{document}/operations", json=change({"a": POINT}, expected=0, key="k")), 201)
    assert (first["number"], first["by"], first["mine"]) == (1, "ada", True)
    refused = told(bo.post(f"{document}/operations", json=change({"b": POINT}, expected=0)), 409)
    assert "at operation 1, not 0" in refused["error"]["message"]
    (missed,) = told(bo.get(f"{document}/operations?after=0"))
    assert (missed["by"], missed["mine"], missed["changes"][0]["after"]) == ("ada", False, POINT)
    told(bo.post(f"{document}/operations", json=change({"b": POINT}, expected=1)), 201)
    assert told(bo.post(f"{document}/undo"), 201)["changes"] == [{"id": "b", "before": POINT, "after": None}]
    told(bo.post(f"{document}/undo"), 409)
    assert told(bo.post(f"{document}/redo"), 201)["number"] == 4
    marks = told(ada.get(f"{document}/marks"))
    assert marks["number"] == 4
    assert [(one["id"], one["by"]) for one in marks["marks"]] == [("a", "ada"), ("b", "bo")]


def test_a_visitor_sees_what_is_public_and_no_names(platform, ada, document):
    told(ada.post(f"{document}/operations", json=change({"a": POINT})), 201)
    with browser(platform, accept="application/json") as visitor:
        told(visitor.get(document), 404)
        told(ada.post(f"{document}/grants", json={"all": "everyone"}), 201)
        assert told(visitor.get(document))["by"] == ""
        assert told(visitor.get(f"{document}/marks"))["marks"] == [{"id": "a", "by": "", "mark": POINT}]
        told(visitor.get(f"{document}/grants"), 403)
        told(visitor.post(f"{document}/operations", json=change({"b": POINT})), 403)
        told(ada.delete(f"{document}/grants/everyone"), 204)
        told(visitor.get(document), 404)


def test_others_hear_of_an_operation_as_it_is_done(ada, document, serving, platform):
    told(ada.post(f"{document}/operations", json=change({"a": POINT})), 201)
    with serving(platform) as address:
        asked = {"url": f"{address}{document}/events?after=0", "cookies": dict(ada.cookies), "timeout": 20}
        with httpx.stream("GET", **asked) as events:
            lines = (line for line in events.iter_lines() if line.startswith("data:"))
            assert json.loads(next(lines)[5:])["changes"][0]["after"] == POINT
            ada.post(f"{document}/operations", json=change({"a": None}))
            assert json.loads(next(lines)[5:])["number"] == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"changes": []}, 422),
        ({"changes": [{"id": "a", "mark": {"kind": "circle"}}]}, 422),
        ({"changes": [{"id": "a/../b", "mark": POINT}]}, 422),
        ({"changes": [{"id": "a", "mark": POINT}, {"id": "a", "mark": None}]}, 422),
        ({"changes": [{"id": "a", "mark": POINT}], "expected": -1}, 422),
        ({"changes": [{"id": "a", "mark": POINT}], "key": "a b"}, 422),
    ],
)
def test_hostile_operations_are_refused(ada, document, body, status):
    told(ada.post(f"{document}/operations", json=body), status)
    assert told(ada.get(document))["number"] == 0


def test_files_go_out_and_come_in(ada, document):
    marks = {"a": POINT, "n": {"kind": "note", "places_um": [[4.0, 5.0, 6.0]], "text": "海马"}}
    told(ada.post(f"{document}/operations", json=change(marks)), 201)
    for form in ("json", "csv", "neuroglancer"):
        written = ada.get(f"{document}/export?format={form}")
        assert written.headers["content-disposition"].startswith("attachment")
        told(ada.post(f"{document}/operations", json=change(dict.fromkeys(marks))), 201)
        told(ada.post(f"{document}/import?format={form}", content=written.content), 201)
        assert {one["id"]: one["mark"] for one in told(ada.get(f"{document}/marks"))["marks"]} == marks
    told(ada.post(f"{document}/import?format=csv", content=b"\xff\xfe"), 422)
    told(ada.get(f"{document}/export?format=corrections"), 422)


def test_a_saved_view_leads_to_its_page(platform, ada, brain):
    asked = {"title": "左半球", "path": f"/datasets/{brain.dataset_id}/view?version=1", "state": "l=xy&p=1_2_3"}
    made = told(ada.post("/api/v1/views", json=asked), 201)
    assert [one["title"] for one in told(ada.get("/api/v1/views"))] == ["左半球"]
    with browser(platform) as visitor:
        led = visitor.get(f"/v/{made['id']}")
        assert led.status_code == 303
        assert led.headers["location"] == f"/datasets/{brain.dataset_id}/view?version=1#l=xy&p=1_2_3"
        assert visitor.get("/v/nosuchview").status_code == 404
        assert visitor.get("/marks").status_code == 303
        framed = visitor.get(f"/embed/{made['id']}")
        assert framed.headers["location"] == f"/embed/{made['id']}?open=1#l=xy&p=1_2_3"
        page = visitor.get(f"/embed/{made['id']}?open=1")
        assert "frame-ancestors 'self' https://lab.example" in page.headers["content-security-policy"]
        assert f'scene="/api/v1/scenes/{brain.dataset_id}?version=1"' in page.text
    mine = ada.get("/marks", headers={"accept": "text/html"})
    assert "左半球" in mine.text
    ada.post(f"/marks/views/{made['id']}/delete")
    told(ada.get(f"/api/v1/views/{made['id']}"), 404)
